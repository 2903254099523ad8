"""Checks that involve several settings of the configuration."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..config import ATTENTION_KINDS, ATTENTION_METHODS, GENERAL_METHODS
from .schema import allowed_values, model_schema
from .sections import named_files, starts_from_reads


def cross_faults(settings: dict, schema: dict) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield what is wrong between keys: the keys concerned and a line."""
    matrix, labels = settings["matrix"], settings["labels"]
    populations = matrix["populations"]
    doors = ("sample_sheet", "samples", "matrix.path", "matrix.populations")
    if matrix["path"] and populations:
        yield doors[2:], "`matrix.path` and `matrix.populations` are both given; keep the one that holds your cells"
    if starts_from_reads(settings):
        if matrix["path"] or populations:
            yield (
                doors,
                (
                    "samples (`sample_sheet`, `samples`) and a `matrix` are both given; keep the reads or the matrix "
                    "to start from, and remove the other"
                ),
            )
        else:
            yield from _reads_faults(settings)
    elif not matrix["path"] and not populations:
        yield (
            doors,
            (
                "there is nothing to analyse; give `sample_sheet` or `samples` to start from reads, `matrix.path` for "
                "a matrix that exists, or several 10x folders as `matrix.populations`"
            ),
        )
    if settings["features"]["level"] == "gene" and not starts_from_reads(settings):
        yield (
            ("features.level",),
            "`features.level`: found gene; a matrix's features are taken as they are, leave it out",
        )
    if populations:
        yield from _population_faults(populations, matrix)
    if matrix["path"] and not labels["table"] and _holds_no_labels(matrix):
        yield (
            ("matrix.path", "matrix.format", "labels.table"),
            f'`labels.table` is empty, but "{matrix["path"]}" holds no labels; give a .csv or .tsv with a row per cell',
        )
    if not labels["column"] and not populations:
        yield (
            ("labels.column", "matrix.populations"),
            "`labels.column` is empty; give the name of the column that holds the label of every cell",
        )
    if populations and labels["column"] not in ("", "population") and not labels["table"]:
        yield (
            ("labels.column", "labels.table", "matrix.populations"),
            f'`labels.column`: found "{labels["column"]}"; with `matrix.populations` leave it out (the labels are the '
            f"populations), or give `labels.table`, the file with this column",
        )
    if labels["group"] and labels["group"] == labels["column"]:
        yield (
            ("labels.group", "labels.column"),
            f'`labels.group` and `labels.column` are both "{labels["group"]}"; a group is what must stay together, '
            f"such as the donor, and each would hold a single label",
        )
    yield from _chord_faults(settings)
    auto = settings["passes"]["auto"]
    if settings["passes"]["n_passes"] == "auto" and auto["start"] > auto["cap"]:
        yield (
            ("passes.auto.start", "passes.auto.cap"),
            f"`passes.auto.start` ({auto['start']}) is above `passes.auto.cap` ({auto['cap']}); raise the cap or start "
            f"lower",
        )
    kinds = allowed_values(model_schema(schema)["properties"]["kind"])
    for name, model in settings["models"].items():
        if model["kind"] == name and name not in kinds:
            yield (
                (f"models.{name}.kind",),
                f"`models.{name}.kind` is missing and `{name}` is not a kind; expected one of {', '.join(kinds)}",
            )
        elif model["attribution"] in ATTENTION_METHODS and model["kind"] not in ATTENTION_KINDS:
            yield (
                (f"models.{name}.kind", f"models.{name}.attribution", "training.attribution"),
                f"`models.{name}.attribution` is {model['attribution']}, which reads a network's attention, and "
                f"{model['kind']} shows none; expected one of {', '.join(GENERAL_METHODS)}, or the kind "
                f"{' or '.join(ATTENTION_KINDS)}",
            )
    paths = {"results": settings["results"], **named_files(settings)}
    for key, path in paths.items():
        if path.startswith("~"):
            yield (key.partition(" ")[0],), f'`{key}`: found "{path}"; write the home folder out, `~` is not expanded'


def _chord_faults(settings: dict) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield what is wrong with the screen for chords and with what it adjusts for."""
    chords, confounders, labels = settings["chords"], settings["confounders"], settings["labels"]
    needed = math.ceil(1 / chords["level"] - 1e-9) - 1
    if chords["rate"] == "family" and chords["permutations"] < needed:
        yield (
            ("chords.permutations", "chords.level"),
            f"`chords.permutations`: found {chords['permutations']}; expected at least {needed} to reach "
            f"`chords.level` {chords['level']:g}",
        )
    for name, model in settings["models"].items():
        if model["chord_pixels"] and not chords["enabled"]:
            yield (
                (f"models.{name}.chord_pixels", "training.chord_pixels", "chords.enabled"),
                f"`models.{name}.chord_pixels` is true and `chords.enabled` is false; change one of them",
            )
    if labels["column"] and labels["column"] in confounders["columns"]:
        yield (
            ("confounders.columns", "labels.column"),
            f'`confounders.columns` holds "{labels["column"]}", the label itself; leave it out',
        )


def _holds_no_labels(matrix: dict) -> bool:
    """Whether the format, given or told by the name, has numbers alone; a folder's name tells nothing."""
    name = matrix["path"].lower().removesuffix(".gz")
    return matrix["format"] not in ("auto", "h5ad", "zarr") or (
        matrix["format"] == "auto" and name.endswith((".csv", ".tsv", ".txt", ".h5"))
    )


def _reads_faults(settings: dict) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield what is wrong with a run that starts from reads."""
    reference, labels = settings["reference"], settings["labels"]
    if not reference["genome"] and not reference["hisat2_index"]:
        yield (
            ("reference.genome", "reference.hisat2_index"),
            "`reference.genome` is empty; give the FASTA to align to, or a built index as `reference.hisat2_index`",
        )
    if not reference["transcripts"] and not (reference["genome"] and reference["annotation"]):
        yield (
            ("reference.transcripts", "reference.genome", "reference.annotation"),
            "`reference.transcripts` is empty; give the FASTA of the transcripts, or `reference.genome` and "
            "`reference.annotation` to cut them from",
        )
    if settings["quantification"]["decoys"] and not reference["genome"]:
        yield (
            ("quantification.decoys", "reference.genome"),
            "`quantification.decoys` needs `reference.genome`; give the FASTA of the genome",
        )
    if settings["quantification"]["k"] % 2 == 0:
        found = settings["quantification"]["k"]
        yield ("quantification.k",), f"`quantification.k`: found {found}; expected an odd number, such as {found - 1}"
    if labels["table"]:
        yield (
            ("labels.table",),
            "`labels.table` is for a matrix; the labels of samples are columns of the sample sheet, leave it out",
        )


def _population_faults(populations: list[dict], matrix: dict) -> Iterator[tuple[tuple[str, ...], str]]:
    key = ("matrix.populations",)
    if matrix["format"] != "auto":
        line = f'`matrix.format`: found "{matrix["format"]}"; leave it out with `matrix.populations`, the names tell it'
        yield (*key, "matrix.format"), line
    if matrix["transpose"]:
        line = "`matrix.transpose` is for one csv or tsv; leave it out with `matrix.populations`"
        yield (*key, "matrix.transpose"), line
    for i, population in enumerate(populations, start=1):
        for field in ("path", "label"):
            if not population[field].strip():
                yield key, f"`matrix.populations.{field}` (entry {i}) is empty; give it a {field}"
    paths = [population["path"] for population in populations]
    for path in sorted({path for path in paths if path and paths.count(path) > 1}):
        yield key, f'`matrix.populations`: "{path}" is listed {paths.count(path)} times; list every folder once'
    if len({population["label"] for population in populations}) < 2:
        yield key, "`matrix.populations` has a single label; two or more are needed to tell apart"

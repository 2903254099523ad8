"""Checks between settings of the configuration, in the order of `CHECKS`; those of models are in `model_checks`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

from ..core.prefixes import is_pattern
from .embedding_checks import batches_of_scvi, fitted_embeddings, heads_of_geneformer, tasks_of_embeddings
from .model_checks import Fault, Settings, adapted_chords, chord_pixels, inputs, kinds_of_models
from .perturbation_checks import perturbed_items
from .schema import allowed_values, model_schema
from .sections import has_matrix, named_files, starts_from_reads, symbol_table


def cross_faults(settings: Settings, schema: dict) -> Iterator[Fault]:
    """Yield every conflict between settings; all defaults are filled in."""
    for check in CHECKS:
        yield from check(settings)
    yield from kinds_of_models(settings, allowed_values(model_schema(schema)["properties"]["kind"]))


def _one_start(settings: Settings) -> Iterator[Fault]:
    matrix, reads = settings["matrix"], starts_from_reads(settings)
    keys = ("sample_sheet", "samples", "matrix.path", "matrix.populations")
    if matrix["path"] and matrix["populations"]:
        yield Fault(
            keys[2:], "`matrix.path` and `matrix.populations` are both given; keep the one that holds your cells"
        )
    if matrix["shards"] and (matrix["path"] or matrix["populations"]):
        yield Fault(
            ("matrix.shards", *keys[2:]),
            "`matrix.shards` holds the whole matrix, and `matrix.path` or `matrix.populations` is given, too; keep one "
            "of them (further cells to be named are `matrix.new_samples`)",
        )
    if reads and has_matrix(settings):
        yield Fault(
            keys,
            "samples (`sample_sheet`, `samples`) and a `matrix` are both given; keep either the reads or the matrix, "
            "and remove the other",
        )
    if not reads and not has_matrix(settings):
        yield Fault(
            keys,
            "there is nothing to analyse; give `sample_sheet` or `samples` to start from reads, `matrix.path` to start "
            "from a matrix, or several 10x folders as `matrix.populations`",
        )


def _task(settings: Settings) -> Iterator[Fault]:
    model, matrix = settings["predict"]["model"], settings["matrix"]
    if settings["task"] == "predict":
        if not model:
            yield Fault(("predict.model",), "`predict.model` is empty; give the folder of the model that is to predict")
        if starts_from_reads(settings) or matrix["populations"]:
            yield Fault(
                ("task", "sample_sheet", "samples", "matrix.populations"),
                "`task` is predict, which reads cells from `matrix.path`; leave out samples and populations",
            )
    elif model:
        yield Fault(("predict.model", "task"), "`predict.model` is given; set `task: predict`, or leave it out")


def _target(settings: Settings) -> Iterator[Fault]:
    labels, new = settings["labels"], settings["matrix"]["new_samples"]
    for word in sorted({*labels["exclude"]} & {*labels["unlabelled"]}):
        yield Fault(
            ("labels.exclude", "labels.unlabelled"),
            f'`labels.exclude` and `labels.unlabelled` both contain "{word}"; keep it in `exclude` to leave its cells '
            "out, in `unlabelled` to have them named",
        )
    if new and _reads_alone(settings):
        yield Fault(
            ("matrix.new_samples",), "`matrix.new_samples` needs a matrix as the reference, and reads are given"
        )
    for path in filter(is_pattern, new):
        yield Fault(
            ("matrix.new_samples",),
            f'`matrix.new_samples`: found the pattern "{path}"; list every file of new samples by its path. A pattern '
            "stands for the shards of one study (`matrix.shards`)",
        )
    for path in sorted({path for path in new if [settings["matrix"]["path"], *new].count(path) > 1}):
        yield Fault(
            ("matrix.new_samples", "matrix.path"), f'"{path}" is listed twice in `matrix`; list every file once'
        )
    if labels["domain"] and labels["domain"] == labels["column"]:
        yield Fault(
            ("labels.domain", "labels.column"),
            f'`labels.domain` and `labels.column` are both "{labels["domain"]}"; a domain is where a cell comes '
            "from, such as a study",
        )
    over_domains = settings["transfer"]["calibrate_over"] == "domain" and settings["task"] != "predict"
    if over_domains and (labels["domain"] != labels["group"] or not labels["domain"]):
        yield Fault(
            ("transfer.calibrate_over", "labels.domain", "labels.group"),
            f'`transfer.calibrate_over` is domain, `labels.domain` is "{labels["domain"]}" and `labels.group` is '
            f'"{labels["group"]}"; name the same column in both, so that passes leave out whole domains',
        )


def _ontology(settings: Settings) -> Iterator[Fault]:
    ontology, predicts = settings["labels"]["ontology"], settings["task"] == "predict"
    for key in (key for key, value in ontology.items() if value):
        if predicts and key != "allowed":
            yield Fault(
                (f"labels.ontology.{key}", "task"),
                f"`labels.ontology.{key}` is given and `task` is predict; leave it out, the model has its own ontology",
            )
        elif not predicts and not ontology["path"]:
            yield Fault(
                (f"labels.ontology.{key}", "labels.ontology.path"),
                f"`labels.ontology.{key}` needs an ontology; give its .obo file as `labels.ontology.path`",
            )


def _reference(settings: Settings) -> Iterator[Fault]:
    if not _reads_alone(settings):
        return
    reference = settings["reference"]
    if reference["none"]:
        yield from _no_reference(settings)
        return
    if not any(reference[key] for key in ("genome", "hisat2_index", "transcripts")):
        yield Fault(
            ("reference.genome", "reference.hisat2_index"),
            "`reference.genome` is empty; give the FASTA to align to, a built index as `reference.hisat2_index`, or "
            "only `reference.transcripts`. For an organism without a reference write `reference: none`",
        )
        return
    files = ("genome", "transcripts", "annotation")
    for one, other in itertools.combinations(files, 2):
        if reference[one] and reference[one] == reference[other]:
            yield Fault(
                (f"reference.{one}", f"reference.{other}"),
                f"`reference.{one}` and `reference.{other}` are both {reference[one]}; give each its own file, or "
                "leave one out",
            )
    if not reference["transcripts"] and not (reference["genome"] and reference["annotation"]):
        yield Fault(
            ("reference.transcripts", "reference.genome", "reference.annotation"),
            "`reference.transcripts` is empty; give the FASTA of the transcripts, or both `reference.genome` and "
            "`reference.annotation` to extract them",
        )


def _no_reference(settings: Settings) -> Iterator[Fault]:
    reference = settings["reference"]
    for key in ("genome", "hisat2_index", "transcripts", "annotation"):
        if reference[key]:
            yield Fault(
                ("reference.none", f"reference.{key}"),
                f"`reference.none` is true and `reference.{key}` is {reference[key]}; leave one of them out",
            )
    if settings["features"]["level"] == "gene":
        yield Fault(
            ("features.level", "reference.none"),
            "`features.level`: found gene; without a reference no genes are known, so leave it out",
        )


def _quantification(settings: Settings) -> Iterator[Fault]:
    if not _reads_alone(settings):
        return
    if settings["quantification"]["decoys"] and not settings["reference"]["genome"]:
        yield Fault(
            ("quantification.decoys", "reference.genome"),
            "`quantification.decoys` needs `reference.genome`; give the FASTA of the genome",
        )
    k = settings["quantification"]["k"]
    if k % 2 == 0:
        yield Fault(("quantification.k",), f"`quantification.k`: found {k}; expected an odd number, such as {k - 1}")


def _novelty(settings: Settings) -> Iterator[Fault]:
    if not _reads_alone(settings):
        return
    sources, reference = settings["novelty"]["sources"], settings["reference"]
    if sources and settings["assembly"]["fasta"]:
        yield Fault(
            ("novelty.sources", "assembly.fasta"),
            "`novelty.sources` and `assembly.fasta` are both given; with contigs of your own nothing is assembled, so "
            "leave one out",
        )
    if "aligned" in sources and not (reference["genome"] and reference["annotation"]):
        yield Fault(
            ("novelty.sources", "reference.genome", "reference.annotation"),
            '`novelty.sources` has "aligned", which needs `reference.genome` and `reference.annotation`; give both, or '
            "leave it out",
        )


def _labels_of_samples(settings: Settings) -> Iterator[Fault]:
    if _reads_alone(settings) and settings["labels"]["table"]:
        yield Fault(
            ("labels.table",),
            "`labels.table` is only for a matrix; the labels of samples are columns of the sample sheet, so leave it "
            "out",
        )


def _gene_level(settings: Settings) -> Iterator[Fault]:
    if settings["features"]["level"] == "gene" and not starts_from_reads(settings):
        yield Fault(
            ("features.level",),
            "`features.level`: found gene; the features of a matrix are used as they are, so leave it out",
        )


def _populations(settings: Settings) -> Iterator[Fault]:
    matrix, key = settings["matrix"], "matrix.populations"
    populations = matrix["populations"]
    if not populations:
        return
    if matrix["format"] != "auto":
        yield Fault(
            (key, "matrix.format"),
            f'`matrix.format`: found "{matrix["format"]}"; leave it out with `matrix.populations`, whose formats '
            "follow from the file names",
        )
    if matrix["transpose"]:
        yield Fault(
            (key, "matrix.transpose"),
            "`matrix.transpose` is only for a csv or tsv file; leave it out with `matrix.populations`",
        )
    for i, population in enumerate(populations, start=1):
        for field in ("path", "label"):
            if not population[field].strip():
                yield Fault((key,), f"`{key}.{field}` (entry {i}) is empty; give it a {field}")
    paths = [population["path"] for population in populations]
    for path in sorted({path for path in paths if path and paths.count(path) > 1}):
        yield Fault((key,), f'`{key}`: "{path}" is listed {paths.count(path)} times; list every folder once')
    if len({population["label"] for population in populations}) < 2:
        yield Fault((key,), f"`{key}` has a single label; at least two are needed")


def _labels_of_a_matrix(settings: Settings) -> Iterator[Fault]:
    matrix, labels = settings["matrix"], settings["labels"]
    if settings["task"] == "predict":
        return
    if matrix["path"] and not labels["table"] and _holds_no_labels(matrix):
        is_unknown = matrix["format"] == "auto"  # AnnData files may be named .h5, too
        yield Fault(
            ("matrix.path", "matrix.format", "labels.table"),
            f'`labels.table` is empty, but "{matrix["path"]}" holds no labels; give a .csv or .tsv with a row per cell'
            f"{', or set `matrix.format: h5ad` if it is an AnnData file' * is_unknown}",
        )


def _label_column(settings: Settings) -> Iterator[Fault]:
    labels, populations = settings["labels"], settings["matrix"]["populations"]
    if settings["task"] == "predict":
        return
    if not labels["column"] and not populations:
        yield Fault(
            ("labels.column", "matrix.populations"),
            "`labels.column` is empty; give the name of the column that holds the label of every sample or cell",
        )
    if populations and labels["column"] not in ("", "population") and not labels["table"]:
        yield Fault(
            ("labels.column", "labels.table", "matrix.populations"),
            f'`labels.column`: found "{labels["column"]}"; with `matrix.populations` leave it out (the labels are the '
            "populations), or give the file with this column as `labels.table`",
        )


def _group_column(settings: Settings) -> Iterator[Fault]:
    labels = settings["labels"]
    if labels["group"] and labels["group"] == labels["column"]:
        yield Fault(
            ("labels.group", "labels.column"),
            f'`labels.group` and `labels.column` are both "{labels["group"]}"; a group is what must stay together, '
            "such as a donor, and here each group would hold a single label",
        )


def _chord_permutations(settings: Settings) -> Iterator[Fault]:
    chords = settings["chords"]
    needed = math.ceil(1 / chords["level"] - 1e-9) - 1  # the smallest p-value of n permutations is 1 / (n + 1)
    if chords["rate"] == "family" and chords["permutations"] < needed:
        yield Fault(
            ("chords.permutations", "chords.level"),
            f"`chords.permutations`: found {chords['permutations']}; expected at least {needed} to reach "
            f"`chords.level` {chords['level']:g}",
        )


def _confounders(settings: Settings) -> Iterator[Fault]:
    column, confounders = settings["labels"]["column"], settings["confounders"]
    for key in ("columns", "numeric"):
        if column and column in confounders[key]:
            yield Fault(
                (f"confounders.{key}", "labels.column"),
                f'`confounders.{key}` contains "{column}", the label itself; leave it out',
            )
    shares = confounders["composition"]["shares"]
    for name in shares:
        if name == column or name in confounders["columns"] or name in confounders["numeric"]:
            yield Fault(
                ("confounders.composition.shares", "confounders.columns", "confounders.numeric", "labels.column"),
                f'`confounders.composition.shares` contains "{name}", which is the label or named as another '
                "confounder, too; keep it in one place",
            )
    if len(set(shares)) < len(shares):
        yield Fault(("confounders.composition.shares",), "`confounders.composition.shares` names a column twice")
    for name in confounders["columns"]:
        if name in confounders["numeric"]:
            yield Fault(
                ("confounders.columns", "confounders.numeric"),
                f'`confounders.columns` and `confounders.numeric` both contain "{name}"; keep it in `numeric` if it '
                "is a quantity, else in `columns`",
            )


def _symbols(settings: Settings) -> Iterator[Fault]:
    columns, keys = settings["features"]["symbol_columns"], ("features.symbol_columns", "features.symbols")
    if columns and not symbol_table(settings):
        yield Fault(
            keys,
            f"`features.symbol_columns` is given, but `features.symbols` ({settings['features']['symbols']}) is no "
            "table (.tsv, .csv); give the path of the table, or leave the columns out",
        )
    elif columns and len(columns) != 2:
        yield Fault(
            keys[:1],
            f"`features.symbol_columns` has {len(columns)} entries, not two: expected [id, symbol]",
        )


def _set_sizes(settings: Settings) -> Iterator[Fault]:
    enrichment = settings["enrichment"]
    if enrichment["min_size"] > enrichment["max_size"]:
        yield Fault(
            ("enrichment.min_size", "enrichment.max_size"),
            f"`enrichment.min_size` ({enrichment['min_size']}) is above `enrichment.max_size` "
            f"({enrichment['max_size']}); no set would be tested",
        )
    if repeated := {path for path in enrichment["gene_sets"] if enrichment["gene_sets"].count(path) > 1}:
        yield Fault(
            ("enrichment.gene_sets",), f"`enrichment.gene_sets` lists {min(repeated)} twice; give each file once"
        )


def _growing_passes(settings: Settings) -> Iterator[Fault]:
    auto = settings["passes"]["auto"]
    if settings["passes"]["n_passes"] == "auto" and auto["start"] > auto["cap"]:
        yield Fault(
            ("passes.auto.start", "passes.auto.cap"),
            f"`passes.auto.start` ({auto['start']}) is above `passes.auto.cap` ({auto['cap']}); raise the cap or start "
            "lower",
        )


def _home_folders(settings: Settings) -> Iterator[Fault]:
    for key, path in {"results": settings["results"], **named_files(settings)}.items():
        if path.startswith("~"):
            yield Fault(
                (key.partition(" ")[0],), f'`{key}`: found "{path}"; write out the home folder, `~` is not expanded'
            )


def _reads_alone(settings: Settings) -> bool:
    """Whether the run starts from reads, and no matrix contradicts that."""
    return starts_from_reads(settings) and not has_matrix(settings)


def _holds_no_labels(matrix: Settings) -> bool:
    """Whether a matrix of this format, given or recognised by its name, cannot hold labels; unknown for folders."""
    name = matrix["path"].lower().removesuffix(".gz")
    return matrix["format"] in ("10x_mtx", "10x_h5") or (matrix["format"] == "auto" and name.endswith(".h5"))


CHECKS: tuple[Callable[[Settings], Iterator[Fault]], ...] = (
    _one_start,
    _task,
    _target,
    _ontology,
    _reference,
    _quantification,
    _novelty,
    _labels_of_samples,
    _gene_level,
    _populations,
    _labels_of_a_matrix,
    _label_column,
    _group_column,
    _chord_permutations,
    chord_pixels,
    adapted_chords,
    inputs,
    _confounders,
    _symbols,
    _set_sizes,
    _growing_passes,
    _home_folders,
    tasks_of_embeddings,
    fitted_embeddings,
    heads_of_geneformer,
    batches_of_scvi,
    perturbed_items,
)

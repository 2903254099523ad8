"""Sections of the checked configuration that rules read: models, inputs, named files."""

from __future__ import annotations

import copy

from ..errors import InputError
from .schema import list_words


def model_settings(settings: dict, name: str) -> dict:
    """Return all that determines a pass of one model, its seed and its features apart, and nothing else.

    Plain builtins in a fixed order, so that equal settings are equal Snakemake parameters.

    Raises
    ------
    InputError
        `settings` has no model of this name.
    """
    models = settings["models"]
    if name not in models:
        raise InputError(f"no model is named `{name}`: the configuration has {list_words(models)}.")
    model = copy.deepcopy(models[name])
    model["extra"] = dict(sorted(model["extra"].items()))
    del model["chord_pixels"]  # which features a pass reads, not what it does with them
    return {**model, "test_size": settings["passes"]["test_size"]}


def starts_from_reads(settings: dict) -> bool:
    """Whether the run begins with raw reads, in place of a matrix that exists."""
    return bool(settings["sample_sheet"] or settings["samples"])


def named_files(settings: dict) -> dict[str, str]:
    """Files and folders that the configuration names, those of single samples apart, by their key; "" where empty."""
    files = {
        "sample_sheet": settings["sample_sheet"],
        "reference.genome": settings["reference"]["genome"],
        "reference.transcripts": settings["reference"]["transcripts"],
        "reference.annotation": settings["reference"]["annotation"],
        "assembly.fasta": settings["assembly"]["fasta"],
        "novelty.contaminants": settings["novelty"]["contaminants"],
        "matrix.path": settings["matrix"]["path"],
        "labels.table": settings["labels"]["table"],
    }
    populations = enumerate(settings["matrix"]["populations"], start=1)
    return files | {f"matrix.populations.path (entry {i})": item["path"] for i, item in populations}

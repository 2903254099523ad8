"""A matrix and its labels, checked as the rules `import_matrix` and `prepare_features` check them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.blocks import MappedRows
from ..core.ontology import read_ontology
from ..core.words import count, listed
from ..features.perturbed import check_perturbed
from ..features.prepare import prepare_features
from ..io.layers import LAYERS_OF_COUNTS
from ..io.matrix_stats import MatrixStats, scan
from ..io.normalize import normalize_lazily
from ..io.peek import Peek, peek
from ..io.value_checks import check_varies, common_total, value_cautions
from ..workflow.sections import described_by, shard_files
from .design import Labelled, check_columns, check_design
from .embeddings import check_embeddings, check_values_of_embeddings
from .outcome import Outcome
from .plan import Size
from .shards import check_shards
from .target import check_target

# Below this largest value, values with fractions may be logarithms (`matrix_stats.LARGEST_LOG`).
_SHARE_OF_FRACTIONS = 0.1


def check_matrix(outcome: Outcome, settings: dict) -> Size:
    """Check the matrix of a configuration, of shards above all the first; return its size as far as it is known."""
    matrix, labels = settings["matrix"], settings["labels"]
    shards = list(shard_files(settings).values())
    options = {name: matrix[name] for name in ("format", "layer", "duplicate_names", "transpose", "strandedness")}
    options |= {"empty_cells": matrix["empty_cells"], "obs_columns": described_by(settings)}
    options |= {"labels_table": labels["table"] or None}
    populations = [(population["path"], population["label"]) for population in matrix["populations"]]
    found = outcome.attempt(peek, shards[0] if shards else matrix["path"] or None, populations, **options)
    if found is None:
        return Size()
    if shards[1:]:
        if found.data is not None and found.has_all_features:
            check_shards(outcome, found.data, shard_files(settings), options, settings)
        found = replace(found, has_all_samples=False, left=found.left or "further shards")
    elif found.left:
        outcome.unread.append(found.left)
    if found.data is None:
        return Size()
    obs, n_features = found.data.obs, len(found.data.var)
    names = (shards[0] if shards else matrix["path"]) or f"{count(len(matrix['populations']), 'population')}"
    more = ["" if has_all else " or more" for has_all in (found.has_all_samples, found.has_all_features)]
    size = (
        f"{count(len(obs), 'sample', separator=',')}{more[0]} × {count(n_features, 'feature', separator=',')}{more[1]}"
    )
    outcome.say("Matrix", f"{names}: {size}")
    if labels["table"] and labels["column"] in obs:
        n_known = int(obs[labels["column"]].notna().sum())
        outcome.say("Labels", f"{labels['table']}: '{labels['column']}' is known for {n_known} of {len(obs)} samples")
    if settings["perturb"]["how"] and found.has_all_features:
        outcome.attempt(check_perturbed, settings["perturb"]["features"], found.data.var.index.astype(str).tolist())
    if not found.has_all_samples:
        check_columns(outcome, obs, settings)
        check_embeddings(outcome, obs, None, n_features if found.has_all_features else None, settings)
        check_values(outcome, found, None, settings)
        outcome.unread.append("the sizes of classes and groups, and confounders")
        return Size()
    n_before = len(outcome.faults)
    labelled = check_design(outcome, obs, settings)
    if labelled is not None:
        check_terms(outcome, labelled.classes, settings["labels"]["ontology"])
    check_embeddings(outcome, obs, labelled, n_features if found.has_all_features else None, settings)
    check_values(outcome, found, labelled, settings)
    if labelled is not None:
        check_target(outcome, found, labelled, settings)
    if found.is_whole and labelled is not None and len(outcome.faults) == n_before:
        outcome.attempt(prepare_features, found.data, **preparation(settings))
    if labelled is None or not found.has_all_features:
        return Size()
    rows = labelled.kept if found.rows is None else np.intersect1d(labelled.kept, found.rows)
    screened = _n_detected(found.data, rows, settings["chords"]["min_detected"]) if found.has_values else n_features
    return Size(len(labelled.kept), n_features, len(labelled.classes), screened)


def check_terms(outcome: Outcome, classes: Sequence[str], ontology: Mapping[str, Any]) -> None:
    """Check that every class is a term of the ontology, if there is one, and that allowed terms are terms of it."""
    path = ontology["path"]
    read = outcome.attempt(read_ontology, path) if path and Path(path).exists() else None
    if read is None:
        return
    terms = outcome.attempt(read.find_classes, classes, ontology["terms"])
    outcome.attempt(read.find, ontology["allowed"], "labels.ontology.allowed", "Name terms of it.")
    if terms is not None:
        outcome.say("Ontology", f"{read.source}: the classes are {listed([read.describe(term) for term in terms])}")


def _n_detected(data: Any, rows: np.ndarray, share: float) -> int:
    """Number of features that are not 0 in at least this share of some samples."""
    detected = np.zeros(len(data.var), dtype=np.int64)
    for _, block in MappedRows(data.X, rows).blocks():
        detected += np.asarray((block != 0).sum(axis=0)).ravel()
    return int((detected >= share * len(rows)).sum())


def preparation(settings: dict) -> dict[str, Any]:
    """Arguments of `prepare_features`, as the rule passes them."""
    labels, split = settings["labels"], settings["split"]
    return {
        "label_column": labels["column"],
        "exclude": labels["exclude"],
        "missing": labels["missing"],
        "na_values": labels["na_values"],
        "unlabelled": labels["unlabelled"],
        "group_column": labels["group"],
        "normalization": settings["features"]["normalization"],
        "split_scheme": split["scheme"],
        "test_size": split["test_size"],
        "split_seed": split["seed"],
        "confounders": settings["confounders"],
    }


def check_values(outcome: Outcome, found: Peek, labelled: Labelled | None, settings: dict) -> None:
    """Check the values that were read against the normalisation."""
    data, method = found.data, settings["features"]["normalization"]
    rows = np.arange(len(data.obs)) if labelled is None else labelled.kept
    if found.rows is not None:
        rows = np.intersect1d(rows, found.rows)
    if not found.has_values or not len(rows):
        return
    names = [str(data.obs_names[row]) for row in rows]
    of_counts = [str(name) for name in data.uns.get(LAYERS_OF_COUNTS, ())]
    stats = outcome.attempt(_scan, data, rows)
    if stats is None:
        return
    outcome.say("Values", describe_values(stats) + (f"; counts are in {', '.join(of_counts)}" if of_counts else ""))
    if outcome.attempt(
        normalize_lazily, data.X, method, data.layers.get("tpm"), names=names, rows=rows, layers_of_counts=of_counts
    ):
        groups = labelled.groups if labelled is not None and found.is_whole else None
        outcome.add_cautions(value_cautions(stats, method, names, data.var_names, of_counts, groups))
    check_values_of_embeddings(outcome, stats, settings)
    if found.is_whole:
        outcome.attempt(check_varies, stats)


def _scan(data: Any, rows: np.ndarray) -> MatrixStats:
    return scan(MappedRows(data.X, rows).blocks())


def describe_values(stats: MatrixStats) -> str:
    """Say what the values of a matrix seem to be, in a few words."""
    if not stats.nnz:
        return "all 0"
    if stats.is_integer:
        return f"whole numbers up to {stats.largest:,.0f}, as counts are"
    if "negative" in stats.faults:
        return "with negative values, as scaled values are"
    if total := common_total(stats):
        return f"every sample sums to {total:,.0f}"
    if stats.largest <= 1:
        return "between 0 and 1, as shares are"
    if stats.fractional.sum() <= _SHARE_OF_FRACTIONS * stats.nnz or stats.largest >= 30:
        return f"up to {stats.largest:,.4g}, some with fractions, as estimated counts are"
    return f"up to {stats.largest:.3g} with fractions, as logarithms are"

"""Embeddings of a study: as many components as there can be, the batches of its samples, and values that suit them."""

from __future__ import annotations

import importlib.util

import numpy as np
import pandas as pd

from ..errors import InputError
from ..features.for_embeddings import batches_of_samples, check_components, check_counts, check_ranks
from ..io.matrix_stats import MatrixStats
from ..workflow.embedding_checks import TRAINED
from .design import Labelled
from .outcome import Outcome


def check_embeddings(
    outcome: Outcome, obs: pd.DataFrame, labelled: Labelled | None, n_features: int | None, settings: dict
) -> None:
    """Check what embeddings ask of samples; `n_features` is None if it is not known yet."""
    asked = {name: options for name, options in settings["embeddings"].items() if options["n_components"]}
    batch = asked["scvi"]["batch"] if "scvi" in asked else ""
    if labelled is None or labelled.is_test is None:  # which samples are learnt from is not known
        if batch and batch not in obs:
            outcome.attempt(batches_of_samples, obs, batch)
        for kind in ("pca", "ppca"):
            if kind in asked and n_features is not None:
                n_enough = asked[kind]["n_components"] + 1
                outcome.attempt(check_components, kind, n_enough - 1, n_features, max(len(obs), n_enough), n_enough)
        return
    learnt = obs.iloc[labelled.kept[~labelled.is_test]]
    if batch:
        outcome.attempt(batches_of_samples, learnt, batch)
    left_out = 0.0 if labelled.is_test.any() else settings["passes"]["test_size"]
    for kind in ("pca", "ppca"):
        if kind in asked:
            n_fitted = int(len(learnt) * (1 - left_out))
            outcome.attempt(check_components, kind, asked[kind]["n_components"], n_features, len(learnt), n_fitted)


def check_values_of_embeddings(outcome: Outcome, stats: MatrixStats, settings: dict) -> None:
    """Check that the values of a matrix are what embeddings read."""
    embeddings, normalization = settings["embeddings"], settings["features"]["normalization"]
    negative = "negative" in stats.faults
    if embeddings["scvi"]["n_components"]:
        outcome.attempt(check_counts, negative, bool(np.any(stats.fractional)), normalization)
    if embeddings["geneformer"]["n_components"] and normalization == "none":
        outcome.attempt(check_ranks, negative)


def check_lightning(settings: dict) -> None:
    """Refuse embeddings that are trained where Lightning is missing.

    Raises
    ------
    InputError
        If there are any.
    """
    trained = [f"embeddings.{name}" for name in TRAINED if settings["embeddings"][name]["n_components"]]
    if trained and importlib.util.find_spec("lightning") is None:
        raise InputError(
            f"{' and '.join(trained)} cannot be trained, since Lightning is not installed: pip install "
            "'deepmapper[train]', or run with --sdm conda (here: deepmapper check --conda)."
        )

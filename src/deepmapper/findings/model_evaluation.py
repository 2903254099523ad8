"""The final evaluation of one model of a run: its ensemble, its predictions, and what its networks see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..accumulate import accepted_passes
from ..features.confounding import confounder_accuracy
from ..features.store import Features
from ..passes.result import PassFile, PassResult
from . import ensemble, evaluation
from .metrics import Metrics, metrics
from .predictions import prediction_table


@dataclass(frozen=True)
class ModelEvaluation:
    """How good the ensemble of one model is.

    Attributes
    ----------
    metrics
        Numbers and tables; the numbers also say what the confounders that were adjusted for reach alone.
    predictions
        One row per sample: what passes that had not trained on it predict.
    embedding
        What embedding.npz holds: `embedding` (n, d), `map` (n, 2) and `basis`, what the axes of the map are.
    lines
        What a reader of the log should know, a line each.
    """

    metrics: Metrics
    predictions: pd.DataFrame
    embedding: dict[str, np.ndarray]
    lines: tuple[str, ...]


def evaluate_model(
    features: Features,
    passes: Sequence[PassResult | PassFile],
    *,
    min_accuracy: float,
    bins: int,
    n_resamples: int,
    seed: int,
    threads: int | None = None,
) -> ModelEvaluation:
    """Judge the ensemble of one model on the CPU.

    With a test split, the accepted passes are averaged and judged on it; it is read here only. Without one, all passes
    are judged on what they had out of bag, since to drop those that were wrong there would flatter the rest.

    Parameters
    ----------
    features
        What the passes read.
    passes
        All of them.
    min_accuracy
        Passes below are no members of the ensemble.
    bins
        Of the calibration table.
    n_resamples, seed
        Of the bootstrap over test samples.
    threads
        Of torch; None leaves them as they are.
    """
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    members, samples = accepted_passes(passes, min_accuracy), features.development_samples
    names = features.names_of(samples.rows)
    why, lines = features.about["why"], []
    if features.about["scheme"] == "repeated":
        judged = evaluation.evaluate_out_of_bag(passes, samples.labels, features.classes, samples.group_codes, why)
        predictions, _ = prediction_table(features, passes, np.empty((0, len(features.classes))))
        if judged.not_judged:
            missed = [names[row] for row in judged.not_judged]
            lines.append(evaluation.not_evaluated_note(missed, len(passes)))
    else:
        judged = evaluation.evaluate_ensemble(
            (ensemble.predict(result, features.X, features.test, device="cpu") for result in members),
            features.y[features.test],
            samples.labels,
            features.classes,
            why,
        )
        predictions, _ = prediction_table(features, members, np.array(judged.y_proba))
    made = metrics(judged, bins, n_resamples, seed, names)
    made.numbers.update(_of_confounders(features))
    embedding = ensemble.embed_ensemble(members, features.X, features.labelled, device="cpu")
    coordinates, basis = ensemble.map_embedding(embedding)
    lines += [
        why,
        f"accuracy {made.numbers['accuracy']} from {judged.n_passes} passes, {made.numbers['n_test']} samples judged",
    ]
    return ModelEvaluation(
        made, predictions, {"embedding": embedding, "map": coordinates, "basis": np.array(basis)}, tuple(lines)
    )


def _of_confounders(features: Features) -> dict:
    """Names of the confounders that were adjusted for, and their accuracy alone on the same samples."""
    accuracy = None
    if features.design is not None:
        accuracy = confounder_accuracy(
            features.design, features.y, train=features.development, test=features.test, groups=features.groups
        )
    return {"confounders": list(features.design_names), "confounders_accuracy": accuracy}

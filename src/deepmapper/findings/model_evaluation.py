"""The final evaluation of one model of a run: metrics, predictions and embedding of its ensemble."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..accumulate import accepted_passes
from ..features.confounder_tests import confounder_accuracy
from ..features.store import Features
from ..passes.result import PassFile, PassResult
from . import ensemble, evaluation
from .metrics import Metrics, compute_metrics
from .predictions import prediction_table


@dataclass(frozen=True)
class ModelEvaluation:
    """Evaluation of the ensemble of one model.

    Attributes
    ----------
    metrics
        Numbers and tables; the numbers also give the accuracy with which the confounders alone predict the classes.
    predictions
        One row per sample: the prediction of passes that had not trained on it.
    embedding
        Contents of embedding.npz: `embedding` (n, d), `map` (n, 2) and `basis`, the method of the map.
    lines
        Lines for the log.
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
    """Evaluate the ensemble of one model on the CPU.

    With a test split, the average of the accepted passes is evaluated on it. Without one, all passes are evaluated on
    their out-of-bag samples: leaving out passes that did badly on them would bias the accuracy upwards.

    Parameters
    ----------
    features
        Features that the passes read.
    passes
        All passes, accepted or not.
    min_accuracy
        Passes with a lower accuracy are left out of the ensemble.
    bins
        Number of bins of the calibration table.
    n_resamples, seed
        Resamples and seed of the bootstrap over test samples.
    threads
        Number of threads of torch; None keeps its setting.
    """
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    members, samples = accepted_passes(passes, min_accuracy), features.development_samples
    names = features.names_of(samples.rows)
    why, lines = features.metadata["why"], []
    if features.metadata["scheme"] == "repeated":
        result = evaluation.evaluate_out_of_bag(
            passes, samples.labels, features.classes, samples.group_codes, why, samples.kinds
        )
        predictions, _ = prediction_table(features, passes, np.empty((0, len(features.classes))))
        if result.not_judged:
            missed = [names[row] for row in result.not_judged]
            lines.append(evaluation.not_evaluated_note(missed, len(passes)))
    else:
        truth, total = features.y[features.test], np.zeros((len(features.test), len(features.classes)))
        result = evaluation.evaluate_ensemble(
            _predict_test(members, features, total), truth, samples.labels, features.classes, why, features.kinds
        )
        # of all test samples, also of those that are left out of the judgement
        average = total / len(members) if members else np.empty((0, len(features.classes)))
        predictions, _ = prediction_table(features, members, average)
    lines += evaluation.left_out_lines(result)
    computed = compute_metrics(result, bins, n_resamples, seed, names)
    computed.numbers.update(_confounder_numbers(features))
    embedding = ensemble.embed_ensemble(members, features.X, features.labelled, device="cpu")
    coordinates, basis = ensemble.map_embedding(embedding)
    accuracy, judged = computed.numbers["accuracy"], f"{result.n_passes} passes on {computed.numbers['n_test']} samples"
    lines += [why, f"no accuracy of {judged}" if accuracy is None else f"accuracy {accuracy:.3f} of {judged}"]
    return ModelEvaluation(
        computed, predictions, {"embedding": embedding, "map": coordinates, "basis": np.array(basis)}, tuple(lines)
    )


def _predict_test(
    members: Sequence[PassResult | PassFile], features: Features, total: np.ndarray
) -> Iterator[np.ndarray]:
    """Yield the probabilities of the test samples by each pass, and add them to `total`."""
    for member in members:
        probability = ensemble.predict(member, features.X, features.test, device="cpu")
        total += probability
        yield probability


def _confounder_numbers(features: Features) -> dict:
    """Names of the confounders that were adjusted for, and the accuracy with which they alone predict the classes."""
    accuracy = None
    if features.design is not None:
        accuracy = confounder_accuracy(
            features.design,
            features.y,
            train=features.with_lowest_label(features.development),
            test=features.with_lowest_label(features.test),
            groups=features.groups,
        )
    return {"confounders": list(features.design_names), "confounders_accuracy": accuracy}

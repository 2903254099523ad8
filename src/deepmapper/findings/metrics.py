"""Metrics of a model on the test split, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..core.table_schemas import CALIBRATION, CONFUSION, PER_CLASS
from . import evaluation
from . import intervals as findings_intervals

_HEADLINE = [
    f"{metric}{end}" for metric in ("accuracy", "balanced_accuracy", "macro_f1") for end in ("", "_low", "_high")
]


@dataclass(frozen=True)
class Metrics:
    """Numbers and tables of a final evaluation.

    Attributes
    ----------
    numbers
        What metrics.json holds.
    per_class
        One row per class: precision, recall and F1 with their intervals, and the samples of the class.
    confusion
        One row per true class, one column per predicted class: counts.
    calibration
        One row per bin of confidence.
    """

    numbers: dict
    per_class: pd.DataFrame
    confusion: pd.DataFrame
    calibration: pd.DataFrame


def metrics(
    result: evaluation.EvalResult, bins: int, n_resamples: int, seed: int, samples: Sequence[str] = ()
) -> Metrics:
    """Numbers and tables of a final evaluation, with 95 % intervals.

    Those of a class are Wilson's; those of all samples a bootstrap over the test samples, or, judged out of bag,
    Wilson's and what follows from them (`evaluate.wilson_intervals`), groups being counted where they were kept whole.
    `samples`, the names of all samples, lists those that were not judged by name.
    """
    from sklearn.metrics import confusion_matrix, log_loss

    truth, probability = np.array(result.y_true), np.array(result.y_proba)
    n_classes = len(result.classes)
    if not result.n_passes:
        return _no_metrics(result, samples)
    groups = None if result.groups is None else np.array(result.groups)
    if result.scheme == "repeated":
        intervals = findings_intervals.wilson_intervals(truth, probability, groups)
    else:
        intervals = findings_intervals.bootstrap_intervals(truth, probability, n_resamples, seed)
    bins_table, ece = findings_intervals.calibration_table(truth, probability, bins)
    counts = confusion_matrix(truth, probability.argmax(1), labels=np.arange(n_classes))
    one_hot = np.eye(n_classes)[truth]
    numbers: dict = _about(result, samples)
    for name in ("accuracy", "balanced_accuracy", "macro_f1"):
        numbers |= {name: getattr(result, name), f"{name}_low": intervals[name][0], f"{name}_high": intervals[name][1]}
    numbers |= {
        "majority_accuracy": result.majority_accuracy,
        "log_loss": float(log_loss(truth, probability, labels=np.arange(n_classes))),
        "brier": float(((probability - one_hot) ** 2).sum(1).mean()),
        "ece": ece,
        "per_pass_accuracy_mean": mean(np.array(result.per_pass_acc)),
        "per_pass_accuracy": result.per_pass_acc,
        "classes": result.classes,
    }
    share = findings_intervals.effective_share(probability.argmax(1) == truth, groups)
    of_class = findings_intervals.per_class_intervals(counts, share=share)
    per_class = pd.DataFrame({"class": result.classes})
    for name, scores in findings_intervals.per_class_scores(counts).items():
        per_class[name], per_class[f"{name}_low"], per_class[f"{name}_high"] = scores, *of_class[name]
    per_class["support"] = counts.sum(1)
    confusion = pd.DataFrame(counts, columns=result.classes)
    confusion.insert(0, "true_class", result.classes)
    return Metrics(numbers, per_class, confusion, pd.DataFrame(bins_table))


def _about(result: evaluation.EvalResult, samples: Sequence[str]) -> dict:
    """How the samples were judged, and how many."""
    return {
        "scheme": result.scheme,
        "why": result.why,
        "n_test": len(result.y_true),
        "not_judged": [samples[row] if len(samples) else row for row in result.not_judged],
        "n_passes": result.n_passes,
    }


def _no_metrics(result: evaluation.EvalResult, samples: Sequence[str]) -> Metrics:
    """The same numbers and tables when no pass was accepted: there, and empty."""
    numbers = _about(result, samples) | dict.fromkeys(
        [*_HEADLINE, "log_loss", "brier", "ece", "per_pass_accuracy_mean"]
    )
    numbers |= {"majority_accuracy": result.majority_accuracy, "per_pass_accuracy": [], "classes": result.classes}
    return Metrics(
        numbers,
        per_class=pd.DataFrame(columns=PER_CLASS.names()),
        confusion=pd.DataFrame(columns=CONFUSION.names(result.classes)),
        calibration=pd.DataFrame(columns=CALIBRATION.names()),
    )


def headline(numbers: dict) -> dict:
    return {name: numbers[name] for name in [*_HEADLINE, "ece", "majority_accuracy"]}


def mean(values: np.ndarray) -> float | None:
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else None

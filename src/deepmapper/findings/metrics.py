"""Metrics of a model on its test split, or out of bag, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..core.table_schemas import CALIBRATION, CONFUSION, PER_CLASS
from ..core.words import listed, percent
from ..features.label_checks import MOSTLY_ONE_CLASS
from . import intervals
from .evaluation import EvalResult

_HEADLINE = [
    f"{metric}{end}" for metric in ("accuracy", "balanced_accuracy", "macro_f1") for end in ("", "_low", "_high")
]


@dataclass(frozen=True)
class Metrics:
    """Numbers and tables of an evaluation.

    Attributes
    ----------
    numbers
        Contents of metrics.json.
    per_class
        One row per class: precision, recall and F1 with their intervals, and the number of samples.
    confusion
        Counts, one row per true class and one column per predicted class.
    calibration
        One row per bin of confidence: mean confidence and accuracy.
    """

    numbers: dict
    per_class: pd.DataFrame
    confusion: pd.DataFrame
    calibration: pd.DataFrame


def compute_metrics(result: EvalResult, bins: int, n_resamples: int, seed: int, samples: Sequence[str] = ()) -> Metrics:
    """Numbers and tables of an evaluation, with 95 % intervals.

    The intervals of a class are Wilson intervals. Those over all samples come from a bootstrap over the test samples
    or, out of bag, from Wilson intervals (`wilson_intervals`), which count groups if groups were kept whole.

    Parameters
    ----------
    result
        The evaluation.
    bins
        Number of bins of the calibration table.
    n_resamples, seed
        Resamples and seed of the bootstrap.
    samples
        Names of all samples, to list those that were not evaluated by name instead of index.
    """
    from sklearn.metrics import confusion_matrix, log_loss

    truth, probability = np.array(result.y_true), np.array(result.y_proba)
    n_classes = len(result.classes)
    if not result.n_passes:
        return _no_metrics(result, samples)
    groups = None if result.groups is None else np.array(result.groups)
    if result.scheme == "repeated":
        limits = intervals.wilson_intervals(truth, probability, groups)
    else:
        limits = intervals.bootstrap_intervals(truth, probability, n_resamples, seed)
    bin_rows, ece = intervals.calibration_table(truth, probability, bins)
    counts = confusion_matrix(truth, probability.argmax(1), labels=np.arange(n_classes))
    one_hot = np.eye(n_classes)[truth]
    numbers: dict = _evaluated(result, samples)
    for name in ("accuracy", "balanced_accuracy", "macro_f1"):
        low, high = limits[name]
        numbers |= {name: getattr(result, name), f"{name}_low": low, f"{name}_high": high}
    numbers |= {
        "majority_accuracy": result.majority_accuracy,
        "log_loss": float(log_loss(truth, probability, labels=np.arange(n_classes))),
        "brier": float(((probability - one_hot) ** 2).sum(1).mean()),
        "ece": ece,
        "per_pass_accuracy_mean": mean_or_none(np.array(result.per_pass_acc)),
        "per_pass_accuracy": result.per_pass_acc,
        "classes": result.classes,
        "unequal": unequal_words(result, intervals.per_class_scores(counts)["recall"], counts.sum(1)),
    }
    share = intervals.effective_share(probability.argmax(1) == truth, groups)
    class_limits = intervals.per_class_intervals(counts, share=share)
    per_class = pd.DataFrame({"class": result.classes})
    for name, scores in intervals.per_class_scores(counts).items():
        per_class[name], per_class[f"{name}_low"], per_class[f"{name}_high"] = scores, *class_limits[name]
    per_class["support"] = counts.sum(1)
    confusion = pd.DataFrame(counts, columns=result.classes)
    confusion.insert(0, "true_class", result.classes)
    return Metrics(numbers, per_class, confusion, pd.DataFrame(bin_rows))


def unequal_words(result: EvalResult, recall: np.ndarray, support: np.ndarray) -> str:
    """Say what is recognised of the small classes if nearly all evaluated samples are of one class, else ""."""
    if not result.majority_accuracy >= MOSTLY_ONE_CLASS:
        return ""
    known = [code for code in np.argsort(support, kind="stable") if support[code]]
    recalls = [f"{percent(recall[code], 0)} of {support[code]:,} {result.classes[code]}" for code in known[:3]]
    return (
        f"accuracy says little here, since always predicting the largest class reaches {result.majority_accuracy:.3f}. "
        f"The mean of the shares of each class that are recognised (balanced accuracy) is "
        f"{result.balanced_accuracy:.3f}, and {1 / len(known):.3f} without signal; recognised are "
        f"{listed(recalls, 3)}{' and so on' if len(known) > 3 else ''}."
    )


def _evaluated(result: EvalResult, samples: Sequence[str]) -> dict:
    """How many samples were evaluated, and how."""
    return {
        "scheme": result.scheme,
        "why": result.why,
        "n_test": len(result.y_true),
        "not_judged": [samples[row] if len(samples) else row for row in result.not_judged],
        "n_passes": result.n_passes,
        **({} if result.upper is None else {"n_upper_label": len(result.upper)}),
    }


def _no_metrics(result: EvalResult, samples: Sequence[str]) -> Metrics:
    """The same numbers and tables without any values, for the case that no pass was accepted."""
    numbers = _evaluated(result, samples) | dict.fromkeys(
        [*_HEADLINE, "log_loss", "brier", "ece", "per_pass_accuracy_mean"]
    )
    numbers |= {"majority_accuracy": result.majority_accuracy, "per_pass_accuracy": [], "classes": result.classes}
    numbers["unequal"] = ""
    return Metrics(
        numbers,
        per_class=pd.DataFrame(columns=PER_CLASS.names()),
        confusion=pd.DataFrame(columns=CONFUSION.names(result.classes)),
        calibration=pd.DataFrame(columns=CALIBRATION.names()),
    )


def headline(numbers: dict) -> dict:
    """Select the metrics that are shown side by side for all models."""
    return {name: numbers[name] for name in [*_HEADLINE, "ece", "majority_accuracy"]}


def mean_or_none(values: np.ndarray) -> float | None:
    """Mean of the values that are not NaN; None if there are none."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else None

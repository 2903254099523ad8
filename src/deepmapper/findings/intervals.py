"""Confidence intervals of accuracies and of scores per class, and the calibration curve."""

from __future__ import annotations

import numpy as np

from .. import accumulate
from ..core.draws import Draw, stream


def bootstrap_intervals(
    truth: np.ndarray, probability: np.ndarray, n_resamples: int = 1000, seed: int = 0, confidence: float = 0.95
) -> dict[str, tuple]:
    """Percentile bootstrap intervals of the metrics over test samples.

    Samples are drawn within each class, so that every resample has all classes.

    Returns
    -------
    dict
        (low, high) of "accuracy", "balanced_accuracy" and "macro_f1".
    """
    n_classes = probability.shape[1]
    predicted = probability.argmax(1)
    rng = stream(seed, Draw.METRIC_RESAMPLES)
    counts = np.zeros((n_resamples, n_classes, n_classes))
    for code in np.unique(truth):
        row = np.bincount(predicted[truth == code], minlength=n_classes)
        counts[:, code] = rng.multinomial(row.sum(), row / row.sum(), size=n_resamples)
    scores, present = per_class_scores(counts), counts[0].sum(1) > 0
    correct = np.trace(counts, axis1=1, axis2=2)
    values = {
        "accuracy": correct / len(truth),
        "balanced_accuracy": scores["recall"][:, present].mean(1),
        "macro_f1": scores["f1"].mean(1),
    }
    tail = (1 - confidence) / 2
    return {name: tuple(np.quantile(value, [tail, 1 - tail])) for name, value in values.items()}


def wilson_intervals(
    truth: np.ndarray, probability: np.ndarray, groups: np.ndarray | None = None, confidence: float = 0.95
) -> dict[str, tuple]:
    """Wilson intervals of the metrics: unlike bootstrap intervals, they have a width even if all predictions are right.

    Accuracy is a share, so its interval is Wilson's. Balanced accuracy is the mean of the recalls, which are
    independent, so the squared distances to their limits are added (Zou & Donner 2008, doi 10.1002/sim.3095). Macro F1
    is the mean of F1 scores that depend on each other, so its limits are the means of their limits. Samples of groups
    count as in `effective_share`.

    Returns
    -------
    dict
        (low, high) of "accuracy", "balanced_accuracy" and "macro_f1".
    """
    predicted, n_classes = probability.argmax(1), probability.shape[1]
    share = effective_share(predicted == truth, groups)
    confusion = np.zeros((n_classes, n_classes))
    np.add.at(confusion, (truth, predicted), 1)
    scores, limits = per_class_scores(confusion), per_class_intervals(confusion, confidence, share)
    present = confusion.sum(1) > 0
    recall, (low, high) = scores["recall"][present], (limit[present] for limit in limits["recall"])
    balanced = recall.mean()
    below, above = (np.sqrt(((recall - limit) ** 2).sum()) / len(recall) for limit in (low, high))
    return {
        "accuracy": accumulate.wilson_interval(float((predicted == truth).mean()), share * len(truth), confidence),
        "balanced_accuracy": (max(0.0, balanced - below), min(1.0, balanced + above)),
        "macro_f1": tuple(limit.mean() for limit in limits["f1"]),
    }


def effective_share(hit: np.ndarray, groups: np.ndarray | None) -> float:
    """Number of independent samples that one sample counts for, given which predictions are right; 1 without groups.

    The samples of a group are right or wrong together more often than those of different groups. The number of
    independent samples is estimated as the number that would give the observed variance of the accuracy between groups;
    it is at least the number of groups and at most the number of samples. If all samples are right or all are wrong,
    the variance is unknown, and the number of groups is used.
    """
    if groups is None:
        return 1.0
    _, group_of = np.unique(groups, return_inverse=True)
    n, sizes = len(hit), np.bincount(group_of)
    accuracy, n_groups = hit.mean(), len(sizes)
    residual = np.bincount(group_of, weights=hit) - accuracy * sizes
    variance = n_groups / max(n_groups - 1, 1) * (residual**2).sum() / n**2
    if accuracy in (0, 1):
        return n_groups / n
    return float(np.clip(accuracy * (1 - accuracy) / variance if variance > 0 else n, n_groups, n) / n)


def per_class_intervals(
    confusion: np.ndarray, confidence: float = 0.95, share: float = 1.0
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Wilson intervals of the precision, recall and F1 of every class, from (C, C) counts, true classes in rows.

    `share` is the number of independent samples that each sample counts for (`effective_share`).

    Unlike those of a bootstrap, the intervals have a width even if a score is 0 or 1. Precision and recall are shares;
    F1 is 2 J / (1 + J), where J is the Jaccard index of the predicted and the true samples of the class. A class with
    no samples to count has the interval (0, 1).
    """
    hit, predicted, actual = np.diagonal(confusion), confusion.sum(0), confusion.sum(1)

    def wilson(total):
        ratios = np.divide(hit, total, out=np.zeros(len(hit)), where=total > 0)
        pairs = zip(ratios.tolist(), (share * total).tolist(), strict=True)
        return tuple(np.array([accumulate.wilson_interval(ratio, n, confidence) for ratio, n in pairs]).T)

    low, high = wilson(predicted + actual - hit)
    f1 = (2 * low / (1 + low), 2 * high / (1 + high))
    return {"precision": wilson(predicted), "recall": wilson(actual), "f1": f1}


def per_class_scores(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """Precision, recall and F1 of every class from (..., C, C) counts, true classes in rows; 0 where undefined."""
    hit = np.diagonal(confusion, axis1=-2, axis2=-1)
    predicted, actual = confusion.sum(-2), confusion.sum(-1)

    def ratio(numerator, denominator):
        return np.divide(numerator, denominator, out=np.zeros_like(numerator, dtype=float), where=denominator > 0)

    return {"precision": ratio(hit, predicted), "recall": ratio(hit, actual), "f1": ratio(2 * hit, predicted + actual)}


def calibration_table(truth: np.ndarray, probability: np.ndarray, bins: int = 10) -> tuple[list[dict], float]:
    """Confidence and accuracy in bins of equal width, and the expected calibration error (Guo et al. 2017).

    Returns
    -------
    tuple
        One row per bin (bin, confidence_low, confidence_high, n, mean_confidence, accuracy; NaN if empty), and the
        error.
    """
    confidence, hit = probability.max(1), probability.argmax(1) == truth
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    rows, error = [], 0.0
    for number in range(bins):
        members = bin_of == number
        n = int(members.sum())
        mean_confidence = float(confidence[members].mean()) if n else float("nan")
        accuracy = float(hit[members].mean()) if n else float("nan")
        rows.append(
            {
                "bin": number + 1,
                "confidence_low": number / bins,
                "confidence_high": (number + 1) / bins,
                "n": n,
                "mean_confidence": mean_confidence,
                "accuracy": accuracy,
            }
        )
        error += n / len(truth) * abs(mean_confidence - accuracy) if n else 0.0
    return rows, error

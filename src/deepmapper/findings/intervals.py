"""Confidence intervals of accuracies and of per-class scores, and the calibration curve."""

from __future__ import annotations

import numpy as np

from .. import accumulate
from ..core.draws import Draw, stream


def bootstrap_intervals(
    truth: np.ndarray, probability: np.ndarray, n_resamples: int = 1000, seed: int = 0, confidence: float = 0.95
) -> dict[str, tuple]:
    """Percentile intervals of the metrics over resampled test samples.

    Resamples are drawn within each class, so that none loses a class.

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
    found, present = per_class_scores(counts), counts[0].sum(1) > 0
    correct = np.trace(counts, axis1=1, axis2=2)
    values = {
        "accuracy": correct / len(truth),
        "balanced_accuracy": found["recall"][:, present].mean(1),
        "macro_f1": found["f1"].mean(1),
    }
    tail = (1 - confidence) / 2
    return {name: tuple(np.quantile(value, [tail, 1 - tail])) for name, value in values.items()}


def wilson_intervals(
    truth: np.ndarray, probability: np.ndarray, groups: np.ndarray | None = None, confidence: float = 0.95
) -> dict[str, tuple]:
    """Intervals of the metrics that keep a width where all samples are right, as a bootstrap does not.

    Accuracy is a share: Wilson's interval. Balanced accuracy is the mean of the recalls, which are independent: their
    limits' distances are added as squares (Zou & Donner 2008, doi 10.1002/sim.3095). Macro F1 is the mean of F1s that
    rise and fall together: the mean of their limits. Groups count as `effective_share` says.

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
    """How many independent samples each sample counts for, given which were right; 1 without groups.

    The samples of a group are right or wrong together more often than those of different groups. The variance of the
    accuracy between groups says how many independent samples would vary as much; at least as many as there are groups,
    and no more than there are samples. Where all are right or all wrong nothing is known: groups are counted.
    """
    if groups is None:
        return 1.0
    _, member = np.unique(groups, return_inverse=True)
    n, sizes = len(hit), np.bincount(member)
    accuracy, n_groups = hit.mean(), len(sizes)
    residual = np.bincount(member, weights=hit) - accuracy * sizes
    variance = n_groups / max(n_groups - 1, 1) * (residual**2).sum() / n**2
    if accuracy in (0, 1):
        return n_groups / n
    return float(np.clip(accuracy * (1 - accuracy) / variance if variance > 0 else n, n_groups, n) / n)


def per_class_intervals(
    confusion: np.ndarray, confidence: float = 0.95, share: float = 1.0
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Wilson intervals of the precision, recall and F1 of every class, from (C, C) counts, true classes in rows.

    `share`: how many independent samples each sample counts for (`effective_share`).

    Unlike a bootstrap they keep a width where a score is 0 or 1. Precision and recall are shares; F1 is 2 J / (1 + J)
    of the share J of those named or there that are both. A class without samples to count has the interval (0, 1).
    """
    hit, named, there = np.diagonal(confusion), confusion.sum(0), confusion.sum(1)

    def wilson(out_of):
        shares = np.divide(hit, out_of, out=np.zeros(len(hit)), where=out_of > 0)
        pairs = zip(shares.tolist(), (share * out_of).tolist(), strict=True)
        return tuple(np.array([accumulate.wilson_interval(share, n, confidence) for share, n in pairs]).T)

    low, high = wilson(named + there - hit)
    return {"precision": wilson(named), "recall": wilson(there), "f1": (2 * low / (1 + low), 2 * high / (1 + high))}


def per_class_scores(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """Precision, recall and F1 of every class from (..., C, C) counts, true classes in rows; 0 where undefined."""
    hit = np.diagonal(confusion, axis1=-2, axis2=-1)
    named, there = confusion.sum(-2), confusion.sum(-1)

    def ratio(top, bottom):
        return np.divide(top, bottom, out=np.zeros_like(top, dtype=float), where=bottom > 0)

    return {"precision": ratio(hit, named), "recall": ratio(hit, there), "f1": ratio(2 * hit, named + there)}


def calibration_table(truth: np.ndarray, probability: np.ndarray, bins: int = 10) -> tuple[list[dict], float]:
    """Confidence against accuracy in equal-width bins, and the expected calibration error (Guo et al. 2017).

    Returns
    -------
    tuple
        One row a bin (confidence_low, confidence_high, n, mean_confidence, accuracy; NaN where empty), and the error.
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

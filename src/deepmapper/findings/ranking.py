"""Accumulation of passes into `Findings`: selection frequency, importance and rank of every feature."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from .. import accumulate
from ..errors import InputError
from ..passes.result import COMPLETENESS_BOUND, PassFile, PassResult

_AT_ONCE = 2**24  # importances held together, of all passes


@dataclass
class Findings:
    """What the passes say together.

    Lists over passes follow the order of `seeds`; lists over features that of the input. When no pass was accepted,
    every list over features is empty and `ranking` gives an empty list.

    Attributes
    ----------
    n_features, n_passes_run, n_accepted
        Features, passes trained, passes accumulated.
    accuracies
        Out-of-bag accuracy of every pass trained.
    stop_epochs
        Epoch whose weights each pass kept.
    median_importance, mean_rank, selection_frequency
        Per feature, over the accepted passes.
    feature_names
        Names, or None.
    seeds, accepted
        Seed of every pass trained, and whether it was accumulated.
    balanced_accuracies, majority_accuracies, permuted_accuracies, permutation_p
        Per pass: mean recall of the classes; the accuracy of naming the largest class; of the predictions against
        shuffled labels; and the share of shuffles that reach the pass's accuracy.
    completeness_errors
        Per pass, of integrated gradients; NaN for other methods.
    classes
        Names of the classes.
    class_importance
        Per class a list over features: median over accepted passes.
    class_direction
        Per class a list over features: +1 up, -1 down, 0 when fewer than 80 % of the passes agree.
    importance_quartiles
        Two lists over features: lower and upper quartile of the importance over the accepted passes.
    notes
        What was said loudly: settings that cannot act, passes rejected, coarse attributions.
    """

    n_features: int
    n_passes_run: int
    n_accepted: int
    accuracies: list[float] = field(default_factory=list)
    stop_epochs: list[int] = field(default_factory=list)
    median_importance: list[float] = field(default_factory=list)
    mean_rank: list[float] = field(default_factory=list)
    selection_frequency: list[float] = field(default_factory=list)
    feature_names: list[str] | None = None
    seeds: list[int] = field(default_factory=list)
    accepted: list[bool] = field(default_factory=list)
    balanced_accuracies: list[float] = field(default_factory=list)
    majority_accuracies: list[float] = field(default_factory=list)
    permuted_accuracies: list[float] = field(default_factory=list)
    permutation_p: list[float] = field(default_factory=list)
    completeness_errors: list[float] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    class_importance: list[list[float]] = field(default_factory=list)
    class_direction: list[list[int]] = field(default_factory=list)
    importance_quartiles: list[list[float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def order(self) -> list[int]:
        """Features from first to last: by selection frequency, then median importance, then input order."""
        frequency, importance = self.selection_frequency, self.median_importance
        return sorted(range(len(frequency)), key=lambda i: (-frequency[i], -importance[i]))

    def ranking(self, top: int = 20) -> list[tuple[str | int, float, float]]:
        """The first `top` features as (name or index, selection frequency, median importance)."""
        return [
            (
                self.feature_names[i] if self.feature_names is not None else i,
                self.selection_frequency[i],
                self.median_importance[i],
            )
            for i in self.order()[:top]
        ]


def accumulate_passes(
    results: Iterable[PassResult | PassFile],
    top_k: int,
    min_accuracy: float,
    feature_names: Sequence[str] | None = None,
) -> Findings:
    """Turn passes into findings: gate each on its accuracy, then aggregate the accepted ones.

    Parameters
    ----------
    results
        Passes over the same features and classes, in memory or left in their files (`pass_result.PassFile`); their
        weights are not needed. What is held at once depends on the features, not on the number of passes.
    top_k
        Head of each pass's ranking that counts as selected.
    min_accuracy
        Passes below are listed, not accumulated.
    feature_names
        Names of the features.
    """
    results = list(results)
    if not results:
        raise InputError("there is no pass to accumulate: expected at least one")
    accepted = [accumulate.accept_pass(r.accuracy, min_accuracy) for r in results]
    kept = [r for r, good in zip(results, accepted, strict=True) if good]
    n_features = len(results[0].importance)
    findings = Findings(
        n_features=n_features,
        n_passes_run=len(results),
        n_accepted=len(kept),
        accuracies=[r.accuracy for r in results],
        stop_epochs=[r.stop_epoch for r in results],
        feature_names=None if feature_names is None else list(feature_names),
        seeds=[r.seed for r in results],
        accepted=accepted,
        balanced_accuracies=[r.balanced_accuracy for r in results],
        majority_accuracies=[r.majority_accuracy for r in results],
        permuted_accuracies=[r.permuted_accuracy for r in results],
        permutation_p=[r.permutation_p for r in results],
        completeness_errors=[r.completeness_error for r in results],
        classes=list(results[0].classes),
        notes=_pass_notes(results, accepted, min_accuracy),
    )
    if kept:
        findings.mean_rank, findings.selection_frequency = _ranked(kept, top_k, n_features)
        low, middle, high = _quartiles(kept, n_features)
        findings.median_importance, findings.importance_quartiles = middle.tolist(), [low.tolist(), high.tolist()]
        findings.class_importance, findings.class_direction = _by_class(kept)
    return findings


def _pass_notes(results: list[PassResult | PassFile], accepted: list[bool], min_accuracy: float) -> list[str]:
    notes = []
    rejected = [r for r, good in zip(results, accepted, strict=True) if not good]
    if rejected:
        listed = ", ".join(f"{r.seed} ({r.accuracy:.3f})" for r in rejected[:10]) + (
            ", ..." if len(rejected) > 10 else ""
        )
        notes.append(
            f"{len(rejected)} of {len(results)} passes were rejected, their out-of-bag accuracy being below "
            f"min_accuracy={min_accuracy:g}: seed {listed}. {len(results) - len(rejected)} were accumulated."
        )
    if not any(accepted):
        notes.append(
            "No pass was accepted: the ranking is empty. Lower min_accuracy, or find out why the model does not learn."
        )
    unwatched = [r for r in results if r.settings.get("early_stop") and not len(r.validation_rows)]
    if unwatched:
        n = len(unwatched[0].train_rows) + len(unwatched[0].out_of_bag_rows)
        notes.append(
            f"{n} samples are too few to hold any back for early stopping: every pass trains all "
            f"{len(unwatched[0].history)} epochs and keeps its last weights."
        )
    sizes = [r.settings.get("batch_size", 0) for r in results]
    if len(set(sizes)) > 1:
        fewer = [r.seed for r, size in zip(results, sizes, strict=True) if size < max(sizes)]
        notes.append(
            f"{len(fewer)} of {len(results)} passes were trained in batches of less than {max(sizes)} samples, the "
            f"memory of a GPU being too small: seed {', '.join(map(str, fewer[:10]))}. Lower batch_size to train all "
            f"alike."
        )
    coarse = [r for r in results if r.completeness_error > COMPLETENESS_BOUND]
    if coarse:
        worst = max(coarse, key=lambda r: r.completeness_error)
        notes.append(
            f"integrated gradients of {len(coarse)} of {len(results)} passes miss the change of score by more than "
            f"{COMPLETENESS_BOUND:.0%} (worst {worst.completeness_error:.1%}, seed {worst.seed}): raise ig_steps."
        )
    return notes


def _ranked(kept: Sequence[PassResult | PassFile], top_k: int, n_features: int) -> tuple[list[float], list[float]]:
    """Mean rank and selection frequency of every feature, a pass at a time; as `accumulate` defines them."""
    total, selected = np.zeros(n_features, dtype=np.int64), np.zeros(n_features, dtype=np.int64)
    places = np.arange(1, n_features + 1)
    for result in kept:
        importance = result.importance
        if np.isnan(importance).any():
            raise ValueError("an importance is NaN and has no rank")
        order = np.argsort(-importance, kind="stable")
        total[order] += places
        selected[order[:top_k]] += 1
    return (total / len(kept)).tolist(), (selected / len(kept)).tolist()


def _quartiles(kept: Sequence[PassResult | PassFile], n_features: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lower quartile, median and upper quartile of the importance, some features at a time."""
    low, middle, high = np.empty((3, n_features))
    for block in _blocks_of(n_features, len(kept)):
        values = _gathered(kept, lambda result, block=block: result.importance[block]).astype(np.float64)
        low[block], high[block] = np.quantile(values, [0.25, 0.75], axis=0)
        middle[block] = np.median(values, axis=0)
    return low, middle, high


def _by_class(kept: Sequence[PassResult | PassFile]) -> tuple[list[list[float]], list[list[int]]]:
    """Median importance and agreed direction of every feature in every class, some features at a time."""
    n_classes, n_features = kept[0].class_importance.shape
    importance, direction = np.full((n_classes, n_features), np.nan), np.zeros((n_classes, n_features), dtype=int)
    for code in range(n_classes):
        seen = [result for result in kept if not np.isnan(result.class_importance[code, 0])]
        for block in _blocks_of(n_features, len(seen)) if seen else ():
            place = code, block
            sizes = _gathered(seen, lambda result, place=place: result.class_importance[place])
            importance[code, block] = np.median(sizes, axis=0)
            lean = np.sign(_gathered(seen, lambda result, place=place: result.class_gradient[place])).mean(0)
            # 80 % one way, 20 % the other
            direction[code, block] = np.where(np.abs(lean) >= 0.6, np.sign(lean), 0)
    return importance.tolist(), direction.tolist()


def _gathered(kept: Sequence[PassResult | PassFile], part: Callable) -> np.ndarray:
    """(passes, width) of a part of each; one file is mapped at a time."""
    first = part(kept[0])
    values = np.empty((len(kept), len(first)), dtype=first.dtype)
    for row, result in zip(values, kept, strict=True):
        row[:] = part(result)
    return values


def _blocks_of(n_features: int, n_passes: int) -> Iterator[slice]:
    width = max(1, _AT_ONCE // n_passes)
    for start in range(0, n_features, width):
        yield slice(start, min(start + width, n_features))

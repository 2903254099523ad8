"""Accumulation of passes into `Findings`: selection frequency, importance and rank of every feature."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .. import accumulate
from ..core.lazy import load_name
from ..core.words import percent
from ..errors import InputError
from ..passes.result import COMPLETENESS_BOUND, PassFile, PassResult
from .display import findings_html, findings_text

if TYPE_CHECKING:
    import pandas as pd

_MAX_VALUES = 2**24  # importances of all passes held in memory at once

# A feature has a direction in a class if the mean sign of its gradient is at least this: 80 % of the passes agree.
_MIN_MEAN_SIGN = 0.6


class Attributed(Protocol):
    """Importances of one network, as in `passes.result.PassResult`."""

    @property
    def importance(self) -> np.ndarray:
        """(p,) over all samples."""

    @property
    def class_importance(self) -> np.ndarray:
        """(C, p) over the samples of every class."""

    @property
    def class_gradient(self) -> np.ndarray:
        """(C, p) mean gradient of the score of every class."""


@dataclass(repr=False)
class Findings:
    """Accumulated results of the passes.

    Lists over passes are in the order of `seeds`, lists over features in that of the input. If no pass was accepted,
    all lists over features are empty, and so is `ranking`.

    Attributes
    ----------
    n_features, n_passes_run, n_accepted
        Numbers of features, of passes trained, and of passes accepted.
    accuracies
        Out-of-bag accuracy of every pass trained.
    stop_epochs
        Epoch whose weights each pass kept.
    median_importance, mean_rank, selection_frequency
        Of every feature, over the accepted passes.
    feature_names
        Names of the features, or None.
    seeds, accepted
        Seed of every pass trained, and whether the pass was accepted.
    balanced_accuracies, majority_accuracies, permuted_accuracies, permutation_p
        Of every pass: mean recall of the classes; accuracy of always predicting the largest class; accuracy of the
        predictions against shuffled labels; and the share of the shuffles that reach the accuracy of the pass.
    completeness_errors
        Of every pass, for integrated gradients; NaN for other methods.
    classes
        Names of the classes.
    class_importance
        For every class a list over features: median importance over the accepted passes.
    class_direction
        For every class a list over features: +1 up, -1 down, 0 if less than 80 % of the passes agree.
    importance_quartiles
        Two lists over features: lower and upper quartile of the importance over the accepted passes.
    notes
        Messages to the user: settings without effect, rejected passes, inaccurate attributions.
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
        """Indices of the features by rank: by selection frequency, then median importance, then input order."""
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

    def to_frame(self) -> pd.DataFrame:
        """Every feature, best first, with its statistics; the columns are those of `feature_table.feature_table`."""
        from .feature_table import feature_table

        return feature_table(self)

    @property
    def plot(self) -> Any:
        """The figures, as methods of `deepmapper.plots.of_findings.FindingsPlots`."""
        # By name, on first use: figures are above findings, and no result depends on them.
        return load_name("deepmapper.plots", {"FindingsPlots": "of_findings"}, "FindingsPlots")(self)

    def __repr__(self) -> str:
        """Describe the passes and the first features in about ten lines."""
        return findings_text(self)

    def _repr_html_(self) -> str:
        """Describe the same as HTML, for notebooks."""
        return findings_html(self)


def accumulate_passes(
    results: Iterable[PassResult | PassFile],
    top_k: int,
    min_accuracy: float,
    feature_names: Sequence[str] | None = None,
    max_values: int = _MAX_VALUES,
) -> Findings:
    """Accumulate the passes whose accuracy is high enough into findings.

    Parameters
    ----------
    results
        Passes over the same features and classes, in memory or in their files (`PassFile`); their weights are not
        needed.
    top_k
        Number of features that each pass selects: the first of its ranking.
    min_accuracy
        Passes with a lower accuracy are listed, but not accumulated.
    feature_names
        Names of the features.
    max_values
        Importances held in memory at once; does not change the result.

    Raises
    ------
    InputError
        If there are no passes.
    """
    results = list(results)
    if not results:
        raise InputError("there are no passes: expected at least one")
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
        findings.mean_rank, findings.selection_frequency = ranks_over(kept, top_k, n_features)
        low, median, high = quartiles_over(kept, n_features, max_values)
        findings.median_importance, findings.importance_quartiles = median.tolist(), [low.tolist(), high.tolist()]
        findings.class_importance, findings.class_direction = classes_over(kept, max_values)
    return findings


def _pass_notes(results: list[PassResult | PassFile], accepted: list[bool], min_accuracy: float) -> list[str]:
    """List what a user should know about the passes."""
    notes = []
    unjudged = [r.seed for r in results if np.isnan(r.accuracy)]
    if unjudged:
        notes.append(
            f"{len(unjudged)} of {len(results)} passes have no out-of-bag sample with a lowest label, so that they "
            f"cannot be judged and were not accumulated: seed {', '.join(map(str, unjudged[:10]))}"
            f"{', ...' if len(unjudged) > 10 else ''}. {sum(accepted)} were accumulated."
        )
    rejected = [r for r, good in zip(results, accepted, strict=True) if not good and not np.isnan(r.accuracy)]
    if rejected:
        listed = ", ".join(f"{r.seed} ({r.accuracy:.3f})" for r in rejected[:10])
        more = ", ..." if len(rejected) > 10 else ""
        notes.append(
            f"{len(rejected)} of {len(results)} passes were rejected because their out-of-bag accuracy is below "
            f"min_accuracy={min_accuracy:g}: seed {listed}{more}. {sum(accepted)} were accumulated."
        )
    if not any(accepted) and rejected:
        notes.append(
            "No pass was accepted: the ranking is empty. Lower min_accuracy, or find out why the model does not learn."
        )
    no_validation = [r for r in results if r.settings.get("early_stop") and not len(r.validation_rows)]
    if no_validation:
        first = no_validation[0]
        n = len(first.train_rows) + len(first.out_of_bag_rows)
        notes.append(
            f"{n} samples are too few to hold any back for early stopping: every pass trains all "
            f"{len(first.history)} epochs and keeps its last weights."
        )
    batch_sizes = [r.settings.get("batch_size", 0) for r in results]
    largest = max(batch_sizes)
    reduced = [r.seed for r, size in zip(results, batch_sizes, strict=True) if size < largest]
    if reduced:
        notes.append(
            f"{len(reduced)} of {len(results)} passes were trained in batches of less than {largest} samples, because "
            f"the GPU had too little memory: seed {', '.join(map(str, reduced[:10]))}. Lower batch_size to train all "
            f"passes alike."
        )
    inaccurate = [r for r in results if r.completeness_error > COMPLETENESS_BOUND]
    if inaccurate:
        worst = max(inaccurate, key=lambda r: r.completeness_error)
        notes.append(
            f"Integrated gradients of {len(inaccurate)} of {len(results)} passes miss the change in score by more than "
            f"{percent(COMPLETENESS_BOUND)} (worst {percent(worst.completeness_error, 1)}, seed {worst.seed}): raise "
            f"ig_steps."
        )
    return notes


def ranks_over(kept: Sequence[Attributed], top_k: int, n_features: int) -> tuple[list[float], list[float]]:
    """Mean rank and selection frequency of every feature, as defined in `accumulate`; one pass at a time."""
    total, selected = np.zeros(n_features, dtype=np.int64), np.zeros(n_features, dtype=np.int64)
    one_to_p = np.arange(1, n_features + 1)
    for result in kept:
        importance = result.importance
        if np.isnan(importance).any():
            raise ValueError("an importance is NaN and has no rank")
        order = np.argsort(-importance, kind="stable")
        total[order] += one_to_p
        selected[order[:top_k]] += 1
    return (total / len(kept)).tolist(), (selected / len(kept)).tolist()


def quartiles_over(
    kept: Sequence[Attributed], n_features: int, max_values: int = _MAX_VALUES
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lower quartile, median and upper quartile of the importance, some features at a time."""
    low, median, high = np.empty((3, n_features))
    for block in _feature_blocks(n_features, len(kept), max_values):
        values = _gather(kept, lambda result, block=block: result.importance[block]).astype(np.float64)
        low[block], high[block] = np.quantile(values, [0.25, 0.75], axis=0)
        median[block] = np.median(values, axis=0)
    return low, median, high


def classes_over(
    kept: Sequence[Attributed], max_values: int = _MAX_VALUES
) -> tuple[list[list[float]], list[list[int]]]:
    """Median importance and direction of every feature in every class, some features at a time."""
    n_classes, n_features = kept[0].class_importance.shape
    importance, direction = np.full((n_classes, n_features), np.nan), np.zeros((n_classes, n_features), dtype=int)
    for code in range(n_classes):
        attributed = [result for result in kept if not np.isnan(result.class_importance[code, 0])]
        if not attributed:
            continue
        for block in _feature_blocks(n_features, len(attributed), max_values):
            place = code, block
            sizes = _gather(attributed, lambda result, place=place: result.class_importance[place])
            importance[code, block] = np.median(sizes, axis=0)
            gradients = _gather(attributed, lambda result, place=place: result.class_gradient[place])
            mean_sign = np.sign(gradients).mean(0)
            direction[code, block] = np.where(np.abs(mean_sign) >= _MIN_MEAN_SIGN, np.sign(mean_sign), 0)
    return importance.tolist(), direction.tolist()


def _gather(kept: Sequence[Attributed], part: Callable) -> np.ndarray:
    """Stack a part of every pass, (passes, width); only one file is mapped at a time."""
    first = part(kept[0])
    values = np.empty((len(kept), len(first)), dtype=first.dtype)
    for row, result in zip(values, kept, strict=True):
        row[:] = part(result)
    return values


def _feature_blocks(n_features: int, n_passes: int, max_values: int) -> Iterator[slice]:
    width = max(1, max_values // n_passes)
    for start in range(0, n_features, width):
        yield slice(start, min(start + width, n_features))

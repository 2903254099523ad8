"""Many passes, one answer: `run` trains passes seed by seed and accumulates them into `Findings`."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from numbers import Real

import numpy as np
import scipy.sparse as sp

from . import accumulate
from .config import DeepMapperConfig
from .errors import DeepMapperWarning, InputError
from .pass_result import COMPLETENESS_BOUND, PassFile, PassResult
from .passes import train_pass
from .samples_view import Samples
from .store import check_finite

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


def run(
    X,
    y,
    config: DeepMapperConfig,
    feature_names: Sequence[str] | None = None,
    *,
    groups: Sequence | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Findings:
    """Train passes until `config.n_passes` are accepted or `config.effective_max_tries()` were trained.

    Pass t uses seed ``config.seed + t``; a pass below `config.min_accuracy` is replaced by the next seed.

    Parameters
    ----------
    X
        (n_samples, n_features) finite numbers, unfiltered; array, data frame or scipy sparse (which stays sparse).
    y
        (n_samples,) labels: strings or whole numbers of 0 or more, in any coding.
    config
        The settings.
    feature_names
        Names of the features, all different; the columns' names if `X` is a data frame.
    groups
        (n_samples,) group of each sample, for example its donor; groups stay together in every split.
    tell
        Receives progress lines, for example ``print``.

    Returns
    -------
    Findings

    Raises
    ------
    InputError
        If the data or a setting cannot be used.

    Warns
    -----
    DeepMapperWarning
        Whenever a setting cannot act, passes were rejected or replaced, none was accepted, or an attribution missed
        its completeness bound.
    """
    config.check()
    X, names = as_matrix(X, feature_names)
    codes, classes = as_labels(y, X.shape[0])
    samples = Samples(X, codes, classes, groups=as_groups(groups, X.shape[0]))
    for note in inert_notes(config, X.shape[1]):
        warnings.warn(note, DeepMapperWarning, stacklevel=2)
    results: list[PassResult] = []
    accepted = 0
    for t in range(config.effective_max_tries()):
        if accepted == config.n_passes:
            break
        seed = config.seed + t
        results.append(train_pass(samples, config, seed, tell=tell))
        accepted += accumulate.accept_pass(results[-1].accuracy, config.min_accuracy)
    findings = accumulate_passes(results, config.top_k, config.min_accuracy, names)
    for note in findings.notes:
        warnings.warn(note, DeepMapperWarning, stacklevel=2)
    findings.notes = inert_notes(config, X.shape[1]) + findings.notes
    return findings


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


def inert_notes(config: DeepMapperConfig, n_features: int, top_k: int | None = None) -> list[str]:
    """Settings that cannot act on `n_features` features, one sentence each; `top_k` where not the configuration's."""
    notes = config.inert_settings()
    top_k = config.top_k if top_k is None else top_k
    if top_k >= n_features:
        notes.append(
            f"top_k={top_k} takes all {n_features} features: every selection frequency is 1 and says nothing. "
            f"Set top_k below the number of features; the ranking falls back on median importance."
        )
    return notes


def as_matrix(X, feature_names: Sequence[str] | None = None) -> tuple[np.ndarray | sp.csr_matrix, list[str] | None]:
    """Check a samples × features input; give it as float32, CSR if it was sparse, with its names."""
    if feature_names is None and hasattr(X, "columns"):
        feature_names = [str(name) for name in X.columns]
    if sp.issparse(X):
        matrix = sp.csr_matrix(X, dtype=np.float32)
        if not matrix.has_canonical_format:
            matrix = matrix.copy()  # the caller's matrix stays as it is
            matrix.sum_duplicates()
    else:
        try:
            matrix = np.ascontiguousarray(X, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"X cannot be read as a matrix of numbers ({error}): expected samples × features"
            ) from error
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise InputError(
            f"X has shape {matrix.shape}: expected at least one sample and one feature, (n_samples, n_features)"
        )
    names = None if feature_names is None else [str(name) for name in feature_names]
    if names is not None and len(names) != matrix.shape[1]:
        raise InputError(
            f"feature_names holds {len(names)} names, X has {matrix.shape[1]} columns: expected one name a column"
        )
    if names is not None and len(set(names)) < len(names):
        twice = sorted(name for name, count in Counter(names).items() if count > 1)
        raise InputError(
            f"feature_names holds {len(twice)} name(s) more than once, for example {', '.join(twice[:3])}: expected "
            f"all different. Make them unique (anndata: var_names_make_unique()) or sum their columns."
        )
    check_finite(matrix, names=names)
    return matrix, names


def as_labels(y, n_samples: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Check labels and code them 0 .. C - 1 in the order of their names."""
    from .io import encode_labels

    labels = np.asarray(y)
    if labels.ndim != 1 or len(labels) != n_samples:
        raise InputError(f"y has shape {labels.shape}, X has {n_samples} rows: expected one label a row")
    numbers = {
        row: label for row, label in enumerate(labels.tolist()) if isinstance(label, Real) and not math.isnan(label)
    }
    negative = [row for row, label in numbers.items() if label < 0]
    if negative:
        raise InputError(
            f"y holds {len(negative)} negative label(s), for example {numbers[negative[0]]}, at row {negative[0]}: "
            f"expected 0 or more. A negative code often means 'unlabelled': leave those rows out, or name the class."
        )
    broken = [row for row, label in numbers.items() if not float(label).is_integer()]
    if broken:
        raise InputError(
            f"y holds {len(broken)} label(s) that are not whole numbers, for example {numbers[broken[0]]}, at row "
            f"{broken[0]}: expected classes. Divide a continuous measure into classes, or give the labels as strings."
        )
    codes, classes = encode_labels(labels)
    return codes, tuple(classes)


def as_groups(groups, n_samples: int) -> np.ndarray | None:
    """Check groups and code them 0 .. G - 1."""
    if groups is None:
        return None
    if len(groups) != n_samples:
        raise InputError(f"groups holds {len(groups)} entries, X has {n_samples} rows: expected one group a row")
    import pandas as pd

    missing = np.flatnonzero(pd.isna(pd.Series(list(groups), dtype=object)))
    if len(missing):
        raise InputError(
            f"groups is missing for {len(missing)} sample(s), the first at row {missing[0]}: expected a group for "
            f"every row. Fill it in, or leave those rows out."
        )
    return np.unique([str(group) for group in groups], return_inverse=True)[1].astype(np.int64)


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

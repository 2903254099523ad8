"""Features that are higher in some new samples than in every class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from .values import NewValues

# Features that describe a group, the t from which one counts, and the new samples of a class with which a group is
# compared, rather than with the mean of the class in the reference; all chosen by hand.
N_MARKERS, _LEAST_T, _FEWEST = 10, 2.0, 10

_AT_ONCE = 1024


@dataclass(frozen=True, eq=False)
class _Group:
    """Number, mean and variance of every feature over the samples whose file has it; (p,) each, NaN without any."""

    n: np.ndarray
    mean: np.ndarray
    variance: np.ndarray


def groups_of_classes(values: NewValues, by_class: Sequence[np.ndarray]) -> list[_Group | None]:
    """Sum up the new samples that got the label of each class; None for a class of fewer than 10."""
    return [_group(values, rows) if len(rows) >= _FEWEST else None for rows in by_class]


def markers(values: NewValues, members: np.ndarray, groups: Sequence[_Group | None]) -> np.ndarray:
    """Return the features by which a group differs from every class, the clearest first.

    A feature counts by the least Welch t over all classes: what the group has in common with one of them says nothing
    new. It is compared with the new samples that got the label of a class, which are of the same files, or, where these
    are fewer than 10, with the mean of the class in the reference.

    Parameters
    ----------
    values
        Values of all new samples.
    members
        Those of the group.
    groups
        For every class of the model, the new samples that got its label (`groups_of_classes`).

    Returns
    -------
    numpy.ndarray
        Positions of at most 10 features with a t of at least 2.
    """
    model, own = values.model, _group(values, members)
    least = np.full(len(model.features), np.inf)
    for code, other in enumerate(groups):
        if other is not None:
            mean, spread = other.mean, own.variance / own.n + other.variance / other.n
        elif model.is_leaf[code]:
            mean = model.class_mean[code].astype(np.float64)
            spread = own.variance * (1 / own.n + 1 / max(1, model.sizes[model.classes[code]]))
        else:
            continue
        known = spread[spread > 0]
        # a feature that hardly varies would have an endless t
        t = (own.mean - mean) / np.sqrt(spread + (np.median(known) if len(known) else 1.0))
        # a class of which nothing is known, in this feature, does not speak against it
        least = np.fmin(least, t)
    least[np.isnan(own.mean) | np.isinf(least)] = -np.inf
    order = np.argsort(-least, kind="stable")[:N_MARKERS]
    return order[least[order] >= _LEAST_T]


def _group(values: NewValues, rows: np.ndarray) -> _Group:
    p = values.X.shape[1]
    total, squares, plain = np.zeros(p), np.zeros(p), replace(values, gaps=())
    for start in range(0, len(rows), _AT_ONCE):
        block = sp.csr_matrix(plain.take(rows[start : start + _AT_ONCE])[:, :p], dtype=np.float64)
        total += np.asarray(block.sum(0)).ravel()
        squares += np.asarray(block.multiply(block).sum(0)).ravel()
    n = np.full(p, float(len(rows)))
    for gap in values.gaps:
        n[gap.columns] -= np.sum((rows >= gap.rows.start) & (rows < gap.rows.stop))
    n[n <= 0] = np.nan
    mean = total / n
    return _Group(n, mean, (squares / n - mean**2).clip(0) * n / np.maximum(n - 1, 1))

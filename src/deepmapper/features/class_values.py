"""Values of single features by class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import scipy.sparse as sp

from ..core.blocks import keep_columns
from .store import Features


def values_by_class(features: Features, names: Iterable[str]) -> dict[str, dict[str, np.ndarray]]:
    """Values of features in the samples of every class.

    Parameters
    ----------
    features
        The features of a run.
    names
        Names of features.

    Returns
    -------
    dict
        By feature and class, one float for each sample of the class; samples without a label are left out.
    """
    names = list(names)
    position = {name: i for i, name in enumerate(features.names)}
    columns = features.X[:, [position[name] for name in names]]
    values = np.asarray(columns.todense() if sp.issparse(columns) else columns, dtype=float)
    return {
        name: {label: values[features.y == code, i] for code, label in enumerate(features.classes)}
        for i, name in enumerate(names)
    }


def label_of_sample(features: Features) -> dict[str, str]:
    """Class of every sample that has a label."""
    return {
        sample: features.classes[code] for sample, code in zip(features.samples, features.y, strict=True) if code >= 0
    }


def values_of(features: Features, names: Sequence[str], rows: np.ndarray | None = None) -> np.ndarray:
    """Values of a few features in some samples, read block by block.

    Parameters
    ----------
    features
        The features of a run.
    names
        Names of features.
    rows
        Samples, ascending; None for all.

    Returns
    -------
    numpy.ndarray
        (rows, names) float64.
    """
    position = {name: i for i, name in enumerate(features.names)}
    columns = np.array([position[name] for name in names], dtype=np.int64)
    if isinstance(features.X, np.ndarray):
        chosen = features.X[:, columns] if rows is None else features.X[np.ix_(rows, columns)]
        return np.asarray(chosen, dtype=float)
    return keep_columns(features.X, columns, rows)[:, columns].toarray().astype(float)


def spread_rows(rows: np.ndarray, most: int) -> np.ndarray:
    """At most so many of the rows, evenly over their order."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]

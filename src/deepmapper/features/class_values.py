"""Values of single features by class."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import scipy.sparse as sp

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

"""Checks of what a caller passes as matrix, labels and groups."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from numbers import Real

import numpy as np
import scipy.sparse as sp

from ..errors import InputError
from .store import check_finite


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
    from ..io.labels import encode_labels

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

"""Checks and conversion of a caller's matrix, labels and groups."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from numbers import Real

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..errors import InputError
from ..io.labels import as_categories, encode_labels


def as_matrix(X, feature_names: Sequence[str] | None = None) -> tuple[np.ndarray | sp.csr_matrix, list[str] | None]:
    """Check a samples × features matrix; return it as float32, as CSR if it is sparse, with its feature names."""
    if feature_names is None and hasattr(X, "columns"):
        feature_names = [str(name) for name in X.columns]
    if sp.issparse(X):
        matrix = sp.csr_matrix(X, dtype=np.float32)
        if not matrix.has_canonical_format:
            matrix = matrix.copy()  # sum_duplicates works in place
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
            f"feature_names has {len(names)} names, X has {matrix.shape[1]} columns: expected one name per column"
        )
    if names is not None and len(set(names)) < len(names):
        repeated = sorted(name for name, count in Counter(names).items() if count > 1)
        raise InputError(
            f"feature_names contains {len(repeated)} name(s) more than once, for example {', '.join(repeated[:3])}: "
            f"expected unique names. Make them unique (anndata: var_names_make_unique()) or sum their columns."
        )
    check_finite(matrix, names=names)
    return matrix, names


def as_labels(y, n_samples: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Check labels and encode them as 0 .. n_classes - 1 in the natural order of their names."""
    labels = np.asarray(y)
    if labels.ndim != 1 or len(labels) != n_samples:
        raise InputError(f"y has shape {labels.shape}, X has {n_samples} rows: expected one label per row")
    numbers = {
        row: label for row, label in enumerate(labels.tolist()) if isinstance(label, Real) and not math.isnan(label)
    }
    negative = [row for row, label in numbers.items() if label < 0]
    if negative:
        raise InputError(
            f"y contains {len(negative)} negative label(s), for example {numbers[negative[0]]} in row {negative[0]}: "
            f"expected 0 or more. A negative code often means 'unlabelled': leave those rows out, or name the class."
        )
    fractional = [row for row, label in numbers.items() if not float(label).is_integer()]
    if fractional:
        raise InputError(
            f"y contains {len(fractional)} label(s) that are not whole numbers, for example {numbers[fractional[0]]} "
            f"in row {fractional[0]}: expected classes. Divide a continuous variable into classes, or give the labels "
            f"as strings."
        )
    codes, classes = encode_labels(labels)
    return codes, tuple(classes)


def as_groups(groups, n_samples: int) -> np.ndarray | None:
    """Check groups and encode them as 0 .. n_groups - 1; None without groups."""
    if groups is None:
        return None
    if len(groups) != n_samples:
        raise InputError(f"groups has {len(groups)} entries, X has {n_samples} rows: expected one group per row")
    found = as_categories(pd.Series(list(groups), dtype=object))
    missing = np.flatnonzero(found.missing)
    if len(missing):
        raise InputError(
            f"groups is missing for {len(missing)} sample(s), the first in row {missing[0]}: expected a group for "
            f"every row. Fill them in, or leave those rows out."
        )
    return np.unique(found.texts.astype(str), return_inverse=True)[1].astype(np.int64)


def check_finite(X, names: Sequence[str] | None = None) -> None:
    """Check that all values are finite.

    Raises
    ------
    InputError
        If values are NaN or infinite; the message gives their number, and row and column of the first one.
    """
    if sp.issparse(X):
        X = X.tocsr()
    values = X.data if sp.issparse(X) else X
    bad = ~np.isfinite(values)
    if not bad.any():
        return
    if sp.issparse(X):
        first = int(np.argmax(bad))
        row, column = int(np.searchsorted(X.indptr, first, side="right") - 1), int(X.indices[first])
    else:
        row, column = (int(i) for i in np.argwhere(bad)[0])
    value = values[bad].ravel()[0]
    raise InputError(
        f"the matrix contains {int(bad.sum())} value(s) that are NaN or infinite, the first ({value}) in sample {row}, "
        f"feature {column if names is None else names[column]}: expected finite numbers. Fill or remove them before "
        f"the analysis."
    )

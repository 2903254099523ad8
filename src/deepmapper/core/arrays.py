"""Arrays of matrices that may be sparse, and rows of arrays that may be absent."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp


def dense(values: Any, dtype: type | None = None) -> np.ndarray:
    """Return a sparse or dense matrix as an array, of its own type unless one is given."""
    return np.asarray(values.toarray() if sp.issparse(values) else values, dtype=dtype)


def take_rows(values: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    """Return some rows of an array, or None if there is no array: groups, confounders and depths are optional."""
    return None if values is None else np.asarray(values)[rows]

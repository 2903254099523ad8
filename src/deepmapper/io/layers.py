"""Which matrices of an AnnData file hold counts, or unscaled values, for messages about one that does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import sparse

# Key of `uns` with the names of the matrices that hold counts.
LAYERS_OF_COUNTS = "layers_of_counts"

# Key of `uns` with the names of other matrices without values below 0, where the one that is read has some.
UNSCALED_LAYERS = "unscaled_layers"

# Values read from the beginning, and as many from the middle, of a matrix: enough to tell counts from other values.
_N_VALUES = 2**14


def describe_layers(matrix: Any, further: Mapping[str, Any]) -> dict[str, list[str]]:
    """Name the matrices that hold counts or unscaled values, if the one that is read does not; parameters as below.

    Returns
    -------
    dict
        Entries of `uns`: names by `LAYERS_OF_COUNTS`, and those of others by `UNSCALED_LAYERS`; no empty ones.
    """
    counts = layers_of_counts(matrix, further)
    others = {name: other for name, other in further.items() if name not in counts and name != "tpm"}
    is_scaled = bool(others) and _lowest(matrix) < 0
    unscaled = [name for name, other in others.items() if is_scaled and 0 <= _lowest(other) < np.inf]
    named = {LAYERS_OF_COUNTS: counts, UNSCALED_LAYERS: sorted(unscaled, key=lambda name: (name != "raw", name))}
    return {key: names for key, names in named.items() if names}


def layers_of_counts(matrix: Any, further: Mapping[str, Any]) -> list[str]:
    """Name the matrices that hold counts, if the one that is read does not.

    Parameters
    ----------
    matrix
        The matrix that is read, in memory or in an open h5ad or zarr.
    further
        All other matrices of the file by name, likewise.

    Returns
    -------
    list of str
        Their names, "counts" and "raw" first. Only some values of each matrix are read.
    """
    if not further or _looks_like_counts(matrix):
        return []
    names = [name for name, other in further.items() if name != "tpm" and _looks_like_counts(other)]
    return sorted(names, key=lambda name: (name.lower() != "counts", name != "raw", name))


def _looks_like_counts(matrix: Any) -> bool:
    """Whether some values of a matrix are whole numbers, none negative and not all 0 or 1."""
    values = _numbers(matrix)
    return bool(values.size and values.min() >= 0 and values.max() > 1 and (values == np.floor(values)).all())


def _lowest(matrix: Any) -> float:
    """Lowest of some values of a matrix; infinity if there are none."""
    return float(_numbers(matrix).min(initial=np.inf))


def _numbers(matrix: Any) -> np.ndarray:
    """Some values of a matrix, if they are finite numbers; none if not."""
    try:
        values = some_values(matrix)
    except (OSError, KeyError, TypeError, ValueError):  # damaged or of an unknown kind: not the matrix that is read
        values = None
    if values is None or values.dtype.kind not in "iuf" or not np.isfinite(values).all():
        return np.empty(0)
    return values


def some_values(matrix: Any) -> np.ndarray | None:
    """Values of a matrix from its beginning and its middle; None if it is stored in an unknown way."""
    part: tuple[slice, ...] = ()
    if sparse.issparse(matrix):
        array, size = matrix.data, _N_VALUES
    elif hasattr(matrix, "keys"):
        if "data" not in matrix:
            return None
        array, size = matrix["data"], _N_VALUES
    elif getattr(matrix, "ndim", 0) == 2:
        array, size, part = matrix, max(1, _N_VALUES // max(1, matrix.shape[1])), (slice(0, _N_VALUES),)
    else:
        return None
    starts = (0, array.shape[0] // 2)
    return np.concatenate([np.ravel(np.asarray(array[(slice(start, start + size), *part)])) for start in starts])

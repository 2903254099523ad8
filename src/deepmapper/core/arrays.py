"""Rows of arrays that may be absent."""

from __future__ import annotations

import numpy as np


def take_rows(values: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    """Return some rows of an array, or None if there is no array: groups, confounders and depths are optional."""
    return None if values is None else np.asarray(values)[rows]

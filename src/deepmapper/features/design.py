"""Design matrices of confounders, and an orthonormal basis of what they explain."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import DeepMapperWarning, InputError


def orthonormal(columns: np.ndarray) -> np.ndarray:
    """Give orthonormal columns that span the same, float32."""
    left, sizes, _ = np.linalg.svd(columns, full_matrices=False)
    return left[:, sizes > 1e-6 * sizes[0]].astype(np.float32)


_MAX_CATEGORIES = 50


@dataclass(frozen=True, eq=False)
class Design:
    """Confounders as numbers.

    Attributes
    ----------
    values
        (n, q) float64; each column has mean 0 and deviation 1 over all samples.
    names
        Name of each column; of a category ``column=value``.
    """

    values: np.ndarray
    names: tuple[str, ...]


def make_design(columns: pd.DataFrame) -> Design:
    """Turn confounders into standardised numbers: numeric columns as they are, others as indicators of their values.

    Raises
    ------
    InputError
        If a column that is not numeric has more than 50 values, or a numeric one values that are not finite.

    Warns
    -----
    DeepMapperWarning
        For a column with a single value, which is left out.
    """
    parts: dict[str, np.ndarray] = {}
    for name in columns:
        column = columns[name]
        if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            values = column.to_numpy(dtype=np.float64)
            if not np.isfinite(values).all():
                raise InputError(
                    f"confounder '{name}' holds {int((~np.isfinite(values)).sum())} value(s) that are NaN or infinite: "
                    f"expected finite numbers"
                )
            made = {str(name): values}
        else:
            text = column.astype(str)
            kinds = sorted(text.unique())
            if len(kinds) > _MAX_CATEGORIES:
                raise InputError(
                    f"confounder '{name}' holds {len(kinds)} different values that are not numbers: expected at most "
                    f"{_MAX_CATEGORIES}. Is it a name of samples?"
                )
            made = {f"{name}={kind}": (text == kind).to_numpy(dtype=np.float64) for kind in kinds[1:]}
        made = {key: values for key, values in made.items() if np.ptp(values) > 0}
        if not made:
            warnings.warn(
                f"confounder '{name}' has the same value in every sample and is left out.",
                DeepMapperWarning,
                stacklevel=2,
            )
        parts |= made
    if not parts:
        return Design(np.zeros((len(columns), 0)), ())
    values = np.column_stack(list(parts.values()))
    return Design((values - values.mean(0)) / values.std(0), tuple(parts))

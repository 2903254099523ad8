"""Design matrices of confounders, and an orthonormal basis of their columns."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import DeepMapperWarning, InputError

# A categorical confounder with more values than this is taken for an identifier of samples; chosen by hand.
_MAX_CATEGORIES = 50


@dataclass(frozen=True, eq=False)
class Design:
    """Design matrix of confounders.

    Attributes
    ----------
    values
        (n, q) float64; each column has mean 0 and standard deviation 1 over all samples.
    names
        Name of each column; ``confounder=value`` for an indicator.
    """

    values: np.ndarray
    names: tuple[str, ...]


def make_design(columns: pd.DataFrame) -> Design:
    """Build the design matrix: numeric confounders as they are, others as indicators; all columns standardised.

    Raises
    ------
    InputError
        If a numeric confounder has values that are not finite, or another one has more than 50 different values.

    Warns
    -----
    DeepMapperWarning
        If a confounder has a single value; it is left out.
    """
    parts: dict[str, np.ndarray] = {}
    for name in columns:
        column = columns[name]
        if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            values = column.to_numpy(dtype=np.float64)
            if not np.isfinite(values).all():
                raise InputError(
                    f"confounder '{name}' has {int((~np.isfinite(values)).sum())} value(s) that are NaN or infinite: "
                    f"expected finite numbers"
                )
            made = {str(name): values}
        else:
            text = column.astype(str)
            categories = sorted(text.unique())
            if len(categories) > _MAX_CATEGORIES:
                raise InputError(
                    f"confounder '{name}' has {len(categories)} different values that are not numbers: expected at "
                    f"most {_MAX_CATEGORIES}. Does it hold names of samples?"
                )
            made = {f"{name}={value}": (text == value).to_numpy(dtype=np.float64) for value in categories[1:]}
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


def orthonormal(columns: np.ndarray) -> np.ndarray:
    """Return orthonormal columns with the same span, float32."""
    left, singular_values, _ = np.linalg.svd(columns, full_matrices=False)
    return left[:, singular_values > 1e-6 * singular_values[0]].astype(np.float32)

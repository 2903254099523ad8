"""The units of a differential test: samples, or the sum of the cells of one donor in one class (pseudobulk)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..core.arrays import take_rows
from ..core.blocks import MappedRows, blocks
from ..core.words import count


@dataclass(frozen=True, eq=False)
class Units:
    """Independent observations of a test.

    Attributes
    ----------
    values
        (units, p) float64: sums of counts, or means of values that are no counts.
    y
        (units,) class codes.
    groups
        (units,) group codes, or None.
    columns
        One row per unit: the columns of the samples that are the same in all samples of a unit, and the means of those
        that are numbers.
    covariates
        One row per unit: the means of the confounders.
    sizes
        (units,) number of samples of each unit.
    """

    values: np.ndarray
    y: np.ndarray
    groups: np.ndarray | None
    columns: pd.DataFrame
    covariates: pd.DataFrame
    sizes: np.ndarray


def unit_codes(y: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """Number the units: samples of one group and class are one unit; without groups every sample is one.

    Parameters
    ----------
    y
        (n,) class codes.
    groups
        (n,) group codes, or None.

    Returns
    -------
    numpy.ndarray
        (n,) unit of each sample, ordered by class, then by group.
    """
    if groups is None:
        return np.arange(len(y))
    return np.unique(np.column_stack([y, groups]), axis=0, return_inverse=True)[1].ravel()


def make_units(
    X: Any,
    rows: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray | None,
    columns: pd.DataFrame,
    covariates: pd.DataFrame,
    *,
    sums: bool,
) -> Units:
    """Add up (or average) the samples of each unit.

    Parameters
    ----------
    X
        Source of `core.blocks.blocks`.
    rows
        (n,) rows of `X`, ascending.
    y, groups
        (n,) class and group codes of the samples; no groups: every sample is a unit.
    columns, covariates
        n rows: what is known about the samples, and the confounders as numbers.
    sums
        Whether the values of a unit are sums (counts) or means.
    """
    codes = unit_codes(y, groups)
    sizes = np.bincount(codes)
    values = np.zeros((len(sizes), X.shape[1]))
    for place, block in blocks(MappedRows(X, rows)):
        values += sum_rows(block, codes[place], len(sizes))
    if not sums:
        values /= sizes[:, None]
    first = np.unique(codes, return_index=True)[1]
    means = covariates.reset_index(drop=True).groupby(codes).mean()
    return Units(values, y[first], take_rows(groups, first), unit_columns(columns, codes), means, sizes)


def with_counts(units: Units) -> tuple[Units, str]:
    """Leave out units without any count, which have no depth to compare; and say how many, or ""."""
    kept = np.flatnonzero(units.values.sum(axis=1) > 0)
    n_empty = len(units.y) - len(kept)
    if not n_empty:
        return units, ""
    left = Units(
        units.values[kept],
        units.y[kept],
        take_rows(units.groups, kept),
        units.columns.iloc[kept].reset_index(drop=True),
        units.covariates.iloc[kept].reset_index(drop=True),
        units.sizes[kept],
    )
    return left, f"{count(n_empty, 'sample')} without counts {'was' if n_empty == 1 else 'were'} not tested."


def sum_rows(block: Any, codes: np.ndarray, n_codes: int) -> np.ndarray:
    """Sum the rows of each code in a block, CSR or an array: (codes, p) float64."""
    indicator = sp.csr_matrix((np.ones(len(codes)), (codes, np.arange(len(codes)))), (n_codes, len(codes)))
    return (indicator @ block.astype(np.float64)).toarray() if sp.issparse(block) else indicator @ block


def unit_columns(columns: pd.DataFrame, codes: np.ndarray) -> pd.DataFrame:
    """Columns of the units: means of numbers, and text that is the same in all samples of every unit."""
    kept: dict[str, Sequence[Any]] = {}
    for name in columns:
        by_unit = columns[name].reset_index(drop=True).groupby(codes, observed=True)
        is_number = pd.api.types.is_numeric_dtype(columns[name]) and not pd.api.types.is_bool_dtype(columns[name])
        if is_number:
            kept[name] = by_unit.mean().to_numpy(dtype=np.float64)
        elif (by_unit.nunique(dropna=False) <= 1).all():
            kept[name] = by_unit.first().astype(str).to_numpy()
    return pd.DataFrame(kept, index=np.arange(codes.max() + 1 if len(codes) else 0))

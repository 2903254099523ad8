"""Composition of the samples: shares of cell types, or scores of their signatures, as something to adjust for.

A bulk or pseudobulk sample is a mixture, so every marker of a cell type follows the share of that type. Shares add up
to one and cannot vary independently, so they enter as centred log-ratios (Aitchison 1982, J. R. Stat. Soc. B 44:139),
of which the last is left out: it is minus the sum of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..core.blocks import blocks
from ..core.missing import MISSING_WORDS
from ..core.words import listed
from ..errors import InputError
from .confounder_types import numbers
from .confounders import score_genes

_REST = "all other cells"


def composition_name(part: str) -> str:
    """Name the confounder that holds a cell type: ``composition[B cells]``."""
    return f"composition[{part}]"


def is_composition(name: str) -> bool:
    """Whether a confounder is one of `composition_columns`."""
    return name.startswith("composition[") and name.endswith("]")


def composition_columns(
    obs: pd.DataFrame,
    shares: Sequence[str] = (),
    signatures: Mapping[str, Sequence[str]] | None = None,
    *,
    na_values: Sequence[str] = MISSING_WORDS,
    X=None,
    names: Sequence[str] = (),
    seed: int = 0,
) -> pd.DataFrame:
    """Collect what describes the composition of every sample.

    Parameters
    ----------
    obs
        One row per sample.
    shares
        Columns of `obs` with the share of a cell type each (`log_ratios`).
    signatures
        Name of a cell type -> its genes: a score for each (`confounders.score_genes`).
    na_values
        Words that are missing values in columns of text.
    X, names
        (n, p) normalised values and the names of the features, for signatures.
    seed
        Seed of the choice of control genes.

    Returns
    -------
    pandas.DataFrame
        One row per sample; columns as `composition_name` names them.

    Raises
    ------
    InputError
        If a column is missing or holds no shares, or a signature has fewer than 2 genes among `names`.
    """
    columns = pd.DataFrame(index=obs.index)
    if shares:
        absent = [name for name in shares if name not in obs.columns]
        if absent:
            raise InputError(
                f"confounders.composition.shares: there is no column '{absent[0]}' in the sample sheet (obs); its "
                f"columns: {listed(list(map(str, obs.columns)), 12) or 'none'}. Add the shares to it, or with "
                f"labels.table."
            )
        ratios = log_ratios(pd.DataFrame({name: numbers(obs[name], na_values) for name in shares}))
        columns = ratios.rename(columns=composition_name)
    for part, genes in (signatures or {}).items():
        if composition_name(part) in columns:
            raise InputError(
                f"confounders.composition: '{part}' is a column of shares and a set of signatures; keep one of the two."
            )
        try:
            columns[composition_name(part)] = score_genes(X, names, genes, seed=seed)
        except InputError as error:
            raise InputError(f"confounders.composition.signatures, set '{part}': {error}") from error
    return columns


def log_ratios(shares: pd.DataFrame) -> pd.DataFrame:
    """Turn shares into centred log-ratios: the logarithm of each part minus their mean, without the last part.

    Parameters
    ----------
    shares
        One row per sample, one column per cell type: shares, percentages or numbers of cells, of which each row is
        divided by its sum. Of a single column, shares from 0 to 1, the rest of the sample is the other part. A share of
        0 is replaced by half of the smallest positive share of the table.

    Raises
    ------
    InputError
        If a value is missing or negative, or a row or a column is 0 throughout.
    """
    key, values = "confounders.composition.shares", shares.to_numpy(dtype=np.float64)
    wrong = ~(np.isfinite(values) & (values >= 0))
    if shares.shape[1] == 1:
        wrong |= values > 1
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        found = "nothing" if np.isnan(values[row, column]) else f"{values[row, column]:g}"
        expected = "a share between 0 and 1, since it is the only column" if shares.shape[1] == 1 else "0 or more"
        raise InputError(
            f"{key}: sample '{shares.index[row]}', column '{shares.columns[column]}': found {found}, expected "
            f"{expected}. Correct the value, or leave out the sample or the column."
        )
    if shares.shape[1] == 1:
        shares = shares.assign(**{_REST: 1 - values[:, 0]})
        values = shares.to_numpy(dtype=np.float64)
    empty = [str(name) for name, total in zip(shares.columns, values.sum(0), strict=True) if total == 0]
    if empty:
        raise InputError(f"{key}: column '{empty[0]}' is 0 in every sample. Leave it out.")
    empty = [str(name) for name, total in zip(shares.index, values.sum(1), strict=True) if total == 0]
    if empty:
        raise InputError(f"{key}: every share of sample '{empty[0]}' is 0. Correct its shares, or leave it out.")
    closed = values / values.sum(1, keepdims=True)
    logs = np.log(np.where(closed > 0, closed, closed[closed > 0].min() / 2))
    centred = logs - logs.mean(1, keepdims=True)
    return pd.DataFrame(centred[:, :-1], index=shares.index, columns=shares.columns[:-1])


def explained_by_composition(X, design: np.ndarray | None, design_names: Sequence[str]) -> np.ndarray | None:
    """Share of the variance of every column that the composition explains, adjusted for its number of columns.

    Parameters
    ----------
    X
        (n, p) values, dense, CSR or another source of `blocks`.
    design, design_names
        (n, q) confounders of the same samples and their names (`design.make_design`).

    Returns
    -------
    numpy.ndarray or None
        (p,) adjusted R² of a linear regression, at least 0; NaN for a constant column, or if there are too few samples.
        None if composition is not among the confounders.
    """
    kept = [i for i, name in enumerate(design_names) if is_composition(name)]
    if design is None or not kept:
        return None
    chosen = design[:, kept] - design[:, kept].mean(0)
    left, size, _ = np.linalg.svd(chosen, full_matrices=False)
    axes = left[:, size > 1e-8 * max(size[0], 1e-300)]
    n, k = axes.shape
    if n - k - 1 < 1:
        return np.full(X.shape[1], np.nan)
    total, squares, fitted = np.zeros(X.shape[1]), np.zeros(X.shape[1]), np.zeros((k, X.shape[1]))
    for rows, block in blocks(X):
        square = block.multiply(block) if sp.issparse(block) else np.square(block, dtype=np.float64)
        total += np.asarray(block.sum(0, dtype=np.float64)).ravel()
        squares += np.asarray(square.sum(0, dtype=np.float64)).ravel()
        fitted += (block.T @ axes[rows]).T
    variance = squares - total**2 / n
    varies = variance > 1e-9 * np.maximum(squares, 1e-300)
    left_over = 1 - (fitted**2).sum(0) / np.where(varies, variance, 1)
    return np.where(varies, np.clip(1 - left_over * (n - 1) / (n - k - 1), 0, 1), np.nan)

"""Cells for training and prediction: checks of the values, labels and splits, genes brought into the model's order."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..core.draws import Draw, stream
from ..core.words import count, some
from ..errors import DeepMapperWarning, InputError

# The word for cells that are to be named.
UNLABELED = "Unlabeled"

# ln(1 + counts per million) of a cell all of whose molecules are of one gene.
_LARGEST = float(np.log1p(1e6))

# Column of `obs` with a split of one's own, and the smallest parts it may have.
SPLIT_COLUMN = "scNym_split"
_SMALLEST = {"train": 100, "test": 10, "val": 10}


@dataclass(frozen=True, eq=False)
class Labelled:
    """Cells for training.

    Attributes
    ----------
    X
        (cells, genes) float32, sparse or dense.
    y
        (cells,) classes, -1 for cells that are to be named.
    classes
        Their names, sorted.
    domain
        (cells,) integer domains, or None.
    """

    X: Any
    y: np.ndarray
    classes: tuple[str, ...]
    domain: np.ndarray | None


def check_values(adata: Any, what: str = "adata") -> None:
    """Refuse values that are not ln(1 + counts per million), and genes that are named twice.

    Raises
    ------
    InputError
        The message says what was found.
    """
    normalise = "expected ln(1 + counts per million): sc.pp.normalize_total(adata, target_sum=1e6); sc.pp.log1p(adata)"
    if adata.X is None:
        raise InputError(f"{what}.X is empty: {normalise}")
    names = adata.var_names
    if not names.is_unique:
        twice = some(names[names.duplicated()].unique())
        raise InputError(f"{what}.var_names: {twice} named more than once. Use var_names_make_unique().")
    values = adata.X.data if sp.issparse(adata.X) else np.asarray(adata.X)
    if values.size == 0 or adata.n_obs == 0:
        raise InputError(f"{what} holds {adata.n_obs} cells and {adata.n_vars} genes without a value: {normalise}")
    if not np.isfinite(values).all():
        raise InputError(f"{what}.X holds values that are missing or infinite: {normalise}")
    if values.min() < 0:
        raise InputError(f"{what}.X holds negative values, down to {values.min():g}: {normalise}")
    if values.max() > _LARGEST + 1e-3:
        raise InputError(f"{what}.X holds {values.max():g}, above ln(1 + 1,000,000): {normalise}")
    if (values == np.round(values)).all():
        raise InputError(f"{what}.X holds whole numbers only, as counts do: {normalise}")


def labelled_cells(adata: Any, groupby: str | None, domain_groupby: str | None) -> Labelled:
    """Collect the cells of training with their labels.

    Raises
    ------
    InputError
        If a column is missing, a cell has neither a label nor the word `UNLABELED`, or no domain, or there are not two
        classes.
    """
    words = _column(adata, groupby, "groupby", f"a label, or '{UNLABELED}' for cells that are to be named")
    known = sorted(set(words) - {UNLABELED})
    if len(known) < 2:
        raise InputError(
            f"adata.obs['{groupby}'] holds {count(len(known), 'class', 'classes')}: expected two or more, and "
            f"'{UNLABELED}' for cells that are to be named"
        )
    code = {name: i for i, name in enumerate(known)} | {UNLABELED: -1}
    y = np.array([code[word] for word in words], dtype=np.int64)
    domain = None
    if domain_groupby:
        names = _column(adata, domain_groupby, "domain_groupby", "a domain")
        domain = pd.factorize(names, sort=True)[0].astype(np.int64)
    return Labelled(float_values(adata.X), y, tuple(known), domain)


def _column(adata: Any, name: str | None, argument: str, expected: str) -> np.ndarray:
    if name not in list(adata.obs.columns):
        raise InputError(f"{argument}={name!r} is no column of adata.obs, which has {some(adata.obs.columns, 8)}")
    values = adata.obs[name]
    missing = int(values.isna().sum())
    if missing:
        raise InputError(
            f"adata.obs['{name}'] ({argument}) has no value for {count(missing, 'cell')}: expected {expected}"
        )
    return values.astype(str).to_numpy()


def float_values(X: Any) -> Any:
    """Return values as float32, rows of a sparse matrix in CSR."""
    return X.tocsr().astype(np.float32) if sp.issparse(X) else np.asarray(X, dtype=np.float32)


def split_labelled(adata: Any, y: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Divide the labelled cells into those to train on, to choose the epoch by, and to measure the accuracy on.

    By `SPLIT_COLUMN` if there is one; else a tenth is drawn for the accuracy, and a tenth of the others for the epoch,
    of every class alike; of a class with a few cells, all are trained on.

    Returns
    -------
    tuple
        Rows: train, validation, test.

    Raises
    ------
    InputError
        If the split that is given has too few cells, or other words.
    """
    labelled = np.flatnonzero(y >= 0)
    if SPLIT_COLUMN in adata.obs:
        words = adata.obs[SPLIT_COLUMN].astype(str).to_numpy()[labelled]
        unknown = sorted(set(words) - set(_SMALLEST))
        if unknown:
            raise InputError(f"adata.obs['{SPLIT_COLUMN}'] holds {some(unknown)}: expected train, val or test")
        parts = {name: labelled[words == name] for name in _SMALLEST}
        for name, smallest in _SMALLEST.items():
            if len(parts[name]) < smallest:
                raise InputError(
                    f"adata.obs['{SPLIT_COLUMN}']: {count(len(parts[name]), 'labelled cell')} of '{name}', expected "
                    f"{smallest} or more. Remove the column to have the split drawn."
                )
        return parts["train"], parts["val"], parts["test"]
    rng = stream(seed, Draw.SCNYM_SPLIT)
    kept, test = _tenth(labelled, y, rng)
    train, validation = _tenth(kept, y, rng)
    return train, validation, test


def _tenth(rows: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw a tenth of every class, rounded: the other rows, and those drawn."""
    drawn = []
    for code in np.unique(y[rows]):
        members = rng.permutation(rows[y[rows] == code])
        drawn.append(members[: round(len(members) / 10)])
    taken = np.sort(np.concatenate(drawn))
    return np.setdiff1d(rows, taken), taken


def align_genes(adata: Any, genes: list[str]) -> Any:
    """Bring the values of cells into the order of a model's genes; genes that are absent are 0.

    Raises
    ------
    InputError
        If none of the genes is there.

    Warns
    -----
    DeepMapperWarning
        If some are absent.
    """
    if list(adata.var_names) == genes:
        return float_values(adata.X)
    place = pd.Index(adata.var_names).get_indexer(genes)
    found = np.flatnonzero(place >= 0)
    if not len(found):
        raise InputError(
            f"adata has none of the model's {len(genes)} genes (model: {some(genes)}; adata: {some(adata.var_names)}). "
            "Check that both name them alike."
        )
    if len(found) < len(genes):
        absent = [genes[i] for i in np.flatnonzero(place < 0)]
        warnings.warn(
            f"{count(len(absent), 'gene')} of the model's {len(genes)} are absent and taken as 0 ({some(absent)})",
            DeepMapperWarning,
            stacklevel=3,
        )
    shape = (adata.n_vars, len(genes))
    moves = sp.csr_matrix((np.ones(len(found), dtype=np.float32), (place[found], found)), shape=shape)
    aligned = sp.csr_matrix(float_values(adata.X)) @ moves
    return aligned if sp.issparse(adata.X) else aligned.toarray()

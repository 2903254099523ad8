"""Assemble a matrix, a sample table and a feature table into an AnnData, and check their names."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from ..core.blocks import Matrix
from ..core.words import count, listed
from ..errors import DeepMapperWarning, InputError
from .feature_names import texts, with_names
from .matrix_stats import check_finite
from .open import require

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def assemble(X: Any, obs: pd.DataFrame, var: pd.DataFrame, source: str) -> AnnData:
    """Combine a matrix with its tables after the checks that every format needs; `source` starts error messages."""
    anndata = require("anndata")
    X = to_float32(X, source)
    obs, var = with_text_names(X.shape, obs, var, source)
    check_finite(X, source, obs.index, var.index)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*names are not unique")  # see `unique_names`
        return anndata.AnnData(X, obs=obs, var=var)


def with_text_names(
    shape: tuple[int, int], obs: pd.DataFrame, var: pd.DataFrame, source: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Check that the tables fit a matrix of this shape, and return them with names as text."""
    if shape != (len(obs), len(var)):
        raise InputError(
            f"{source}: the matrix is {shape[0]} x {shape[1]}, but there are {count(len(obs), 'sample name')} and "
            f"{count(len(var), 'feature name')}; expected one name per row and column."
        )
    if 0 in shape:
        raise InputError(
            f"{source}: the matrix is empty ({shape[0]} samples x {shape[1]} features). If it is one of several files, "
            "leave it out; otherwise give one that has both."
        )
    return _text_index(obs, "sample", source), _text_index(with_names(var, source), "feature", source)


def to_float32(X: Any, source: str) -> Matrix:
    """Convert to float32: sparse input to canonical CSR without stored zeros, dense input to an array."""
    dtype = getattr(X, "dtype", None)
    if dtype is None or dtype.kind not in "biuf" or getattr(X, "ndim", 2) != 2:
        raise InputError(f"{source}: found {type(X).__name__} of {dtype}, expected a matrix of numbers.")
    with np.errstate(over="ignore"):  # values beyond float32 become infinite, which `check_finite` refuses
        if not sparse.issparse(X):
            return np.ascontiguousarray(X, dtype=np.float32)
        try:
            if X.format in ("csr", "csc"):
                X.check_format(full_check=True)
        except ValueError as error:
            raise InputError(f"{source}: the sparse matrix is damaged ({error}). Copy the file again.") from error
        X = sparse.csr_matrix(X, dtype=np.float32)
    X.sum_duplicates()
    X.eliminate_zeros()
    return X


def whole_numbers(values: np.ndarray, source: str) -> np.ndarray:
    """Return the indices of a sparse matrix as integers; some programs store them as floating-point numbers.

    Raises
    ------
    InputError
        If they are not whole numbers.
    """
    if values.dtype.kind in "iu":
        return values
    if values.dtype.kind != "f" or (values != np.floor(values)).any():
        raise InputError(
            f"{source}: the sparse matrix is damaged (its indices are not whole numbers). Copy the file again."
        )
    return values.astype(np.int64)


def unique_names(
    names: Iterable[str], kind: str, source: str | Path, rule: str, ids: Iterable[str] | None = None
) -> list[str]:
    """Return unique names.

    Parameters
    ----------
    names
        Names of samples or features.
    kind, source
        "sample", "feature" or "gene", and the source of the names, for messages.
    rule
        What to do with duplicates: "refuse", or "make_unique", which changes them with a warning, or "by_id", which
        does so if the ids make them unique and refuses them otherwise.
    ids
        Suffixes that duplicate names get; by default "-1", "-2", ...

    Raises
    ------
    InputError
        If names are duplicated and the rule does not make them unique.
    """
    if rule not in ("refuse", "make_unique", "by_id"):
        raise InputError(f"duplicate_names is {rule!r}, expected 'refuse' or 'make_unique'.")
    names = given = list(names)
    repeated = {name: n for name, n in Counter(names).items() if n > 1}
    if not repeated:
        return names
    shown = listed([f"{name!r} {n} times" for name, n in repeated.items()], 3, ", ...")
    found = f"{source}: found {count(len(repeated), f'duplicate {kind} name')} ({shown})"
    if ids is not None and rule != "refuse":
        names = [f"{name}_{id_}" if name in repeated else name for name, id_ in zip(names, ids, strict=True)]
    if rule == "refuse" or (rule == "by_id" and len(set(names)) < len(names)):
        raise InputError(f"{found}. Rename them in the source, or set duplicate_names to 'make_unique'.")
    if len(set(names)) < len(names):
        import pandas as pd

        names = list(require("anndata").utils.make_index_unique(pd.Index(names)))
    old, new = next((old, new) for old, new in zip(given, names, strict=True) if old != new)
    warnings.warn(f"{found}; made unique: {old!r} becomes {new!r}, and so on.", DeepMapperWarning, stacklevel=3)
    return names


def column_index(names: Iterable[str]) -> dict[str, int]:
    """Map each name to its column index."""
    return {name: i for i, name in enumerate(names)}


def _text_index(frame: pd.DataFrame, kind: str, source: str) -> pd.DataFrame:
    """Return the table with an index of text; refuse empty names."""
    import pandas as pd

    names = texts(frame.index)
    empty = [i for i, name in enumerate(names) if not name.strip()]
    if empty:
        raise InputError(
            f"{source}: found {count(len(empty), f'empty {kind} name')}, the first at position {empty[0] + 1}. Give "
            f"every {kind} a name."
        )
    if zero := next((name for name in names if "\0" in name), None):
        raise InputError(f"{source}: the {kind} name {zero!r} holds a zero byte. The file is damaged: copy it again.")
    frame = frame.rename(columns={"_index": "index_"})  # h5ad files written from R may have it, and anndata refuses it
    frame.index = pd.Index(names)
    return frame

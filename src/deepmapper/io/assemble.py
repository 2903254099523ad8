"""Matrix, sample table and feature table assembled into one AnnData with checked names."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from ..core.blocks import Matrix
from ..errors import DeepMapperWarning, InputError
from .matrix_stats import check_finite
from .open import require

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def assemble(X: Any, obs: pd.DataFrame, var: pd.DataFrame, where: str) -> AnnData:
    """Put a matrix and its tables together, with the checks that hold for every source."""
    anndata = require("anndata")
    X = float32(X, where)
    obs, var = named_tables(X.shape, obs, var, where)
    check_finite(X, where, obs.index, var.index)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*names are not unique")  # refused or resolved by _unique_names
        return anndata.AnnData(X, obs=obs, var=var)


def named_tables(
    shape: tuple[int, int], obs: pd.DataFrame, var: pd.DataFrame, where: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the tables of a matrix of this shape, with text names."""
    if shape != (len(obs), len(var)):
        raise InputError(f"{where}: the matrix is {shape[0]} x {shape[1]}, its names are {len(obs)} x {len(var)}.")
    if 0 in shape:
        raise InputError(f"{where}: the matrix is empty ({shape[0]} samples x {shape[1]} features).")
    return _named(obs, "sample", where), _named(var, "feature", where)


def float32(X: Any, where: str) -> Matrix:
    """Return canonical CSR for sparse input, an array for dense input."""
    dtype = getattr(X, "dtype", None)
    if dtype is None or dtype.kind not in "biuf" or getattr(X, "ndim", 2) != 2:
        raise InputError(f"{where}: a matrix of numbers is expected, found {type(X).__name__} of {dtype}.")
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused as such
        if not sparse.issparse(X):
            return np.ascontiguousarray(X, dtype=np.float32)
        try:
            if X.format in ("csr", "csc"):
                X.check_format(full_check=True)
        except ValueError as error:
            raise InputError(f"{where}: the sparse matrix is damaged ({error}).") from error
        X = sparse.csr_matrix(X, dtype=np.float32)
    X.sum_duplicates()
    X.eliminate_zeros()
    return X


def _named(frame: pd.DataFrame, what: str, where: str) -> pd.DataFrame:
    """Return the table with text names; refuse an empty one."""
    import pandas as pd

    names = texts(frame.index)
    empty = [i for i, name in enumerate(names) if not name.strip()]
    if empty:
        raise InputError(f"{where}: {len(empty)} {what} names are empty (first at position {empty[0] + 1}).")
    frame = frame.rename(columns={"_index": "index_"})  # h5ad files written from R can have it; anndata refuses it
    frame.index = pd.Index(names)
    return frame


def texts(values: Iterable[Any]) -> list[str]:
    """Return names as text, None and NaN as empty text."""
    return [
        value.decode() if isinstance(value, bytes) else "" if value is None or value != value else str(value)
        for value in values
    ]


def unique_names(
    names: Iterable[str], what: str, where: str | Path, rule: str, ids: Iterable[str] | None = None
) -> list[str]:
    """Return the names, each once: doubled ones are refused or, by the rule "make_unique", changed with a warning."""
    if rule not in ("refuse", "make_unique"):
        raise InputError(f"duplicate_names is {rule!r}; 'refuse' or 'make_unique' is expected.")
    names = given = list(names)
    repeated = {name: n for name, n in Counter(names).items() if n > 1}
    if not repeated:
        return names
    shown = ", ".join(f"{name!r} {n} times" for name, n in list(repeated.items())[:3])
    found = (
        f"{where}: {len(repeated)} {what} names occur more than once ({shown}{', ...' if len(repeated) > 3 else ''})"
    )
    if rule == "refuse":
        raise InputError(f"{found}. Rename them in the source, or set duplicate_names to 'make_unique'.")
    if ids is not None:
        names = [f"{name}_{id_}" if name in repeated else name for name, id_ in zip(names, ids, strict=True)]
    if len(set(names)) < len(names):
        import pandas as pd

        names = list(require("anndata").utils.make_index_unique(pd.Index(names)))
    old, new = next((old, new) for old, new in zip(given, names, strict=True) if old != new)
    warnings.warn(f"{found}; made unique: {old!r} is called {new!r}, and so on.", DeepMapperWarning, stacklevel=3)
    return names


def select_columns(names: Iterable[str]) -> dict[str, int]:
    """Return the column number of each name."""
    return {name: i for i, name in enumerate(names)}

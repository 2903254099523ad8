"""Matrices in delimited text: .csv and .tsv, samples as rows or as columns."""

from __future__ import annotations

import csv
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from ..core.words import some
from ..errors import DeepMapperWarning, InputError
from .assemble import assemble
from .formats import SEPARATOR_NAMES, SEPARATORS, format_of
from .open import opened_text

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

# What an empty cell of a labels table may say, and what makes a number of it (so that 007 stays text).
MISSING = ("", "NA", "N/A", "NaN", "nan")

NUMBER = r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?"

# Table cells that are converted at a time, so that a wide table is never held as text.
TABLE_CELLS_AT_ONCE = 20_000_000


def read_table(path: Path, format: str, transpose: bool) -> AnnData:
    """Read a csv or tsv: a header with the names of the columns, then one name and its numbers per line."""
    import pandas as pd

    names: list[str] = []
    blocks = []
    for header, chunk in _chunks(path, format, {0: str}):
        names += list(chunk[0])
        blocks.append(sparse.csr_matrix(_numbers(chunk, header, path)))
    X = sparse.vstack(blocks, format="csr")
    rows, columns = pd.DataFrame(index=names), pd.DataFrame(index=header[1:])
    if transpose:
        return assemble(X.T, columns, rows, str(path))
    return assemble(X, rows, columns, str(path))


def _numbers(chunk: pd.DataFrame, header: list[str], path: Path) -> np.ndarray:
    """Return the columns after the first as float32; refuse a cell which is no number."""
    import pandas as pd

    wrong: tuple[int, str, str] | None = None
    for column, dtype in list(chunk.dtypes.items())[1:]:
        if dtype.kind in "iuf":
            continue
        texts = chunk[column].astype(str)
        chunk[column] = pd.to_numeric(texts, errors="coerce")
        bad = np.flatnonzero(chunk[column].isna())
        if bad.size and (wrong is None or bad[0] < wrong[0]):
            wrong = int(bad[0]), header[column], texts.iloc[bad[0]]
    if wrong:
        row, name, found = wrong
        raise InputError(
            f"{path}: row {chunk[0].iloc[row]!r}, column {name!r} holds {found!r}, which is not a number. Every column "
            "after the first must be numeric; columns that describe the samples belong in the labels table."
        )
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused as such
        return chunk.iloc[:, 1:].to_numpy(np.float32)


def join_labels(adata: AnnData, path: Path, source: str) -> None:
    """Add the columns of a csv or tsv to obs, matched by the names of the samples."""
    import pandas as pd

    format = format_of(path)
    if format not in SEPARATORS:
        raise InputError(f"{path}: a labels table is a .csv or .tsv, this is {format}.")
    chunks = list(_chunks(path, format, str))
    header = chunks[0][0]
    table = pd.concat([chunk for _, chunk in chunks], ignore_index=True)
    table.columns = header
    columns = header[1:]
    if "" in columns or len(set(header)) < len(header):
        raise InputError(f"{path}: every column needs a name of its own; the header is {some(header, 20)}.")
    if clash := [column for column in columns if column in adata.obs]:
        raise InputError(f"{path}: the matrix has {some(clash)} in its obs already; rename the columns of the table.")

    names = table.pop(header[0])
    repeated = [name for name, n in Counter(names).items() if n > 1]
    if repeated:
        raise InputError(f"{path}: {len(repeated)} names have more than one row ({some(repeated)}); keep one each.")
    table.index = pd.Index(names)
    absent = [name for name in adata.obs_names if name not in table.index]
    if absent:
        hint = ""
        if any(name in table.index for name in adata.var_names):
            hint = " The table names columns of the matrix: it seems to have features in rows, then set transpose."
        raise InputError(
            f"{path}: {len(absent)} of the {adata.n_obs} samples of {source} have no row ({some(absent)}). "
            f"The first column must hold their names; it holds {some(table.index)}.{hint}"
        )
    extra = list(table.index.difference(adata.obs_names, sort=False))
    if extra:
        warnings.warn(
            f"{path}: {len(extra)} rows are for samples that {source} does not have ({some(extra)}); ignored.",
            DeepMapperWarning,
            stacklevel=3,
        )
    table = table.loc[adata.obs_names]
    for column in columns:
        texts = table[column].mask(table[column].str.strip().isin(MISSING))
        numeric = texts.notna().any() and texts.dropna().str.fullmatch(NUMBER).all()
        adata.obs[column] = pd.to_numeric(texts) if numeric else texts


def _chunks(path: Path, format: str, dtype: Any) -> Iterator[tuple[list[str], pd.DataFrame]]:
    """Yield the header of a csv or tsv with each run of its lines; refuse what has no such shape."""
    import pandas as pd

    header = _header(path, format)
    try:
        for chunk in pd.read_csv(
            path,
            sep=SEPARATORS[format],
            header=None,
            skiprows=1,
            dtype=dtype,
            na_filter=False,
            low_memory=False,
            encoding="utf-8-sig",
            chunksize=max(1, TABLE_CELLS_AT_ONCE // len(header)),
        ):
            if chunk.shape[1] == len(header) + 1:
                header = ["", *header]  # R's write.table leaves out the corner
            if chunk.shape[1] != len(header):
                raise InputError(
                    f"{path}: the header names {len(header)} columns, the lines below it have {chunk.shape[1]}."
                )
            yield header, chunk
    except pd.errors.EmptyDataError:
        raise InputError(f"{path} has a header, but no line below it.") from None
    except (pd.errors.ParserError, UnicodeDecodeError, OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read as {format}: {str(error).strip()}.") from error


def _header(path: Path, format: str) -> list[str]:
    """Read the names of a table's columns, the first of which is that of the names."""
    try:
        with opened_text(path) as handle:
            line = handle.readline()
    except (UnicodeDecodeError, OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read as text ({error}). Save the table as plain {format} text.") from error
    if not line.strip():
        raise InputError(f"{path}: the first line is empty; the names of the columns are expected there.")
    header = next(csv.reader([line], delimiter=SEPARATORS[format]))
    if len(header) == 1:
        other = max(SEPARATOR_NAMES, key=line.count)
        advice = "a column of names and at least one more are expected."
        if line.count(other):
            fitting = [name for name, separator in SEPARATORS.items() if separator == other]
            way_out = f"name it .{fitting[0]} (or set format to {fitting[0]})" if fitting else "save it with commas"
            advice = f"the columns seem to be separated by {SEPARATOR_NAMES[other]}; {way_out}."
        raise InputError(f"{path} is read as {format}, but has one column only ({header[0][:60]!r}): {advice}")
    return header

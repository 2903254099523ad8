"""Delimited text, .csv and .tsv: matrices with samples in rows or columns, and tables of labels."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from ..errors import InputError
from .assemble import assemble
from .formats import SEPARATOR_NAMES, SEPARATORS, format_of
from .label_rows import rows_of_samples
from .open import open_text

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

# Cells of a labels table that are missing values.
MISSING = ("", "NA", "N/A", "NaN", "nan")

# Cells that are numbers; 007 stays text.
NUMBER = r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?"

# Cells that are converted at a time, so that a large table is never held as text; chosen by hand.
TABLE_CELLS_AT_ONCE = 20_000_000


def read_table(path: Path, format: str, transpose: bool) -> AnnData:
    """Read a csv or tsv with a header of column names, then lines of a row name and its numbers."""
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
    """Return the columns after the first as float32; refuse a cell that is not a number."""
    import pandas as pd

    first_bad: tuple[int, str, str] | None = None
    for column, dtype in list(chunk.dtypes.items())[1:]:
        if dtype.kind in "iuf":
            continue
        texts = chunk[column].astype(str)
        chunk[column] = pd.to_numeric(texts, errors="coerce")
        bad = np.flatnonzero(chunk[column].isna())
        if bad.size and (first_bad is None or bad[0] < first_bad[0]):
            first_bad = int(bad[0]), header[column], texts.iloc[bad[0]]
    if first_bad:
        row, name, cell = first_bad
        raise InputError(
            f"{path}: row {chunk[0].iloc[row]!r}, column {name!r}: found {cell!r}, expected a number. Put columns that "
            f"describe the samples into the labels table, and 0 or the right value into empty cells."
        )
    with np.errstate(over="ignore"):  # values beyond float32 become infinite, which `check_finite` refuses
        return chunk.iloc[:, 1:].to_numpy(np.float32)


def join_labels(adata: AnnData, path: Path, source: str) -> None:
    """Add the columns of a csv or tsv to obs, matched by sample name."""
    import pandas as pd

    format = format_of(path)
    if format not in SEPARATORS:
        raise InputError(f"{path}: found the format {format}, expected a labels table in .csv or .tsv.")
    chunks = list(_chunks(path, format, str))
    table = pd.concat([chunk for _, chunk in chunks], ignore_index=True)
    table.columns = chunks[0][0]
    table = rows_of_samples(table, adata, path, source)
    for column in table:
        texts = table[column].mask(table[column].str.strip().isin(MISSING))
        numeric = texts.notna().any() and texts.dropna().str.fullmatch(NUMBER).all()
        adata.obs[column] = pd.to_numeric(texts) if numeric else texts


def _chunks(path: Path, format: str, dtype: Any) -> Iterator[tuple[list[str], pd.DataFrame]]:
    """Yield the header of a csv or tsv with each chunk of its lines; refuse lines of another length."""
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
                header = ["", *header]  # R's write.table gives the row names no header
            if chunk.shape[1] != len(header):
                raise InputError(
                    f"{path}: the header has {len(header)} columns, but the lines below it have {chunk.shape[1]}; "
                    "expected the same number."
                )
            yield header, chunk
    except pd.errors.EmptyDataError:
        raise InputError(f"{path} has a header, but no lines below it.") from None
    except (pd.errors.ParserError, UnicodeDecodeError, OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"{path} cannot be read as {format}: {str(error).strip()}. Correct the file, or set format."
        ) from error


def _header(path: Path, format: str) -> list[str]:
    """Read the column names of a table, the first of which belongs to the row names."""
    try:
        with open_text(path) as handle:
            line = handle.readline()
    except (UnicodeDecodeError, OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read as text ({error}). Save the table as plain {format} text.") from error
    if not line.strip():
        raise InputError(f"{path}: the first line is empty, expected the names of the columns.")
    header = next(csv.reader([line], delimiter=SEPARATORS[format]))
    if len(header) == 1:
        other = max(SEPARATOR_NAMES, key=line.count)
        advice = ""
        if line.count(other):
            other_format = next((name for name, separator in SEPARATORS.items() if separator == other), None)
            action = (
                f"name it .{other_format}, or set format to {other_format}" if other_format else "save it with commas"
            )
            advice = f" Its columns seem to be separated by {SEPARATOR_NAMES[other]}: {action}."
        raise InputError(
            f"{path}, read as {format}: found one column ({header[0][:60]!r}), expected a column of names and at "
            f"least one more.{advice}"
        )
    return header

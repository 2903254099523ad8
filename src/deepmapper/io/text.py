"""Delimited text, .csv and .tsv: matrices with samples in rows or columns, and tables of labels."""

from __future__ import annotations

import itertools
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scipy import sparse

from ..core.delimited import Layout, check_lines, find_layout, read_records, rows_named
from ..core.number_text import is_like_number, uses_decimal_commas, with_grouping_points
from ..core.preambles import GEO, GEO_MARKS
from ..core.words import some
from ..errors import DeepMapperWarning, InputError
from .assemble import assemble
from .formats import SEPARATORS
from .label_rows import rows_of_samples
from .table_cells import DecimalCommas, NumberReader, say_taken_out, text_columns, text_rows
from .table_columns import column_of_names, columns_of_row_numbers, known_columns

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

# Cells that are converted at a time, so that a large table is never held as text; chosen by hand.
TABLE_CELLS_AT_ONCE = 20_000_000

# Names of columns with the ids of genes, without case and punctuation.
_GENE_IDS = {"geneid", "geneids", "ensembl", "ensemblid", "ensemblgeneid", "ensg"}


def read_table(
    path: Path, format: str, transpose: bool, *, empty_cells: str = "refuse", obs_columns: Sequence[str] = ()
) -> AnnData:
    """Read a csv or tsv with a header of column names, then lines of a row name and its numbers.

    Parameters
    ----------
    path
        The table; separator, quotes, encoding, compression and decimal sign are found in it.
    format
        "csv" or "tsv": the separator that is expected.
    transpose
        Whether rows are features and columns are samples.
    empty_cells
        Whether empty cells are refused ("refuse") or zero ("zero").
    obs_columns
        Columns (rows if `transpose`) that describe the samples even if they hold numbers; those of text always do.

    Returns
    -------
    AnnData
        Columns of text are in ``obs``, as text; if `transpose`, they describe features and are left out, apart from
        gene ids, which are in ``var["gene_ids"]``.
    """
    if empty_cells not in ("refuse", "zero"):
        raise InputError(f"empty_cells is {empty_cells!r}, expected 'refuse' or 'zero'.")
    layout = find_layout(path, SEPARATORS[format])
    say(layout)
    if layout.kind and not transpose:
        transpose = True
        warnings.warn(
            f"{path} is {layout.kind}, with features in rows, and was read so.", DeepMapperWarning, stacklevel=4
        )
    numbers = [cell for row in layout.sample for cell in row[1:] if is_like_number(cell)]
    if grouped := with_grouping_points(numbers):
        raise InputError(
            f"{path}: found {grouped!r} beside whole numbers, so points seem to be thousands separators. Write numbers "
            "without them. If these are decimals, write all numbers with as many digits."
        )
    commas = layout.separator != "," and uses_decimal_commas(numbers)
    options: dict[str, Any] = {"may_have_commas": layout.separator != ",", "empty_cells": empty_cells}
    try:
        reader = NumberReader(path, layout.header, "," if commas else ".", **options)
        parts = _read_parts(layout, reader, transpose, obs_columns)
    except DecimalCommas:
        commas, reader = True, NumberReader(path, layout.header, ",", **options)
        parts = _read_parts(layout, reader, transpose, obs_columns)
    if commas:
        warnings.warn(f"{path}: read commas in numbers as decimal points.", DeepMapperWarning, stacklevel=4)
    reader.say_empty()
    if transpose:
        return assemble(parts.X.T, parts.columns, parts.rows, str(path))
    return assemble(parts.X, parts.rows, parts.columns, str(path))


@dataclass(frozen=True, eq=False)
class _Parts:
    """A table cut into numbers and what describes its rows and columns."""

    X: sparse.csr_matrix
    rows: pd.DataFrame
    columns: pd.DataFrame


def _read_parts(layout: Layout, reader: NumberReader, transpose: bool, obs_columns: Sequence[str]) -> _Parts:
    """Read the numbers of a table, and set columns (and, if `transpose`, rows) apart that are not numbers."""
    import pandas as pd

    header, texts = layout.header, text_columns(layout.sample, len(layout.header), transpose)
    asked = [] if transpose else [i for i, name in enumerate(header) if i and name in obs_columns]
    numbered = columns_of_row_numbers(header, layout.sample)
    known = [i for i in known_columns(header, transpose, layout.kind) if i not in texts]
    apart = sorted({*texts, *asked, *known, *numbered})
    positions = sorted(set(range(1, len(header))).difference(apart))
    if not positions:
        raise InputError(
            f"{layout.path}: found no column of numbers among {some(header[1:], 8)}, expected a matrix. Check that it "
            "is the right file; labels go into labels.table."
        )
    said = _asked_rows(layout, obs_columns) if transpose else {}
    names: list[str] = []
    blocks, cells = [], []
    for chunk in _chunks(layout, reader.decimal, apart):
        row_names = chunk[0].str.strip()
        if transpose:
            out = row_names.isin(said).to_numpy(copy=True)
            for row in text_rows(chunk, positions):
                if not out[row]:
                    said[row_names.iloc[row]] = [str(cell) for cell in chunk.iloc[row]]
                    out[row] = True
            chunk, row_names = chunk[~out], row_names[~out]
        names += list(row_names)
        blocks.append(sparse.csr_matrix(reader.convert(chunk, row_names.to_numpy(), positions)))
        cells.append(chunk[apart])
    described = pd.concat(cells, ignore_index=True)
    names, apart = _own_names(layout, names, described, [i for i in apart if i not in numbered], asked)
    described.index = pd.Index(names, dtype=object)
    rows = pd.DataFrame(index=names)
    columns = pd.DataFrame(index=[header[i] for i in positions])
    for name, values in said.items():
        columns[name] = text_column(pd.Series([values[i] for i in positions], index=columns.index))
    for i in apart:
        if transpose and "gene_ids" not in rows and re.sub(r"[\W_]", "", header[i].lower()) in _GENE_IDS:
            rows["gene_ids"] = described[i].str.strip()
        elif not transpose:
            _check_all_text(layout.path, header[i], described[i], i in asked or i in known)
            rows[header[i]] = text_column(described[i])
    _say_apart(layout.path, [header[i] for i in apart], list(said), transpose)
    return _Parts(sparse.vstack(blocks, format="csr"), rows, columns)


def _own_names(
    layout: Layout, names: list[str], described: pd.DataFrame, apart: list[int], asked: Sequence[int]
) -> tuple[list[str], list[int]]:
    """Take the names of the rows from a column of text if the first column has none; and the columns that are left."""
    cells = {i: described[i].str.strip().tolist() for i in apart} if not any(names) or names[0] in ("0", "1") else {}
    own = column_of_names(layout.header, names, cells, asked)
    if own is None:
        return names, apart
    found = "holds only the numbers of the rows" if any(names) else "is empty"
    warnings.warn(
        f"{layout.path}: the first column {found}; the names were taken from column {layout.header[own] or own + 1!r}.",
        DeepMapperWarning,
        stacklevel=5,
    )
    return cells[own], [i for i in apart if i != own]


def _say_apart(path: Path, columns: Sequence[str], rows: Sequence[str], transpose: bool) -> None:
    """Say which columns and rows are no features; refuse names that a table of samples cannot have."""
    described = rows if transpose else columns
    if "" in described or len(set(described)) < len(described):
        raise InputError(
            f"{path}: found {some(described, 20)} for what describes the samples, expected a different name for each."
        )
    if columns and transpose:
        say_taken_out(path, "column", columns, "features", "left out")
    elif columns:
        say_taken_out(path, "column", columns, "samples", "not taken as features")
    if rows:
        say_taken_out(path, "row", rows, "samples", "not taken as features")


def _check_all_text(path: Path, name: str, cells: pd.Series, asked: bool) -> None:
    """Refuse a column that began as text and goes on with numbers, unless it was asked for."""
    values = cells.str.strip()
    numbers = [] if asked else [value for value in values.unique() if is_like_number(value)]
    if numbers:
        row, found = next((row, value) for row, value in values.items() if value and not is_like_number(value))
        raise InputError(
            f"{path}: row {row!r}, column {name!r}: found {found!r}, expected a number as in other rows "
            f"({numbers[0]}). Correct it, or name the column in labels.column, labels.group or confounders."
        )


def _asked_rows(layout: Layout, names: Sequence[str]) -> dict[str, list[str]]:
    """Read the rows of some names as text."""
    found: dict[str, list[str]] = {}
    for cells in rows_named(layout, names):
        if cells[0] in found:
            raise InputError(f"{layout.path}: found more than one row {cells[0]!r}, expected one. Remove the others.")
        found[cells[0]] = cells
    return found


def _chunks(layout: Layout, decimal: str, apart: Sequence[int]) -> Iterator[pd.DataFrame]:
    """Yield the lines of a table in chunks: row names and columns that are set apart as text, others by their type."""
    import pandas as pd

    n_columns, checked = len(layout.header), False
    beyond = range(n_columns, layout.n_fields)
    try:
        with layout.text.open() as file:
            for _ in itertools.islice(file, layout.n_before):
                pass
            for chunk in pd.read_csv(
                file,
                sep=r"\s+" if layout.separator == " " else layout.separator,
                header=None,
                dtype=dict.fromkeys([0, *apart, *beyond], str),
                na_filter=False,
                low_memory=False,
                quotechar=layout.quote,
                skipinitialspace=True,
                decimal=decimal,
                chunksize=max(1, TABLE_CELLS_AT_ONCE // layout.n_fields),
            ):
                if layout.kind == GEO:
                    chunk = chunk[~chunk[0].str.startswith(GEO_MARKS)]
                if chunk.shape[1] != layout.n_fields or any((chunk[i].str.strip() != "").any() for i in beyond):
                    check_lines(layout)
                    raise InputError(f"{layout.path}: lines have different numbers of cells. Correct them.")
                last = chunk[n_columns - 1]
                if not checked and last.dtype.kind == "O" and (last == "").any():
                    check_lines(layout)  # a short line looks like one that ends with empty cells
                    checked = True
                blank = chunk[0].str.strip() == ""
                if blank.any():
                    empty = (chunk[blank] == "").all(axis=1)
                    chunk = chunk.drop(index=empty.index[empty])
                yield chunk
    except pd.errors.ParserError as error:
        check_lines(layout)
        raise InputError(
            f"{layout.path}: some lines end with separators and others do not. Write all lines alike."
        ) from error


def say(layout: Layout) -> None:
    """Warn about what was found in the layout of a table and is not usual."""
    for notice in layout.notices:
        warnings.warn(notice, DeepMapperWarning, stacklevel=4)


def join_labels(adata: AnnData, path: Path, source: str) -> None:
    """Add the columns of a csv or tsv to obs, matched by sample name."""
    import pandas as pd

    suffixes = [suffix.lower() for suffix in path.suffixes]
    layout = find_layout(path, next((SEPARATORS[s[1:]] for s in suffixes if s[1:] in SEPARATORS), ""))
    say(layout)
    table = pd.DataFrame((cells for _, cells in read_records(layout)), columns=layout.header, dtype=object)
    table = rows_of_samples(table, adata, path, source)
    for column in table:
        name = "index_" if column == "_index" else column  # a name that AnnData cannot write, as in `with_text_names`
        adata.obs[name] = text_column(table[column])


def text_column(cells: pd.Series) -> pd.Series:
    """Return cells of a table as text, exactly as written (1.10 is not 1.1), without blanks around; empty ones as NaN.

    Words for missing values stay, since `labels.na_values` decides on them.
    """
    import pandas as pd

    nan = float("nan")
    found = [nan if cell is None or cell != cell else str(cell).strip() or nan for cell in cells]
    texts = pd.Series(found, index=cells.index, name=cells.name, dtype=object)
    # anndata writes text with missing values as categories, and needs them if no text is left
    return texts if texts.notna().any() else pd.Series(pd.Categorical(texts), index=texts.index)

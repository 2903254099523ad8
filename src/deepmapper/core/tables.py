"""Result tables on disk: tab-separated text and JSON, written atomically and read with typed columns."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import InputError
from .columns import Column, Table
from .files import atomic_write
from .table_schemas import table_called

# Given to the parser; integers are inferred, since a column that lacks a value is read as numbers.
_PARSED_AS = {"text": "str", "names": "str", "number": "float64", "boolean": "boolean"}

_EXPECTED = {"integer": "an integer", "number": "a number", "boolean": "True or False"}


def write_table(frame: pd.DataFrame, path: str | Path, table: Table | None = None) -> None:
    """Write a table whole: tab-separated, six significant digits, an empty cell where there is no value.

    Parameters
    ----------
    frame
        Its rows. Columns that the table can have may be absent.
    path
        The file; an existing one is replaced.
    table
        Its schema; None takes the one of the file's name (`table_schemas.table_called`).

    Raises
    ------
    ValueError
        If the schema lacks a column of `frame`, or no schema has the file's name.
    """
    table = table or table_called(Path(path).name)
    if unknown := table.unknown([str(name) for name in frame.columns]):
        raise ValueError(
            f"{path}: column {unknown[0]!r} is not in the schema of {table.path}; "
            f"add it there (deepmapper.table_schemas) with its type and meaning, or pass the schema of another table"
        )
    with atomic_write(path) as tmp:
        frame.to_csv(tmp, sep="\t", index=False, float_format="%.6g")


def read_table(path: str | Path, table: Table | None = None) -> pd.DataFrame:
    """Read a table that `write_table` wrote.

    Text comes back as it was written, also names such as ``NA``, ``007``, ``1E2`` or ``TRUE``. An empty cell is a
    missing value, whatever the type.

    Parameters
    ----------
    path
        The file.
    table
        Its schema; None takes the one of the file's name (`table_schemas.table_called`).

    Returns
    -------
    pandas.DataFrame
        Text as str, numbers as float64, integers as int64 (float64 where any is missing), booleans as bool ("boolean"
        where any is missing). Columns that the schema lacks are text.

    Raises
    ------
    InputError
        If a cell is not of its column's type.
    ValueError
        If no schema has the file's name.
    """
    table = table or table_called(Path(path).name)
    options: dict[str, Any] = {"sep": "\t", "lineterminator": "\n", "keep_default_na": False, "encoding": "utf-8"}
    header = pd.read_csv(path, nrows=0, **options).columns
    columns = {name: table.column(name) or Column(name, "text", "") for name in header}
    options["na_values"] = {name: [""] for name in header}
    types = {name: _PARSED_AS[c.dtype] for name, c in columns.items() if c.dtype in _PARSED_AS}
    try:
        frame = pd.read_csv(path, dtype=types, **options)  # type: ignore[arg-type]
        return frame.astype({name: _narrowed(frame[name], column.dtype) for name, column in columns.items()})
    except ValueError as error:
        frame = pd.read_csv(path, dtype=str, **options)
        raise InputError(_fault(path, frame, columns) or f"{path}: cannot be read as a table ({error})") from error


def _narrowed(values: pd.Series, dtype: str) -> Any:
    """The type of a column once its values are known."""
    if dtype == "boolean":
        return values.dtype if values.isna().any() else "bool"
    if dtype == "integer":
        if len(values) and (values.dtype.kind not in "iuf" or (values % 1 > 0).any()):
            raise ValueError("not all are integers")
        return "float64" if values.isna().any() else "int64"
    return values.dtype


def _fault(path: str | Path, frame: pd.DataFrame, columns: dict[str, Column]) -> str:
    """Name the first cell that is not of its column's type; nothing where all are."""
    for name, column in columns.items():
        cells = frame[name].dropna() if column.dtype in _EXPECTED else frame[name].head(0)
        for row, cell in cells.items():
            if not _is(cell, column.dtype):
                return (
                    f"{path}: row {int(row) + 1}, column {name!r}: found {cell!r}, expected "
                    f"{_EXPECTED[column.dtype]}. Delete the file and run its target again."
                )
    return ""


def _is(cell: str, dtype: str) -> bool:
    if dtype == "boolean":
        return cell.lower() in ("true", "false")
    try:
        value = float(cell)
    except ValueError:
        return False
    return dtype == "number" or value.is_integer()


def write_json(value: dict, path: str | Path) -> None:
    """Write JSON whole; NaN becomes null, which every reader accepts."""

    def plain(item):
        if isinstance(item, dict):
            return {str(key): plain(inner) for key, inner in item.items()}
        if isinstance(item, (list, tuple)):
            return [plain(inner) for inner in item]
        if isinstance(item, np.generic):
            item = item.item()
        return None if isinstance(item, float) and not math.isfinite(item) else item

    with atomic_write(path) as tmp:
        tmp.write_text(json.dumps(plain(value), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """Read what `write_json` wrote.

    Raises
    ------
    InputError
        If the file is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: is not JSON ({error}). Delete the file and run its target again.") from error

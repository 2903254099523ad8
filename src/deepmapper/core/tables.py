"""Result tables: tab-separated text with typed columns, and JSON, both written atomically."""

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

# Types for the parser. Integers are inferred, since a column with missing values has to be read as float.
_PARSED_AS = {"text": "str", "names": "str", "number": "float64", "boolean": "boolean"}

_EXPECTED = {"integer": "an integer", "number": "a number", "boolean": "True or False"}


def write_table(frame: pd.DataFrame, path: str | Path, table: Table | None = None) -> None:
    """Write a table atomically: tab-separated, six significant digits, missing values as empty cells.

    Parameters
    ----------
    frame
        The rows; columns of the schema may be missing.
    path
        The file; an existing one is replaced.
    table
        Its schema; None finds it by the file name (`table_schemas.table_called`).

    Raises
    ------
    ValueError
        If a column of `frame` is not in the schema, or no schema has this file name.
    """
    table = table or table_called(Path(path).name)
    if unknown := table.unknown([str(name) for name in frame.columns]):
        raise ValueError(
            f"{path}: column {unknown[0]!r} is not in the schema of {table.path}; "
            f"add it to the schema (deepmapper.core.table_schemas) with its type and meaning, or pass another schema"
        )
    with atomic_write(path) as tmp:
        frame.to_csv(tmp, sep="\t", index=False, float_format="%.6g")


def read_table(path: str | Path, table: Table | None = None) -> pd.DataFrame:
    """Read a table written by `write_table`.

    Text is returned as written, including names such as ``NA``, ``007``, ``1E2`` or ``TRUE``. An empty cell is a
    missing value in a column of any type.

    Parameters
    ----------
    path
        The file.
    table
        Its schema; None finds it by the file name (`table_schemas.table_called`).

    Returns
    -------
    pandas.DataFrame
        Text as str, numbers as float64, integers as int64 (float64 if any is missing), booleans as bool ("boolean" if
        any is missing). Columns that are not in the schema are read as text.

    Raises
    ------
    InputError
        If a cell does not match the type of its column.
    ValueError
        If no schema has this file name.
    """
    table = table or table_called(Path(path).name)
    options: dict[str, Any] = {"sep": "\t", "lineterminator": "\n", "keep_default_na": False, "encoding": "utf-8"}
    header = pd.read_csv(path, nrows=0, **options).columns
    columns = {name: table.column(name) or Column(name, "text", "") for name in header}
    options["na_values"] = {name: [""] for name in header}
    types = {name: _PARSED_AS[c.dtype] for name, c in columns.items() if c.dtype in _PARSED_AS}
    try:
        frame = pd.read_csv(path, dtype=types, **options)  # type: ignore[arg-type]
        return frame.astype({name: _final_type(frame[name], column.dtype) for name, column in columns.items()})
    except ValueError as error:
        frame = pd.read_csv(path, dtype=str, **options)
        message = _first_bad_cell(path, frame, columns) or f"{path} cannot be read as a table ({error})"
        raise InputError(message) from error


def write_csv(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a table with its index atomically: comma-separated, all digits."""
    with atomic_write(path) as tmp:
        frame.to_csv(tmp)


def write_json(value: dict, path: str | Path) -> None:
    """Write JSON atomically; NaN and infinite values become null, since JSON has no such numbers."""

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
    """Read a file written by `write_json`.

    Raises
    ------
    InputError
        If the file is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON ({error}). Delete the file and run its target again.") from error


def _final_type(values: pd.Series, dtype: str) -> Any:
    """Final type of a column, which depends on whether values are missing."""
    if dtype == "boolean":
        return values.dtype if values.isna().any() else "bool"
    if dtype == "integer":
        if len(values) and (values.dtype.kind not in "iuf" or (values % 1 > 0).any()):
            raise ValueError("not all values are integers")
        return "float64" if values.isna().any() else "int64"
    return values.dtype


def _first_bad_cell(path: str | Path, frame: pd.DataFrame, columns: dict[str, Column]) -> str:
    """Message about the first cell that does not match its column's type; "" if all match."""
    for name, column in columns.items():
        if column.dtype not in _EXPECTED:
            continue
        for row, cell in frame[name].dropna().items():
            if not _has_type(cell, column.dtype):
                return (
                    f"{path}: row {int(row) + 1}, column {name!r}: found {cell!r}, expected "
                    f"{_EXPECTED[column.dtype]}. Delete the file and run its target again."
                )
    return ""


def _has_type(cell: str, dtype: str) -> bool:
    if dtype == "boolean":
        return cell.lower() in ("true", "false")
    try:
        value = float(cell)
    except ValueError:
        return False
    return dtype == "number" or value.is_integer()

"""Whether a table has its samples in columns, which no matrix says itself, but the names of its labels do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..core.delimited import Layout, find_layout, read_records, rows_named
from ..core.match_names import SAMPLE_HABITS, match_names
from ..errors import InputError
from .formats import SEPARATORS
from .recognise import recognise
from .unpack import is_archive


def has_samples_in_columns(
    matrix: str | Path, labels_table: str | Path | None = None, columns: Sequence[str] = ()
) -> bool:
    """Say whether a csv or tsv is known to have features in rows and samples in columns.

    Parameters
    ----------
    matrix
        Path of a matrix of any format.
    labels_table
        Table with a row for each sample, or None.
    columns
        Names of columns of the samples, such as that of the labels, which the matrix itself may hold.

    Returns
    -------
    bool
        True if at least half of the names of the table, or of the header of the matrix, are in both, and fewer in the
        first rows of the matrix; or if one of `columns` is the name of a row. False otherwise, also for a file of
        another format or one that cannot be read, which reading it explains.
    """
    path = Path(matrix).expanduser()
    try:
        if not path.is_file() or is_archive(path) or recognise(path) not in SEPARATORS:
            return False
        layout = find_layout(path)
        if any(name in layout.header for name in columns):
            return False
        if any(True for _ in rows_named(layout, columns)):
            return True
        return bool(labels_table) and _are_in_header(layout, find_layout(Path(str(labels_table)).expanduser()))
    except (InputError, OSError):
        return False


def _are_in_header(layout: Layout, table: Layout) -> bool:
    """Whether the names of a table are in the header of a matrix rather than in its first rows."""
    header = list(dict.fromkeys(name for name in layout.header if name))
    below = list(dict.fromkeys(row[0].strip() for row in layout.sample if row and row[0].strip()))
    rows = [row for _, row in read_records(table)]
    columns = [list(dict.fromkeys(cell.strip() for cell in cells if cell.strip())) for cells in zip(*rows, strict=True)]
    # a column of names has a different one in most rows, unlike one of labels
    columns = [names for names in columns if len(names) > 1 and 2 * len(names) >= len(rows)]
    in_header = [len(match_names(names, header, SAMPLE_HABITS).given) for names in columns]
    in_rows = [len(match_names(names, below, SAMPLE_HABITS).given) for names in columns]
    best = max(in_header, default=0)
    covers = any(
        n == best and 2 * n >= min(len(names), len(header) - 1) for n, names in zip(in_header, columns, strict=True)
    )
    return covers and best > max(in_rows)

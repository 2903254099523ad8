"""Matrix Market files as programs write them, and the lists of features and barcodes that belong to them."""

from __future__ import annotations

import csv
import io
import itertools
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import numpy as np
from scipy import sparse

from ..core.compressed import DAMAGE
from ..core.words import count, some
from ..errors import DeepMapperWarning, InputError
from .guards import check_mtx
from .mtx_files import MtxFiles
from .text_ends import check_end, is_compressed, open_plain

if TYPE_CHECKING:
    import pandas as pd

_BANNER = b"%%MatrixMarket matrix coordinate real general\n"

# Comments and blank lines that are looked through for the size of a matrix; chosen by hand.
_MOST_LINES = 10_000

# Gene and transcript ids of Ensembl, GENCODE and RefSeq, of which a list of symbols has none.
_ID = re.compile(r"(ENS[A-Z]*[GT]\d{6,}|N[MR]_\d+|WBGene\d+|FBgn\d+)(\.\d+)?")


class _Chained(io.RawIOBase):
    """Some bytes, then the rest of a stream."""

    def __init__(self, start: bytes, rest: IO[bytes]) -> None:
        self._start, self._rest = start, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        """Fill a buffer with the next bytes."""
        piece = self._start[: len(buffer)] or self._rest.read(len(buffer))
        self._start = self._start[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)


def read_market(path: Path) -> sparse.csr_matrix:
    """Read a Matrix Market file, compressed or not, with or without its first line ``%%MatrixMarket``.

    Raises
    ------
    InputError
        If it is damaged.
    """
    import scipy.io

    check_end(path)
    try:
        with open_plain(path) as handle:
            start = handle.read(len(_BANNER))
            has_banner = start.lower().startswith(b"%%matrixmarket")
            start = b"%%MatrixMarket" + start[14:] if has_banner else _BANNER + start
            stream = io.BufferedReader(_Chained(start, handle), 1 << 20)
            X = sparse.csr_matrix(scipy.io.mmread(cast(IO[bytes], stream)))
    except InputError:
        raise
    except (*DAMAGE, ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{path}: the matrix is damaged or incomplete ({error}). Copy it again.") from error
    if b" pattern " in start.partition(b"\n")[0].lower():
        warnings.warn(
            f"{path}: the matrix lists where values are, but not the values (pattern); every one is taken as 1.",
            DeepMapperWarning,
            stacklevel=4,
        )
    return X


def check_declared(files: MtxFiles, features: list[list[str]], barcodes: list[list[str]]) -> None:
    """Compare the size that a Matrix Market file declares with its lists of names and with its own size.

    Raises
    ------
    InputError
        If the lists do not fit, or the file cannot hold so many values. A header that cannot be read is left to
        `read_market`.
    """
    try:
        with open_plain(files.matrix) as handle:
            lines = (
                line for line in itertools.islice(handle, _MOST_LINES) if line.strip() and not line.startswith(b"%")
            )
            declared = [int(field) for field in next(lines, b"").split()]
    except InputError:
        raise
    except (*DAMAGE, ValueError):
        return
    if len(declared) in (2, 3):  # without the number of values if all are listed (array)
        _orientations((declared[0], declared[1]), features, barcodes, files)
    if len(declared) == 3:
        check_mtx(files.matrix, declared[2], packed=is_compressed(files.matrix))


def read_rows(path: Path) -> list[list[str]]:
    """Read the fields of every line of a list of features or barcodes, without blank lines and quotes.

    R may have written quotes around fields and numbers of lines before them; blanks separate fields only then.
    """
    check_end(path)
    try:
        with open_plain(path) as handle:
            lines = handle.read().decode("utf-8-sig").splitlines()
    except (*DAMAGE, UnicodeDecodeError) as error:
        raise InputError(f"{path}: the file is damaged or incomplete ({error}). Copy it again.") from error
    lines = [line for line in lines if line.strip()]
    separator = "\t"
    if not any("\t" in line for line in lines[:1000]):
        if ".csv" in path.name.lower() or all("," in line for line in lines[:1000]):
            separator = ","
        elif all(line.startswith('"') for line in lines[1:1000]) and any('" "' in line for line in lines[:1000]):
            separator = " "
    rows = [next(csv.reader([line], delimiter=separator)) if '"' in line else line.split(separator) for line in lines]
    rows = [[field.strip() for field in row] for row in rows]
    return _without_line_numbers(rows)


def _without_line_numbers(rows: list[list[str]]) -> list[list[str]]:
    """Leave out a first column of 1, 2, 3, ..., below a header or not."""
    for n_header in (0, 1):
        numbered = rows[n_header:]
        if numbered and all(len(row) > 1 and row[0] in (str(i), str(i - 1)) for i, row in enumerate(numbered, start=1)):
            width = len(numbered[0])
            return [row if len(row) < width else row[1:] for row in rows[:n_header]] + [row[1:] for row in numbered]
    return rows


def without_quotes(names: Sequence[str]) -> list[str]:
    """Take double quotes off names that have them on both sides."""
    return [name[1:-1] if len(name) > 1 and name[0] == name[-1] == '"' else name for name in names]


def _orientations(
    shape: tuple[int, int], features: list[list[str]], barcodes: list[list[str]], files: MtxFiles
) -> list[tuple[int, bool, int, int]]:
    """How lists of names fit a matrix: number of header lines, whether it has cells in rows, and headers of each."""
    assert files.features and files.barcodes
    fits = [
        (f + b, transposed, f, b)
        for transposed in (False, True)
        for f in (0, 1)
        for b in (0, 1)
        if (shape[::-1] if transposed else shape) == (len(features) - f, len(barcodes) - b)
    ]
    if not fits:
        raise InputError(
            f"{files.matrix}: the matrix has {shape[0]} features and {shape[1]} cells, but {files.features.name} "
            f"has {len(features)} lines and {files.barcodes.name} has {len(barcodes)}. The files are incomplete or "
            "from different runs: copy all three again."
        )
    return fits


def oriented(
    X: sparse.csr_matrix, features: list[list[str]], barcodes: list[list[str]], files: MtxFiles
) -> tuple[sparse.csr_matrix, list[list[str]], list[list[str]]]:
    """Bring a matrix into cells × features by the lengths of its lists, either of which may have a header.

    Raises
    ------
    InputError
        If the lists do not fit the matrix.
    """
    assert files.features and files.barcodes
    fits = _orientations(X.shape, features, barcodes, files)
    known = files.matrix.name.startswith(("cells_x_genes", "quants_mat"))  # kb-python and alevin-fry: cells in rows
    _, transposed, f, b = min(fits, key=lambda fit: (fit[0], fit[1] != known))
    for n_header, rows, path in ((f, features, files.features), (b, barcodes, files.barcodes)):
        if n_header:
            warnings.warn(
                f"{path}: the first line ({some(rows[0])}) is taken as a header, since the file has one line more than "
                "the matrix.",
                DeepMapperWarning,
                stacklevel=4,
            )
    if transposed and not known:
        warnings.warn(
            f"{files.matrix}: the matrix has cells in rows and features in columns, by the lengths of "
            f"{files.features.name} and {files.barcodes.name}; it is read so.",
            DeepMapperWarning,
            stacklevel=4,
        )
    return X if transposed else X.T.tocsr(), features[f:], barcodes[b:]


def feature_table(rows: list[list[str]], path: Path) -> pd.DataFrame:
    """Make the table of features from the lines of their list: id, symbol, type."""
    import pandas as pd

    ids = [row[0] for row in rows]
    symbols = [row[min(1, len(row) - 1)] for row in rows]
    beside = path.with_name(path.name.replace(".genes.txt", ".genes.names.txt"))
    if beside != path and beside.is_file():  # kb-python
        names = [row[0] for row in read_rows(beside)]
        symbols = names if len(names) == len(ids) else symbols
    if all(_ID.fullmatch(symbol) for symbol in symbols[:1000]) and not any(_ID.fullmatch(id_) for id_ in ids[:1000]):
        ids, symbols = symbols, ids
        warnings.warn(
            f"{path}: the ids of the features ({ids[0]}) are in its second column, the symbols ({symbols[0]}) in the "
            "first.",
            DeepMapperWarning,
            stacklevel=4,
        )
    var = pd.DataFrame({"gene_ids": ids}, index=symbols)
    if rows and all(len(row) > 2 for row in rows):
        var["feature_types"] = [row[2] for row in rows]
    return var


def barcode_column(rows: list[list[str]]) -> list[str]:
    """Return the names of the cells, the first field of every line."""
    return [row[0] for row in rows]


def spliced_and_ambiguous(
    X: sparse.csr_matrix, var: pd.DataFrame, source: str
) -> tuple[sparse.csr_matrix, pd.DataFrame]:
    """Add up what alevin-fry counts apart as spliced, unspliced (``-U``) and ambiguous (``-A``): spliced and ambiguous.

    As its own readers do by default for single cells. Other matrices are returned as they are.
    """
    n = len(var) // 3
    names = list(var.index)
    if not n or len(var) % 3:
        return X, var
    ends = [[f"{name}{end}" for name in names[:n]] for end in ("-U", "-A")]
    if names[n : 2 * n] != ends[0] or names[2 * n :] != ends[1]:
        return X, var
    warnings.warn(
        f"{source}: found {count(n, 'gene')} counted as spliced, unspliced (-U) and ambiguous (-A); spliced and "
        "ambiguous counts are added up, unspliced ones left out.",
        DeepMapperWarning,
        stacklevel=4,
    )
    X = sparse.csr_matrix(X)
    return X[:, np.arange(n)] + X[:, np.arange(2 * n, 3 * n)], var.iloc[:n]

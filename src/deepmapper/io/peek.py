"""A look at a matrix before it is imported: everything of a small file, names and some values of a large one."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core.files import format_size
from ..core.prefixes import files_of_prefix
from ..errors import DeepMapperWarning, InputError
from .count_files import unpacked_name
from .expression import Expression, find_stored, stored_tables
from .formats import SEPARATORS
from .heads import h5_head, mtx_head, text_head
from .open import OPENERS
from .other_columns import OtherColumns
from .read import located, read_matrix
from .recognise import recognise
from .stored import StoredMatrix
from .unpack import is_archive

# Files up to this size are read as a whole; of larger ones the first values or bytes are. All chosen by hand, so that
# the look takes a few seconds.
_SMALL, _FIRST_VALUES, _FIRST_BYTES = 24 * 2**20, 2**22, 2**23


@dataclass(frozen=True, eq=False)
class Peek:
    """What was read of a matrix.

    Attributes
    ----------
    data
        AnnData, or an `Expression` whose matrices stay in their file, as `features.prepare` accepts; None if only the
        existence of the file is known.
    rows
        Samples whose values were read; None for all of them.
    has_all_samples, has_all_features
        Whether `data` has all samples, with their labels, and all features.
    has_values
        Whether values were read at all.
    left
        What was not read; "" if everything was.
    """

    data: Any
    rows: np.ndarray | None = None
    has_all_samples: bool = True
    has_all_features: bool = True
    has_values: bool = True
    left: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether everything was read."""
        return not self.left


def peek(path: str | Path | None, populations: Iterable[tuple[str, str]] = (), **options: Any) -> Peek:
    """Look at a matrix as `read_matrix` and `expression.import_matrix` will read it.

    Parameters
    ----------
    path, populations
        As in `read_matrix`.
    options
        Other arguments of `read_matrix`.

    Raises
    ------
    InputError
        If what was read cannot be used; the message says which file, where in it, and what to do.
    """
    populations = list(populations)
    paths = [located(given) for given in ([path] if path else [place for place, _ in populations])]
    format, packed = options.get("format", "auto"), any(map(is_archive, paths))
    kinds = [recognise(given) if format == "auto" and not packed else format for given in paths]
    size = sum(size_of(given) for given in paths)
    if size <= _SMALL:
        return Peek(read_matrix(path, populations=populations, **options))
    if packed:
        return _unread(size)
    if not populations and kinds[0] in OPENERS and (found := _peek_stored(paths[0], kinds[0], size, options)):
        return found
    with tempfile.TemporaryDirectory(prefix="deepmapper-look-") as scratch:
        heads = [_head_of(*pair, Path(scratch, str(i))) for i, pair in enumerate(zip(paths, kinds, strict=True))]
        if None in heads:
            return _unread(size)
        named = dict(zip(map(str, heads), map(str, paths), strict=True))
        with _naming(named):
            if populations:
                labels = [label for _, label in populations]
                data = read_matrix(populations=zip(named, labels, strict=True), **options)
            else:
                data = read_matrix(next(iter(named)), **options | {"format": kinds[0]})
    in_rows = any(kind in SEPARATORS for kind in kinds) and not options.get("transpose")
    is_text = any(kind in SEPARATORS for kind in kinds)
    left = f"the values after the first ones ({format_size(size)} in all)"
    if is_text:
        n_lines = data.n_obs if in_rows else data.n_vars
        left = f"the lines after the first {n_lines} ({format_size(size)} in all)"
    totals = np.asarray(data.X.sum(axis=1)).ravel()
    rows = None if is_text else np.flatnonzero(totals)[:-1]
    return Peek(data, rows, has_all_samples=not in_rows, has_all_features=in_rows or not is_text, left=left)


def _unread(size: int) -> Peek:
    return Peek(None, left=f"the matrix ({format_size(size)}), which can only be read whole")


def size_of(path: Path) -> int:
    """Size of a file, of all files of a folder, or of the files whose names start like this, in bytes."""
    if path.is_file():
        return path.stat().st_size
    files = path.rglob("*") if path.is_dir() else files_of_prefix(path)
    return sum(file.stat().st_size for file in files if file.is_file())


def _peek_stored(path: Path, format: str, size: int, options: Mapping[str, Any]) -> Peek | None:
    """Look at the tables and the first rows of a large h5ad or zarr; None if it cannot be read in blocks."""
    if options.get("transpose"):
        return None  # `read_matrix` refuses it
    layer = options.get("layer", "X")
    stored = find_stored(path, format, layer, Path(tempfile.gettempdir()))
    if stored is None:
        return None
    names = options.get("labels_table"), options.get("duplicate_names", "refuse")
    tables, special, _ = stored_tables(stored, path, f"{path} ({layer})", *names)
    n, p = stored.X.shape
    matrices = {"X": stored.X, **stored.layers}
    if len(special):
        matrices = {name: OtherColumns(matrix, special) for name, matrix in matrices.items()}
    has_values = all(isinstance(matrix, StoredMatrix) for matrix in (stored.X, *stored.layers.values()))
    rows = np.arange(min(n, max(1, _FIRST_VALUES // p)))
    data = Expression(matrices.pop("X"), tables.obs, tables.var, matrices, tables.uns)
    if has_values and len(rows) == n:
        return Peek(data)
    which = f"the values of samples after the first {len(rows)}" if has_values else "the values"
    return Peek(data, rows, has_values=has_values, left=f"{which} ({format_size(size)} in all)")


def _head_of(path: Path, kind: str, folder: Path) -> Path | None:
    """Write the beginning of a file or folder into a folder; None if only the whole can be read."""
    folder.mkdir()
    if kind == "10x_h5":
        return h5_head(path, folder / path.name, _FIRST_VALUES // 16)
    if kind == "10x_mtx":
        return mtx_head(path, folder, _FIRST_VALUES // 16)
    if kind not in SEPARATORS:
        return None
    head = folder / unpacked_name(path)
    try:
        text_head(path, head, _FIRST_BYTES)
    except ValueError:
        return None
    return head


@contextmanager
def _naming(named: Mapping[str, str]) -> Iterator[None]:
    """Name the files that stand behind temporary ones in errors and warnings."""

    def told(text: str) -> str:
        for head, path in named.items():
            text = text.replace(head, path)
        return text

    caught: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
    except InputError as error:
        raise InputError(told(str(error))) from error
    finally:
        for warning in caught:
            if issubclass(warning.category, DeepMapperWarning):
                warnings.warn(told(str(warning.message)), DeepMapperWarning, stacklevel=4)

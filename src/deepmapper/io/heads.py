"""The beginning of a large file as a small file of the same format, for a look at it before it is read as a whole."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from ..core.compressed import open_unpacked
from .mtx_files import MtxFiles, find_mtx
from .open import is_10x, open_h5
from .text_ends import open_plain

# Lines that are longer are cut, so that a file without line ends is not read as a whole; chosen by hand.
_LONGEST_LINE = 2**26

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def text_head(path: Path, out: Path, n_bytes: int) -> bool:
    """Write the first lines of a text file, unpacked: at least `n_bytes` of them, or all; return whether that is all.

    Lines are those of ASCII and its extensions, so a file in UTF-16 is refused.

    Raises
    ------
    ValueError
        If it is in UTF-16.
    """
    with open_unpacked(path) as source, out.open("wb") as target:
        n_written = 0
        while n_written < n_bytes:
            line = source.readline(_LONGEST_LINE)
            if not n_written and line.startswith(_UTF16_MARKS):
                raise ValueError("UTF-16")
            if not line:
                return True
            n_written += target.write(line)
        return not source.read(1)


def mtx_head(path: Path, folder: Path, n_values: int) -> Path:
    """Write the folder of a 10x matrix with the first values of each of its matrices and all its names.

    Parameters
    ----------
    path
        A folder, a ``.mtx``, or the start of the names of the files of a sample.
    folder
        Where to write, in subfolders as in `path`, so that samples keep their names.
    n_values
        Number of values of each matrix.

    Returns
    -------
    Path
        What stands for `path`.
    """
    root = path if path.is_dir() else path.parent
    for files in find_mtx(path):
        target = folder / files.matrix.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        if files.features is None or files.barcodes is None:
            h5_head(files.matrix, target, n_values)
            continue
        _write_mtx_head(files, target.with_name(_plain_name(target)), n_values)
        for names in (files.features, files.barcodes):
            link = folder / names.relative_to(root)
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.exists():
                link.symlink_to(names.absolute())
    return folder if path.is_dir() else folder / _plain_name(path)


def _plain_name(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".bz2").removesuffix(".xz")


def _write_mtx_head(files: MtxFiles, out: Path, n_values: int) -> None:
    with open_plain(files.matrix) as source:
        before = []
        for line in itertools.islice(source, 10_000):
            if line.strip() and not line.startswith(b"%"):
                break
            before.append(line)
        sizes = line.split()
        entries = list(itertools.islice(source, n_values))
    if len(sizes) == 3:
        sizes[2] = str(len(entries)).encode()
    with out.open("wb") as target:
        target.writelines([*before, b" ".join(sizes) + b"\n", *entries])


def h5_head(path: Path, out: Path, n_values: int) -> Path:
    """Write a 10x ``.h5`` with all its names and its first values, those of whole cells; other cells are empty."""
    import h5py
    import numpy as np

    def copy(source: Any, target: Any) -> None:
        for name in source:
            if hasattr(source[name], "keys"):
                copy(source[name], target.create_group(name))
            elif name not in ("data", "indices", "indptr"):
                source.copy(source[name], target, name)
        if "indptr" in source:
            indptr = source["indptr"][:]
            n = int(indptr[np.searchsorted(indptr, n_values, side="right") - 1])
            target["indptr"] = np.minimum(indptr, n)
            for name in ("data", "indices"):
                target[name] = source[name][:n]

    with open_h5(path) as file, h5py.File(out, "w") as target:
        if is_10x(file):
            copy(file, target)
    return out

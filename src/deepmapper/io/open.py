"""Opening files: existence, compression, encoding and damage, each with one clear message."""

from __future__ import annotations

import gzip
import importlib
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO

from ..core.words import some
from ..errors import InputError
from .formats import ZARR_MARKS


def is_10x(file: Any) -> bool:
    """Whether an open HDF5 file has the layout of 10x output."""
    return any(hasattr(file[key], "keys") and {"barcodes", "data", "shape"} <= set(file[key]) for key in file)


def require(module: str) -> Any:
    """Import a package of the io extra."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f"deepmapper.io needs {module} here ({error}): pip install 'deepmapper[io]'") from error


def existing(path: str | Path | None) -> Path:
    """Return the path, if something is there."""
    found = Path(path or "")
    if not found.exists():
        raise InputError(f"{path} does not exist (looked for from {Path.cwd()}).")
    if found.is_file() and found.stat().st_size == 0:
        raise InputError(f"{path} is an empty file.")
    return found


def opened_text(path: Path) -> TextIO:
    """Open a text file for reading, gzipped or not."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def lines(path: Path) -> list[str]:
    """Read the lines of a small text file, without empty ones."""
    try:
        with opened_text(path) as handle:
            return [line for line in handle.read().splitlines() if line.strip()]
    except (UnicodeDecodeError, OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: the file is damaged or incomplete ({error}). Copy it again.") from error


@contextmanager
def opened_h5(path: Path) -> Iterator[Any]:
    """Open an HDF5 file for reading, with `_faults_of`."""
    h5py = require("h5py")
    if path.is_dir():
        raise InputError(f"{path} is a folder; an HDF5 file is expected.")
    if not h5py.is_hdf5(path):
        with path.open("rb") as handle:
            start = handle.read(40)
        hint = " It is compressed with gzip: unpack it first." if start[:2] == b"\x1f\x8b" else ""
        raise InputError(f"{path} is no HDF5 file: it begins with {start!r}.{hint}")
    with _faults_of(path), h5py.File(path, "r") as file:
        yield file


@contextmanager
def _opened_zarr(path: Path) -> Iterator[Any]:
    """Open a zarr folder of version 2 or 3 for reading, with `_faults_of`."""
    zarr = require("zarr")
    if not path.is_dir():
        raise InputError(f"{path} is a file; a zarr folder is expected. If it is an archive, unpack it first.")
    if not any((path / name).is_file() for name in ZARR_MARKS):
        found = some(sorted(file.name for file in path.iterdir())) or "nothing"
        raise InputError(f"{path} is no zarr folder: it holds {found}, but neither {' nor '.join(ZARR_MARKS)}.")
    # What lies there counts, not what the folder's table of contents tells of, which zarr 2 does not read by itself.
    options = {"use_consolidated": False} if int(version("zarr").partition(".")[0]) > 2 else {}
    with _faults_of(path):
        yield zarr.open_group(str(path), mode="r", **options)


# Containers of AnnData, and what opens each.
OPENED_BY: dict[str, Callable[[Path], AbstractContextManager[Any]]] = {"h5ad": opened_h5, "zarr": _opened_zarr}


@contextmanager
def _faults_of(path: Path) -> Iterator[None]:
    """Report whatever fails in the body as the fault of the file that it reads."""
    try:
        yield
    except (InputError, ImportError, MemoryError):
        raise
    except Exception as error:
        raise InputError(
            f"{path} cannot be read: {str(error).splitlines()[0] if str(error) else type(error).__name__}. The file is "
            "damaged, was not copied completely, or was written by a newer version of its software."
        ) from error

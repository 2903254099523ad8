"""Opening files: whether they are there, what reads them, and damage, each with one clear message."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..core.files import special_kind
from ..core.words import some
from ..errors import InputError
from .formats import ZARR_MARKERS
from .guards import check_h5, check_zarr


def require(module: str) -> Any:
    """Import an optional dependency (the extra "io").

    Raises
    ------
    ImportError
        If it is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f"deepmapper.io needs {module} here ({error}): pip install 'deepmapper[io]'") from error


def existing_path(path: str | Path | None) -> Path:
    """Return a path; raise `InputError` if it does not exist, is an empty file, or is neither file nor folder."""
    checked = Path(path or "")
    if not checked.exists():
        raise InputError(f"{path} does not exist (working directory: {Path.cwd()}). Correct the path.")
    if kind := special_kind(checked):
        raise InputError(f"{path} is {kind}, expected a file or a folder. Write what it gives to a file first.")
    if checked.is_file() and checked.stat().st_size == 0:
        raise InputError(f"{path} is an empty file. Copy or write it again.")
    return checked


def is_10x(file: Any) -> bool:
    """Whether an open HDF5 file has the layout of 10x output."""
    return any(hasattr(file[key], "keys") and {"barcodes", "data", "shape"} <= set(file[key]) for key in file)


@contextmanager
def open_h5(path: Path) -> Iterator[Any]:
    """Open an HDF5 file for reading; raise `InputError` for anything else and for damage."""
    h5py = require("h5py")
    if path.is_dir():
        raise InputError(f"{path} is a folder, expected an HDF5 file.")
    if not h5py.is_hdf5(path):
        with path.open("rb") as handle:
            start = handle.read(40)
        advice = (
            "It is compressed with gzip: decompress it" if start[:2] == b"\x1f\x8b" else "Copy or download it again"
        )
        raise InputError(f"{path} is not an HDF5 file: it starts with {start!r}. {advice}.")
    with _report_read_errors(path), h5py.File(path, "r") as file:
        check_h5(file, path)
        yield file


@contextmanager
def open_zarr(path: Path) -> Iterator[Any]:
    """Open a zarr folder of version 2 or 3 for reading; raise `InputError` for anything else and for damage."""
    zarr = require("zarr")
    if not path.is_dir():
        raise InputError(f"{path} is a file, expected a zarr folder. If it is an archive, unpack it first.")
    if not any((path / name).is_file() for name in ZARR_MARKERS):
        found = some(sorted(file.name for file in path.iterdir())) or "nothing"
        raise InputError(
            f"{path} is not a zarr folder: it holds {found}, but neither {' nor '.join(ZARR_MARKERS)}. Give the folder "
            f"that holds one of these, or copy it again."
        )
    check_zarr(path)
    # Read what is in the folder, not what its consolidated metadata lists; zarr 2 ignores these metadata by default.
    options = {"use_consolidated": False} if int(version("zarr").partition(".")[0]) > 2 else {}
    with _report_read_errors(path):
        yield zarr.open_group(path, mode="r", **options)


# File formats of AnnData, and the function that opens each.
OPENERS: dict[str, Callable[[Path], AbstractContextManager[Any]]] = {"h5ad": open_h5, "zarr": open_zarr}


def element_in(error: BaseException) -> str:
    """Place in an h5ad or zarr at which anndata failed, such as "/obs/state", from what it notes; "" if unknown."""
    for note in getattr(error, "__notes__", ()):
        if found := re.search(r"while (?:reading|writing) key '(.*?)' of .* (?:from|to) (/.*)", note):
            return f"{found[2].rstrip('/')}/{found[1]}"
    return ""


@contextmanager
def _report_read_errors(path: Path) -> Iterator[None]:
    """Turn any error in the body into an `InputError` about the file being read."""
    try:
        yield
    except (InputError, ImportError, MemoryError):
        raise
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if place := element_in(error):
            reason = f"{place}: {reason}"
        raise InputError(
            f"{path} cannot be read: {reason}. The file is damaged, was not copied completely, or was written by a "
            "newer version of its software. Copy it again, or update the software that reads it."
        ) from error

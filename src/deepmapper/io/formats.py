"""File formats of matrices, recognised by name and content."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError

FORMATS = ("auto", "h5ad", "zarr", "10x_mtx", "10x_h5", "csv", "tsv")

SUFFIXES = {".h5ad": "h5ad", ".zarr": "zarr", ".h5": "10x_h5", ".csv": "csv", ".tsv": "tsv", ".txt": "tsv"}

SEPARATORS = {"csv": ",", "tsv": "\t"}

SEPARATOR_NAMES = {",": "commas", "\t": "tabs", ";": "semicolons"}

# Files of which a zarr folder has one: of version 3 and of version 2.
ZARR_MARKS = ("zarr.json", ".zgroup")


def format_of(path: Path) -> str:
    """Return the format that a name stands for."""
    if path.is_dir():
        is_zarr = path.suffix == ".zarr" or any((path / name).is_file() for name in ZARR_MARKS)
        return "zarr" if is_zarr else "10x_mtx"
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix == ".mtx":
        raise InputError(f"{path}: give the folder which holds this file together with its barcodes and features.")
    if suffix not in SUFFIXES:
        raise InputError(
            f"{path}: the format cannot be told from the name. Known are {', '.join(SUFFIXES)} and 10x folders; "
            f"otherwise set format to one of {', '.join(FORMATS[1:])}."
        )
    return SUFFIXES[suffix]

"""File formats of matrices, recognised by file name and folder contents."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError

# Tables of counting programs; `count_files.PROGRAMS` describes them.
COUNTS = ("featurecounts", "htseq", "star", "salmon", "salmon_genes", "kallisto", "rsem", "rsem_isoforms")

FORMATS = ("auto", "h5ad", "zarr", "10x_mtx", "10x_h5", "csv", "tsv", *COUNTS)

SUFFIXES = {
    ".h5ad": "h5ad",
    ".zarr": "zarr",
    ".h5": "10x_h5",
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "tsv",
    ".tab": "tsv",
    ".gct": "tsv",
}

SEPARATORS = {"csv": ",", "tsv": "\t"}

SEPARATOR_NAMES = {",": "commas", "\t": "tabs", ";": "semicolons"}

# A zarr folder contains one of these: the first in version 3, the second in version 2.
ZARR_MARKERS = ("zarr.json", ".zgroup")


def format_of(path: Path) -> str:
    """Return the format of a file or folder.

    Raises
    ------
    InputError
        If it cannot be recognised.
    """
    if path.is_dir():
        is_zarr = path.suffix == ".zarr" or any((path / name).is_file() for name in ZARR_MARKERS)
        return "zarr" if is_zarr else "10x_mtx"
    name = path.name.lower()
    suffix = Path(name.removesuffix(".gz").removesuffix(".bz2").removesuffix(".xz")).suffix
    if suffix == ".mtx":
        raise InputError(
            f"{path}: found a single .mtx file, expected a folder. Give the folder that holds this file together with "
            f"its barcodes and features."
        )
    if suffix not in SUFFIXES:
        raise InputError(
            f"{path}: the format cannot be recognised from the file name; expected {', '.join(SUFFIXES)} or a 10x "
            f"folder. Rename the file, or set format to one of {', '.join(FORMATS[1:])}."
        )
    return SUFFIXES[suffix]

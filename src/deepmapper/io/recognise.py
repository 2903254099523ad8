"""The format of a file or folder, from its name and content."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path

from ..errors import DeepMapperWarning, InputError
from .count_files import find_count_files, is_hdf5, program_of, unpacked_name
from .formats import ZARR_MARKERS, format_of
from .mtx_files import has_mtx
from .open import is_10x, open_h5
from .text_ends import first_bytes

# Files of other programs, by what they start with or how they end, and how to get a matrix from them.
_BY_START = {
    b"\xd0\xcf\x11\xe0": ("an Excel workbook", "Save the sheet as csv"),
    b"PAR1": ("a Parquet file", "Write it as csv: pandas.read_parquet(path).to_csv('matrix.csv')"),
    b"ARROW1": ("a Feather file", "Write it as csv: pandas.read_feather(path).to_csv('matrix.csv', index=False)"),
    b"RDX": ("an R workspace", "Write the matrix in R: write.csv(as.matrix(counts), 'matrix.csv')"),
    b"\x93NUMPY": ("an array of numpy", "It has no names: write a csv or h5ad with the names of samples and features"),
    b"%PDF": ("a PDF", "Give the file with the counts"),
}
_FROM_R = (
    "Write it in R as a 10x folder, DropletUtils::write10xCounts('matrix', counts), or as csv, "
    "write.csv(as.matrix(counts), 'matrix.csv')"
)
_BY_END = {
    ".rds": ("an R object", _FROM_R),
    ".rdata": ("an R workspace", _FROM_R),
    ".rda": ("an R workspace", _FROM_R),
    ".h5seurat": ("a Seurat file", "Write it as h5ad in R: SeuratDisk::Convert(path, dest = 'h5ad')"),
    ".xlsx": ("an Excel workbook", "Save the sheet as csv"),
    ".xls": ("an Excel workbook", "Save the sheet as csv"),
    ".ods": ("a spreadsheet", "Save the sheet as csv"),
    ".parquet": _BY_START[b"PAR1"],
    ".feather": _BY_START[b"ARROW1"],
    ".npz": ("an archive of numpy", "It has no names: write a csv or h5ad with the names of samples and features"),
    ".npy": _BY_START[b"\x93NUMPY"],
    ".pkl": ("a pickle, which can run code", "Write the matrix as h5ad or csv with the program that made it"),
    ".pickle": ("a pickle, which can run code", "Write the matrix as h5ad or csv with the program that made it"),
    ".bam": ("a file of alignments", "Count them first, for example with featureCounts, and give its output"),
    ".sam": ("a file of alignments", "Count them first, for example with featureCounts, and give its output"),
    ".fastq": ("a file of reads", "Give it in the sample sheet: see docs/reads.md"),
    ".fq": ("a file of reads", "Give it in the sample sheet: see docs/reads.md"),
    ".h5mu": ("a MuData", "Write one of its parts: mudata.read(path)['rna'].write('matrix.h5ad')"),
}
# Files and folders that a folder of matrices may hold; the counts of a large study have a few files for each sample.
# Chosen by hand.
_MOST_FILES = 20_000

_LOOM = (
    "a loom file",
    "Write it as h5ad: anndata.io.read_loom(path).write_h5ad('matrix.h5ad'), which needs loompy (pip install loompy)",
)


def recognise(path: Path) -> str:
    """Return the format of a file or folder: one of `formats.FORMATS`.

    Raises
    ------
    InputError
        If it is of another kind, or cannot be recognised; the message says what to do.
    """
    if path.is_dir():
        if path.suffix == ".zarr" or any((path / name).is_file() for name in ZARR_MARKERS):
            return "zarr"
        _check_number_of_files(path)
        if has_mtx(path):
            return "10x_mtx"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeepMapperWarning)  # reading finds the files again, and says what it took
            counted = find_count_files(path)
        return counted[0] if counted else "10x_mtx"
    if not path.exists():
        return "10x_mtx"  # the start of the names of several files
    name = unpacked_name(path).lower()
    if is_hdf5(path):
        return _of_hdf5(path)
    start = first_bytes(path)
    kind = next((kind for magic, kind in _BY_START.items() if start.startswith(magic)), None)
    if start.startswith(b"PK") and not name.endswith(".zarr"):
        kind = _BY_END.get(Path(name).suffix, ("an Excel workbook or another zip archive", "Save the sheet as csv"))
    kind = kind or _BY_END.get(Path(name).suffix) or (_LOOM if name.endswith(".loom") else None)
    if kind:
        raise InputError(f"{path} is {kind[0]}, which is not read. {kind[1]}.")
    if ".mtx" in name or start.startswith(b"%%MatrixMarket"):
        return "10x_mtx"
    return program_of(path) or format_of(path)


def _check_number_of_files(folder: Path) -> None:
    """Refuse a folder such as `/usr`, in which looking for a matrix would take long."""
    if any(True for _ in itertools.islice(folder.rglob("*"), _MOST_FILES, None)):
        raise InputError(
            f"{folder} holds more than {_MOST_FILES:,} files and folders, so it is hardly the folder of a matrix. Give "
            "the folder that holds the matrix itself."
        )


def _of_hdf5(path: Path) -> str:
    """Tell the kinds of HDF5 files apart by their content."""
    with open_h5(path) as file:
        names = set(file)
        if {"obs", "var"} <= names:
            return "h5ad"
        if "mod" in names and {"obs", "var"} <= set(file["mod"][next(iter(file["mod"]))]):
            raise InputError(f"{path} is {_BY_END['.h5mu'][0]}, which is not read. {_BY_END['.h5mu'][1]}.")
        if {"matrix", "row_attrs", "col_attrs"} <= names:
            raise InputError(f"{path} is {_LOOM[0]}, which is not read. {_LOOM[1]}.")
        if "est_counts" in names and "aux" in names:
            return "kallisto"
        if is_10x(file):
            return "10x_h5"
    return format_of(path)

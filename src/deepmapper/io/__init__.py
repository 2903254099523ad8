"""Matrices and label tables: every file format that is read, checked, named and normalised.

May use: core.
"""

from ..core.lazy import load_name

_HOME = {
    "Dataset": "dataset",
    "FORMATS": "formats",
    "LARGEST_LOG": "matrix_stats",
    "MISSING": "text",
    "Matrix": "deepmapper.core.blocks",
    "MatrixStats": "matrix_stats",
    "NORMALIZATIONS": "normalize",
    "NUMBER": "text",
    "OPENED_BY": "open",
    "SEPARATORS": "formats",
    "SEPARATOR_NAMES": "formats",
    "SUFFIXES": "formats",
    "TABLE_CELLS_AT_ONCE": "text",
    "ZARR_MARKS": "formats",
    "encode_labels": "labels",
    "exclusive_genes": "dataset",
    "export_for_seurat": "dataset",
    "highly_variable_subset": "dataset",
    "intersect_genes": "dataset",
    "load_10x_populations": "dataset",
    "load_h5ad": "dataset",
    "normalised": "normalize",
    "normalize_matrix": "normalize",
    "read_matrix": "read",
    "scan": "matrix_stats",
}
__all__ = sorted(_HOME)


def __getattr__(name: str):
    return load_name(__name__, _HOME, name)


def __dir__():
    return __all__

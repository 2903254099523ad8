"""Matrices and label tables: reading every supported file format, checks, unique names and normalisation.

May use: core.
"""

from ..core.lazy import load_name

_HOME = {
    "Dataset": "dataset",
    "encode_labels": "labels",
    "exclusive_genes": "dataset",
    "export_for_seurat": "dataset",
    "highly_variable_subset": "dataset",
    "intersect_genes": "dataset",
    "load_10x_populations": "dataset",
    "load_h5ad": "dataset",
    "normalize_matrix": "normalize",
    "read_matrix": "read",
}
__all__ = sorted(_HOME)


def __getattr__(name: str):
    return load_name(__name__, _HOME, name)


def __dir__():
    return __all__

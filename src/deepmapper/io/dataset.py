"""Matrices as data sets: load, save, combine and subset, as documented.

Two doors lead in. :func:`load_h5ad` and :func:`load_10x_populations` return the plain :class:`Dataset` that the
documented API works on; :func:`read_matrix` returns the AnnData from which the workflow starts. Both use the same
readers and the same checks: what cannot be analysed as it is (doubled names, NaN, values which are not counts, ...)
is refused with one message that names the place and the way out.

Matrices are samples (or cells) x features. scanpy, anndata, h5py and pandas are imported when they are needed.
"""

from __future__ import annotations

import csv
import warnings
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import sparse

from ..core.blocks import Matrix
from ..core.files import atomic_write
from ..core.words import did_you_mean, some
from ..errors import DeepMapperWarning, InputError
from .assemble import select_columns, unique_names
from .h5ad import read_anndata
from .labels import encode_labels
from .matrix_stats import LARGEST_LOG, check_counts
from .normalize import PASS_FALSE, log1p_counts
from .open import existing, require
from .read import join_populations


@dataclass(frozen=True, eq=False)
class Dataset:
    """A labelled matrix, ready for :func:`deepmapper.runner.run`.

    Parameters
    ----------
    X
        Values, cells x genes; an array, or CSR where the source was sparse.
    y
        Class of every cell, shape (n_cells,), integers which index ``label_names``.
    var_names
        Name of every gene, each once.
    label_names
        Name of every class.
    obs_label_key
        The ``obs`` column from which the labels came.

    Raises
    ------
    InputError
        The parts do not fit together, or a gene name occurs more than once.

    """

    X: Matrix
    y: np.ndarray
    var_names: list[str]
    label_names: list[str]
    obs_label_key: str = ""

    def __post_init__(self) -> None:
        shape = np.shape(self.X)
        if len(shape) != 2:
            raise InputError(f"Dataset: X has the shape {shape}; a matrix of cells x genes is expected.")
        if len(self.var_names) != shape[1]:
            raise InputError(f"Dataset: X has {shape[1]} columns, but there are {len(self.var_names)} gene names.")
        if np.shape(self.y) != (shape[0],):
            raise InputError(f"Dataset: X has {shape[0]} rows, but y has the shape {np.shape(self.y)}.")
        if shape[0] and not (np.min(self.y) >= 0 and np.max(self.y) < len(self.label_names)):
            raise InputError(
                f"Dataset: y runs from {np.min(self.y)} to {np.max(self.y)}, but {len(self.label_names)} classes are "
                f"named; y must index label_names. deepmapper.io.encode_labels makes such codes."
            )
        unique_names(self.var_names, "gene", "Dataset", "refuse")

    @property
    def n_cells(self) -> int:
        """Number of rows."""
        return int(self.X.shape[0])

    @property
    def n_genes(self) -> int:
        """Number of columns."""
        return int(self.X.shape[1])


def load_h5ad(
    path: str | Path,
    label_key: str,
    normalize: bool = True,
    target_sum: float = 1e4,
    *,
    duplicate_names: str = "refuse",
) -> Dataset:
    """Load an AnnData ``.h5ad`` with its labels.

    Parameters
    ----------
    path
        The file; its ``X`` is read.
    label_key
        The ``obs`` column which holds the class of every cell.
    normalize
        Scale every cell to ``target_sum`` and take log1p. Give False where the file holds normalised values.
    target_sum
        Total of a cell after scaling, in counts.
    duplicate_names
        Gene names that occur more than once: "refuse", or "make_unique" (with a warning).

    Returns
    -------
    Dataset
        ``X`` float32, CSR where the file's ``X`` is sparse. Classes are in natural order (``c2`` before ``c10``).

    Raises
    ------
    InputError
        The file cannot be read, a label or the label column is missing, a gene name is doubled, a value is NaN or
        infinite, or ``normalize`` is asked for values that are not counts.

    """
    path = existing(path)
    adata = read_anndata(path, "h5ad", layer="X")
    if label_key not in adata.obs:
        raise InputError(
            f"{path}: obs has no column {label_key!r}.{did_you_mean(label_key, adata.obs.columns)} "
            f"Its columns: {some(adata.obs.columns, 20)}."
        )
    genes = unique_names(adata.var_names, "gene", path, duplicate_names, adata.var.get("gene_ids"))
    codes, classes = encode_labels(adata.obs[label_key], names=adata.obs_names)
    X = adata.X
    if normalize:
        counts = sparse.csr_matrix(X)
        check_counts(counts, adata.obs_names, str(path), PASS_FALSE, fractions_allowed=False)
        scaled = log1p_counts(counts, target_sum, adata.obs_names)
        X = scaled if sparse.issparse(X) else scaled.toarray()
    return Dataset(X, codes, genes, classes, label_key)


def load_10x_populations(
    specs: Iterable[tuple[str | Path, str]],
    normalize: bool = True,
    target_sum: float = 1e4,
    n_per_class: int | None = None,
    seed: int = 0,
    *,
    duplicate_names: str = "make_unique",
) -> Dataset:
    """Load several sorted 10x populations as one labelled Dataset; no gene is filtered.

    Parameters
    ----------
    specs
        Pairs (10x folder, label). The ``matrix.mtx`` may lie deeper, as in ``filtered_gene_bc_matrices/<genome>/``.
        A label given for several folders makes one class of them.
    normalize
        Scale every cell to ``target_sum`` (over the shared genes) and take log1p.
    target_sum
        Total of a cell after scaling, in counts.
    n_per_class
        Keep at most this many cells of each label, drawn without replacement; None keeps all.
    seed
        Seed of that draw. What is drawn from a population does not depend on the other populations.
    duplicate_names
        Symbols that several genes of a 10x reference share: "make_unique" appends the gene id to them and warns,
        "refuse" raises.

    Returns
    -------
    Dataset
        ``X`` CSR float32 over the genes that all populations share, in the order of the first.

    Raises
    ------
    InputError
        A folder cannot be read or has no cells, the populations share no gene, all have the same label, or
        ``normalize`` is asked for values that are not counts.

    """
    if n_per_class is not None and n_per_class < 1:
        raise InputError(f"n_per_class is {n_per_class}; at least one cell of each class is needed (None keeps all).")
    adata = join_populations(specs, "X", duplicate_names)
    codes, classes = encode_labels(adata.obs["population"])
    X, names = adata.X, adata.obs_names
    if n_per_class is not None:
        drawn = []
        for code, label in enumerate(classes):
            cells = np.flatnonzero(codes == code)
            if len(cells) > n_per_class:
                # The label is part of the seed, so that adding a population changes no other draw.
                rng = np.random.default_rng([seed, zlib.crc32(label.encode())])
                cells = rng.choice(cells, size=n_per_class, replace=False)
            drawn.append(cells)
        kept = np.sort(np.concatenate(drawn))
        X, codes, names = X[kept], codes[kept], names[kept]
    if normalize:
        check_counts(X, names, "The 10x populations", PASS_FALSE, fractions_allowed=False)
        X = log1p_counts(X, target_sum, names)
    return Dataset(X, codes, list(adata.var_names), classes, "population")


def highly_variable_subset(ds: Dataset, n_top_genes: int = 2000) -> tuple[Dataset, np.ndarray]:
    """Keep the highly variable genes, to measure what such a selection throws away.

    Parameters
    ----------
    ds
        Log-normalised values, as ``normalize=True`` makes them.
    n_top_genes
        How many genes to keep.

    Returns
    -------
    Dataset, ndarray
        The Dataset restricted to the kept genes, and their column numbers in ``ds``, ascending.

    Raises
    ------
    InputError
        ``n_top_genes`` is below 1 or above the number of genes, or the values are not logarithms of counts.

    Notes
    -----
    ``scanpy.pp.highly_variable_genes`` with its default flavour (dispersion per expression bin; Satija et al. 2015).

    """
    if not 1 <= n_top_genes <= ds.n_genes:
        raise InputError(
            f"n_top_genes is {n_top_genes}, but the Dataset has {ds.n_genes} genes; give 1 to {ds.n_genes}."
        )
    lowest, highest = ds.X.min(), ds.X.max()
    if not (lowest >= 0 and highest < LARGEST_LOG):  # NaN fails too
        raise InputError(
            f"highly_variable_subset needs log-normalised values, but X runs from {lowest:g} to {highest:g}; "
            "load the data with normalize=True."
        )
    anndata, scanpy = require("anndata"), require("scanpy")
    adata = anndata.AnnData(ds.X)
    adata.uns["log1p"] = {}  # says that X is log1p, natural base
    table = scanpy.pp.highly_variable_genes(adata, n_top_genes=n_top_genes, inplace=False)
    indices = np.flatnonzero(table["highly_variable"].to_numpy())
    if len(indices) != n_top_genes:
        warnings.warn(
            f"{len(indices)} highly variable genes were selected, not {n_top_genes}: the dispersions of the others "
            "are undefined (constant genes) or tied.",
            DeepMapperWarning,
            stacklevel=2,
        )
    return replace(ds, X=ds.X[:, indices], var_names=[ds.var_names[i] for i in indices]), indices


def intersect_genes(a: Dataset, b: Dataset) -> tuple[Dataset, Dataset, list[str]]:
    """Restrict two Datasets to the genes they share.

    Returns
    -------
    Dataset, Dataset, list of str
        Both Datasets with the shared genes as columns, in the order of ``a``, and these genes.

    Raises
    ------
    InputError
        They share no gene.

    """
    column_a, column_b = select_columns(a.var_names), select_columns(b.var_names)
    shared = [gene for gene in a.var_names if gene in column_b]
    if not shared:
        raise InputError(
            f"The two Datasets share no gene: the first names {some(a.var_names)}, the second {some(b.var_names)}. "
            "Symbols and gene ids do not match each other."
        )
    restricted = [
        replace(ds, X=ds.X[:, [column[gene] for gene in shared]], var_names=list(shared))
        for ds, column in ((a, column_a), (b, column_b))
    ]
    return restricted[0], restricted[1], shared


def exclusive_genes(a: Dataset, b: Dataset) -> tuple[list[str], list[str]]:
    """Return the genes that only ``a`` has and those that only ``b`` has, each in the order of its Dataset."""
    in_a, in_b = set(a.var_names), set(b.var_names)
    return [gene for gene in a.var_names if gene not in in_b], [gene for gene in b.var_names if gene not in in_a]


def export_for_seurat(ds: Dataset, outdir: str | Path) -> str | Path:
    """Write ``counts.csv`` (cells x genes) and ``labels.csv`` (cell, label) for a comparison in R.

    Parameters
    ----------
    ds
        Raw counts, loaded with ``normalize=False``.
    outdir
        The folder; made where it does not exist.

    Returns
    -------
    str or Path
        ``outdir`` as given. The cells are named cell0, cell1, ... in both files.

    Raises
    ------
    InputError
        A value is negative.

    Warns
    -----
    DeepMapperWarning
        The values are not integers: Seurat would normalise them a second time.

    """
    X = sparse.csr_matrix(ds.X)
    cells = [f"cell{i}" for i in range(ds.n_cells)]
    check_counts(X, cells, "export_for_seurat", "Load the data with normalize=False.", logs_allowed=True)
    folder = Path(outdir)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / "counts.csv") as part, part.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["", *ds.var_names])
        for i, cell in enumerate(cells):
            values = ["0"] * ds.n_genes
            for j in range(X.indptr[i], X.indptr[i + 1]):
                values[X.indices[j]] = f"{X.data[j]:.9g}"
            writer.writerow([cell, *values])
    with atomic_write(folder / "labels.csv") as part, part.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["cell", "label"])
        writer.writerows((cell, ds.label_names[code]) for cell, code in zip(cells, ds.y, strict=True))
    return outdir

"""The documented functions for data sets: load, combine, subset and export.

There are two ways to load data. :func:`load_h5ad` and :func:`load_10x_populations` return the plain :class:`Dataset`
that the documented API uses; :func:`deepmapper.io.read.read_matrix` returns the AnnData with which the workflow starts.
Both use the same readers and the same checks: data that cannot be analysed as they are (duplicate names, NaN, values
that are not counts, ...) are refused with one message that says where the problem is and what to do.

Matrices are samples (or cells) x features. scanpy, anndata, h5py and pandas are imported only when needed.
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
from ..core.match_names import match_features
from ..core.missing import MISSING_WORDS
from ..core.words import count, did_you_mean, some
from ..errors import DeepMapperWarning, InputError
from .assemble import column_index, unique_names
from .feature_names import drop_special_rows
from .h5ad import read_anndata
from .labels import encode_labels
from .layers import LAYERS_OF_COUNTS
from .matrix_stats import LARGEST_LOG, check_counts
from .normalize import PASS_FALSE, log1p_counts
from .open import existing_path, require
from .read import join_populations


@dataclass(frozen=True, eq=False)
class Dataset:
    """A labelled matrix, ready for :func:`deepmapper.runner.run`.

    Parameters
    ----------
    X
        Values, cells x genes; an array, or CSR if the source is sparse.
    y
        (n_cells,) integer class of every cell, an index into ``label_names``.
    var_names
        Names of the genes, without duplicates.
    label_names
        Names of the classes.
    obs_label_key
        The ``obs`` column with the labels.

    Raises
    ------
    InputError
        If the parts do not fit together, or gene names are duplicated.
    """

    X: Matrix
    y: np.ndarray
    var_names: list[str]
    label_names: list[str]
    obs_label_key: str = ""

    def __post_init__(self) -> None:
        shape = np.shape(self.X)
        if len(shape) != 2:
            raise InputError(f"Dataset: X has the shape {shape}, expected a matrix of cells x genes.")
        if len(self.var_names) != shape[1]:
            raise InputError(
                f"Dataset: found {count(len(self.var_names), 'gene name')}, expected {shape[1]}, one per column of X."
            )
        if np.shape(self.y) != (shape[0],):
            raise InputError(
                f"Dataset: y has the shape {np.shape(self.y)}, expected ({shape[0]},), one class per row of X."
            )
        if shape[0] and not (np.min(self.y) >= 0 and np.max(self.y) < len(self.label_names)):
            raise InputError(
                f"Dataset: y ranges from {np.min(self.y)} to {np.max(self.y)}, expected indices of the "
                f"{len(self.label_names)} label_names, from 0. deepmapper.io.encode_labels returns such codes."
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
    missing: str = "refuse",
    na_values: Iterable[str] = MISSING_WORDS,
) -> Dataset:
    """Load an AnnData ``.h5ad`` with its labels.

    Parameters
    ----------
    path
        The file, of which ``X`` is read.
    label_key
        The ``obs`` column with the class of every cell.
    normalize
        Whether to scale every cell to ``target_sum`` and take log1p; False if the values are already normalised.
    target_sum
        Total of a cell after scaling, in counts.
    duplicate_names
        What to do with duplicate gene names: "refuse", or "make_unique" (with a warning).
    missing
        What to do with cells without a label: "refuse" or "drop".
    na_values
        Words in the label column that are missing values; the empty list makes a class of every word.

    Returns
    -------
    Dataset
        ``X`` is float32, CSR if the file's ``X`` is sparse. Classes are in natural order (``c2`` before ``c10``).

    Raises
    ------
    InputError
        If the file cannot be read, a label or the label column is missing, a gene name is duplicated, a value is NaN
        or infinite, or ``normalize`` is set for values that are not counts.
    """
    path = existing_path(path)
    adata = drop_special_rows(read_anndata(path, "h5ad", layer="X"), str(path))
    if label_key not in adata.obs:
        raise InputError(
            f"{path}: obs has no column {label_key!r}.{did_you_mean(label_key, adata.obs.columns)} "
            f"Set label_key to one of {some(adata.obs.columns, 20)}."
        )
    if missing not in ("refuse", "drop"):
        raise InputError(f"missing is {missing!r}, expected 'refuse' or 'drop'.")
    genes = unique_names(adata.var_names, "gene", path, duplicate_names, adata.var.get("gene_ids"))
    codes, classes = encode_labels(adata.obs[label_key], adata.obs_names, missing=missing, na_values=na_values)
    if (codes < 0).any():
        adata, codes = adata[codes >= 0], codes[codes >= 0]
    X = adata.X
    if normalize:
        counts = sparse.csr_matrix(X)
        advice = PASS_FALSE
        if LAYERS_OF_COUNTS in adata.uns:
            layers = some(adata.uns[LAYERS_OF_COUNTS])
            advice = f"The file holds counts in {layers}: read them with io.read.read_matrix(path, layer=...). {advice}"
        check_counts(counts, adata.obs_names, str(path), advice, fractions_allowed=False)
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
    """Load several sorted 10x populations as one labelled Dataset, without filtering genes.

    Parameters
    ----------
    specs
        Pairs (10x folder, label). The ``matrix.mtx`` may be in a subfolder, as in
        ``filtered_gene_bc_matrices/<genome>/``. Folders with the same label form one class.
    normalize
        Whether to scale every cell to ``target_sum`` (over the shared genes) and take log1p.
    target_sum
        Total of a cell after scaling, in counts.
    n_per_class
        Maximum number of cells per label, drawn without replacement; None keeps all.
    seed
        Seed of that draw, which is independent for every label.
    duplicate_names
        What to do with symbols that several genes of a 10x reference share: "make_unique" appends the gene id and
        warns, "refuse" raises an error.

    Returns
    -------
    Dataset
        ``X`` is CSR float32 over the genes shared by all populations, in the order of the first.

    Raises
    ------
    InputError
        If a folder cannot be read or has no cells, the populations share no gene, all have the same label, or
        ``normalize`` is set for values that are not counts.
    """
    if n_per_class is not None and n_per_class < 1:
        raise InputError(f"n_per_class is {n_per_class}, expected 1 or more, or None to keep all cells.")
    adata = join_populations(specs, "X", duplicate_names)
    codes, classes = encode_labels(adata.obs["population"])
    X, names = adata.X, adata.obs_names
    if n_per_class is not None:
        drawn = []
        for code, label in enumerate(classes):
            cells = np.flatnonzero(codes == code)
            if len(cells) > n_per_class:
                # The label is part of the seed, so that adding a population does not change the other draws.
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
    """Keep only the highly variable genes, to measure what such a selection discards.

    Parameters
    ----------
    ds
        Log-normalised values, as loaded with ``normalize=True``.
    n_top_genes
        Number of genes to keep.

    Returns
    -------
    Dataset, ndarray
        The Dataset restricted to the kept genes, and their column indices in ``ds``, ascending.

    Raises
    ------
    InputError
        If ``n_top_genes`` is below 1 or above the number of genes, or the values are not logarithms of counts.

    Notes
    -----
    ``scanpy.pp.highly_variable_genes`` with its default flavour (dispersion per expression bin; Satija et al. 2015).
    """
    if not 1 <= n_top_genes <= ds.n_genes:
        raise InputError(
            f"n_top_genes is {n_top_genes}, expected 1 to {ds.n_genes}, the number of genes in the Dataset."
        )
    lowest, highest = ds.X.min(), ds.X.max()
    if not (lowest >= 0 and highest < LARGEST_LOG):  # NaN fails too
        raise InputError(
            f"highly_variable_subset: X ranges from {lowest:g} to {highest:g}, expected log-normalised values. Load "
            "the data with normalize=True."
        )
    anndata, scanpy = require("anndata"), require("scanpy")
    adata = anndata.AnnData(ds.X)
    adata.uns["log1p"] = {}  # tells scanpy that X is log1p with the natural base
    table = scanpy.pp.highly_variable_genes(adata, n_top_genes=n_top_genes, inplace=False)
    indices = np.flatnonzero(table["highly_variable"].to_numpy())
    if len(indices) != n_top_genes:
        warnings.warn(
            f"{len(indices)} instead of {n_top_genes} highly variable genes were selected: the dispersions of the "
            "other genes are undefined (constant genes) or tied.",
            DeepMapperWarning,
            stacklevel=2,
        )
    return replace(ds, X=ds.X[:, indices], var_names=[ds.var_names[i] for i in indices]), indices


def intersect_genes(a: Dataset, b: Dataset) -> tuple[Dataset, Dataset, list[str]]:
    """Restrict two Datasets to their shared genes.

    Names that are written differently (versions of Ensembl ids, R's dots) are matched where it is one-to-one.

    Returns
    -------
    Dataset, Dataset, list of str
        Both Datasets with the shared genes as columns, in the order and with the names of ``a``, and these names.

    Raises
    ------
    InputError
        If they share no gene.

    Warns
    -----
    DeepMapperWarning
        If genes with different names were matched.
    """
    match = match_features(a.var_names, b.var_names)
    if text := match.describe("gene"):
        warnings.warn(f"intersect_genes: {text}.", DeepMapperWarning, stacklevel=2)
    column_a, own_column_b = column_index(a.var_names), column_index(b.var_names)
    column_b = {gene: own_column_b[own] for gene, own in match.given.items()}
    shared = list(match.given)
    if not shared:
        raise InputError(
            f"The two Datasets share no gene: the first has {some(a.var_names)}, the second {some(b.var_names)}. Use "
            "the same kind of names, symbols or gene ids, in both."
        )
    restricted = [
        replace(ds, X=ds.X[:, [column[gene] for gene in shared]], var_names=list(shared))
        for ds, column in ((a, column_a), (b, column_b))
    ]
    return restricted[0], restricted[1], shared


def exclusive_genes(a: Dataset, b: Dataset) -> tuple[list[str], list[str]]:
    """Return the genes only in ``a`` and the genes only in ``b``, each in the order of its Dataset.

    Genes that `intersect_genes` matches are in both.
    """
    match = match_features(a.var_names, b.var_names)
    return list(match.unmatched), list(match.unused)


def export_for_seurat(ds: Dataset, outdir: str | Path) -> str | Path:
    """Write ``counts.csv`` (cells x genes) and ``labels.csv`` (cell, label) for a comparison in R.

    Parameters
    ----------
    ds
        Raw counts, loaded with ``normalize=False``.
    outdir
        The folder; created if it does not exist.

    Returns
    -------
    str or Path
        ``outdir`` as given. The cells are named cell0, cell1, ... in both files.

    Raises
    ------
    InputError
        If a value is negative.

    Warns
    -----
    DeepMapperWarning
        If values are not integers: Seurat would normalise them a second time.
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

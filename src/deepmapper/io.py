"""Reading matrices: AnnData files, 10x output and plain tables become checked, named, sparse float32 matrices.

Two doors lead in. :func:`load_h5ad` and :func:`load_10x_populations` return the plain :class:`Dataset` that the
documented API works on; :func:`read_matrix` returns the AnnData from which the workflow starts. Both use the same
readers and the same checks: what cannot be analysed as it is (doubled names, NaN, values which are not counts, ...)
is refused with one message that names the place and the way out.

Matrices are samples (or cells) x features. scanpy, anndata, h5py and pandas are imported when they are needed.
"""

from __future__ import annotations

import csv
import gzip
import importlib
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias

import numpy as np
from scipy import sparse

from .blocks import Changed
from .errors import DeepMapperWarning, InputError
from .files import whole_file
from .words import did_you_mean, natural_order, some

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

Matrix: TypeAlias = "np.ndarray | sparse.csr_matrix"

FORMATS = ("auto", "h5ad", "zarr", "10x_mtx", "10x_h5", "csv", "tsv")
NORMALIZATIONS = ("none", "log1p_median", "log1p_cp10k", "log1p_cpm", "log1p_tpm")

SUFFIXES = {".h5ad": "h5ad", ".zarr": "zarr", ".h5": "10x_h5", ".csv": "csv", ".tsv": "tsv", ".txt": "tsv"}
SEPARATORS = {"csv": ",", "tsv": "\t"}
SEPARATOR_NAMES = {",": "commas", "\t": "tabs", ";": "semicolons"}

# Files of which a zarr folder has one: of version 3 and of version 2.
ZARR_MARKS = ("zarr.json", ".zgroup")

# What an empty cell of a labels table may say, and what makes a number of it (so that 007 stays text).
MISSING = ("", "NA", "N/A", "NaN", "nan")
NUMBER = r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?"

# Logarithms of counts stay far below this value, counts of a sequenced sample do not.
LARGEST_LOG = 30.0
# Table cells that are converted at a time, so that a wide table is never held as text.
TABLE_CELLS_AT_ONCE = 20_000_000


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
        _unique_names(self.var_names, "gene", "Dataset", "refuse")

    @property
    def n_cells(self) -> int:
        """Number of rows."""
        return int(self.X.shape[0])

    @property
    def n_genes(self) -> int:
        """Number of columns."""
        return int(self.X.shape[1])


# ---------------------------------------------------------------------------------------------------------------------
# The documented API
# ---------------------------------------------------------------------------------------------------------------------


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
    path = _existing(path)
    adata = _read_anndata(path, "h5ad", layer="X")
    if label_key not in adata.obs:
        raise InputError(
            f"{path}: obs has no column {label_key!r}.{did_you_mean(label_key, adata.obs.columns)} "
            f"Its columns: {some(adata.obs.columns, 20)}."
        )
    genes = _unique_names(adata.var_names, "gene", path, duplicate_names, adata.var.get("gene_ids"))
    codes, classes = encode_labels(adata.obs[label_key], names=adata.obs_names)
    X = adata.X
    if normalize:
        counts = sparse.csr_matrix(X)
        _check_counts(counts, adata.obs_names, str(path), _PASS_FALSE, fractions_allowed=False)
        scaled = _log1p_counts(counts, target_sum, adata.obs_names)
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
    adata = _join_populations(specs, "X", duplicate_names)
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
        _check_counts(X, names, "The 10x populations", _PASS_FALSE, fractions_allowed=False)
        X = _log1p_counts(X, target_sum, names)
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
    anndata, scanpy = _require("anndata"), _require("scanpy")
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
    column_a, column_b = _columns(a.var_names), _columns(b.var_names)
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
    _check_counts(X, cells, "export_for_seurat", "Load the data with normalize=False.", logs_allowed=True)
    folder = Path(outdir)
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(folder / "counts.csv") as part, part.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["", *ds.var_names])
        for i, cell in enumerate(cells):
            values = ["0"] * ds.n_genes
            for j in range(X.indptr[i], X.indptr[i + 1]):
                values[X.indices[j]] = f"{X.data[j]:.9g}"
            writer.writerow([cell, *values])
    with whole_file(folder / "labels.csv") as part, part.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["cell", "label"])
        writer.writerows((cell, ds.label_names[code]) for cell, code in zip(cells, ds.y, strict=True))
    return outdir


# ---------------------------------------------------------------------------------------------------------------------
# The workflow's door
# ---------------------------------------------------------------------------------------------------------------------


def read_matrix(
    path: str | Path | None = None,
    format: str = "auto",
    layer: str = "X",
    labels_table: str | Path | None = None,
    populations: Iterable[tuple[str | Path, str]] = (),
    duplicate_names: str = "refuse",
    transpose: bool = False,
) -> AnnData:
    """Read a matrix in any supported format and check it.

    Parameters
    ----------
    path
        An ``.h5ad``, a ``.zarr`` folder of AnnData, a 10x ``.h5``, a 10x folder (``matrix.mtx``, barcodes, features or
        genes; gzipped or not; it may lie deeper), or a ``.csv``/``.tsv`` (also gzipped) with samples in rows, features
        in columns, the names of the samples first. None where ``populations`` are given.
    format
        One of ``FORMATS``; "auto" goes by the name.
    layer
        What to read of an h5ad or zarr: "X", "raw" (``adata.raw``) or the name of a layer.
    labels_table
        A csv or tsv whose first column holds the names of the samples; its other columns join ``obs``. Rows for
        samples that are not in the matrix are ignored with a warning. "", NA, N/A, NaN and nan are missing values.
    populations
        Pairs (path, label) instead of ``path``: joined on their shared features, with the labels in
        ``obs["population"]`` and the samples renamed to ``<name>-<label>``.
    duplicate_names
        Names of features or samples that occur more than once: "refuse", or "make_unique", which appends the gene id
        where the file has one (column ``gene_ids``) and else "-1", "-2", ..., and warns.
    transpose
        The csv or tsv has features in rows and samples in columns.

    Returns
    -------
    AnnData
        ``X`` CSR float32 with finite values, ``obs``, ``var``, and ``layers["tpm"]`` where the h5ad or zarr has it; no
        other part of these is kept. ``var["gene_ids"]`` holds the ids of a 10x file.

    Raises
    ------
    InputError
        The matrix or the table cannot be used; the message names the file, the place, and the way out.

    """
    populations = list(populations)
    if bool(populations) == bool(path):
        raise InputError("Give either the path of one matrix or a list of populations (path, label), and not both.")
    if format not in FORMATS:
        known = ", ".join(FORMATS)
        raise InputError(f"The format {format!r} is unknown.{did_you_mean(format, FORMATS)} Known: {known}.")
    if populations:
        if format != "auto" or transpose:
            raise InputError("Populations are read by their names: format must be 'auto' and transpose False.")
        adata, source = _join_populations(populations, layer, duplicate_names), "The joined populations"
    else:
        adata, source = _read_one(_existing(path), format, layer, transpose), str(path)
        adata.var_names = _unique_names(adata.var_names, "feature", source, duplicate_names, adata.var.get("gene_ids"))
    adata.obs_names = _unique_names(adata.obs_names, "sample", source, duplicate_names)
    adata.X = sparse.csr_matrix(adata.X)
    if labels_table:
        _join_labels(adata, _existing(labels_table), source)
    return adata


def normalize_matrix(
    X: Matrix,
    method: str,
    layer_tpm: Matrix | None = None,
    target_sum: float = 1e4,
    names: Sequence[str] | None = None,
    typical: np.ndarray | None = None,
) -> sparse.csr_matrix:
    """Normalise a matrix sample by sample, without making it dense.

    Parameters
    ----------
    X
        Values, samples x features.
    method
        "none" (as they are), "log1p_median" (each sample scaled to the median total of the typical, then log1p),
        "log1p_cp10k" (scaled to ``target_sum``), "log1p_cpm" (scaled to one million) or "log1p_tpm" (log1p of
        ``layer_tpm``).
    layer_tpm
        Transcripts per million, in the shape of ``X``; needed for "log1p_tpm" only.
    target_sum
        Total of a sample after scaling with "log1p_cp10k", in counts.
    names
        Names of the samples, for messages.
    typical
        Rows over which "log1p_median" takes its median, those without counts left out; None for all.

    Returns
    -------
    csr_matrix
        float32, in the shape of ``X``. A sample without any count stays zero.

    Raises
    ------
    InputError
        The method is unknown, a value is negative, NaN or infinite, or the values look like logarithms already
        (all below 30 and more than a tenth of them not integers).

    Warns
    -----
    DeepMapperWarning
        Counts are not integers (as Salmon's estimates are not), or samples have no counts.

    """
    return normalised(X, method, layer_tpm, target_sum, names, typical=typical)[0].whole()


def normalised(
    X: Any,
    method: str,
    layer_tpm: Any = None,
    target_sum: float = 1e4,
    names: Sequence[str] | None = None,
    rows: np.ndarray | None = None,
    typical: np.ndarray | None = None,
) -> tuple[Changed, Survey]:
    """Check a matrix in one reading, and normalise it whenever its blocks are read.

    Parameters
    ----------
    X, layer_tpm
        Sources of `blocks`.
    method, target_sum, names
        As in `normalize_matrix`, with its errors and warnings.
    rows
        The rows to take, rising; None for all.
    typical
        As in `normalize_matrix`, counted within `rows`.

    Returns
    -------
    tuple
        The normalised rows, and what was seen of the values that they are made from.
    """
    if method not in NORMALIZATIONS:
        raise InputError(
            f"The normalization {method!r} is unknown.{did_you_mean(method, NORMALIZATIONS)} "
            f"Known: {', '.join(NORMALIZATIONS)}."
        )
    if method == "log1p_tpm":
        if layer_tpm is None:
            raise InputError(
                "The normalization log1p_tpm needs transcripts per million, but the matrix has no layer 'tpm'; "
                "use log1p_median on counts."
            )
        if layer_tpm.shape != X.shape:
            raise InputError(f"The layer 'tpm' has the shape {layer_tpm.shape}, the matrix has {X.shape}.")
        X = layer_tpm
    raw = Changed(X, rows, lambda block, _: _canonical(block))
    names = [f"row {i}" for i in range(raw.shape[0])] if names is None else names
    if len(names) != raw.shape[0]:
        raise InputError(f"The matrix has {raw.shape[0]} rows, but {len(names)} names are given.")
    seen = survey(raw.blocks())
    _check_finite(seen, "The matrix", names)
    if method == "none":
        return replace(raw, nnz=seen.nnz), seen
    if method == "log1p_tpm":
        _check_not_negative(seen, names, "The layer 'tpm'", _OTHER_VALUES)
        return Changed(X, rows, lambda block, _: _canonical(block).log1p(), seen.nnz), seen
    _check_counts(seen, names, "The matrix", _OTHER_VALUES)
    if method == "log1p_median":
        target_sum = _median_total(seen.totals if typical is None else seen.totals[typical])
    scale = _scales(seen.totals, 1e6 if method == "log1p_cpm" else target_sum, names)
    return Changed(X, rows, lambda block, place: _log1p_scaled(_canonical(block), scale[place]), seen.nnz), seen


def _canonical(X: Any) -> sparse.csr_matrix:
    """Return float32 CSR with every place once; the matrix that was given stays as it is."""
    X = sparse.csr_matrix(X, dtype=np.float32)
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X


def encode_labels(
    labels: Any,
    names: Sequence[str] | None = None,
    exclude: Iterable[Any] = (),
    missing: str = "refuse",
) -> tuple[np.ndarray, list[str]]:
    """Turn labels of any kind into class numbers.

    Parameters
    ----------
    labels
        One label per sample: strings, categories, integers (from any start), booleans, or floats, of which whole ones
        are shown as integers. NaN, None, "" and "nan" are missing.
    names
        Names of the samples, for messages.
    exclude
        Classes whose samples are to be dropped.
    missing
        Samples without a label: "refuse", "drop" or "keep".

    Returns
    -------
    codes : ndarray of int64
        Class number of every sample, -1 for those to drop. With "keep", -1 for those without a label and -2 for those
        to drop.
    classes : list of str
        Name of every class, in natural order: numbers by value, ``c2`` before ``c10``.

    Raises
    ------
    InputError
        A label is missing, ``exclude`` names an unknown class, or fewer than two classes are left.

    Warns
    -----
    DeepMapperWarning
        Two classes differ only in letter case or blanks.

    """
    import pandas as pd

    if missing not in ("refuse", "drop", "keep"):
        raise InputError(f"missing is {missing!r}; 'refuse', 'drop' or 'keep' is expected.")
    if getattr(labels, "ndim", 1) != 1:
        raise InputError(f"The labels have the shape {labels.shape}; one label per sample is expected.")
    rows, values = pd.factorize(pd.Series(labels))
    if names is not None and len(names) != len(rows):
        raise InputError(f"There are {len(rows)} labels for {len(names)} samples.")

    texts = [_label_text(value) for value in values] + [None]  # the last answers the code -1 of a missing value
    no_label = np.array([text is None for text in texts])[rows]
    if no_label.any() and missing == "refuse":
        where = np.flatnonzero(no_label)
        shown = some([names[i] for i in where[:4]] if names is not None else [f"row {i}" for i in where[:4]])
        raise InputError(
            f"{len(where)} of {len(rows)} samples have no label ({shown}). "
            "Label them, or drop them with missing='drop'."
        )

    known = {text for text in texts if text is not None}
    excluded = {_label_text(value) for value in ([exclude] if isinstance(exclude, str) else exclude)}
    for unknown in sorted(str(text) for text in excluded - known):
        raise InputError(
            f"exclude names {unknown!r}, which no sample has.{did_you_mean(unknown, known)} "
            f"The labels: {some(natural_order(known), 20)}."
        )
    classes = natural_order(known - excluded)
    if len(classes) < 2:
        raise InputError(
            f"{len(classes)} class{' is' if len(classes) == 1 else 'es are'} left ({some(classes) or 'none'}); "
            "at least two are needed to tell anything apart. Is it the right label column?"
        )
    for folded, count in Counter(" ".join(name.casefold().split()) for name in classes).items():
        if count > 1:
            alike = [name for name in classes if " ".join(name.casefold().split()) == folded]
            warnings.warn(
                f"The labels {some(alike)} differ only in letter case or blanks and are taken for different classes.",
                DeepMapperWarning,
                stacklevel=2,
            )
    number: dict[str | None, int] = {name: i for i, name in enumerate(classes)}
    codes = np.array([number.get(text, -1) for text in texts], dtype=np.int64)[rows]
    if missing == "keep":
        codes[(codes < 0) & ~no_label] = -2  # apart from those without a label
    return codes, classes


def _label_text(value: Any) -> str | None:
    """Return a label as people write it, None where it is missing."""
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, float | np.floating):
        if np.isnan(value):
            return None
        return str(int(value)) if float(value).is_integer() else str(value)
    if isinstance(value, Integral) and not isinstance(value, bool):
        return str(int(value))
    text = str(value)
    return None if text.strip().lower() in ("", "nan", "<na>") else text


# ---------------------------------------------------------------------------------------------------------------------
# Readers: each returns an AnnData with text names and checked float32 values, CSR or (from a dense h5ad) an array
# ---------------------------------------------------------------------------------------------------------------------


def _read_one(path: Path, format: str, layer: str, transpose: bool = False) -> AnnData:
    """Read one matrix of any format."""
    if format == "auto":
        format = _format_of(path)
    if format in OPENED_BY:
        if transpose:
            raise InputError(f"{path}: transpose is for csv and tsv tables, this is {format}.")
        return _read_anndata(path, format, layer)
    if layer != "X":
        raise InputError(
            f"{path}: the layer {layer!r} is asked for, but only h5ad and zarr have layers; leave layer at 'X'."
        )
    if format in SEPARATORS:
        return _read_table(path, format, transpose)
    if transpose:
        raise InputError(f"{path}: transpose is for csv and tsv tables; 10x output is turned as it needs to be.")
    return _read_10x_mtx(path) if format == "10x_mtx" else _read_10x_h5(path)


def _format_of(path: Path) -> str:
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


def _read_anndata(path: Path, format: str, layer: str) -> AnnData:
    """Read one matrix of an h5ad or zarr with its obs and var, and its TPM layer; nothing else is loaded."""
    with OPENED_BY[format](path) as file:
        chosen, tpm, obs, var, get = _elements(file, path, layer)
        X, tpm = get(chosen), None if tpm is None else get(tpm)
    adata = _assemble(X, obs, var, f"{path} ({layer})")
    if tpm is not None:
        tpm_layer = _assemble(tpm, obs, var, f"{path} (layer tpm)")
        adata.layers["tpm"] = sparse.csr_matrix(tpm_layer.X)
    return adata


def _elements(
    file: Any, path: Path, layer: str
) -> tuple[Any, Any, pd.DataFrame, pd.DataFrame, Callable[[Any], Matrix]]:
    """Find the matrix that is asked for in an open h5ad or zarr, and its TPM layer; read obs and var.

    The last value reads a matrix. Of a file from before anndata 0.7 all is read, and it gives back what it is given.
    """
    anndata = _require("anndata")
    get: Callable[[Any], Any]
    with warnings.catch_warnings():
        for about_old_files in (anndata.OldFormatWarning, FutureWarning):
            warnings.simplefilter("ignore", about_old_files)
        if not {"obs", "var"} <= set(file):
            hint = " It looks like 10x output: set format to 10x_h5." if _is_10x(file) else ""
            if path.is_dir():
                hint = " If an AnnData lies deeper (of a SpatialData in tables, of a MuData in mod), give that folder."
            raise InputError(f"{path} is no AnnData file: it holds {some(file)}, but no obs and var.{hint}")
        if "encoding-type" not in file["obs"].attrs:
            # Written before anndata 0.7; only anndata's own reader knows those files.
            whole = (anndata.read_zarr if path.is_dir() else anndata.read_h5ad)(path)
            raw_x, raw_var = (whole.raw.X, whole.raw.var) if whole.raw is not None else (None, None)
            layers, x, obs, var, get = dict(whole.layers), whole.X, whole.obs, whole.var, lambda element: element
        else:
            get = _require("anndata.io").read_elem
            raw_x, raw_var = (file["raw/X"], file["raw/var"]) if "raw/X" in file else (None, None)
            layers, x, obs, var = dict(file.get("layers", {})), file.get("X"), file["obs"], file["var"]
        if layer == "X":
            chosen = x
        elif layer == "raw" and raw_x is not None:
            chosen, var = raw_x, raw_var
        else:
            chosen = layers.get(layer)
        if chosen is None:
            there = [*(["X"] if x is not None else []), *(["raw"] if raw_x is not None else []), *layers]
            raise InputError(f"{path} has no matrix {layer!r}.{did_you_mean(layer, there)} It has: {some(there, 20)}.")
        tpm = layers.get("tpm") if layer != "raw" else None
        for name, element in ((layer, chosen), ("tpm", tpm)):
            _check_pieces(element, f"{path} ({name})")
        return chosen, tpm, get(obs), get(var), get


def _check_pieces(element: Any, where: str) -> None:
    """Refuse a matrix in a zarr folder of which pieces are missing: zarr itself reads zeros in their place.

    Of a dense matrix pieces of zeros may have been left out by the writer, so it is warned of.
    """
    is_group = hasattr(element, "keys")
    for name, array in [(key, element[key]) for key in element] if is_group else [("", element)]:
        if not hasattr(array, "nchunks_initialized") or not array.size:
            continue
        n, there = array.nchunks, min(array.nchunks, array.nchunks_initialized)
        if there == n or (is_group and not element["data"].size):
            continue
        found = (
            f"{where}: {n - there} of {n} pieces of {f'its array {name!r}' if is_group else 'the matrix'} are missing"
        )
        if is_group or not there:
            raise InputError(f"{found}. The folder was not copied completely: copy it again.")
        warnings.warn(
            f"{found}, and are taken for zeros: right if whoever wrote it left out pieces of zeros, wrong if the "
            "folder was not copied completely.",
            DeepMapperWarning,
            stacklevel=4,
        )


def _read_10x_mtx(path: Path) -> AnnData:
    """Read a Cell Ranger (or STARsolo) folder; the matrix may lie deeper, its files may share a prefix."""
    import pandas as pd
    import scipy.io

    if not path.is_dir():
        raise InputError(f"{path}: a 10x folder is expected, this is a file.")
    found = sorted(file for pattern in ("*matrix.mtx", "*matrix.mtx.gz") for file in path.rglob(pattern))
    if not found:
        raise InputError(f"{path}: neither this folder nor one below it holds a matrix.mtx or matrix.mtx.gz.")
    if len(found) > 1:
        raise InputError(
            f"{path}: {len(found)} matrices lie here ({some(file.relative_to(path) for file in found)}); "
            "give the folder of the one to read."
        )
    prefix = found[0].name.split("matrix.mtx")[0]
    features = _beside(found[0], prefix, ("features.tsv", "genes.tsv"))
    barcodes = _beside(found[0], prefix, ("barcodes.tsv",))
    rows = [line.split("\t") for line in _lines(features)]
    cells = [line.split("\t")[0] for line in _lines(barcodes)]
    try:
        X = sparse.csr_matrix(scipy.io.mmread(found[0])).T
    except (OSError, EOFError, ValueError, zlib.error, OverflowError) as error:
        raise InputError(f"{found[0]}: the matrix is damaged or incomplete ({error}). Copy it again.") from error
    if X.shape != (len(cells), len(rows)):
        raise InputError(
            f"{found[0]}: the matrix is for {X.shape[1]} features and {X.shape[0]} cells, but {features.name} has "
            f"{len(rows)} lines and {barcodes.name} has {len(cells)}. The files are not of one run, or incomplete."
        )
    var = pd.DataFrame({"gene_ids": [row[0] for row in rows]}, index=[row[min(1, len(row) - 1)] for row in rows])
    if all(len(row) > 2 for row in rows):
        var["feature_types"] = [row[2] for row in rows]
    return _assemble(*_gene_expression(X, pd.DataFrame(index=cells), var, path), str(path))


def _beside(matrix: Path, prefix: str, stems: Sequence[str]) -> Path:
    """Find the file of a 10x folder that goes with the matrix."""
    candidates = [matrix.with_name(f"{prefix}{stem}{ending}") for stem in stems for ending in ("", ".gz")]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise InputError(f"{matrix.parent}: beside {matrix.name}, one of {some(c.name for c in candidates)} is expected.")


def _read_10x_h5(path: Path) -> AnnData:
    """Read a Cell Ranger ``.h5`` (feature-barcode matrix of version 3 on, or one genome of the older layout)."""
    import pandas as pd

    with _opened_h5(path) as file:
        if not _is_10x(file):
            hint = " It looks like an AnnData file: set format to h5ad." if {"obs", "var"} <= set(file) else ""
            raise InputError(f"{path} is no 10x matrix: it holds {some(file)}.{hint}")
        if "matrix" in file:
            group, features = file["matrix"], file["matrix/features"]
            ids, symbols = _texts(features["id"][:]), _texts(features["name"][:])
        elif len(file) == 1:
            group = file[next(iter(file))]
            features, ids, symbols = {}, _texts(group["genes"][:]), _texts(group["gene_names"][:])
        else:
            raise InputError(f"{path} holds the genomes {some(file)}; write the one to analyse to a file of its own.")
        n_features, n_cells = group["shape"][:]
        # Columns are cells: what 10x stores as CSC of features x cells is CSR of cells x features.
        stored = (group["data"][:], group["indices"][:], group["indptr"][:])
        X = sparse.csr_matrix(stored, shape=(n_cells, n_features))
        obs = pd.DataFrame(index=_texts(group["barcodes"][:]))
        var = pd.DataFrame({"gene_ids": ids}, index=symbols)
        if "feature_type" in features:
            var["feature_types"] = _texts(features["feature_type"][:])
    return _assemble(*_gene_expression(X, obs, var, path), str(path))


def _is_10x(file: Any) -> bool:
    """Whether an open HDF5 file has the layout of 10x output."""
    return any(hasattr(file[key], "keys") and {"barcodes", "data", "shape"} <= set(file[key]) for key in file)


def _gene_expression(
    X: sparse.csr_matrix, obs: pd.DataFrame, var: pd.DataFrame, path: Path
) -> tuple[sparse.csr_matrix, pd.DataFrame, pd.DataFrame]:
    """Leave out antibodies, guides and the like, where they stand beside gene expression."""
    counts = Counter(var.get("feature_types", ()))
    if len(counts) < 2 or "Gene Expression" not in counts:
        return X, obs, var
    others = ", ".join(f"{n} {kind}" for kind, n in counts.items() if kind != "Gene Expression")
    warnings.warn(
        f"{path}: only the {counts['Gene Expression']} features of type Gene Expression are used; left out: {others}.",
        DeepMapperWarning,
        stacklevel=3,
    )
    kept = np.flatnonzero(var["feature_types"] == "Gene Expression")
    return X[:, kept], obs, var.iloc[kept]


def _read_table(path: Path, format: str, transpose: bool) -> AnnData:
    """Read a csv or tsv: a header with the names of the columns, then one name and its numbers per line."""
    import pandas as pd

    names: list[str] = []
    blocks = []
    for header, chunk in _chunks(path, format, {0: str}):
        names += list(chunk[0])
        blocks.append(sparse.csr_matrix(_numbers(chunk, header, path)))
    X = sparse.vstack(blocks, format="csr")
    rows, columns = pd.DataFrame(index=names), pd.DataFrame(index=header[1:])
    if transpose:
        return _assemble(X.T, columns, rows, str(path))
    return _assemble(X, rows, columns, str(path))


def _numbers(chunk: pd.DataFrame, header: list[str], path: Path) -> np.ndarray:
    """Return the columns after the first as float32; refuse a cell which is no number."""
    import pandas as pd

    wrong: tuple[int, str, str] | None = None
    for column, dtype in list(chunk.dtypes.items())[1:]:
        if dtype.kind in "iuf":
            continue
        texts = chunk[column].astype(str)
        chunk[column] = pd.to_numeric(texts, errors="coerce")
        bad = np.flatnonzero(chunk[column].isna())
        if bad.size and (wrong is None or bad[0] < wrong[0]):
            wrong = int(bad[0]), header[column], texts.iloc[bad[0]]
    if wrong:
        row, name, found = wrong
        raise InputError(
            f"{path}: row {chunk[0].iloc[row]!r}, column {name!r} holds {found!r}, which is not a number. Every column "
            "after the first must be numeric; columns that describe the samples belong in the labels table."
        )
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused as such
        return chunk.iloc[:, 1:].to_numpy(np.float32)


def _join_labels(adata: AnnData, path: Path, source: str) -> None:
    """Add the columns of a csv or tsv to obs, matched by the names of the samples."""
    import pandas as pd

    format = _format_of(path)
    if format not in SEPARATORS:
        raise InputError(f"{path}: a labels table is a .csv or .tsv, this is {format}.")
    chunks = list(_chunks(path, format, str))
    header = chunks[0][0]
    table = pd.concat([chunk for _, chunk in chunks], ignore_index=True)
    table.columns = header
    columns = header[1:]
    if "" in columns or len(set(header)) < len(header):
        raise InputError(f"{path}: every column needs a name of its own; the header is {some(header, 20)}.")
    if clash := [column for column in columns if column in adata.obs]:
        raise InputError(f"{path}: the matrix has {some(clash)} in its obs already; rename the columns of the table.")

    names = table.pop(header[0])
    repeated = [name for name, n in Counter(names).items() if n > 1]
    if repeated:
        raise InputError(f"{path}: {len(repeated)} names have more than one row ({some(repeated)}); keep one each.")
    table.index = pd.Index(names)
    absent = [name for name in adata.obs_names if name not in table.index]
    if absent:
        hint = ""
        if any(name in table.index for name in adata.var_names):
            hint = " The table names columns of the matrix: it seems to have features in rows, then set transpose."
        raise InputError(
            f"{path}: {len(absent)} of the {adata.n_obs} samples of {source} have no row ({some(absent)}). "
            f"The first column must hold their names; it holds {some(table.index)}.{hint}"
        )
    extra = list(table.index.difference(adata.obs_names, sort=False))
    if extra:
        warnings.warn(
            f"{path}: {len(extra)} rows are for samples that {source} does not have ({some(extra)}); ignored.",
            DeepMapperWarning,
            stacklevel=3,
        )
    table = table.loc[adata.obs_names]
    for column in columns:
        texts = table[column].mask(table[column].str.strip().isin(MISSING))
        numeric = texts.notna().any() and texts.dropna().str.fullmatch(NUMBER).all()
        adata.obs[column] = pd.to_numeric(texts) if numeric else texts


def _chunks(path: Path, format: str, dtype: Any) -> Iterator[tuple[list[str], pd.DataFrame]]:
    """Yield the header of a csv or tsv with each run of its lines; refuse what has no such shape."""
    import pandas as pd

    header = _header(path, format)
    try:
        for chunk in pd.read_csv(
            path,
            sep=SEPARATORS[format],
            header=None,
            skiprows=1,
            dtype=dtype,
            na_filter=False,
            low_memory=False,
            encoding="utf-8-sig",
            chunksize=max(1, TABLE_CELLS_AT_ONCE // len(header)),
        ):
            if chunk.shape[1] == len(header) + 1:
                header = ["", *header]  # R's write.table leaves out the corner
            if chunk.shape[1] != len(header):
                raise InputError(
                    f"{path}: the header names {len(header)} columns, the lines below it have {chunk.shape[1]}."
                )
            yield header, chunk
    except pd.errors.EmptyDataError:
        raise InputError(f"{path} has a header, but no line below it.") from None
    except (pd.errors.ParserError, UnicodeDecodeError, OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read as {format}: {str(error).strip()}.") from error


def _header(path: Path, format: str) -> list[str]:
    """Read the names of a table's columns, the first of which is that of the names."""
    try:
        with _opened_text(path) as handle:
            line = handle.readline()
    except (UnicodeDecodeError, OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read as text ({error}). Save the table as plain {format} text.") from error
    if not line.strip():
        raise InputError(f"{path}: the first line is empty; the names of the columns are expected there.")
    header = next(csv.reader([line], delimiter=SEPARATORS[format]))
    if len(header) == 1:
        other = max(SEPARATOR_NAMES, key=line.count)
        advice = "a column of names and at least one more are expected."
        if line.count(other):
            fitting = [name for name, separator in SEPARATORS.items() if separator == other]
            way_out = f"name it .{fitting[0]} (or set format to {fitting[0]})" if fitting else "save it with commas"
            advice = f"the columns seem to be separated by {SEPARATOR_NAMES[other]}; {way_out}."
        raise InputError(f"{path} is read as {format}, but has one column only ({header[0][:60]!r}): {advice}")
    return header


def _join_populations(specs: Iterable[tuple[str | Path, str]], layer: str, duplicate_names: str) -> AnnData:
    """Read one matrix per population and stack them on their shared features, in the order of the first."""
    import pandas as pd

    parts = []
    unique: dict[tuple, list[str]] = {}
    for spec in specs:
        if not isinstance(spec, tuple | list) or len(spec) != 2 or not str(spec[1]).strip():
            raise InputError(f"Each population is a pair (path, label), but one is {spec!r}.")
        path, label = _existing(spec[0]), str(spec[1])
        part = _read_one(path, "auto", layer)
        ids = part.var.get("gene_ids")
        given = (tuple(part.var_names), None if ids is None else tuple(ids))
        if given not in unique:  # populations of one reference are renamed, and warned of, once
            unique[given] = _unique_names(part.var_names, "feature", path, duplicate_names, ids)
        part.var_names = unique[given]
        if "population" in part.obs:
            raise InputError(f"{path}: obs has a column 'population' already; rename it, the labels come there.")
        part.obs["population"] = label
        part.obs_names = [f"{name}-{label}" for name in part.obs_names]
        parts.append((path, part))
    if not parts:
        raise InputError("No population is given; a list of pairs (path, label) is expected.")

    first = parts[0][1]
    columns = [_columns(part.var_names) for _, part in parts]
    shared = [name for name in first.var_names if all(name in column for column in columns)]
    if not shared:
        shown = "; ".join(f"{path}: {some(part.var_names)}" for path, part in parts[:2])
        raise InputError(f"The {len(parts)} populations share no feature ({shown}). Are they of one reference?")
    n_all = len(set().union(*columns))
    if n_all > len(shared):
        warnings.warn(
            f"{n_all - len(shared)} of {n_all} features are left out, because not every population has them.",
            DeepMapperWarning,
            stacklevel=3,
        )
    X = sparse.vstack(
        [
            sparse.csr_matrix(part.X)[:, [column[name] for name in shared]]
            for (_, part), column in zip(parts, columns, strict=True)
        ],
        format="csr",
    )
    obs = pd.concat([part.obs for _, part in parts])
    return _assemble(X, obs, first.var.loc[shared], "The joined populations")


# ---------------------------------------------------------------------------------------------------------------------
# Opening files
# ---------------------------------------------------------------------------------------------------------------------


def _require(module: str) -> Any:
    """Import a package of the io extra."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f"deepmapper.io needs {module} here ({error}): pip install 'deepmapper[io]'") from error


def _existing(path: str | Path | None) -> Path:
    """Return the path, if something is there."""
    found = Path(path or "")
    if not found.exists():
        raise InputError(f"{path} does not exist (looked for from {Path.cwd()}).")
    if found.is_file() and found.stat().st_size == 0:
        raise InputError(f"{path} is an empty file.")
    return found


def _opened_text(path: Path) -> TextIO:
    """Open a text file for reading, gzipped or not."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _lines(path: Path) -> list[str]:
    """Read the lines of a small text file, without empty ones."""
    try:
        with _opened_text(path) as handle:
            return [line for line in handle.read().splitlines() if line.strip()]
    except (UnicodeDecodeError, OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: the file is damaged or incomplete ({error}). Copy it again.") from error


@contextmanager
def _opened_h5(path: Path) -> Iterator[Any]:
    """Open an HDF5 file for reading, with `_faults_of`."""
    h5py = _require("h5py")
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
    zarr = _require("zarr")
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
OPENED_BY: dict[str, Callable[[Path], AbstractContextManager[Any]]] = {"h5ad": _opened_h5, "zarr": _opened_zarr}


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


# ---------------------------------------------------------------------------------------------------------------------
# Checks and arithmetic
# ---------------------------------------------------------------------------------------------------------------------

_PASS_FALSE = "Pass normalize=False if the values are normalised already."
_OTHER_VALUES = "Set normalization to none if they are normalised already, or read another layer which holds counts."


def _assemble(X: Any, obs: pd.DataFrame, var: pd.DataFrame, where: str) -> AnnData:
    """Put a matrix and its tables together, with the checks that hold for every source."""
    anndata = _require("anndata")
    X = _float32(X, where)
    obs, var = _named_tables(X.shape, obs, var, where)
    _check_finite(X, where, obs.index, var.index)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*names are not unique")  # refused or resolved by _unique_names
        return anndata.AnnData(X, obs=obs, var=var)


def _named_tables(
    shape: tuple[int, int], obs: pd.DataFrame, var: pd.DataFrame, where: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the tables of a matrix of this shape, with text names."""
    if shape != (len(obs), len(var)):
        raise InputError(f"{where}: the matrix is {shape[0]} x {shape[1]}, its names are {len(obs)} x {len(var)}.")
    if 0 in shape:
        raise InputError(f"{where}: the matrix is empty ({shape[0]} samples x {shape[1]} features).")
    return _named(obs, "sample", where), _named(var, "feature", where)


def _float32(X: Any, where: str) -> Matrix:
    """Return canonical CSR for sparse input, an array for dense input."""
    dtype = getattr(X, "dtype", None)
    if dtype is None or dtype.kind not in "biuf" or getattr(X, "ndim", 2) != 2:
        raise InputError(f"{where}: a matrix of numbers is expected, found {type(X).__name__} of {dtype}.")
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused as such
        if not sparse.issparse(X):
            return np.ascontiguousarray(X, dtype=np.float32)
        try:
            if X.format in ("csr", "csc"):
                X.check_format(full_check=True)
        except ValueError as error:
            raise InputError(f"{where}: the sparse matrix is damaged ({error}).") from error
        X = sparse.csr_matrix(X, dtype=np.float32)
    X.sum_duplicates()
    X.eliminate_zeros()
    return X


def _named(frame: pd.DataFrame, what: str, where: str) -> pd.DataFrame:
    """Return the table with text names; refuse an empty one."""
    import pandas as pd

    names = _texts(frame.index)
    empty = [i for i, name in enumerate(names) if not name.strip()]
    if empty:
        raise InputError(f"{where}: {len(empty)} {what} names are empty (first at position {empty[0] + 1}).")
    frame = frame.rename(columns={"_index": "index_"})  # h5ad files written from R can have it; anndata refuses it
    frame.index = pd.Index(names)
    return frame


def _texts(values: Iterable[Any]) -> list[str]:
    """Return names as text, None and NaN as empty text."""
    return [
        value.decode() if isinstance(value, bytes) else "" if value is None or value != value else str(value)
        for value in values
    ]


def _unique_names(
    names: Iterable[str], what: str, where: str | Path, rule: str, ids: Iterable[str] | None = None
) -> list[str]:
    """Return the names, each once: doubled ones are refused or, by the rule "make_unique", changed with a warning."""
    if rule not in ("refuse", "make_unique"):
        raise InputError(f"duplicate_names is {rule!r}; 'refuse' or 'make_unique' is expected.")
    names = given = list(names)
    repeated = {name: n for name, n in Counter(names).items() if n > 1}
    if not repeated:
        return names
    shown = ", ".join(f"{name!r} {n} times" for name, n in list(repeated.items())[:3])
    found = (
        f"{where}: {len(repeated)} {what} names occur more than once ({shown}{', ...' if len(repeated) > 3 else ''})"
    )
    if rule == "refuse":
        raise InputError(f"{found}. Rename them in the source, or set duplicate_names to 'make_unique'.")
    if ids is not None:
        names = [f"{name}_{id_}" if name in repeated else name for name, id_ in zip(names, ids, strict=True)]
    if len(set(names)) < len(names):
        import pandas as pd

        names = list(_require("anndata").utils.make_index_unique(pd.Index(names)))
    old, new = next((old, new) for old, new in zip(given, names, strict=True) if old != new)
    warnings.warn(f"{found}; made unique: {old!r} is called {new!r}, and so on.", DeepMapperWarning, stacklevel=3)
    return names


_FAULTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "not finite": lambda values: ~np.isfinite(values),
    "negative": lambda values: values < 0,
    "not whole": lambda values: np.abs(values - np.rint(values)) > 1e-3,
}


@dataclass
class Survey:
    """What checks and normalisation need to know of a matrix.

    Attributes
    ----------
    nnz, largest
        Values that are stored, and the largest of them.
    whole
        Whether no value is negative and all are whole numbers, exactly.
    totals, detected
        (n,) sum of every row, and number of its stored values.
    faults
        Of values that are "not finite", "negative" or "not whole" (by more than 0.001): row and column of the first,
        its value, and how many there are.
    """

    nnz: int
    largest: float
    whole: bool
    totals: np.ndarray
    detected: np.ndarray
    faults: dict[str, tuple[int, int, float, int]]


def survey(blocks: Iterable[tuple[slice, Any]]) -> Survey:
    """Read all blocks once."""
    nnz, largest, whole = 0, -np.inf, True
    faults: dict[str, tuple[int, int, float, int]] = {}
    totals, detected = [np.empty(0)], [np.empty(0, dtype=np.int64)]
    for place, X in blocks:
        is_sparse = sparse.issparse(X)
        values = X.data if is_sparse else X.reshape(-1)
        with np.errstate(invalid="ignore"):  # infinite less infinite
            for what, is_bad in _FAULTS.items():
                bad = np.flatnonzero(is_bad(values))
                if not bad.size:
                    continue
                if is_sparse:
                    row, column = np.searchsorted(X.indptr, bad[0], side="right") - 1, X.indices[bad[0]]
                else:
                    row, column = divmod(bad[0], X.shape[1])
                found = place.start + int(row), int(column), float(values[bad[0]]), 0
                faults[what] = (*(faults.get(what, found))[:3], faults.get(what, found)[3] + len(bad))
            if whole and values.size:
                whole = bool(values.min() >= 0 and (values == np.floor(values)).all())
        nnz += values.size
        largest = max(largest, float(values.max(initial=-np.inf)))
        totals.append(np.asarray(X.sum(axis=1, dtype=np.float64)).ravel())
        detected.append(np.diff(X.indptr) if is_sparse else np.count_nonzero(X, axis=1))
    return Survey(nnz, largest, whole, np.concatenate(totals), np.concatenate(detected), faults)


def _surveyed(X: Matrix | Survey) -> Survey:
    return X if isinstance(X, Survey) else survey([(slice(0, X.shape[0]), X)])


def _check_finite(X: Matrix | Survey, where: str, names: Sequence[str], features: Sequence[str] | None = None) -> None:
    """Refuse NaN and infinite values."""
    if found := _surveyed(X).faults.get("not finite"):
        row, column, value, count = found
        feature = repr(features[column]) if features is not None else f"{column} (from 0)"
        raise InputError(
            f"{where}: {count} values are NaN or infinite; the first is {value} in sample {names[row]!r}, feature "
            f"{feature}. Replace them in the source (a missing count is usually 0), or leave the samples out."
        )


def _check_not_negative(X: Matrix | Survey, names: Sequence[str], where: str, way_out: str) -> None:
    """Refuse negative values."""
    if found := _surveyed(X).faults.get("negative"):
        row, column, value, count = found
        raise InputError(
            f"{where}: counts are expected, but {count} values are negative; the first is {value:g} in sample "
            f"{names[row]!r}, column {column} (from 0). {way_out}"
        )


def _check_counts(
    X: Matrix | Survey,
    names: Sequence[str],
    where: str,
    way_out: str,
    fractions_allowed: bool = True,
    logs_allowed: bool = False,
) -> None:
    """Refuse what cannot be counts; warn of counts that are not integers."""
    seen = _surveyed(X)
    _check_not_negative(seen, names, where, way_out)
    found = seen.faults.get("not whole")
    if not found:
        return
    row, column, value, count = found
    share = count / seen.nnz
    message = (
        f"{where}: counts are expected, but {count} values ({share:.1%} of those that are not 0) are not integers; the "
        f"first is {value:g} in sample {names[row]!r}, column {column} (from 0)"
    )
    looks_like_logs = seen.largest < LARGEST_LOG and share > 0.1
    if not fractions_allowed or (looks_like_logs and not logs_allowed):
        raise InputError(f"{message}, the largest is {seen.largest:g}. {way_out}")
    warnings.warn(f"{message}. They are used as they are.", DeepMapperWarning, stacklevel=3)


def _median_total(totals: np.ndarray) -> float:
    """Median of the totals above 0, so that the 1 of log1p is about one count; 1 where there are none."""
    return float(np.median(totals[totals > 0])) if (totals > 0).any() else 1.0


def _scales(totals: np.ndarray, target_sum: float, names: Sequence[str]) -> np.ndarray:
    """Factor that brings every row to the target sum, float32; a row without counts stays zero, with a warning."""
    if not (np.isfinite(target_sum) and target_sum > 0):
        raise InputError(f"target_sum is {target_sum}; a total above 0 is expected, for example 10000.")
    empty = np.flatnonzero(totals == 0)
    if empty.size:
        warnings.warn(
            f"{empty.size} of {len(totals)} samples have no counts ({some([names[i] for i in empty[:4]])}); "
            "their values stay 0.",
            DeepMapperWarning,
            stacklevel=3,
        )
    return np.divide(target_sum, totals, out=np.zeros_like(totals), where=totals > 0).astype(np.float32)


def _log1p_counts(X: sparse.csr_matrix, target_sum: float, names: Sequence[str]) -> sparse.csr_matrix:
    """Scale each row to the target sum and take log1p."""
    return _log1p_scaled(X, _scales(_surveyed(X).totals, target_sum, names))


def _log1p_scaled(X: sparse.csr_matrix, scale: np.ndarray) -> sparse.csr_matrix:
    """Scale each row by its factor and take log1p."""
    scaled = X.copy()
    scaled.data *= np.repeat(scale, np.diff(scaled.indptr))
    np.log1p(scaled.data, out=scaled.data)
    return scaled


def _columns(names: Iterable[str]) -> dict[str, int]:
    """Return the column number of each name."""
    return {name: i for i, name in enumerate(names)}

"""`expression.h5ad`, written and read in row blocks, so that it may be larger than memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.blocks import Matrix, blocks, even_spans, spans_of, transpose_blocks
from ..core.files import atomic_write
from ..errors import InputError
from .assemble import float32, named_tables, unique_names
from .formats import format_of
from .h5ad import elements
from .matrix_stats import check_finite, scan
from .open import OPENED_BY, existing, opened_h5, require
from .read import read_matrix
from .text import join_labels

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

# Of the arrays in the file: as small as gzip's default leaves them, in half of its time, since bytes of like rank lie
# together.
_PACKED = {"compression": "gzip", "compression_opts": 1, "shuffle": True}

_PIECE = 2**16  # values that are packed together


@dataclass(frozen=True)
class Stored:
    """A matrix in an h5ad or zarr, CSR or dense, as AnnData lays it down: a source of `blocks`.

    Attributes
    ----------
    path, key
        Where it is.
    shape
        Rows and columns.
    """

    path: Path
    key: str
    shape: tuple[int, int]

    def blocks(self) -> Iterator[tuple[slice, Any]]:
        """Yield the positions of some rows, and these rows: CSR or an array, float32, without stored zeros."""
        where = f"{self.path} ({self.key})"
        with _opened(self.path) as file:
            for place, block in _read(file[self.key], self.shape, where):
                yield place, float32(block, where)


@dataclass(frozen=True)
class ByColumns:
    """A matrix in an h5ad or zarr that lies by columns (CSC): a source of `blocks`, read twice.

    Attributes
    ----------
    path, key, shape
        As of `Stored`.
    folder
        Where a file without a name is kept meanwhile, 12 bytes a value.
    """

    path: Path
    key: str
    shape: tuple[int, int]
    folder: Path

    def blocks(self) -> Iterator[tuple[slice, Any]]:
        """Yield as `Stored` does."""
        n, p = self.shape
        columns = Stored(self.path, self.key, (p, n))  # whose arrays are those of the transpose by rows
        counts = sum((np.bincount(block.indices, minlength=n) for _, block in columns.blocks()), np.zeros(n))
        yield from transpose_blocks(columns, counts, self.folder)


@dataclass(frozen=True)
class Expression:
    """What `prepare.prepare_features` and others take for an AnnData, its matrices left in their file.

    Attributes
    ----------
    X
        A `Stored` matrix.
    obs, var
        Tables of samples and features.
    layers
        Further matrices by name.
    uns
        Whatever else is said of the whole.
    """

    X: Any
    obs: pd.DataFrame
    var: pd.DataFrame
    layers: Mapping[str, Any] = field(default_factory=dict)
    uns: Mapping[str, Any] = field(default_factory=dict)

    @property
    def obs_names(self) -> pd.Index:
        """Names of the samples."""
        return self.obs.index

    @property
    def var_names(self) -> pd.Index:
        """Names of the features."""
        return self.var.index

    def rows_of(self, samples: Sequence[str]) -> np.ndarray:
        """Find the rows of samples by their names.

        Parameters
        ----------
        samples
            n names.

        Returns
        -------
        numpy.ndarray
            (n,) row of each sample.

        Raises
        ------
        InputError
            If a sample is not among those of the matrix.
        """
        rows = self.obs_names.get_indexer(list(samples))
        missing = np.flatnonzero(rows < 0)
        if len(missing):
            raise InputError(
                f"the expression matrix lacks {len(missing)} of {len(rows)} sample(s) of the features, the first "
                f"'{samples[missing[0]]}': expected all of them. The two files are of different runs: run the rule "
                f"prepare_features again."
            )
        return rows


def open_expression(path: str | Path) -> Expression:
    """Read the tables of an `expression.h5ad`, and leave its matrices where they are.

    Raises
    ------
    InputError
        If it is no such file.
    """
    path = existing(path)
    with opened_h5(path) as file:
        _, _, obs, var, get = elements(file, path, "X")
        shape = (len(obs), len(var))
        layers = {name: Stored(path, f"layers/{name}", shape) for name in file.get("layers", ())}
        uns: Any = get(file["uns"]) if "uns" in file else {}
    return Expression(Stored(path, "X", shape), obs, var, layers, uns)


def write_expression(
    out: str | Path, adata: AnnData, matrices: Mapping[str, Any], progress: Callable[[str], None] = lambda line: None
) -> int:
    """Write an AnnData without matrices, and its matrices block by block, as CSR float32.

    Parameters
    ----------
    out
        The file to write; it appears whole or not at all.
    adata
        Tables and all else.
    matrices
        "X", "layers/tpm", ... -> a source of `blocks` in the shape of `adata`.
    progress
        Receives progress, a line for every tenth of a matrix.

    Returns
    -------
    int
        How many values of "X" are not zero.

    Raises
    ------
    InputError
        If a value is NaN or infinite.
    """
    with atomic_write(out) as tmp:
        adata.write_h5ad(tmp, compression="gzip")
        return [_append(tmp, key, source, adata, progress) for key, source in matrices.items()][0]


def import_matrix(
    out: str | Path,
    path: str | Path | None = None,
    format: str = "auto",
    layer: str = "X",
    labels_table: str | Path | None = None,
    populations: Iterable[tuple[str | Path, str]] = (),
    duplicate_names: str = "refuse",
    transpose: bool = False,
    progress: Callable[[str], None] = lambda line: None,
) -> None:
    """Read a matrix in any supported format, check it and write `expression.h5ad`.

    An h5ad or zarr is read and written in blocks, whatever its size; of one that lies by columns (CSC) the values lie
    beside `out` meanwhile, 12 bytes each. All else is held in memory: tables, 10x output, populations, and what was
    written before anndata 0.7.

    Parameters
    ----------
    out
        The file to write; it appears whole or not at all.
    path, format, layer, labels_table, populations, duplicate_names, transpose
        As in `io.read_matrix`.
    progress
        Receives progress, a line for every tenth of the matrix.

    Raises
    ------
    InputError
        As `io.read_matrix`.
    """
    populations = list(populations)
    found = None
    if path and not populations and not transpose:
        path = existing(path)
        format = format_of(path) if format == "auto" else format
        found = _open_stored(path, format, layer, Path(out).parent) if format in OPENED_BY else None
    if found is None:
        adata = read_matrix(path, format, layer, labels_table, populations, duplicate_names, transpose)
        progress(f"{adata.n_obs} samples × {adata.n_vars} features, {adata.X.nnz} values that are not zero")
        with atomic_write(out) as tmp:
            adata.write_h5ad(tmp, compression="gzip")
        return
    anndata = require("anndata")
    where = f"{path} ({layer})"
    obs, var = named_tables(found.X.shape, found.obs, found.var, where)
    features, samples = (
        unique_names(table.index, what, str(path), duplicate_names, ids)
        for table, what, ids in ((var, "feature", var.get("gene_ids")), (obs, "sample", None))
    )
    adata = anndata.AnnData(obs=obs.set_axis(samples), var=var.set_axis(features))
    if labels_table:
        join_labels(adata, existing(labels_table), str(path))
    matrices = {"X": found.X} | {f"layers/{name}": matrix for name, matrix in found.layers.items()}
    n_values = write_expression(out, adata, matrices, progress)
    progress(f"{adata.n_obs} samples × {adata.n_vars} features, {n_values} values that are not zero")


def _opened(path: Path) -> AbstractContextManager[Any]:
    return OPENED_BY["zarr" if path.is_dir() else "h5ad"](path)


def _open_stored(path: Path, format: str, layer: str, folder: Path) -> Expression | None:
    """Find the matrix that is asked for, and its TPM layer; None where they cannot be read in blocks."""
    with OPENED_BY[format](path) as file:
        chosen, tpm, obs, var, _ = elements(file, path, layer)
        found: dict[str, Any] = {}
        for name, element in (("X", chosen), ("tpm", tpm)):
            if element is None:
                continue
            kind = getattr(element, "attrs", {}).get("encoding-type")
            if kind not in ("csr_matrix", "csc_matrix", "array"):
                return None
            shape = element.shape if kind == "array" else element.attrs["shape"]
            if len(shape) != 2:
                return None  # is refused, with what it is, where it is read whole
            where = path, element.name.strip("/"), (int(shape[0]), int(shape[1]))
            found[name] = ByColumns(*where, folder) if kind == "csc_matrix" else Stored(*where)
    return Expression(found.pop("X"), obs, var, found)


def _read(element: Any, shape: tuple[int, int], where: str) -> Iterator[tuple[slice, Matrix]]:
    """Yield the rows of a group with a CSR matrix, or of a dense data set, as they are stored."""
    from scipy import sparse

    n, p = shape
    if not hasattr(element, "keys"):
        for start, stop in even_spans(n, p):
            yield slice(start, stop), element[start:stop]
        return
    indptr = element["indptr"][:].astype(np.int64)
    stored = min(element["data"].shape[0], element["indices"].shape[0])
    if len(indptr) != n + 1 or indptr[0] != 0 or (np.diff(indptr) < 0).any() or indptr[-1] > stored:
        raise InputError(f"{where}: the sparse matrix is damaged (its index pointers do not fit its values).")
    for start, stop in spans_of(indptr):
        inside = slice(indptr[start], indptr[stop])
        parts = element["data"][inside], element["indices"][inside], indptr[start : stop + 1] - indptr[start]
        yield slice(start, stop), sparse.csr_matrix(parts, shape=(stop - start, p))


def _append(tmp: Path, key: str, source: Any, adata: AnnData, progress: Callable[[str], None]) -> int:
    """Write a matrix as CSR float32 into an h5ad, block by block; give the number of its values."""
    import h5py

    told = f"{source.path} ({source.key})" if isinstance(source, Stored | ByColumns) else key

    def written(group: Any) -> Iterator[tuple[slice, Matrix]]:
        from scipy import sparse

        arrays = {
            name: group.create_dataset(name, (0,), dtype, maxshape=(None,), chunks=(_PIECE,), **_PACKED)
            for name, dtype in (("data", np.float32), ("indices", np.int32))
        }
        ends, done = [np.zeros(1, dtype=np.int64)], 0
        for place, block in blocks(source):
            block = sparse.csr_matrix(block)
            before, n_values = len(arrays["data"]), block.nnz
            for name, array in arrays.items():
                array.resize((before + n_values,))
                array[before:] = getattr(block, name)
            ends.append(before + block.indptr[1:].astype(np.int64))
            if place.stop * 10 // source.shape[0] > done:
                done = place.stop * 10 // source.shape[0]
                progress(f"{told}: {place.stop} of {source.shape[0]} samples read")
            yield place, block
        group["indptr"] = np.concatenate(ends)

    with h5py.File(tmp, "r+") as file:
        if key in file:
            del file[key]
        group = file.create_group(key)
        group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0"})
        group.attrs["shape"] = np.array(source.shape)
        seen = scan(written(group))
    check_finite(seen, told, adata.obs_names, adata.var_names)
    return seen.nnz

"""`expression.h5ad`, written and read in row blocks, so it may be larger than memory."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.blocks import Matrix, blocks
from ..core.files import atomic_write
from ..errors import DeepMapperWarning, InputError
from .assemble import unique_names, with_text_names
from .feature_names import (
    check_features_left,
    ids_of,
    special_rows,
    special_rows_notice,
    warn_of_spreadsheet_names,
)
from .h5ad import find_elements
from .layers import describe_layers
from .matrix_stats import check_finite, scan
from .open import OPENERS, element_in, existing_path, open_h5, require
from .other_columns import OtherColumns
from .read import feature_rule, located, read_matrix
from .recognise import recognise
from .stored import StoredCSC, StoredMatrix
from .text import join_labels
from .unpack import unpacked

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

# The shuffle filter groups bytes of the same significance. With it, the fastest gzip level compresses as well as the
# default level without it, in half the time.
_COMPRESSION = {"compression": "gzip", "compression_opts": 1, "shuffle": True}

# Options of the section `matrix` of the configuration that are arguments of `import_matrix`.
READING_OPTIONS = ("format", "layer", "duplicate_names", "transpose", "strandedness", "empty_cells")

# Values per HDF5 chunk; chosen by hand.
_CHUNK = 2**16


@dataclass(frozen=True)
class Expression:
    """An AnnData whose matrices stay in their file, as `features.prepare.prepare_features` and others accept it.

    Attributes
    ----------
    X
        A `StoredMatrix`.
    obs, var
        Tables of samples and features.
    layers
        Further matrices by name.
    uns
        Unstructured metadata.
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
        """Find the rows of samples by name.

        Parameters
        ----------
        samples
            Names of n samples.

        Returns
        -------
        numpy.ndarray
            (n,) row of each sample.

        Raises
        ------
        InputError
            If the matrix does not have one of the samples.
        """
        rows = self.obs_names.get_indexer(list(samples))
        missing = np.flatnonzero(rows < 0)
        if len(missing):
            raise InputError(
                f"{len(missing)} of {len(rows)} samples of the features are missing from the expression matrix, the "
                f"first is '{samples[missing[0]]}'. The two files are from different runs: run the rule "
                "prepare_features again."
            )
        return rows


def open_expression(path: str | Path) -> Expression:
    """Read the tables of an `expression.h5ad`; its matrices stay in the file.

    Raises
    ------
    InputError
        If it is not an AnnData file.
    """
    path = existing_path(path)
    with open_h5(path) as file:
        found = find_elements(file, path, "X")
        shape = (len(found.obs), len(found.var))
        layers = {name: StoredMatrix(path, f"layers/{name}", shape) for name in file.get("layers", ())}
        uns: Any = found.read(file["uns"]) if "uns" in file else {}
    return Expression(StoredMatrix(path, "X", shape), found.obs, found.var, layers, uns)


def write_expression(
    out: str | Path, adata: AnnData, matrices: Mapping[str, Any], progress: Callable[[str], None] = lambda line: None
) -> int:
    """Write an AnnData without matrices, then its matrices as CSR float32, block by block.

    Parameters
    ----------
    out
        The file to write, atomically.
    adata
        Everything but the matrices.
    matrices
        Sources for `core.blocks.blocks` in the shape of `adata`, by their place: "X", "layers/tpm", ...
    progress
        Receives a line for every tenth of a matrix.

    Returns
    -------
    int
        Number of nonzero values of the first matrix.

    Raises
    ------
    InputError
        If a value is NaN or infinite.
    """
    with atomic_write(out) as tmp:
        _write_tables(tmp, adata)
        n_values = [_write_matrix(tmp, key, source, adata, progress) for key, source in matrices.items()]
    return n_values[0]


def import_matrix(
    out: str | Path,
    path: str | Path | None = None,
    format: str = "auto",
    layer: str = "X",
    labels_table: str | Path | None = None,
    populations: Iterable[tuple[str | Path, str]] = (),
    duplicate_names: str = "refuse",
    transpose: bool = False,
    strandedness: str = "auto",
    empty_cells: str = "refuse",
    obs_columns: Iterable[str] = (),
    progress: Callable[[str], None] = lambda line: None,
) -> None:
    """Read a matrix in any supported format, check it and write `expression.h5ad`.

    An h5ad or zarr of any size is read and written in blocks; a CSC matrix needs a temporary file next to `out` of 12
    bytes per value, and a compressed file or archive is unpacked there. Everything else is held in memory: text, 10x
    output, populations, and AnnData from before 0.7.

    Parameters
    ----------
    out
        The file to write, atomically.
    path, format, layer, labels_table, populations, duplicate_names, transpose, strandedness, empty_cells, obs_columns
        As in `read.read_matrix`.
    progress
        Receives a line for every tenth of the matrix, and one about its size.

    Raises
    ------
    InputError
        If the matrix or the table cannot be used; the message says which file, where in it, and what to do.
    """
    populations = list(populations)
    options = labels_table, populations, duplicate_names, transpose, strandedness, empty_cells, obs_columns
    if not path or populations:
        _write_whole(out, read_matrix(path, format, layer, *options), progress)
        return
    with unpacked(located(path), Path(out).parent) as content:
        format = recognise(content) if format == "auto" else format
        in_blocks = format in OPENERS and not transpose
        stored = find_stored(content, format, layer, Path(out).parent) if in_blocks else None
        if stored is None:
            _write_whole(out, read_matrix(content, format, layer, *options), progress)
            return
        n_values, adata = _import_in_blocks(
            *(out, stored, content, f"{content} ({layer})", labels_table, duplicate_names),
            lambda line: progress(line.replace(str(content), str(path))),
        )
        progress(_size_line(adata, n_values))


def _write_whole(out: str | Path, adata: AnnData, progress: Callable[[str], None]) -> None:
    """Write a matrix that is in memory."""
    progress(_size_line(adata, adata.X.nnz))
    with atomic_write(out) as tmp:
        _write_tables(tmp, adata)


def _write_tables(path: Path, adata: AnnData) -> None:
    """Write an AnnData; refuse a column that h5ad cannot hold."""
    try:
        adata.write_h5ad(path, compression="gzip")
    except (TypeError, ValueError, NotImplementedError) as error:
        if not (place := element_in(error)):
            raise
        raise InputError(f"The matrix: {place} cannot be written ({str(error).splitlines()[0]}). Remove it.") from error


def _import_in_blocks(
    out: str | Path,
    stored: Expression,
    path: Path,
    source: str,
    labels_table: str | Path | None,
    duplicate_names: str,
    progress: Callable[[str], None],
) -> tuple[int, AnnData]:
    """Write a matrix that is in a file, without rows of totals; return the number of its values, and its tables."""
    adata, special, left_out = stored_tables(stored, path, source, labels_table, duplicate_names)
    matrices: dict[str, Any] = {"X": stored.X} | {f"layers/{name}": layer for name, layer in stored.layers.items()}
    if len(special):
        matrices = {name: OtherColumns(matrix, special) for name, matrix in matrices.items()}
    n_values = write_expression(out, adata, matrices, progress)
    if len(special):
        of_left_out, of_all = matrices["X"].sums
        notice = special_rows_notice(left_out, of_left_out, of_all, str(path))
        warnings.warn(notice, DeepMapperWarning, stacklevel=3)
    return n_values, adata


def stored_tables(
    stored: Expression, path: Path, source: str, labels_table: str | Path | None, duplicate_names: str
) -> tuple[AnnData, np.ndarray, list[str]]:
    """Check the tables of a matrix that is in a file, and join its labels; also the columns and names of totals."""
    obs, var = with_text_names(stored.X.shape, stored.obs, stored.var, source)
    special = special_rows(var.index)
    check_features_left(special, len(var), str(path))
    left_out, var = list(var.index[special]), var.drop(index=var.index[special])
    features = unique_names(var.index, "feature", str(path), feature_rule(duplicate_names), ids_of(var))
    warn_of_spreadsheet_names(features, str(path))
    samples = unique_names(obs.index, "sample", str(path), duplicate_names)
    tables = {"obs": obs.set_axis(samples), "var": var.set_axis(features), "uns": dict(stored.uns)}
    adata = require("anndata").AnnData(**tables)
    if labels_table:
        join_labels(adata, existing_path(labels_table), str(path))
    return adata, special, left_out


def _size_line(adata: AnnData, n_values: int) -> str:
    return f"{adata.n_obs} samples × {adata.n_vars} features, {n_values} nonzero values"


def find_stored(path: Path, format: str, layer: str, folder: Path) -> Expression | None:
    """Find the requested matrix and the layer "tpm"; None if one of them cannot be read in blocks."""
    with OPENERS[format](path) as file:
        found = find_elements(file, path, layer)
        matrices: dict[str, Any] = {}
        for name, element in (("X", found.matrix), ("tpm", found.tpm)):
            if element is None:
                continue
            kind = getattr(element, "attrs", {}).get("encoding-type")
            if kind not in ("csr_matrix", "csc_matrix", "array"):
                return None
            shape = element.shape if kind == "array" else element.attrs["shape"]
            if len(shape) != 2:
                return None  # `read_matrix` raises an error that describes it
            where = path, element.name.strip("/"), (int(shape[0]), int(shape[1]))
            matrices[name] = StoredCSC(*where, folder) if kind == "csc_matrix" else StoredMatrix(*where)
        uns = describe_layers(found.matrix, found.further)
    return Expression(matrices.pop("X"), found.obs, found.var, matrices, uns)


def _write_matrix(tmp: Path, key: str, source: Any, adata: AnnData, progress: Callable[[str], None]) -> int:
    """Write a matrix into an h5ad as CSR float32, block by block; return the number of its values."""
    import h5py

    name_of_source = f"{source.path} ({source.key})" if hasattr(source, "path") else key

    def write_blocks(group: Any) -> Iterator[tuple[slice, Matrix]]:
        from scipy import sparse

        arrays = {
            name: group.create_dataset(name, (0,), dtype, maxshape=(None,), chunks=(_CHUNK,), **_COMPRESSION)
            for name, dtype in (("data", np.float32), ("indices", np.int32))
        }
        ends, tenths = [np.zeros(1, dtype=np.int64)], 0
        for place, block in blocks(source):
            block = sparse.csr_matrix(block)
            n_written, n_values = len(arrays["data"]), block.nnz
            for name, array in arrays.items():
                array.resize((n_written + n_values,))
                array[n_written:] = getattr(block, name)
            ends.append(n_written + block.indptr[1:].astype(np.int64))
            if place.stop * 10 // source.shape[0] > tenths:
                tenths = place.stop * 10 // source.shape[0]
                progress(f"{name_of_source}: {place.stop} of {source.shape[0]} samples read")
            yield place, block
        group["indptr"] = np.concatenate(ends)

    with h5py.File(tmp, "r+") as file:
        if key in file:
            del file[key]
        group = file.create_group(key)
        group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0"})
        group.attrs["shape"] = np.array(source.shape)
        stats = scan(write_blocks(group))
    check_finite(stats, name_of_source, adata.obs_names, adata.var_names)
    return stats.nnz

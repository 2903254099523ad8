"""AnnData files, .h5ad and .zarr, read element by element."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from ..core.blocks import Matrix, even_spans, spans_of
from ..core.words import did_you_mean, some
from ..errors import DeepMapperWarning, InputError
from .assemble import assemble, whole_numbers, with_text_names
from .guards import check_memory
from .layers import describe_layers
from .open import OPENERS, is_10x, require

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


@dataclass(frozen=True, eq=False)
class Elements:
    """Parts of an open h5ad or zarr.

    Attributes
    ----------
    matrix, tpm
        The requested matrix, and the layer "tpm" or None, both still in the file.
    further
        All other matrices of the file by name, still in the file.
    obs, var
        Tables of samples and features.
    read
        Reads an element of the file into memory.
    """

    matrix: Any
    tpm: Any
    further: dict[str, Any]
    obs: pd.DataFrame
    var: pd.DataFrame
    read: Callable[[Any], Any]


def read_anndata(path: Path, format: str, layer: str) -> AnnData:
    """Read one matrix of an h5ad or zarr with obs, var and the layer "tpm"; nothing else is loaded."""
    with OPENERS[format](path) as file:
        found = find_elements(file, path, layer)
        stored = {name: element for name, element in ((layer, found.matrix), ("tpm", found.tpm)) if _is_stored(element)}
        check_memory(stored, path)
        for name, element in stored.items():  # before memory is asked for
            shape = element.attrs.get("shape", ()) if hasattr(element, "keys") else element.shape
            if len(shape) == 2:  # `assemble` describes any other
                with_text_names((int(shape[0]), int(shape[1])), found.obs, found.var, f"{path} ({name})")
        X: Matrix = found.read(found.matrix)
        tpm = None if found.tpm is None else found.read(found.tpm)
        named = describe_layers(found.matrix, found.further)
    adata = assemble(X, found.obs, found.var, f"{path} ({layer})")
    adata.uns.update(named)
    if tpm is not None:
        tpm_layer = assemble(tpm, found.obs, found.var, f"{path} (layer tpm)")
        adata.layers["tpm"] = sparse.csr_matrix(tpm_layer.X)
    return adata


def find_elements(file: Any, path: Path, layer: str) -> Elements:
    """Find the requested matrix and the layer "tpm" in an open h5ad or zarr, and read obs and var.

    A file from before anndata 0.7 is read into memory as a whole.

    Raises
    ------
    InputError
        If the file is not an AnnData file, has no such matrix, or chunks of a zarr are missing.
    """
    anndata = require("anndata")
    read: Callable[[Any], Any]
    with warnings.catch_warnings():
        for category in (anndata.OldFormatWarning, FutureWarning):
            warnings.simplefilter("ignore", category)
        if not {"obs", "var"} <= set(file):
            found = f"it holds {some(file)}, but no obs and var"
            raise InputError(f"{path} is not an AnnData file: {found}.{_hint(file, path)}")
        check_memory({name: file[name] for name in ("obs", "var")}, path)
        if "encoding-type" not in file["obs"].attrs:
            check_memory(file, path)
            # Written before anndata 0.7; only anndata's own reader knows this layout.
            old = (anndata.read_zarr if path.is_dir() else anndata.read_h5ad)(path)
            raw_x, raw_var = (old.raw.X, old.raw.var) if old.raw is not None else (None, None)
            layers, x, obs, var, read = dict(old.layers), old.X, old.obs, old.var, lambda element: element
        else:
            read = require("anndata.io").read_elem
            raw_x, raw_var = (file["raw/X"], file["raw/var"]) if "raw/X" in file else (None, None)
            layers, x, obs, var = dict(file.get("layers", {})), file.get("X"), file["obs"], file["var"]
        matrices = {name: matrix for name, matrix in (("X", x), ("raw", raw_x)) if matrix is not None}
        matrices |= {name: matrix for name, matrix in layers.items() if name != "X" and name not in matrices}
        if layer not in matrices:
            raise InputError(
                f"{path} has no matrix {layer!r}.{did_you_mean(layer, matrices)} Set layer to one of: "
                f"{some(matrices, 20)}."
            )
        if layer == "raw" and raw_x is not None:
            var = raw_var
        tpm = layers.get("tpm") if layer != "raw" else None
        for name, element in ((layer, matrices[layer]), ("tpm", tpm)):
            _check_chunks(element, f"{path} ({name})")
        further = {name: matrix for name, matrix in matrices.items() if name != layer}
        return Elements(matrices[layer], tpm, further, read(obs), read(var), read)


def read_blocks(
    element: Any, shape: tuple[int, int], source: str, first: int = 0, last: int | None = None
) -> Iterator[tuple[slice, Matrix]]:
    """Yield blocks of rows of a group with a CSR matrix, or of a dense dataset, as they are stored.

    Rows before `first`, and from `last` on, are not read.
    """
    n, p = shape
    last = n if last is None else last
    if not hasattr(element, "keys"):
        for start, stop in even_spans(last - first, p):
            yield slice(first + start, first + stop), element[first + start : first + stop]
        return
    indptr = whole_numbers(element["indptr"][:], source).astype(np.int64)
    n_stored = min(element["data"].shape[0], element["indices"].shape[0])
    if len(indptr) != n + 1 or indptr[0] != 0 or (np.diff(indptr) < 0).any() or indptr[-1] > n_stored:
        raise InputError(
            f"{source}: the sparse matrix is damaged (indptr does not fit its values). Copy the file again."
        )
    for start, stop in spans_of(indptr[first : last + 1]):
        start, stop = first + start, first + stop
        span = slice(indptr[start], indptr[stop])
        parts = (
            element["data"][span],
            whole_numbers(element["indices"][span], source),
            indptr[start : stop + 1] - indptr[start],
        )
        yield slice(start, stop), sparse.csr_matrix(parts, shape=(stop - start, p))


def _is_stored(element: Any) -> bool:
    """Whether an element is still in its file; those of an old file are in memory."""
    return hasattr(element, "attrs")


def _hint(file: Any, path: Path) -> str:
    """Advice for a file without obs and var."""
    if path.is_dir():
        return " A SpatialData or MuData holds AnnData folders below tables or mod: give one of these."
    return " It looks like 10x output: set format to 10x_h5." if is_10x(file) else " Check which program wrote it."


def _check_chunks(element: Any, source: str) -> None:
    """Refuse a zarr matrix with missing chunks, which zarr itself reads as zeros.

    Writers may leave out chunks of zeros of a dense matrix, so there it is only a warning.
    """
    is_group = hasattr(element, "keys")
    for name, array in [(key, element[key]) for key in element] if is_group else [("", element)]:
        if not hasattr(array, "nchunks_initialized") or not array.size:
            continue
        n_chunks, n_present = array.nchunks, min(array.nchunks, array.nchunks_initialized)
        if n_present == n_chunks or (is_group and not element["data"].size):
            continue
        part = f"array {name!r}" if is_group else "the matrix"
        found = f"{source}: {n_chunks - n_present} of {n_chunks} chunks of {part} are missing"
        if is_group or not n_present:
            raise InputError(f"{found}. The folder was not copied completely: copy it again.")
        warnings.warn(
            f"{found} and are read as zeros. This is right if the program that wrote them leaves out chunks of zeros, "
            "and wrong if the folder was not copied completely.",
            DeepMapperWarning,
            stacklevel=4,
        )

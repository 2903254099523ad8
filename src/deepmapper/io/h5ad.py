"""AnnData files, .h5ad and .zarr, read element by element."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scipy import sparse

from ..core.blocks import Matrix
from ..core.words import did_you_mean, some
from ..errors import DeepMapperWarning, InputError
from .assemble import assemble
from .open import OPENED_BY, is_10x, require

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def read_anndata(path: Path, format: str, layer: str) -> AnnData:
    """Read one matrix of an h5ad or zarr with its obs and var, and its TPM layer; nothing else is loaded."""
    with OPENED_BY[format](path) as file:
        chosen, tpm, obs, var, get = elements(file, path, layer)
        X, tpm = get(chosen), None if tpm is None else get(tpm)
    adata = assemble(X, obs, var, f"{path} ({layer})")
    if tpm is not None:
        tpm_layer = assemble(tpm, obs, var, f"{path} (layer tpm)")
        adata.layers["tpm"] = sparse.csr_matrix(tpm_layer.X)
    return adata


def elements(file: Any, path: Path, layer: str) -> tuple[Any, Any, pd.DataFrame, pd.DataFrame, Callable[[Any], Matrix]]:
    """Find the matrix that is asked for in an open h5ad or zarr, and its TPM layer; read obs and var.

    The last value reads a matrix. Of a file from before anndata 0.7 all is read, and it gives back what it is given.
    """
    anndata = require("anndata")
    get: Callable[[Any], Any]
    with warnings.catch_warnings():
        for about_old_files in (anndata.OldFormatWarning, FutureWarning):
            warnings.simplefilter("ignore", about_old_files)
        if not {"obs", "var"} <= set(file):
            hint = " It looks like 10x output: set format to 10x_h5." if is_10x(file) else ""
            if path.is_dir():
                hint = " If an AnnData lies deeper (of a SpatialData in tables, of a MuData in mod), give that folder."
            raise InputError(f"{path} is no AnnData file: it holds {some(file)}, but no obs and var.{hint}")
        if "encoding-type" not in file["obs"].attrs:
            # Written before anndata 0.7; only anndata's own reader knows those files.
            whole = (anndata.read_zarr if path.is_dir() else anndata.read_h5ad)(path)
            raw_x, raw_var = (whole.raw.X, whole.raw.var) if whole.raw is not None else (None, None)
            layers, x, obs, var, get = dict(whole.layers), whole.X, whole.obs, whole.var, lambda element: element
        else:
            get = require("anndata.io").read_elem
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

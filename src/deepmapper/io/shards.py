"""AnnData as a source of row blocks: in memory, backed by a file, or one of several files (shards) of a study."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..core.words import count
from ..errors import InputError
from .assemble import with_text_names
from .h5ad import find_elements
from .open import OPENERS, existing_path
from .stored import StoredCSC, StoredMatrix

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


@dataclass(frozen=True, eq=False)
class Shard:
    """Some cells of a study, whose matrix is read in blocks.

    Attributes
    ----------
    name
        Where they are from, for messages.
    X
        (n, g) source of `core.blocks.blocks`.
    obs
        Table of the cells.
    var_names
        (g,) names of the features.
    """

    name: str
    X: Any
    obs: pd.DataFrame
    var_names: np.ndarray

    @property
    def n(self) -> int:
        """Number of cells."""
        return int(self.X.shape[0])


def open_shard(data: str | Path | AnnData, layer: str = "X") -> Shard:
    """Open an AnnData without reading its matrix.

    Parameters
    ----------
    data
        An h5ad or zarr, or an AnnData; the matrix of one that is backed is read from its file.
    layer
        "X", the name of a layer, or "raw".

    Raises
    ------
    InputError
        If it cannot be read in blocks, or has no such matrix.
    """
    if isinstance(data, str | Path):
        return _open_file(existing_path(data), layer)
    if data.isbacked:
        if data.is_view:
            raise InputError(
                f"The AnnData is a part of one that is backed by {data.filename}, whose file has all cells and "
                "features. Read the part into memory (to_memory), or write it to a file of its own."
            )
        return replace(_open_file(existing_path(data.filename), layer), obs=data.obs)
    layers = [name for name in data.layers if name]  # anndata 0.13 lists X, too, as None
    if layer == "raw" and data.raw is None or layer not in ("X", "raw", *layers):
        raise InputError(f"The AnnData has no matrix {layer!r}: its layers are {', '.join(layers) or 'none'}.")
    X = data.raw.X if layer == "raw" else data.X if layer == "X" else data.layers[layer]
    names = data.raw.var_names if layer == "raw" else data.var_names
    X = sp.csr_matrix(X) if sp.issparse(X) else np.asarray(X)
    return Shard("the AnnData", X, data.obs, np.asarray(names.astype(str), dtype=object))


def check_same_features(shards: list[Shard]) -> None:
    """Refuse shards with other features than the first, or in another order.

    Raises
    ------
    InputError
        If there are no shards, or the features differ.
    """
    if not shards:
        raise InputError("There are no files of cells: give at least one.")
    first = shards[0]
    for shard in shards[1:]:
        if np.array_equal(shard.var_names, first.var_names):
            continue
        missing = set(first.var_names) - set(shard.var_names)
        further = set(shard.var_names) - set(first.var_names)
        differences = [
            f"{count(len(names), 'feature')} {what} (such as '{min(names, key=str)}')"
            for names, what in ((missing, "missing"), (further, "in addition"))
            if names
        ]
        found = " and ".join(differences) or "the same features in another order"
        raise InputError(
            f"{shard.name}: found {found}, expected the features of {first.name} in the same order. Select and order "
            "the features of all files alike."
        )


def _open_file(path: Path, layer: str) -> Shard:
    format = "zarr" if path.is_dir() else "h5ad"
    source = f"{path} ({layer})"
    with OPENERS[format](path) as file:
        found = find_elements(file, path, layer)
        element = found.matrix
        kind = getattr(element, "attrs", {}).get("encoding-type")
        if kind in ("csr_matrix", "csc_matrix", "array"):
            n, g = (int(size) for size in (element.shape if kind == "array" else element.attrs["shape"]))
            where = path, element.name.strip("/"), (n, g)
            X: Any = StoredCSC(*where, Path(tempfile.gettempdir())) if kind == "csc_matrix" else StoredMatrix(*where)
        elif sp.issparse(element) or isinstance(element, np.ndarray):  # a file from before anndata 0.7
            X = sp.csr_matrix(element) if sp.issparse(element) else element
        else:
            raise InputError(f"{source} is stored as {kind}, expected csr_matrix, csc_matrix or array. Convert it.")
        obs, var = with_text_names(X.shape, found.obs, found.var, source)
    return Shard(str(path), X, obs, np.asarray(var.index, dtype=object))

"""Cells as a stream: AnnData, files larger than memory, several shards or the feature store, read in batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from ..core.blocks import blocks_between
from ..core.words import did_you_mean, some
from ..errors import InputError
from ..features.store import Features, open_features
from ..io.shards import Shard, check_same_features, open_shard
from .tensors import rows_between, to_tensor
from .transforms import apply

# Cells in a batch if the model takes sparse ones: a batch is then a part of a block as read. Chosen by hand.
SPARSE_BATCH = 8192

# Cells in a batch that is dense.
DENSE_BATCH = 512

# Keys of a batch whose values are passed as text.
_NAMES = ("cl_names_n",)


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells of one or several sources, one after the other, with what is known of each.

    Attributes
    ----------
    shards
        The sources; all have the same features.
    columns
        Name of a batch's key -> its value for every cell: codes (int64), numbers or text.
    categories
        Name of a key of codes -> the categories that they stand for.
    """

    shards: list[Shard]
    columns: dict[str, np.ndarray]
    categories: dict[str, np.ndarray]

    @property
    def n(self) -> int:
        """Number of cells."""
        return sum(shard.n for shard in self.shards)

    @property
    def var_names_g(self) -> np.ndarray:
        """Names of the features."""
        return self.shards[0].var_names

    @property
    def obs_names(self) -> np.ndarray:
        """Names of the cells."""
        return np.concatenate([np.asarray(shard.obs.index.astype(str), dtype=object) for shard in self.shards])

    def batches(
        self, rows: slice, batch_size: int, dense: bool, transforms: Iterable[Any] = ()
    ) -> Iterator[dict[str, Any]]:
        """Yield batches of consecutive cells, with the keys ``x_ng``, ``var_names_g`` and those of `columns`.

        Parameters
        ----------
        rows
            First cell, and the one after the last.
        batch_size
            Maximum number of cells in a batch; a batch ends where a block or a shard does.
        dense
            Whether ``x_ng`` is dense; otherwise it is a CSR tensor if the source is sparse.
        transforms
            Applied to each batch (`transforms.apply`), before it is made dense.
        """
        first = 0
        transforms = tuple(transforms)
        for shard in self.shards:
            start, stop = max(rows.start - first, 0), min(rows.stop - first, shard.n)
            for place, block in blocks_between(shard.X, start, stop) if start < stop else ():
                for low in range(0, place.stop - place.start, batch_size):
                    part = rows_between(block, low, low + batch_size)
                    at = first + place.start + low
                    yield self.batch(part, slice(at, at + part.shape[0]), dense, transforms)
            first += shard.n

    def blocks(self, rows: slice) -> Iterator[Any]:
        """Yield the values of consecutive cells as they are stored, in blocks."""
        first = 0
        for shard in self.shards:
            start, stop = max(rows.start - first, 0), min(rows.stop - first, shard.n)
            if start < stop:
                yield from (block for _, block in blocks_between(shard.X, start, stop))
            first += shard.n

    def batch(self, part: Any, at: slice | np.ndarray, dense: bool, transforms: tuple[Any, ...]) -> dict[str, Any]:
        """Return the values of some cells as a batch, with what is known of them; `at` is their place among all."""
        batch: dict[str, Any] = {"x_ng": to_tensor(part), "var_names_g": self.var_names_g}
        for key, values in self.columns.items():
            chosen = values[at]
            batch[key] = chosen if chosen.dtype == object else torch.from_numpy(np.ascontiguousarray(chosen))
        batch |= {category_key(key): names for key, names in self.categories.items()}
        batch = apply(transforms, batch)
        if dense and batch["x_ng"].layout == torch.sparse_csr:
            batch["x_ng"] = batch["x_ng"].to_dense()
        return batch


def category_key(key: str) -> str:
    """Key of the categories of a key of codes: ``y_n`` -> ``y_categories``."""
    return key.removesuffix("_n").removesuffix("_index") + "_categories"


def open_cells(data: Any, obs: Mapping[str, str] | None = None, layer: str = "X") -> Cells:
    """Open cells of any kind.

    Parameters
    ----------
    data
        An AnnData (in memory or backed), an h5ad or zarr, `Features` or the folder of a feature store, a `Shard`, or a
        list of any of these with the same features.
    obs
        Key of a batch -> column of the cells: ``{"batch_index_n": "donor", "y_n": "cell_type"}``. Text becomes codes
        over the sorted values of all sources, and so do whole numbers and booleans; other numbers stay. The columns of
        a feature store are ``label``, ``split`` and ``group``.
    layer
        Matrix of an AnnData to read: "X", a layer or "raw".

    Raises
    ------
    InputError
        If a source cannot be read, the features differ, or a column is missing or has no value for a cell.
    """
    several = isinstance(data, Sequence) and not isinstance(data, str)
    shards = [_open(source, layer) for source in (data if several else [data])]
    check_same_features(shards)
    columns, categories = {}, {}
    for key, name in (obs or {}).items():
        values = pd.concat([_column(shard, name) for shard in shards], ignore_index=True)
        if key in _NAMES:
            columns[key] = values.astype(str).to_numpy(dtype=object)
        elif pd.api.types.is_float_dtype(values.dtype):
            columns[key] = values.to_numpy(dtype=np.float32)
        else:
            whole = pd.api.types.is_integer_dtype(values.dtype)
            found, codes = np.unique(values.to_numpy() if whole else values.astype(str).to_numpy(), return_inverse=True)
            columns[key], categories[key] = codes.astype(np.int64), found
    return Cells(shards, columns, categories)


# Key of codes -> the attribute of a model with their categories.
_KNOWN_CATEGORIES = {
    "y_n": "y_categories",
    "batch_index_n": "batch_categories",
    "cell_type_n": "cell_type_categories",
}


def open_for(model: Any, data: Any, obs: Mapping[str, str] | None, layer: str) -> Cells:
    """Open cells for a model: with the codes of its classes and batches, the latter as it met them first.

    Raises
    ------
    InputError
        As `open_cells` does, and if there is a class or batch that the model does not know.
    """
    cells = open_cells(data, obs, layer)
    for key, attribute in _KNOWN_CATEGORIES.items():
        if key not in cells.categories or not hasattr(model, attribute):
            continue
        if (known := getattr(model, attribute)) is None:
            setattr(model, attribute, cells.categories[key])
        else:
            cells = with_categories(cells, key, known)
    return cells


def with_categories(cells: Cells, key: str, categories: np.ndarray) -> Cells:
    """Code a column by given categories, such as those of a model.

    Raises
    ------
    InputError
        If a cell has another value.
    """
    known = [str(name) for name in categories]
    values = np.asarray(cells.categories[key]).astype(str)
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise InputError(
            f"{key}: found {some(unknown)}, which the model does not know; expected some of {some(known, 20)}."
        )
    codes = np.array([known.index(name) for name in values], dtype=np.int64)[cells.columns[key]]
    return Cells(cells.shards, cells.columns | {key: codes}, cells.categories | {key: np.asarray(categories)})


def _open(source: Any, layer: str) -> Shard:
    if isinstance(source, str | Path) and (Path(source) / "features.json").is_file():
        source = open_features(source)
    if isinstance(source, Shard):
        return source
    if not isinstance(source, Features):
        return open_shard(source, layer)
    labels = np.array([*source.classes, None], dtype=object)[source.y]
    obs = pd.DataFrame({"label": labels, "split": source.split.astype(np.int64)}, index=pd.Index(source.samples))
    if source.groups is not None:
        obs["group"] = source.groups
    names = np.array([*source.names, *source.chords], dtype=object)
    return Shard("the feature store", source.X, obs, names)


def _column(shard: Shard, name: str) -> pd.Series:
    if name not in shard.obs:
        known = list(shard.obs.columns)
        hint = f"{did_you_mean(name, known)} Use one of: {some(known, 20)}."
        raise InputError(f"{shard.name}: the cells have no column '{name}'.{hint}")
    values = shard.obs[name]
    if values.isna().any():
        row = shard.obs.index[int(np.flatnonzero(values.isna())[0])]
        raise InputError(
            f"{shard.name}: column '{name}' has no value for {int(values.isna().sum())} cells, the first is '{row}'. "
            "Fill them in, or leave these cells out."
        )
    return values.astype(object) if isinstance(values.dtype, pd.CategoricalDtype) else values

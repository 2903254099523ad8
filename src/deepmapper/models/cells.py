"""Cells as a stream: AnnData, files larger than memory, several shards or the feature store, read in batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from ..core.blocks import blocks_between
from ..core.words import count, did_you_mean, some
from ..errors import InputError
from ..features.store import Features, open_features
from ..io.shards import Shard, check_same_features, open_shard
from .base import CellariumModel, PredictMixin
from .tensors import is_finite, rows_between, to_tensor
from .transforms import apply

# Cells in a batch if the model takes sparse ones: a batch is then a part of a block as read. Chosen by hand.
SPARSE_BATCH = 8192

# Cells in a batch that is dense.
DENSE_BATCH = 512

# Keys of a batch whose values are passed as text, and as numbers.
_NAMES = ("cl_names_n",)
_NUMBERS = ("total_mrna_umis_n", "continuous_covariates_nc")

# Keys that may have several columns.
_SEVERAL = ("continuous_covariates_nc", "categorical_covariate_index_nd")


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells of one or several sources, one after the other, with what is known of each.

    Attributes
    ----------
    shards
        The sources; all have the same features.
    columns
        Name of a batch's key -> its value for every cell, (n,) or, of several columns, (n, columns): codes (int64),
        numbers or text.
    categories
        Name of a key of codes -> the categories that they stand for; of several columns a list of these.
    """

    shards: list[Shard]
    columns: dict[str, np.ndarray]
    categories: dict[str, Any]

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
        """Return the values of some cells as a batch, with what is known of them; `at` is their place among all.

        Raises
        ------
        InputError
            If a value is missing or infinite after the transforms.
        """
        batch: dict[str, Any] = {"x_ng": to_tensor(part), "var_names_g": self.var_names_g}
        for key, values in self.columns.items():
            chosen = values[at]
            batch[key] = chosen if chosen.dtype == object else torch.from_numpy(np.ascontiguousarray(chosen))
        batch |= {category_key(key): names for key, names in self.categories.items()}
        given, batch = batch, apply(transforms, batch)
        if not is_finite(batch["x_ng"]):
            self._refuse(given, at, "")
            self._refuse(batch, at, " after the transforms")
        if dense and batch["x_ng"].layout == torch.sparse_csr:
            batch["x_ng"] = batch["x_ng"].to_dense()
        return batch

    def _refuse(self, batch: dict[str, Any], at: slice | np.ndarray, when: str) -> None:
        """Refuse values that are missing or infinite; the first is named by its cell and feature."""
        values = batch["x_ng"].to_dense()
        wrong = torch.nonzero(~torch.isfinite(values))
        if not len(wrong):
            return
        row, column = wrong[0].tolist()
        places = np.arange(at.start, at.stop) if isinstance(at, slice) else at
        raise InputError(
            f"Feature '{batch['var_names_g'][column]}' of cell '{self.obs_names[places[row % len(places)]]}' is "
            f"{float(values[row, column])}{when}: expected numbers. Fill such values in, or leave these cells or "
            "features out."
        )


def category_key(key: str) -> str:
    """Key of the categories of a key of codes: ``y_n`` -> ``y_categories``."""
    return key.removesuffix("_n").removesuffix("_index") + "_categories"


def open_cells(data: Any, obs: Mapping[str, str | Sequence[str]] | None = None, layer: str = "X") -> Cells:
    """Open cells of any kind.

    Parameters
    ----------
    data
        An AnnData (in memory or backed), an h5ad or zarr, `Features` or the folder of a feature store, a `Shard`, or a
        list of any of these with the same features.
    obs
        Key of a batch -> column of the cells: ``{"batch_index_n": "donor", "y_n": "cell_type"}``; of covariates also a
        list of columns. Text becomes codes over the sorted values of all sources, and so do whole numbers and booleans;
        other numbers stay, and so do all that a key needs as numbers (``total_mrna_umis_n``,
        ``continuous_covariates_nc``). The columns of a feature store are ``label``, ``split`` and ``group``.
    layer
        Matrix of an AnnData to read: "X", a layer or "raw".

    Raises
    ------
    InputError
        If a source cannot be read, the features differ, or a column is missing, has no value for a cell, or is of
        another kind.
    """
    several = isinstance(data, Iterable) and not isinstance(data, str | Path | Mapping) and not _is_table(data)
    shards = [_open(source, layer) for source in (data if several else [data])]
    if several:
        shards = [
            replace(shard, name=f"AnnData {i}") if shard.name == "the AnnData" else shard
            for i, shard in enumerate(shards, start=1)
        ]
    check_same_features(shards)
    if not isinstance(obs or {}, Mapping):
        raise InputError(f"obs={obs!r}: expected keys with their columns, such as {{'batch_index_n': 'donor'}}.")
    columns: dict[str, np.ndarray] = {}
    categories: dict[str, Any] = {}
    for key, names in (obs or {}).items():
        if isinstance(names, str):
            columns[key], categories[key] = _values(shards, key, names)
            continue
        if key not in _SEVERAL or not names:
            raise InputError(f"obs: {key} has {list(names)}: expected the name of one column.")
        parts = [_values(shards, key, name) for name in names]
        columns[key] = np.stack([values for values, _ in parts], axis=1)
        categories[key] = None if parts[0][1] is None else [found for _, found in parts]
    return Cells(shards, columns, {key: found for key, found in categories.items() if found is not None})


def _values(shards: list[Shard], key: str, name: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Values of a column as a key needs them, and the categories of codes."""
    values = pd.concat([_column(shard, name) for shard in shards], ignore_index=True)
    if key in _NAMES:
        return values.astype(str).to_numpy(dtype=object), None
    if key in _NUMBERS:
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64)
        if not np.isfinite(numbers).all():
            first = values.iloc[int(np.flatnonzero(~np.isfinite(numbers))[0])]
            raise InputError(f"Column '{name}' has {first!r}: expected numbers, since it is given as {key}.")
        return numbers.astype(np.float32), None
    if pd.api.types.is_float_dtype(values.dtype):
        numbers = values.to_numpy()
        if (numbers == np.round(numbers)).all():
            values = values.astype(np.int64)
        elif key in _KNOWN_CATEGORIES or key in _SEVERAL:
            first = numbers[numbers != np.round(numbers)][0]
            raise InputError(
                f"Column '{name}' has {first:g}: expected text or whole numbers, since {key} are codes of categories."
            )
        else:
            return numbers.astype(np.float32), None
    whole = pd.api.types.is_integer_dtype(values.dtype)
    found, codes = np.unique(values.to_numpy() if whole else values.astype(str).to_numpy(), return_inverse=True)
    return codes.astype(np.int64), found


# Key of codes -> the attribute of a model with their categories.
_KNOWN_CATEGORIES = {
    "y_n": "y_categories",
    "batch_index_n": "batch_categories",
    "cell_type_n": "cell_type_categories",
}


def open_for(model: Any, data: Any, obs: Mapping[str, str | Sequence[str]] | None, layer: str) -> Cells:
    """Open cells for a model: with the codes of its classes; of batches and other categories, as it met them first.

    Raises
    ------
    InputError
        As `open_cells` does, and if there is a class or batch that the model does not know.
    """
    cells = open_cells(data, obs, layer)
    for key, found in cells.categories.items():
        attribute = _KNOWN_CATEGORIES.get(key, "")
        if hasattr(model, attribute):
            if (known := getattr(model, attribute)) is None:
                setattr(model, attribute, found)
        elif isinstance(model, CellariumModel) and isinstance(model, PredictMixin):
            known = model.obs_categories.get(key)
            model.obs_categories = {**model.obs_categories, key: found if known is None else known}
        else:
            continue
        if known is not None:
            cells = with_categories(cells, key, known)
    return cells


def with_categories(cells: Cells, key: str, categories: Any) -> Cells:
    """Code one column, or several, by given categories, such as those of a model.

    Raises
    ------
    InputError
        If a cell has another value, or there are other columns.
    """
    found, codes = cells.categories[key], cells.columns[key]
    if not isinstance(found, list):
        recoded = _recoded(key, found, codes, categories)
        return Cells(cells.shards, cells.columns | {key: recoded}, cells.categories | {key: np.asarray(categories)})
    if not isinstance(categories, list) or len(categories) != len(found):
        raise InputError(f"{key}: found {len(found)} columns, expected as many as the model was trained with.")
    parts = [_recoded(key, of_column, codes[:, i], categories[i]) for i, of_column in enumerate(found)]
    return Cells(cells.shards, cells.columns | {key: np.stack(parts, 1)}, cells.categories | {key: categories})


def _recoded(key: str, found: np.ndarray, codes: np.ndarray, categories: Any) -> np.ndarray:
    """Codes by other categories."""
    known = [str(name) for name in categories]
    values = np.asarray(found).astype(str)
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise InputError(
            f"{key}: found {some(unknown)}, which the model does not know; expected some of {some(known, 20)}."
        )
    return np.array([known.index(name) for name in values], dtype=np.int64)[codes]


def _is_table(data: Any) -> bool:
    """Whether something that can be iterated over is one source."""
    return hasattr(data, "obs_names") or isinstance(data, Shard | Features | pd.DataFrame | np.ndarray)


def _open(source: Any, layer: str) -> Shard:
    if isinstance(source, str | Path) and (Path(source) / "features.json").is_file():
        source = open_features(source)
    if isinstance(source, Shard):
        return source
    if not isinstance(source, str | Path | Features) and not hasattr(source, "isbacked"):
        raise InputError(
            f"Cells are given as {type(source).__name__}: expected an AnnData, the path of an h5ad, a zarr or a "
            "feature store, or a list of these."
        )
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
            f"{shard.name}: column '{name}' has no value for {count(int(values.isna().sum()), 'cell')}, the first is "
            f"'{row}'. Fill them in, or leave these cells out."
        )
    return values.astype(object) if isinstance(values.dtype, pd.CategoricalDtype) else values

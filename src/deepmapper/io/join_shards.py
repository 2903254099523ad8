"""Shards of one study, each imported into a file of its own, joined to one `expression.h5ad` in blocks of rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..core.blocks import VStack, blocks
from ..core.words import count, some
from ..errors import DeepMapperWarning, InputError
from .assemble import unique_names
from .expression import open_expression, write_expression
from .layers import LAYERS_OF_COUNTS, some_values
from .matrix_stats import LARGEST_LOG
from .open import existing_path, open_h5, require
from .shared_features import LEFT_OUT, columns_by_name_of
from .text import join_labels

if TYPE_CHECKING:
    import pandas as pd

# Share of the features of the first shard that all shards must have, to be shards of one study; chosen by hand.
_SHARED = 0.5


@dataclass(frozen=True, eq=False)
class SelectedColumns:
    """Some columns of a CSR source in a given order, a source for `core.blocks.blocks`.

    Attributes
    ----------
    source
        The matrix.
    columns
        Positions of the columns; none is listed twice.
    """

    source: Any
    columns: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, and selected columns."""
        return self.source.shape[0], len(self.columns)

    def blocks(self) -> Iterator[tuple[slice, sp.csr_matrix]]:
        """Yield the positions of each block's rows, and the block."""
        place_of = np.full(self.source.shape[1], -1, dtype=np.int32)
        place_of[self.columns] = np.arange(len(self.columns), dtype=np.int32)
        for rows, block in blocks(self.source):
            block = sp.csr_matrix(block)
            places = place_of[block.indices]
            kept = places >= 0
            ends = np.concatenate([[0], np.cumsum(kept)])[block.indptr]
            selected = sp.csr_matrix((block.data[kept], places[kept], ends), shape=(block.shape[0], len(self.columns)))
            selected.sort_indices()
            yield rows, selected


def join_shards(
    out: str | Path,
    shards: Mapping[str, str | Path],
    labels_table: str | Path | None = None,
    duplicate_names: str = "refuse",
    described: Iterable[str] = (),
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, tuple[int, int]]:
    """Join imported shards of one study, one below the other, on the features that all of them have.

    Features come in the order of the first shard; names that are written differently are matched as in
    `read.join_populations`. Columns of obs that only some shards have are kept, with missing values elsewhere.

    Parameters
    ----------
    out
        The file to write, atomically.
    shards
        Files of `expression.import_matrix` by the name of the shard, in the order of their rows.
    labels_table
        As in `read.read_matrix`; joined to the samples of all shards.
    duplicate_names
        If a name of a sample is in several shards: "refuse", or "make_unique", which appends the name of the shard to
        the names of all samples of these shards.
    described
        Columns of obs that every shard must have if one has it, such as the labels.
    progress
        Receives a line for every tenth of the matrix, and one about its size.

    Returns
    -------
    dict
        First row of every shard, and the row after its last.

    Raises
    ------
    InputError
        If the shards are not of one study: see the messages.

    Warns
    -----
    DeepMapperWarning
        If features are left out, or names are changed.
    """
    parts = {name: open_expression(path) for name, path in shards.items()}
    _check_values(shards)
    first = next(iter(parts.values()))
    columns, note = _shared_columns(parts)
    obs = join_tables({name: part.obs for name, part in parts.items()}, duplicate_names)
    var = first.var.iloc[next(iter(columns.values()))]
    of_counts = [list(part.uns.get(LAYERS_OF_COUNTS, ())) for part in parts.values()]
    common = [str(name) for name in of_counts[0] if all(name in names for names in of_counts)]
    uns = ({LAYERS_OF_COUNTS: common} if common else {}) | ({LEFT_OUT: note} if note else {})
    adata = require("anndata").AnnData(obs=obs, var=var, uns=uns)
    if labels_table:
        join_labels(adata, existing_path(labels_table), "The joined shards")
    _check_described(parts, adata.obs if labels_table else None, described)
    layers = [name for name in first.layers if all(name in part.layers for part in parts.values())]
    matrices = {"X": _stacked([part.X for part in parts.values()], columns)}
    matrices |= {f"layers/{name}": _stacked([part.layers[name] for part in parts.values()], columns) for name in layers}
    n_values = write_expression(out, adata, matrices, progress)
    progress(f"{len(parts)} shards: {adata.n_obs} samples × {adata.n_vars} features, {n_values} nonzero values")
    ends = np.cumsum([0, *(len(part.obs) for part in parts.values())]).tolist()
    return {name: (start, stop) for name, start, stop in zip(parts, ends[:-1], ends[1:], strict=True)}


def join_tables(tables: Mapping[str, pd.DataFrame], duplicate_names: str) -> pd.DataFrame:
    """Join tables of samples by the name of their shard; columns of some shards have missing values elsewhere."""
    import pandas as pd

    names = _unique_samples({name: list(map(str, table.index)) for name, table in tables.items()}, duplicate_names)
    all_columns = dict.fromkeys(column for table in tables.values() for column in table)
    joined = {column: _joined([table.get(column) for table in tables.values()], tables) for column in all_columns}
    return pd.DataFrame(joined, index=pd.Index(names))


def compare_shards(parts: Mapping[str, Any], described: Iterable[str]) -> None:
    """Refuse shards that cannot be joined for their features or columns, before they are imported.

    Parameters
    ----------
    parts
        What has `var` and `obs`, by the name of the shard.
    described
        As in `join_shards`.

    Raises
    ------
    InputError
        If the shards are not of one study.

    Warns
    -----
    DeepMapperWarning
        If features would be left out.
    """
    _shared_columns(parts)
    _check_described(parts, None, described)


def _unique_samples(names: Mapping[str, list[str]], duplicate_names: str) -> list[str]:
    """Names of all samples; of shards that share one, with the name of the shard appended if that is allowed."""
    seen: dict[str, str] = {}
    repeated: dict[str, tuple[str, str]] = {}  # a sample -> two of its shards
    concerned: set[str] = set()
    for shard, own in names.items():
        for sample in own:
            if sample in seen and seen[sample] != shard:
                repeated.setdefault(sample, (seen[sample], shard))
                concerned |= {seen[sample], shard}
            seen.setdefault(sample, shard)
    flat = [sample for own in names.values() for sample in own]
    if not repeated:
        return flat
    sample, (one, other) = next(iter(repeated.items()))
    found = f"{count(len(repeated), 'sample name')} in several shards (for example {sample!r} in {one} and {other})"
    if duplicate_names != "make_unique":
        raise InputError(
            f"matrix.shards: found {found}, expected every sample once. Remove the repeated file or samples; if they "
            "are different samples, set matrix.duplicate_names to make_unique, which appends the name of the shard."
        )
    warnings.warn(
        f"matrix.shards: found {found}; the name of the shard is appended to all names in {some(sorted(concerned))}.",
        DeepMapperWarning,
        stacklevel=4,
    )
    changed = [f"{sample}-{shard}" if shard in concerned else sample for shard, own in names.items() for sample in own]
    return unique_names(changed, "sample", "The joined shards", duplicate_names)


def _joined(parts: list[pd.Series | None], tables: Mapping[str, pd.DataFrame]) -> Any:
    """One column of all shards; text where their types have nothing in common."""
    import pandas as pd

    known = [part for part in parts if part is not None]
    if all(isinstance(part.dtype, pd.CategoricalDtype) for part in known):
        coded = [
            pd.Categorical([None] * len(table), categories=[])
            if part is None
            else part.cat.rename_categories(part.cat.categories.astype(str).astype(object)).array
            for part, table in zip(parts, tables.values(), strict=True)
        ]
        coded = [part.set_categories(part.categories.astype(object)) for part in coded]
        return pd.api.types.union_categoricals(coded, ignore_order=True)
    numeric = all(part.dtype.kind in "iuf" for part in known)
    values = pd.concat(
        [
            pd.Series(np.nan, index=table.index) if part is None else part.astype(object if not numeric else part.dtype)
            for part, table in zip(parts, tables.values(), strict=True)
        ]
    )
    if numeric:
        return values.array
    missing = values.isna().to_numpy()
    return pd.Categorical(np.where(missing, None, values.astype(str).to_numpy(dtype=object)))


def _shared_columns(parts: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], str]:
    """Columns of every shard that hold the features of all, in the order of the first; and what is left out."""
    first_name, first = next(iter(parts.items()))
    own = {
        name: columns_by_name_of(first.var, part.var, name, "first shard")
        for name, part in parts.items()
        if not part.var.index.equals(first.var.index)
    }
    names = list(first.var.index)
    shared = [i for i, name in enumerate(names) if all(name in columns for columns in own.values())]
    if len(shared) < max(1, _SHARED * len(names)):
        n_of = {name: sum(feature in columns for feature in names) for name, columns in own.items()}
        least = min(n_of, key=lambda name: n_of[name])
        raise InputError(
            f"matrix.shards: {least} has {n_of[least]} of the {len(names)} features of {first_name} (its own: "
            f"{some(parts[least].var.index)}), expected shards of one study, with at least half of the features in "
            "all of them. Leave the shard out, or name its cells as those of another study (matrix.new_samples)."
        )
    n_all, note = len(set(names).union(*own.values())), ""
    if n_all > len(shared):
        lacking = {name: len(names) - sum(feature in columns for feature in names) for name, columns in own.items()}
        which = ", ".join(f"{name} lacks {n}" for name, n in lacking.items() if n) or "further ones are in some only"
        note = (
            f"{n_all - len(shared):,} of {n_all:,} features are left out, since not all shards of the matrix have them "
            f"({which})."
        )
        warnings.warn(note, DeepMapperWarning, stacklevel=4)
    columns = {
        name: np.array([own[name][names[i]] if name in own else i for i in shared], dtype=np.int64) for name in parts
    }
    return columns, note


def _stacked(matrices: list[Any], columns: Mapping[str, np.ndarray]) -> VStack:
    """Matrices of all shards, one below the other."""
    sources = []
    for matrix, chosen in zip(matrices, columns.values(), strict=True):
        unchanged = len(chosen) == matrix.shape[1] and (chosen == np.arange(len(chosen))).all()
        sources.append(matrix if unchanged else SelectedColumns(matrix, chosen))
    return VStack(tuple(sources))


def _check_described(parts: Mapping[str, Any], table: pd.DataFrame | None, described: Iterable[str]) -> None:
    """Refuse a column that the analysis needs and that only some shards have, unless a table has it of all samples."""
    for column in described:
        lacking = [name for name, part in parts.items() if column not in part.obs]
        if not lacking or len(lacking) == len(parts) or (table is not None and table[column].notna().all()):
            continue
        shown = some(parts[lacking[0]].obs.columns) if len(parts[lacking[0]].obs.columns) else "none"
        raise InputError(
            f"matrix.shards: {some(lacking)} {'has' if len(lacking) == 1 else 'have'} no column {column!r}, which the "
            f"other shards have (columns of {lacking[0]}: {shown}). Rename or add it, or give a table of all samples "
            "as labels.table."
        )


def _check_values(shards: Mapping[str, str | Path]) -> None:
    """Refuse shards with counts beside shards with logarithms, judged by some values of each."""
    counts, logs = None, None
    for name, path in shards.items():
        with open_h5(existing_path(path)) as file:
            values = some_values(file["X"])
        if values is None or not values.size:
            continue
        whole = bool((values == np.floor(values)).all() and values.min() >= 0)
        if whole and values.max() > 1:
            counts = counts or (name, values.max())
        elif not whole and (values.min() < 0 or values.max() < LARGEST_LOG):
            logs = logs or (name, values.max())
    if counts and logs:
        raise InputError(
            f"matrix.shards: {counts[0]} holds counts (whole numbers up to {counts[1]:g}), {logs[0]} holds normalised "
            f"values (up to {logs[1]:.3g}); expected the same kind in all shards. Give the counts of all of them "
            "(matrix.layer chooses a layer)."
        )

"""Which row of a table of labels belongs to which sample of a matrix."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.match_names import SAMPLE_HABITS, NameMatch, are_row_numbers, match_names
from ..core.words import count, some
from ..errors import DeepMapperWarning, InputError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

# Columns of obs by which the cells of a sample or population share the row of a table.
_SHARED_BY = ("sample", "population")


_SAMPLE_COLUMN = re.compile(r"sample|library|orig\.ident|population|gsm", re.IGNORECASE)


@dataclass(frozen=True)
class _Key:
    """The column of a table that names the samples, and what it names.

    Attributes
    ----------
    column
        Its name in the table.
    by
        "" if it names the samples of the matrix; else the column of obs whose values it names.
    match
        The given name of each wanted name.
    """

    column: str
    by: str
    match: NameMatch


def rows_of_samples(table: pd.DataFrame, adata: AnnData, path: Path, source: str) -> pd.DataFrame:
    """Find the row of every sample in a table of labels.

    Names are matched as in `core.match_names`, first with the first column. If it names no sample, another column may,
    or one may name the values of obs["sample"], obs["population"] or of a column that obs has too.

    Parameters
    ----------
    table
        n rows x columns of text, with the header as names of its columns.
    adata
        The matrix; only its tables are used.
    path, source
        Files of the table and of the matrix, for messages.

    Returns
    -------
    DataFrame
        One row for each sample of `adata`, in its order and with its names; the columns of the table without those
        names. Samples without a row have missing values.

    Raises
    ------
    InputError
        If there is no header, a column has no name, two different columns have the same name or that of a column of
        obs, no row belongs to a sample, or two different rows belong to the same.

    Warns
    -----
    DeepMapperWarning
        About names that are not the same, samples without a row, and rows that are not used.
    """
    table = _with_different_names(table, path)
    table = _with_joined_names(table, adata, path)
    key = _find_key(table, adata)
    if table.columns[0] in set(adata.obs_names):
        raise InputError(
            f"{path}: the first line begins with the name of a sample ({table.columns[0]!r}), expected the names of "
            f"the columns. Add a first line with these: name,label"
        )
    if key is None:
        raise InputError(_no_sample_found(table, adata, path, source))
    rows = _one_row_each(table, key, path)
    names = list(adata.obs_names) if not key.by else [str(value) for value in adata.obs[key.by]]
    found = rows.reindex([key.match.given.get(name) for name in names])
    found.index = adata.obs_names
    has_row = np.array([name in key.match.given for name in names])
    if "" in found:  # numbers of rows: the names are in another column
        found = found.drop(columns="")
    found = _without_columns_of_obs(found, adata, has_row, path)
    _tell(key, table, adata, path, source, list(adata.obs_names[~has_row]))
    return found


def _with_different_names(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return the table with one of those columns that have the same name and content."""
    header = [str(name).strip() for name in table.columns]
    empty = [not name and (table.iloc[:, i] == "").all() for i, name in enumerate(header)]
    if any(empty) and not all(empty):
        table = table.iloc[:, [i for i, is_empty in enumerate(empty) if not is_empty]]
        header = [name for name, is_empty in zip(header, empty, strict=True) if not is_empty]
    kept = [i for i, name in enumerate(header) if name not in header[:i] or not _is_copy(table, header, i)]
    left = [header[i] for i in kept]
    if "" in left[1:] or len(set(left)) < len(left):
        raise InputError(f"{path}: found the header {some(header, 20)}, expected a different name for every column.")
    if len(kept) < len(header):
        repeated = [name for i, name in enumerate(header) if i not in kept]
        _warn(
            f"{path}: left out {count(len(repeated), 'column')} with the name and content of another "
            f"({some(repeated)})."
        )
    table = table.iloc[:, kept]
    return table.set_axis(left, axis=1)


def _is_copy(table: pd.DataFrame, header: Sequence[str], i: int) -> bool:
    return bool(header[i]) and (table.iloc[:, i] == table.iloc[:, header.index(header[i])]).all()


def _find_key(table: pd.DataFrame, adata: AnnData) -> _Key | None:
    """Find the column of the table that names the samples, or else the values of a column of obs."""
    samples = list(adata.obs_names)
    first = _key(table, table.columns[0], "", samples)
    if not _covers_half(first, samples):
        # a column of names has different ones in most rows, unlike one of labels
        others = [
            _key(table, column, "", samples)
            for column in table.columns[1:]
            if 2 * table[column].nunique() >= len(table)
        ]
        best = _only_best([key for key in others if _covers_half(key, samples)])
        if best and len(best.match.given) > len(first.match.given):
            return best
    if first.match.given:
        return first
    for by in dict.fromkeys((*_SHARED_BY, *table.columns)):
        if by in adata.obs:
            values = [value for value in dict.fromkeys(map(str, adata.obs[by])) if value.strip()]
            keys = [_key(table, column, by, values) for column in table.columns if _may_name_samples(table, column)]
            if best := _only_best([key for key in keys if _covers_half(key, values)]):
                return best
    return None


def _may_name_samples(table: pd.DataFrame, column: str) -> bool:
    """Whether a column has a row for each of its values, unlike one of classes; the first may have two of some."""
    if column == table.columns[0]:
        return 2 * table[column].nunique() >= len(table)
    return not table.drop_duplicates()[column].duplicated().any()


def _with_joined_names(table: pd.DataFrame, adata: AnnData, path: Path) -> pd.DataFrame:
    """Join barcodes and samples, if the cells are named so and the table has both in columns of their own."""
    cells = set(adata.obs_names)
    for by in _SHARED_BY:
        if by not in adata.obs or cells & set(table.iloc[:, 0]):
            continue
        samples = set(map(str, adata.obs[by]))
        for of_samples in (column for column in table.columns if samples & set(table[column])):
            for barcodes in (column for column in table.columns if column != of_samples):
                for ending in ("", "-1"):
                    names = table[barcodes] + ending + "-" + table[of_samples]
                    n = names.isin(cells).sum()
                    # a column of classes may have the names of samples by chance
                    is_named = _SAMPLE_COLUMN.match(of_samples) and 2 * n >= min(len(table), len(cells))
                    if is_named or n >= 0.9 * len(cells):
                        _warn(
                            f"{path}: columns {barcodes!r} and {of_samples!r} together name the cells, as in "
                            f"{names.iloc[0]!r}."
                        )
                        return table.assign(**{barcodes: names})
    return table


def _key(table: pd.DataFrame, column: str, by: str, wanted: Sequence[str]) -> _Key:
    given = [name for name in dict.fromkeys(table[column]) if name.strip()]
    return _Key(column, by, match_names(wanted, given, SAMPLE_HABITS))


def _covers_half(key: _Key, wanted: Sequence[str]) -> bool:
    """Whether at least half of the names, or of the different entries of the column, have a partner."""
    n = len(key.match.given)
    return n > 0 and 2 * n >= min(len(wanted), n + len(key.match.unused))


def _only_best(keys: Sequence[_Key]) -> _Key | None:
    """Return the key that matches the most names; None if several match as many in different ways."""
    best = [key for key in keys if len(key.match.given) == max(len(other.match.given) for other in keys)]
    return best[0] if best and all(key.match.given == best[0].match.given for key in best) else None


def _one_row_each(table: pd.DataFrame, key: _Key, path: Path) -> pd.DataFrame:
    """Return the used rows, by the name of their sample; of the same rows one is kept, different ones are refused."""
    used = table[table[key.column].isin(set(key.match.given.values()))]
    if not used[key.column].duplicated().any():
        return used.set_index(key.column)
    distinct = used.drop_duplicates()
    if distinct[key.column].duplicated().any():
        repeated = distinct[distinct[key.column].duplicated(keep=False)]
        names = list(dict.fromkeys(repeated[key.column]))
        one, other = (", ".join(row) for row in repeated[repeated[key.column] == names[0]].head(2).to_numpy())
        raise InputError(
            f"{path}: found {count(len(names), 'sample')} with more than one row ({some(names)}), which differ: "
            f"'{one}' and '{other}'. Keep one row each."
        )
    if len(distinct) < len(used):
        again = list(dict.fromkeys(used.loc[used.duplicated(), key.column]))
        _warn(f"{path}: {count(len(again), 'sample')} had the same row more than once ({some(again)}); one was kept.")
    return distinct.set_index(key.column)


def _tell(key: _Key, table: pd.DataFrame, adata: AnnData, path: Path, source: str, without_row: Sequence[str]) -> None:
    """Warn about everything that the table does not say plainly."""
    match = key.match
    if key.by:
        _warn(
            f"{path}: column {key.column!r} names no sample of {source}, but values of obs[{key.by!r}]: the samples "
            f"of {count(len(match.given), 'value')} got the row of their value."
        )
    elif key.column != table.columns[0]:
        _warn(f"{path}: the names of the samples were found in column {key.column!r}, not in the first.")
    elif are_row_numbers(adata.obs_names) and are_row_numbers(table[key.column]):
        _warn(
            f"{path}: the names of the samples of {source} are only the numbers of rows, and so are those of the "
            "table; they were matched by these numbers. Give the samples names if the two may be in another order."
        )
    if text := match.describe("name" if key.by else "sample"):
        _warn(f"{path}: {text}.")
    if match.unused:
        what = f"values that obs[{key.by!r}] does not have" if key.by else f"samples that are not in {source}"
        _warn(f"{path}: ignored {count(len(match.unused), 'row')} for {what} ({some(match.unused)}).")
    if without_row:
        _warn(
            f"{path}: {len(without_row)} of the {adata.n_obs} samples of {source} have no row "
            f"({some(without_row)}), so they have no label. Add their rows, or leave these samples out: "
            f"labels: {{missing: drop}}"
        )


def _without_columns_of_obs(found: pd.DataFrame, adata: AnnData, has_row: np.ndarray, path: Path) -> pd.DataFrame:
    """Leave out columns that obs has with the same values; refuse others that it has."""
    clash = [column for column in found if column in adata.obs]
    same = [
        column
        for column in clash
        if (adata.obs[column].astype(str).to_numpy()[has_row] == found[column].to_numpy()[has_row]).all()
    ]
    if other := [column for column in clash if column not in same]:
        raise InputError(f"{path}: obs of the matrix already has {some(other)}. Rename these columns of the table.")
    return found.drop(columns=same)


def _no_sample_found(table: pd.DataFrame, adata: AnnData, path: Path, source: str) -> str:
    """Message for a table without a row for any sample."""
    names = list(table.iloc[:, 0])
    hint = ""
    if set(names) & set(adata.var_names):
        hint = (
            " These are names of columns of the matrix: if it has features in rows, set transpose to true "
            "(matrix: {transpose: true})."
        )
    elif match_names(adata.obs_names, table.columns, SAMPLE_HABITS).given:
        hint = " They are in its header: transpose the table, so that each sample has a row."
    elif set(names) & set(_without_samples(adata)):
        hint = (
            f" They lack the samples ({some(dict.fromkeys(adata.obs['sample']))}): add a column 'sample' with that of "
            "each row."
        )
    elif {_barcode(name) for name in names} & {_barcode(name) for name in adata.obs_names} - {""}:
        hint = (
            " Their barcodes alone would match some, but what is beside them tells the cells of samples apart: write "
            "the names of the table as in the matrix."
        )
    elif set(_without_numbers(names)) & set(_without_numbers(adata.obs_names)):
        hint = (
            " Without the numbers at their ends some would match, but such numbers tell samples apart: write the names "
            "of the table with the same endings as in the matrix."
        )
    elif len(table) == adata.n_obs:
        numbers = " Its first column holds only numbers of rows." if are_row_numbers(names) else ""
        hint = (
            f"{numbers} It has as many rows as the matrix has samples, but rows are never matched by their position: "
            "add a first column with the name of each row's sample."
        )
    return (
        f"{path}: {adata.n_obs} of the {adata.n_obs} samples of {source} have no row ({some(adata.obs_names)}). "
        f"Expected their names in the first column, found {some(names)}.{hint}"
    )


def _without_samples(adata: AnnData) -> list[str]:
    """Names of cells without their samples; none if no column names these."""
    if "sample" not in adata.obs:
        return []
    pairs = zip(adata.obs_names, map(str, adata.obs["sample"]), strict=True)
    names = [name.removesuffix(f"-{sample}") for name, sample in pairs]
    return names + [name.removesuffix("-1") for name in names]


def _barcode(name: str) -> str:
    found = re.search(r"(?<![^\W_])[ACGTN]{8,}(?![^\W_])", name)
    return found[0] if found else ""


def _without_numbers(names: Sequence[str]) -> list[str]:
    return [re.sub(r"[-._]\d+$", "", name) for name in names]


def _warn(text: str) -> None:
    warnings.warn(text, DeepMapperWarning, stacklevel=4)

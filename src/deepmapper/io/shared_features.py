"""Which features of one matrix are which of another: by name, or else by gene id."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.match_names import NameMatch, match_features
from ..errors import DeepMapperWarning
from .assemble import column_index

if TYPE_CHECKING:
    import pandas as pd


def columns_by_name_of(
    first: pd.DataFrame, own: pd.DataFrame, path: Path | str, of: str = "first population"
) -> dict[str, int]:
    """Map features to columns of a matrix, under the names of the first matrix where it has them too.

    Names are matched as in `core.match_names.match_features`. If less than half of them have a partner, gene ids may
    have more: in the names of one matrix and the column ``gene_ids`` of the other.

    Parameters
    ----------
    first, own
        Features of the first matrix and of the matrix itself, by name.
    path
        The matrix itself, for messages.
    of
        What the first matrix is, for messages.

    Warns
    -----
    DeepMapperWarning
        If names that differ were matched.
    """
    names, own_names = list(first.index), list(own.index)
    match = match_features(names, own_names)
    name_of = {given: name for name, given in match.given.items()}
    text = match.describe("feature")
    if 2 * len(match.given) < min(len(names), len(own_names)):
        one, other, by_id = _match_by_id(first, own)
        if len(by_id.given) > len(match.given):
            place, own_place = column_index(one), column_index(other)
            name_of = {own_names[own_place[g]]: names[place[id_]] for id_, g in by_id.given.items()}
            text = f"{len(by_id.given)} features matched by gene id, since only {len(match.given)} have the same name"
    if text:
        warnings.warn(f"{path}: {text}. The names of the {of} are used.", DeepMapperWarning, stacklevel=4)
    taken = set(names)
    return {
        name_of.get(name, name): column
        for name, column in column_index(own_names).items()
        if name in name_of or name not in taken
    }


def _match_by_id(first: pd.DataFrame, own: pd.DataFrame) -> tuple[Sequence[str], Sequence[str], NameMatch]:
    """Match the ids of one matrix with the names of the other, whichever matches the most."""
    ids, own_ids = (list(map(str, table["gene_ids"])) if "gene_ids" in table else [] for table in (first, own))
    pairs = [(ids, list(own.index)), (list(first.index), own_ids)]
    matches = [
        (one, other, match_features(one, other))
        for one, other in pairs
        if len(set(one)) == len(one) and len(set(other)) == len(other)
    ]
    return max(matches, key=lambda found: len(found[2].given), default=([], [], match_features([], [])))

"""Target samples, which have no label and are to be named: on the features of a run, in a store of their own.

Passes, controls and everything else that learns or measures read `results/features`, which holds none of them. So new
target samples train nothing again, and cannot leak into anything.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..core.blocks import VStack
from ..core.missing import MISSING_WORDS
from ..core.words import count, some
from ..errors import DeepMapperWarning, InputError
from ..io.align import Aligned, Scale, align, scale_of
from ..io.labels import UNLABELLED as TO_NAME
from ..io.labels import as_categories, encode_labels
from .domain_column import read_domain_column
from .prepare import column_of
from .store import UNLABELLED, Features

# Source of the samples of the matrix itself.
REFERENCE = "reference"


@dataclass(frozen=True, eq=False)
class Target:
    """Target samples of a run.

    Attributes
    ----------
    features
        Their values, a store in which no sample has a label. ``metadata["sources"]`` says of each file how many
        samples it has, and which features it lacks.
    cells
        One row per sample, in the same order: "cell", "source", "domain", "given" (its label in the file, if there is
        one), "depth", "detected".
    scale
        How the reference was normalised.
    domains
        Names of the domains of all samples of the reference's store, then of these samples; None for one that has none
        or is of the test split. None in all if domains were not asked for.
    """

    features: Features
    cells: pd.DataFrame
    scale: Scale
    domains: np.ndarray | None = None


def prepare_target(
    adata: Any,
    reference: Features,
    new: Mapping[str, Any],
    *,
    label_column: str,
    exclude: Sequence[str] = (),
    missing: str = "refuse",
    na_values: Sequence[str] = MISSING_WORDS,
    unlabelled: Sequence[str] = (),
    domain_column: str = "",
) -> Target:
    """Collect the target samples of a run: those of the reference without a label, and all samples of new files.

    Parameters
    ----------
    adata
        Raw values from which `reference` was prepared.
    reference
        Features of the run.
    new
        AnnData or `io.expression.Expression` by the path of their file. All their samples are named, even if they have
        labels, which are kept for comparison.
    label_column, exclude, missing, na_values, unlabelled
        As in `prepare.prepare_features`.
    domain_column
        Column of `obs` with the domain of every sample, such as the study or donor; "" for the name of the file.

    Raises
    ------
    InputError
        If there are no target samples, or a file cannot be used.

    Warns
    -----
    DeepMapperWarning
        If a new file lacks features of the reference, or names of samples are used twice.
    """
    labels = column_of(adata.obs, label_column, "labels.column")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeepMapperWarning)  # `prepare_features` gave these
        codes, _ = encode_labels(labels, list(adata.obs_names), tuple(exclude), missing, na_values, unlabelled)
    own = np.flatnonzero(codes == TO_NAME)
    if not len(own) and not new:
        words = ", ".join(map(repr, unlabelled)) or "none"
        raise InputError(
            f"labels.unlabelled: no sample of column '{label_column}' is to be named (words: {words}; labels.missing: "
            f"{missing}). Check the words, or remove them."
        )
    scale = scale_of(adata, reference.metadata["normalization"], rows_named(adata, reference))
    parts, tables = [], []
    # as a new file without the column, a reference without it is a domain of its own, if a new file has it
    alone = domain_column not in adata.obs and any(domain_column in other.obs for other in new.values())
    if len(own):
        aligned = align(adata, adata.var, scale, "the reference", own)
        parts.append(aligned)
        tables.append(describe_cells(aligned, adata.obs.iloc[own], "", "", "" if alone else domain_column, na_values))
    names = source_names(list(new))
    for path, other in new.items():
        aligned = align(other, adata.var, scale, path)
        parts.append(aligned)
        tables.append(describe_cells(aligned, other.obs, names[path], label_column, domain_column, na_values))
    cells = pd.concat(unique_cells(tables, reference.samples), ignore_index=True)
    sources = [describe_source(part, table, adata.var.index) for part, table in zip(parts, tables, strict=True)]
    for source in sources:
        if source["missing"]:
            warnings.warn(missing_note(source, len(adata.var)), DeepMapperWarning, stacklevel=2)
    n = len(cells)
    values = VStack(tuple(part.values for part in parts), dense=isinstance(reference.X, np.ndarray))
    features = Features(
        values,
        np.full(n, -1, dtype=np.int64),
        reference.classes,
        tuple(map(str, adata.var.index)),
        tuple(cells["cell"]),
        np.full(n, UNLABELLED, dtype=np.uint8),
        metadata={"sources": sources},
    )
    domains = None
    if domain_column:
        own_domains = _domains_of(adata, reference, domain_column, na_values, alone)
        domains = np.concatenate([own_domains, cells["domain"].astype(object).where(cells["domain"].notna(), None)])
    return Target(features, cells, scale, domains)


def _domains_of(adata: Any, reference: Features, column: str, na_values: Sequence[str], alone: bool) -> np.ndarray:
    """Names of the domains of the samples of a store; None outside the development part, as passes see no other."""
    found, rows = np.full(len(reference.samples), None, dtype=object), reference.development
    if alone:
        found[rows] = REFERENCE
        return found
    texts = read_domain_column(column_of(adata.obs, column, "labels.domain"), column, na_values)
    found[rows] = texts[pd.Index(adata.obs_names).get_indexer(reference.names_of(rows))]
    return found


def rows_named(adata: Any, reference: Features) -> np.ndarray:
    """Rows of the development part of a run in its expression matrix, ascending."""
    positions = pd.Index(adata.obs_names).get_indexer(reference.names_of(reference.development))
    if (positions < 0).any():
        raise InputError(
            f"{(positions < 0).sum()} samples of the features are missing from the expression matrix: the two are from "
            "different runs. Run the rule prepare_features again."
        )
    return np.sort(positions)


def missing_note(source: Mapping[str, Any], n_features: int) -> str:
    """Say which features a new file lacks."""
    names = some(source["missing"][:4])
    return (
        f"{source['source']}: {count(len(source['missing']), 'feature')} of {n_features} in the reference are missing "
        f"({names}); {count(source['n_other'], 'other feature')} of the file are not used."
    )


def describe_cells(
    aligned: Aligned,
    obs: pd.DataFrame,
    name: str,
    label_column: str = "",
    domain_column: str = "",
    na_values: Sequence[str] = MISSING_WORDS,
    *,
    alone: bool = False,
) -> pd.DataFrame:
    """Describe the target samples of one file, or of the reference: the columns of cells.tsv.

    Parameters
    ----------
    aligned
        The samples.
    obs
        Their table.
    name
        Name of the file, see `source_names`; "" for the reference, or for a matrix in memory (`alone`).
    label_column, domain_column, na_values
        As in `prepare_target`.
    alone
        Whether there is no reference.
    """
    source = name or ("matrix" if alone else REFERENCE)
    domain: Any = source
    if domain_column and (alone or name):
        known = domain_column in obs
        domain = read_domain_column(obs[domain_column], domain_column, na_values) if known else source
    elif domain_column:
        domain = read_domain_column(column_of(obs, domain_column, "labels.domain"), domain_column, na_values)
    given = as_categories(obs[label_column], na_values).texts if label_column and label_column in obs else None
    columns = {"cell": aligned.names, "source": source, "domain": domain, "given": given}
    return pd.DataFrame({**columns, "depth": aligned.depth, "detected": aligned.detected})


def source_names(paths: Sequence[str]) -> dict[str, str]:
    """Name every file, by its path: its name without what follows the first point, if that is its own.

    To names that several files have, such as those of Cell Ranger, the folders above are added that tell them apart; if
    none do, or the name is that of the reference, a file is called by its whole name.
    """
    parts = {path: [part for part in Path(path).parts[:-1] if part not in ("/", "..")] for path in paths}
    parts = {path: [*folders, Path(path).name.partition(".")[0]] for path, folders in parts.items()}
    found = {}
    for path in paths:
        endings = ((n, parts[path][-n:]) for n in range(1, len(parts[path]) + 1))
        own = ("_".join(end) for n, end in endings if sum(other[-n:] == end for other in parts.values()) == 1)
        found[path] = next((name for name in own if name and name != REFERENCE), Path(path).name)
    return found


def unique_cells(tables: Sequence[pd.DataFrame], others: Sequence[str] = ()) -> list[pd.DataFrame]:
    """Append the name of the file to the names of its samples, if one of them is used elsewhere, too."""
    taken = Counter([*others, *(name for table in tables for name in table["cell"])])
    return [_renamed(table, taken) for table in tables]


def describe_source(aligned: Aligned, cells: pd.DataFrame, features: pd.Index) -> dict[str, Any]:
    """Describe one file: its name, the number of its samples, the names of the features that it lacks.

    If there is something to say about how it was normalised, `units` has the sentence.
    """
    return {
        "source": str(cells["source"].iloc[0]),
        "n_cells": len(cells),
        "n_other": aligned.n_other,
        "missing": [str(features[i]) for i in aligned.missing],
        **({"units": aligned.note} if aligned.note else {}),
    }


def _renamed(cells: pd.DataFrame, taken: Counter) -> pd.DataFrame:
    """Append the name of the file to the names of its samples, if one of them is used elsewhere."""
    stem = cells["source"].iloc[0]
    if stem == REFERENCE or all(taken[name] == 1 for name in cells["cell"]):
        return cells
    warnings.warn(
        f"Samples of {stem} have the names of other samples: '-{stem}' is appended to the names of all its samples.",
        DeepMapperWarning,
        stacklevel=3,
    )
    return cells.assign(cell=cells["cell"] + f"-{stem}")

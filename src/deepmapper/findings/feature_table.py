"""The table of features: every feature by rank, with its statistics."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import accumulate
from ..reads.denovo import is_denovo
from .ranking import Findings

DIRECTIONS = {1: "up", -1: "down", 0: "unclear"}


def feature_table(findings: Findings) -> pd.DataFrame:
    """One row a feature, best first: frequency with its 95 % interval, importance with quartiles, classes, directions.

    Empty, with all its columns, when no pass was accepted.
    """
    order = findings.order()
    frequency = np.array(findings.selection_frequency)[order]
    intervals = np.array([accumulate.wilson_interval(share, findings.n_accepted) for share in frequency]).reshape(-1, 2)
    quartiles = np.array(findings.importance_quartiles or [[], []])
    names = findings.feature_names or [str(i) for i in range(findings.n_features)]
    table = {
        "rank": np.arange(1, len(order) + 1),
        "feature": [names[i] for i in order],
        "selection_frequency": frequency,
        "selection_frequency_low": intervals[:, 0],
        "selection_frequency_high": intervals[:, 1],
        "median_importance": np.array(findings.median_importance)[order],
        "importance_q25": quartiles[0][order],
        "importance_q75": quartiles[1][order],
        "mean_rank": np.array(findings.mean_rank)[order],
    }
    for code, name in enumerate(findings.classes):
        importance = findings.class_importance[code] if findings.class_importance else []
        direction = findings.class_direction[code] if findings.class_direction else []
        table[f"importance[{name}]"] = np.array(importance, dtype=float)[order]
        table[f"direction[{name}]"] = [DIRECTIONS[direction[i]] for i in order]
    table["is_denovo"] = [is_denovo(names[i]) for i in order]
    return pd.DataFrame(table)


def add_chords(table: pd.DataFrame, chord_features: pd.DataFrame, chords: pd.DataFrame) -> pd.DataFrame:
    """Add to a table of features the columns `chord`, `z_chord` and `synergy`.

    Parameters
    ----------
    table
        One row a feature, column `feature`.
    chord_features
        As `chords.feature_table` gives it: `feature`, `chord` (comma-separated, the strongest first) and `z_chord`.
    chords
        As findings/chords.tsv holds them: `chord` and `synergy`, which is that of a feature's first chord.
    """
    of_feature = chord_features.set_index("feature").reindex(table["feature"])
    named = of_feature["chord"].fillna("").astype(str)
    synergy = named.str.split(",").str[0].map(dict(zip(chords["chord"], chords["synergy"], strict=True)))
    added = {"chord": named, "z_chord": of_feature["z_chord"], "synergy": synergy.astype(float)}
    return table.assign(**{name: values.to_numpy() for name, values in added.items()})


def join_by_feature(table: pd.DataFrame, added: pd.DataFrame) -> pd.DataFrame:
    """Add the columns of one table of features to another, by the features' names.

    Parameters
    ----------
    table
        One row per feature, column `feature` among others; its rows and their order stay.
    added
        One row per feature, in any order, column `feature` among others; features that it lacks get no value.
    """
    columns = added.set_index("feature").reindex(table["feature"])
    return pd.concat([table, columns.set_index(table.index)], axis=1)


def rank_by_significance(table: pd.DataFrame) -> pd.DataFrame:
    """Put significant features first, then sort by falling `z`; ties keep their order, and `rank` counts anew.

    A table without a column `z`, as there is without shadow passes, keeps its order.

    Parameters
    ----------
    table
        One row per feature, columns `rank` and `feature` and, where features were tested, `z` and `significant`.
    """
    if "z" not in table or not len(table):
        return table
    order = np.lexsort((-table["z"].to_numpy(), ~table["significant"].to_numpy(dtype=bool)))
    table = table.iloc[order].reset_index(drop=True)
    table["rank"] = np.arange(1, len(table) + 1)
    return table

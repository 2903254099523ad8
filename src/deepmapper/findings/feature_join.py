"""The ranking of a model joined with all other findings on its features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..core.words import count

# Parts of a model's summary that other rules compute; each contributes its statement.
JOINED = ("convergence", "significance", "stability", "differential", "evidence")


@dataclass(frozen=True)
class JoinedFindings:
    """All findings on the features of one model, and its summary.

    Attributes
    ----------
    features
        One row per feature, in the order of the list to report.
    summary
        Summary of the passes, with the statements of everything that was joined.
    """

    features: pd.DataFrame
    summary: dict

    @property
    def lines(self) -> list[str]:
        """The statements, one per line."""
        return [self.summary["statement"], *(self.summary[name] for name in JOINED)]


def join_findings(
    ranking: pd.DataFrame,
    summary: Mapping,
    *,
    significance: pd.DataFrame,
    stability: pd.DataFrame,
    differential: pd.DataFrame,
    evidence: pd.DataFrame,
    audit: pd.DataFrame,
    chord_features: pd.DataFrame,
    chords: pd.DataFrame,
    recommended: pd.DataFrame,
    summaries: Mapping[str, Mapping],
) -> JoinedFindings:
    """Join the ranking of a model with all other findings on its features.

    Parameters
    ----------
    ranking, summary
        Ranking and summary of `ModelFindings`.
    significance, stability, differential, evidence, audit
        Tables with one row per feature, in any order.
    chord_features, chords
        Tables of chords, see `add_chords`.
    recommended
        Contents of recommended.tsv, whose order the table gets.
    summaries
        For each name in `JOINED` a summary, whose `statement` goes into the summary of the model.
    """
    table = add_chords(ranking, chord_features, chords)
    for added in (significance, stability, differential, evidence, audit):
        table = join_by_feature(table, added)
    joined = order_as_recommended(rank_by_significance(table), recommended)
    statements = {name: summaries[name]["statement"] for name in JOINED}
    statements["stability"] += stability_of_list(joined, summaries["stability"])
    return JoinedFindings(joined, {**summary, **statements})


def stability_of_list(table: pd.DataFrame, stability: Mapping) -> str:
    """Say how many of the features to report, or else of the first of the list, are stable; "" if that is unknown.

    Parameters
    ----------
    table
        Contents of features.tsv, in the order of the list.
    stability
        Contents of stability.json.
    """
    if "threshold" not in stability or not len(table):
        return ""
    n_reported = int(table["reported"].sum())
    n = n_reported or min(stability["q"], len(table))
    n_stable = int((table["stability"].head(n) >= stability["threshold"] - 1e-9).sum())
    if n_reported:
        return f" Of the {count(n, 'feature')} to report, {n_stable} {'is' if n_stable == 1 else 'are'} among them."
    return f" Of the first {count(n, 'feature')} of the list, {n_stable} {'is' if n_stable == 1 else 'are'} among them."


def add_chords(table: pd.DataFrame, chord_features: pd.DataFrame, chords: pd.DataFrame) -> pd.DataFrame:
    """Add to a table of features the columns `chord`, `z_chord` and `synergy`.

    Parameters
    ----------
    table
        One row per feature, column `feature`.
    chord_features
        One row per feature: `feature`, `chord` (names separated by commas, the strongest first) and `z_chord`.
    chords
        Contents of findings/chords.tsv: `chord` and `synergy`. A feature gets the synergy of its first chord.
    """
    by_feature = chord_features.set_index("feature").reindex(table["feature"])
    names = by_feature["chord"].fillna("").astype(str)
    synergy = names.str.split(",").str[0].map(dict(zip(chords["chord"], chords["synergy"], strict=True)))
    added = {"chord": names, "z_chord": by_feature["z_chord"], "synergy": synergy.astype(float)}
    return table.assign(**{name: values.to_numpy() for name, values in added.items()})


def join_by_feature(table: pd.DataFrame, added: pd.DataFrame) -> pd.DataFrame:
    """Add the columns of one table of features to another, matched by feature name.

    Parameters
    ----------
    table
        One row per feature, column `feature` among others; its rows keep their order.
    added
        One row per feature, in any order, column `feature` among others; features missing here get no value.
    """
    columns = added.set_index("feature").reindex(table["feature"])
    return pd.concat([table, columns.set_index(table.index)], axis=1)


def rank_by_significance(table: pd.DataFrame) -> pd.DataFrame:
    """Sort significant features first, then by descending `z`; ties keep their order, and `rank` is renumbered.

    Without shadow passes there is no column `z`, and the table keeps its order.

    Parameters
    ----------
    table
        One row per feature; columns `rank` and `feature` and, if features were tested, `z` and `significant`.
    """
    if "z" not in table or not len(table):
        return table
    order = np.lexsort((-table["z"].to_numpy(), ~table["significant"].to_numpy(dtype=bool)))
    table = table.iloc[order].reset_index(drop=True)
    table["rank"] = np.arange(1, len(table) + 1)
    return table


def order_as_recommended(table: pd.DataFrame, recommended: pd.DataFrame) -> pd.DataFrame:
    """Sort the features of a model as in recommended.tsv.

    Parameters
    ----------
    table
        One row per feature; columns `rank` and `feature` among others.
    recommended
        Contents of recommended.tsv: `rank`, `feature` and `reported` among others.

    Returns
    -------
    pandas.DataFrame
        `rank` is that of recommended.tsv, `model_rank` is the former `rank`; `reported` is added after the name.
    """
    listed = recommended.set_index("feature").reindex(table["feature"])
    added = {"rank": listed["rank"], "reported": listed["reported"], "model_rank": table["rank"]}
    table = table.assign(**{name: values.to_numpy() for name, values in added.items()})
    first = ["rank", "feature", "reported", "model_rank"]
    table = table[[*first, *(name for name in table if name not in first)]]
    return table.sort_values("rank", kind="stable").reset_index(drop=True)

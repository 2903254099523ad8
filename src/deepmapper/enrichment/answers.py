"""What is tested for enrichment: the lists that a run reports, and its rankings of all tested features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pandas as pd

# Names of the two single-feature answers in the column `of`; the answers of a model go by its name.
MARKERS, DIFFERENTIAL = "markers", "differential"

_COMPARISON = ["within", "class", "versus"]


@dataclass(frozen=True)
class Answer:
    """One list or ranking of features.

    Attributes
    ----------
    of
        `MARKERS`, `DIFFERENTIAL` or the name of a model.
    within, class_, versus
        The comparison; empty for a model, whose answer is about all classes.
    """

    of: str
    within: str = ""
    class_: str = ""
    versus: str = ""


@dataclass(frozen=True)
class Reported(Answer):
    """A list of features.

    Attributes
    ----------
    features
        The list, the best first.
    tested
        All features that could have been in it.
    """

    features: tuple[str, ...] = ()
    tested: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Ranking(Answer):
    """Scores of all tested features.

    Attributes
    ----------
    scores
        By feature; the highest is the strongest.
    signed
        Whether both ends count: above 0 features are higher in the class, below 0 lower.
    """

    scores: pd.Series = field(default_factory=lambda: pd.Series(dtype=float))
    signed: bool = False


def reported_lists(
    differential: pd.DataFrame, markers: pd.DataFrame, models: Mapping[str, pd.DataFrame]
) -> list[Reported]:
    """The lists of a run: the markers of every class, and the significant features of every model.

    Parameters
    ----------
    differential, markers
        Contents of differential.tsv and markers.tsv.
    models
        Contents of features.tsv by model.
    """
    lists = []
    listed = {key: tuple(rows["feature"]) for key, rows in _comparisons(markers)}
    for (within, name, versus), rows in _comparisons(differential[differential["p"].notna()]):
        tested = tuple(rows["feature"])
        # of two classes, and against a reference, one test gives the markers of both sides
        for key in ((within, name, versus), (within, versus, name)):
            lists.append(Reported(MARKERS, *key, listed.get(key, ()), tested))
    for model, table in models.items():
        if "significant" in table:
            known = table[table["p"].notna()]
            found = tuple(known.loc[known["significant"].astype(bool), "feature"])
            lists.append(Reported(model, features=found, tested=tuple(known["feature"])))
    return [own for own in lists if own.features]


def rankings(differential: pd.DataFrame, models: Mapping[str, pd.DataFrame]) -> list[Ranking]:
    """The rankings of a run: every comparison by its statistic, and every model by z or, without it, by importance.

    Parameters
    ----------
    differential, models
        As for `reported_lists`.
    """
    found = []
    for (within, name, versus), rows in _comparisons(differential[differential["p"].notna()]):
        scores = rows.set_index("feature")["statistic"]
        found.append(Ranking(DIFFERENTIAL, within, name, versus, scores, signed=True))
    for model, table in models.items():
        known = table[table["p"].notna()] if "z" in table else table
        scores = known.set_index("feature")["z" if "z" in table else "median_importance"].dropna()
        if len(scores):
            found.append(Ranking(model, scores=scores))
    return found


def _comparisons(table: pd.DataFrame) -> Iterator[tuple[tuple[str, str, str], pd.DataFrame]]:
    """Rows of each comparison with its level, class and what it is compared with, in the order of the table."""
    named = table.assign(within=table["within"].fillna("").astype(str))
    for (within, name, versus), rows in named.groupby(_COMPARISON, sort=False):
        yield (str(within), str(name), str(versus)), rows

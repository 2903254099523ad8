"""What is tested for enrichment: the list that a run reports, and its rankings of all tested features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pandas as pd

# Names in the column `of`: the list to report, and every feature tested alone; the rankings of a model go by its name.
RECOMMENDED, DIFFERENTIAL = "recommended", "differential"

_COMPARISON = ["within", "class", "versus"]


@dataclass(frozen=True)
class Answer:
    """One list or ranking of features.

    Attributes
    ----------
    of
        `RECOMMENDED`, `DIFFERENTIAL` or the name of a model.
    within, class_, versus
        The comparison; empty for the whole list and for a model, whose answer is about all classes. The part of the
        list that is higher in a class has the class alone.
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


def reported_lists(recommended: pd.DataFrame) -> list[Reported]:
    """The list to report, and of every class the part of it that is higher in this class.

    Parameters
    ----------
    recommended
        Contents of recommended.tsv. Features without a q-value were not tested, so they could not be in the list.
    """
    tested = tuple(recommended.loc[recommended["q"].notna(), "feature"])
    listed = recommended[recommended["reported"].astype(bool)]
    parts = [("", listed)]
    parts += [(str(name), rows) for name, rows in listed.groupby(listed["higher_in"].fillna("")) if name]
    return [
        Reported(RECOMMENDED, class_=name, features=tuple(rows["feature"]), tested=tested)
        for name, rows in parts
        if len(rows)
    ]


def rankings(differential: pd.DataFrame, models: Mapping[str, pd.DataFrame]) -> list[Ranking]:
    """The rankings of a run: every comparison by its statistic, and every model by z or, without it, by importance.

    Parameters
    ----------
    differential
        Contents of differential.tsv.
    models
        Contents of features.tsv by model.
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

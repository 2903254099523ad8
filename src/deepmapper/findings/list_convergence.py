"""How many passes are enough for the list to report: the share of its first features that other passes would list.

The order of the list is the mean of the networks' place of a feature and of parts that are the same with any passes
(`recommended`). So passes move it less than the order of any one model. `ListPasses` makes the same order from some of
the passes, and `convergence.assess_convergence` divides the passes and extrapolates as it does for a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..core.draws import FixedDraw, fixed_stream
from ..core.table_schemas import LIST_CONVERGENCE
from .convergence import assess_convergence

# Agreement from which on the list counts as stable; the default of `passes.auto.level`.
STABLE = 0.8

# Features, the first of the list, that may enter its first places if there are fewer passes; chosen by hand.
_CANDIDATES = 2000

# Random divisions (`convergence.EFFORT`), fewer than for a model, since each orders all features anew.
_EFFORT = 40, 8, 10


@dataclass(frozen=True, eq=False)
class ListPasses:
    """The order of the list by some of the passes, as `convergence.Ordered`.

    Attributes
    ----------
    scores
        Of every model whose networks are part of the order (passes, p): their mean over any passes, by its absolute
        value, orders the features (`pass_scores`, or importances without shadow passes).
    parts
        For every model, which passes make a unit: passes are drawn by units, of which every model has as many.
    others
        (p,) sum of the parts of the score that do not depend on passes.
    n_parts
        Number of all parts of the score.
    candidates
        (c,) features that may be among the first.
    k
        Number of first features.
    """

    scores: tuple[np.ndarray, ...]
    parts: tuple[tuple[np.ndarray, ...], ...]
    others: np.ndarray
    n_parts: int
    candidates: np.ndarray
    k: int
    effort: tuple[int, int, int] = _EFFORT

    @property
    def n_features(self) -> int:
        """Number of all features."""
        return len(self.others)

    @property
    def n_run(self) -> int:
        """Number of units."""
        return len(self)

    @property
    def subject(self) -> str:
        """What the statement is about."""
        return f"The first {self.k} features of the list are" if self.k > 1 else "The first feature of the list is"

    def __len__(self) -> int:
        """Units of passes."""
        return len(self.parts[0])

    def top(self, passes: np.ndarray) -> np.ndarray:
        """(c,) which candidates are the first k of the list if it is made of some units of passes."""
        networks = np.mean([self._placed(i, passes) for i in range(len(self.scores))], axis=0)
        score = (networks + self.others[self.candidates]) / self.n_parts
        first = np.zeros(len(score), dtype=bool)
        first[np.argsort(-score, kind="stable")[: self.k]] = True
        return first

    def _placed(self, model: int, passes: np.ndarray) -> np.ndarray:
        """Normal scores of the candidates by some passes of a model."""
        from scipy.special import ndtri

        scores = self.scores[model]
        drawn = np.zeros(len(scores), dtype=scores.dtype)
        drawn[np.concatenate([self.parts[model][i] for i in passes])] = 1
        size = np.abs(drawn @ scores)
        in_order, own = np.sort(size), size[self.candidates]
        below = np.searchsorted(in_order, own, "left") + np.searchsorted(in_order, own, "right")
        return ndtri(below / 2 / len(size))


def assess_list(
    table: pd.DataFrame,
    names: Sequence[str],
    scores: Mapping[str, np.ndarray],
    parts: Mapping[str, np.ndarray],
    top_k: int,
) -> tuple[pd.DataFrame, dict]:
    """Measure how well passes agree on the first features of the list, and from how many on.

    Parameters
    ----------
    table
        Contents of recommended.tsv: `feature` and `score`.
    names
        Names of all features, in the order of the matrix.
    scores
        (passes, p) scores of every model that is part of the order, by its name.
    parts
        The parts of the order (`recommended.Recommendation.parts`), each (p,); "networks" is replaced.
    top_k
        Number of first features.

    Returns
    -------
    tuple
        Contents of list_convergence.tsv, and a summary as in convergence.json.
    """
    known = [rows for rows in scores.values() if len(rows)]
    if "networks" not in parts or not known:
        statement = "No networks are part of the order of the list, so it is the same with any passes."
        return pd.DataFrame(columns=LIST_CONVERGENCE.names()), {"statement": statement}
    rng = fixed_stream(FixedDraw.LIST_PASSES)
    n = min(len(rows) for rows in known)
    units = tuple(tuple(np.array_split(rng.permutation(len(rows)), n)) for rows in known)
    others = np.sum([values for name, values in parts.items() if name != "networks"], axis=0) + np.zeros(len(names))
    by_score = table.sort_values("score", ascending=False, kind="stable")["feature"]
    place = pd.Index(names)
    candidates = np.sort(place.get_indexer(by_score.head(_CANDIDATES)))
    passes = ListPasses(tuple(known), units, others, len(parts), candidates, min(top_k, len(names)))
    found = assess_convergence(passes, STABLE)
    several = f" of each of {len(known)} models" if len(known) > 1 else ""
    counted = f" Counted are all passes{several}, those with shadow features among them."
    return found.curve, found.summary | {"statement": found.summary["statement"] + counted}

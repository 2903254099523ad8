"""How many passes are enough: whether as many again would name the same top features.

Passes are divided at random into disjoint sets of m. Each set is ranked as `runner.Findings.order` ranks (selection
frequency, then median importance, then input order), and the share of the top k that two sets have in common is their
agreement. It can be seen for m up to half of the passes. Beyond, its logit is taken to go on as a line in log m: the
prophecy formula of Spearman (1910) and Brown (1910), whose line has the slope 1, with the slope that the passes show.

The error of all this is read off the passes as well. Two halves of them are judged each by itself, at the same sizes in
proportion, and what one half errs by, the whole is taken to err by. It does not err less: with more passes ever fewer
features are left whose place is open, and each of them counts the same as before. That is the error from passes, on the
samples at hand; what other samples would show is another question.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..accumulate import accept_pass
from ..core.draws import FixedDraw, fixed_stream
from ..errors import InputError
from ..passes.result import read_importance
from .growth import account, floor2

# Accepted passes from which on more is said than what was seen: each half of them is then judged at two sizes.
MIN_PASSES = 8

# Random divisions into disjoint sets, of all passes and of a half of them; random halvings.
DRAWS, DRAWS_OF_HALF, HALVINGS = 200, 40, 20

# Sizes at which agreement is measured, and the share of the largest from which on they fix the line.
SIZES, FITTED = 12, 0.25

# Sizes for which it is expected, and times the accepted passes up to which the line is followed.
SIZES_BEYOND, REACH = 40, 10

Z = 1.96

OBSERVED, EXPECTED = "observed", "expected"


@dataclass(frozen=True)
class TopSets:
    """What agreement needs to know of the accepted passes: of each its top k, and what it says of the others' top k.

    Only features that some pass has in its top k can come among the top k of several passes, so no other is kept.

    Attributes
    ----------
    tops
        (n, k) columns of `importance` that each pass selects.
    importance
        (n, number of features that any pass selects) float32, columns in input order.
    n_features
        All features.
    n_run
        Passes trained, accepted or not.
    """

    tops: np.ndarray
    importance: np.ndarray
    n_features: int
    n_run: int

    @property
    def k(self) -> int:
        """Size of a top."""
        return self.tops.shape[1]

    def __len__(self) -> int:
        """Accepted passes."""
        return len(self.tops)

    def top(self, passes: np.ndarray) -> np.ndarray:
        """Mark the columns that are the top k of some passes together: frequency, median importance, input order."""
        n = self.importance.shape[1]
        count = np.bincount(self.tops[passes].ravel(), minlength=n)
        least = np.partition(count, n - self.k)[n - self.k]
        chosen, tied = count > least, np.flatnonzero(count == least)
        places = self.k - np.count_nonzero(chosen)
        if places < len(tied):
            middle = (len(passes) - 1) // 2, len(passes) // 2
            values = np.partition(self.importance[passes[:, None], tied], middle, axis=0)[[*middle]]
            twice_the_median = values[0].astype(np.float64) + values[1]
            tied = tied[np.argsort(-twice_the_median, kind="stable")[:places]]
        chosen[tied] = True
        return chosen


@dataclass(frozen=True)
class Convergence:
    """How well passes agree.

    Attributes
    ----------
    curve
        One row a size: `m` passes; `mean` agreement of two sets of so many, with its 95 % interval `low` to `high` (NaN
        where passes are too few to tell); `kind`, "observed" up to half of the accepted passes, else "expected".
    about
        For JSON: `statement`, one sentence; `level`; `estimate`, the passes from which on the top k is stable at
        `level`, with `low` and `high` (None: beyond `reach` passes, or passes too few to tell); `agreement` expected of
        as many passes again as were accepted, with `agreement_low` and `agreement_high`; `reached`, whether that is
        `level` (None: passes too few to tell); `top_k`, `n_passes_run`, `n_accepted`; `growth` where `judge` has a cap.
    """

    curve: pd.DataFrame
    about: dict


def read_top_sets(paths: Sequence[str | Path], top_k: int, min_accuracy: float) -> TopSets:
    """Read what agreement needs from the files of passes, one at a time.

    Parameters
    ----------
    paths
        What `pass_result.PassResult.save` wrote.
    top_k
        Head of each pass's ranking that counts as selected.
    min_accuracy
        Passes below are left out.

    Raises
    ------
    InputError
        If there is no path, or a file is not a complete pass.
    """
    if not paths:
        raise InputError("there is no pass to judge: expected at least one")
    accepted = [path for path in paths if accept_pass(read_importance(path)[0], min_accuracy)]
    n_features = len(read_importance(paths[0])[1])
    return _top_sets(lambda i: read_importance(accepted[i])[1], len(accepted), n_features, top_k, len(paths))


def make_top_sets(importances: np.ndarray, top_k: int) -> TopSets:
    """Take the same from importances at hand, (n accepted passes, p)."""
    n, p = importances.shape
    return _top_sets(lambda i: importances[i], n, p, top_k, n)


def assess_convergence(heads: TopSets, level: float, cap: int | None = None) -> Convergence:
    """Measure how well passes agree, and tell from how many on they agree at `level`.

    The same passes give the same answer: the random divisions have a seed of their own.

    Parameters
    ----------
    heads
        Of the accepted passes.
    level
        Agreement that counts as stable, in (0, 1).
    cap
        Most passes, where their number grows by itself; then `about` also says where it stopped (`growth`), and so does
        the statement.
    """
    judged = _judge(heads, level)
    if cap is None:
        return judged
    growth = account(judged.about, cap, level)
    return replace(
        judged, about=judged.about | {"growth": growth, "statement": f"{growth} {judged.about['statement']}"}
    )


def _judge(heads: TopSets, level: float) -> Convergence:
    curve = _curve(heads)
    about = {"statement": "", "level": level, "reach": REACH * len(heads), **_at_hand(heads, curve)}
    if len(heads) < MIN_PASSES:
        about |= {"statement": _too_few(heads), **dict.fromkeys(("estimate", "low", "high", "reached"))}
        return Convergence(curve, about)
    about["estimate"] = _crossing(curve["m"], curve["mean"].to_numpy(), level)
    for end, bound in (("low", "high"), ("high", "low")):
        # the bounds part from one another again far out: what counts is where they first reach the level
        about[end] = _crossing(curve["m"], np.maximum.accumulate(curve[bound].to_numpy()), level)
    about["reached"] = about["agreement"] >= level
    about["statement"] = _all_selected(heads) if heads.k == heads.n_features else _statement(about, curve.iloc[-1])
    return Convergence(curve, about)


def agreement(heads: TopSets) -> dict:
    """Agreement expected of as many passes again: what `judge` says of it, which hangs on no level.

    Keys: `n_passes_run`, `n_accepted`, `top_k`, `agreement`, `agreement_low`, `agreement_high`.
    """
    return _at_hand(heads, _curve(heads))


def _top_sets(importance_of: Callable[[int], np.ndarray], n: int, n_features: int, top_k: int, n_run: int) -> TopSets:
    k = min(top_k, n_features)
    tops = np.array([_top_of_one(importance_of(i), k) for i in range(n)], dtype=np.int64).reshape(n, k)
    kept, columns = np.unique(tops, return_inverse=True)
    importance = np.empty((n, len(kept)), dtype=np.float32)
    for i in range(n):
        importance[i] = importance_of(i)[kept]
    return TopSets(columns.reshape(n, k), importance, n_features, n_run)


def _top_of_one(importance: np.ndarray, k: int) -> np.ndarray:
    """Features of the k highest importances; of equal ones at the end those that come first."""
    least = np.partition(importance, len(importance) - k)[len(importance) - k]
    above = np.flatnonzero(importance > least)
    return np.concatenate([above, np.flatnonzero(importance == least)[: k - len(above)]])


def _sizes(largest: int) -> np.ndarray:
    """Sizes from 1 to `largest`, evenly spaced as their logarithms are."""
    return np.unique(np.round(np.geomspace(1, largest, SIZES)).astype(int)) if largest else np.empty(0, dtype=int)


def _agreement(
    heads: TopSets, passes: np.ndarray, sizes: np.ndarray, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Mean share of the top k that two disjoint random sets of `passes` have in common, for every size of the sets."""
    shared = np.zeros(len(sizes))
    for _ in range(draws):
        mixed = rng.permutation(passes)
        shared += [(heads.top(mixed[:m]) & heads.top(mixed[m : 2 * m])).sum() for m in sizes]
    return shared / (draws * heads.k)


@dataclass(frozen=True)
class _Course:
    """How agreement goes on with the number of passes: as seen up to the largest size, then along a line.

    Attributes
    ----------
    sizes, seen
        Sizes of the sets, and the logit of their mean agreement.
    slope
        Of the logit in log m, through the larger sizes; never below 0, for more passes cannot agree less.
    height
        Of that line at the largest size.
    """

    sizes: np.ndarray
    seen: np.ndarray
    slope: float
    height: float

    def at(self, m: np.ndarray) -> np.ndarray:
        """Logit of the agreement of two sets of `m` passes, which need not be whole."""
        beyond = self.height + self.slope * np.log(m / self.sizes[-1])
        return np.where(m <= self.sizes[-1], np.interp(np.log(m), np.log(self.sizes), self.seen), beyond)


def _course(heads: TopSets, passes: np.ndarray, draws: int, rng: np.random.Generator) -> _Course:
    """Measure agreement among some passes, and lay the line through it."""
    sizes = _sizes(len(passes) // 2)
    margin = 0.5 / (draws * heads.k)  # half of what one feature in one division counts: no logit is infinite
    mean = np.clip(_agreement(heads, passes, sizes, draws, rng), margin, 1 - margin)
    seen = np.log(mean / (1 - mean))
    fitted = slice(min(int(np.searchsorted(sizes, FITTED * sizes[-1])), len(sizes) - 2), None)
    x, y = np.log(sizes[fitted] / sizes[-1]), seen[fitted]
    slope = max(0.0, float(np.polyfit(x, y, 1)[0]))
    return _Course(sizes, seen, slope, float((y - slope * x).mean()))


def _curve(heads: TopSets) -> pd.DataFrame:
    """What was seen and, of passes enough, what is expected up to `REACH` times as many, with intervals."""
    n, rng = len(heads), fixed_stream(FixedDraw.CONVERGENCE)
    largest = n // 2
    if n < MIN_PASSES:
        sizes = _sizes(largest)
        mean = _agreement(heads, np.arange(n), sizes, DRAWS, rng)
        return pd.DataFrame({"m": sizes, "mean": mean, "low": np.nan, "high": np.nan, "kind": OBSERVED})
    course = _course(heads, np.arange(n), DRAWS, rng)
    beyond = np.unique(np.round(np.geomspace(largest, REACH * n, SIZES_BEYOND)).astype(int))
    m = np.concatenate([course.sizes, np.union1d(beyond[beyond > largest], [n])])
    differences = []
    for _ in range(HALVINGS):
        mixed = rng.permutation(n)
        halves = mixed[:largest], mixed[largest : 2 * largest]
        one, other = (_course(heads, half, DRAWS_OF_HALF, rng).at(m / 2) for half in halves)
        differences.append(one - other)
    error = np.sqrt(np.mean(np.square(differences), axis=0) / 2)  # two halves differ with twice the variance of one
    logit = course.at(m)
    return pd.DataFrame(
        {
            "m": m,
            "mean": _share(logit),
            "low": _share(logit - Z * error),
            "high": _share(logit + Z * error),
            "kind": np.where(m <= largest, OBSERVED, EXPECTED),
        }
    )


def _at_hand(heads: TopSets, curve: pd.DataFrame) -> dict:
    """Agreement expected of two sets of as many passes as were accepted."""
    about = {"n_passes_run": heads.n_run, "n_accepted": len(heads), "top_k": heads.k}
    here = curve[(curve["m"] == len(heads)) & (curve["kind"] == EXPECTED)]
    columns = {"agreement": "mean", "agreement_low": "low", "agreement_high": "high"}
    return about | {key: float(here[column].iloc[0]) if len(here) else None for key, column in columns.items()}


def _share(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logit))


def _crossing(m: pd.Series, values: np.ndarray, level: float) -> int | None:
    """Number of passes from which on a curve stays at `level`, between two sizes on a line in log m; None if beyond."""
    below = np.flatnonzero(values < level)
    first = below[-1] + 1 if len(below) else 0
    if first == len(values):
        return None
    if first == 0:
        return int(m.iloc[0])
    x, y = np.log(m.to_numpy(dtype=float)[first - 1 : first + 1]), values[first - 1 : first + 1]
    return math.ceil(np.exp(np.interp(level, y, x)) - 1e-9)


def _statement(about: dict, last: pd.Series) -> str:
    k, level, n, run, reach = (about[key] for key in ("top_k", "level", "n_accepted", "n_passes_run", "reach"))
    ran = f"you ran {run}" + ("" if run == n else f", of which {n} were accepted")
    share, low, high = (about[key] for key in ("agreement", "agreement_low", "agreement_high"))
    again = f"as many again would share {share:.2f} of it ({low:.2f} to {high:.2f})"
    if about["estimate"] is None:
        return (
            f"The top {k} is not expected to be stable at {level:g} within {reach} passes, where "
            f"{floor2(last['mean'])} is expected and at most {last['high']:.2f}; {ran}, and {again}."
        )
    least = about["low"]
    most = f"more than {reach}" if about["high"] is None else about["high"]
    return (
        f"The top {k} is stable at {level:g} from about {about['estimate']} pass"
        f"{'' if about['estimate'] == 1 else 'es'} ({least} to {most}); "
        f"{ran}, and {again}."
    )


def _too_few(heads: TopSets) -> str:
    if not len(heads):
        return "No pass was accepted: there is no ranking that could be stable."
    count = f"{len(heads)} accepted pass" + ("es are" if len(heads) > 1 else " is")
    return f"{count} too few to tell how stable the top {heads.k} is: expected at least {MIN_PASSES}."


def _all_selected(heads: TopSets) -> str:
    return (
        f"Every pass selects all {heads.n_features} features: the top {heads.k} cannot change, and that it is stable "
        f"says nothing. Set `top_k` below the number of features."
    )

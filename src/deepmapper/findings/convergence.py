"""How many passes are enough: whether another set of as many passes would find the same top features.

Passes are divided at random into disjoint sets of m. Each set is ranked in the same way as `ranking.Findings.order`
(selection frequency, then median importance, then input order). The agreement of two sets is the share of the top k
that they have in common. It can be observed for m up to half of the passes. For larger m, the logit of the agreement is
extrapolated as a line in log m. This is the prophecy formula of Spearman (1910) and Brown (1910), in which the line has
the slope 1; here the slope is fitted to the passes.

The error of the extrapolation is estimated from the passes as well: two halves of them are assessed separately, at
proportional sizes, and the error of one half is taken as the error of all passes. The error does not shrink as that of
a mean does: with more passes, fewer features compete for the last places of the top k, but each counts as much as
before. All this concerns the randomness of passes on the samples at hand; how the features would differ on other
samples is a different question. `TopSets` gives the order of one model; `list_convergence` does the same for the list
to report.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from ..accumulate import accept_pass
from ..core.draws import FixedDraw, fixed_stream
from ..errors import InputError
from ..passes.result import read_importance
from .growth import floor2, growth_statement

# Accepted passes needed for an extrapolation: each half of them is then assessed at two sizes, which fix a line.
MIN_PASSES = 8

# Random divisions into disjoint sets, of all passes and of one half of them; random halvings. Chosen by hand.
EFFORT = 200, 40, 20

# Number of sizes at which agreement is observed, and the fraction of the largest size from which the line is fitted.
SIZES, FITTED = 12, 0.25

# Number of sizes at which agreement is extrapolated, up to `REACH` times the number of accepted passes.
SIZES_BEYOND, REACH = 40, 10

Z = 1.96  # half width of a 95 % interval, in standard errors

OBSERVED, EXPECTED = "observed", "expected"


class Ordered(Protocol):
    """Passes that order features: what the top k are of some of them together.

    `subject` begins the statement, as in "The model's own top 20 features are"; `effort` is as `EFFORT`.
    """

    @property
    def n_features(self) -> int:
        """Number of all features."""

    @property
    def n_run(self) -> int:
        """Passes trained, accepted or not."""

    @property
    def effort(self) -> tuple[int, int, int]:
        """Numbers of random divisions, as `EFFORT`."""

    @property
    def k(self) -> int:
        """Number of first features."""

    @property
    def subject(self) -> str:
        """What the statement is about."""

    def __len__(self) -> int:
        """Accepted passes."""

    def top(self, passes: np.ndarray) -> np.ndarray:
        """Mark the first k features by several passes together."""


@dataclass(frozen=True)
class TopSets:
    """The top k features of every accepted pass, and the importance of these features in all passes.

    A feature that is in no pass's top k cannot be in the top k of several passes together, so no other is kept.

    Attributes
    ----------
    tops
        (n, k) columns of `importance` that each pass selects.
    importance
        (n, number of features that any pass selects) float32, columns in input order.
    n_features
        Number of all features.
    n_run
        Passes trained, accepted or not.
    effort
        Numbers of random divisions, as `EFFORT`.
    """

    tops: np.ndarray
    importance: np.ndarray
    n_features: int
    n_run: int
    effort: tuple[int, int, int] = EFFORT

    @property
    def k(self) -> int:
        """Number of features in a top set."""
        return self.tops.shape[1]

    @property
    def subject(self) -> str:
        """What the statement is about."""
        return f"The model's own top {self.k} features are" if self.k > 1 else "The model's own top feature is"

    def __len__(self) -> int:
        """Accepted passes."""
        return len(self.tops)

    def top(self, passes: np.ndarray) -> np.ndarray:
        """Mark the columns in the top k of several passes together: by frequency, median importance, input order."""
        n = self.importance.shape[1]
        count = np.bincount(self.tops[passes].ravel(), minlength=n)
        threshold = np.partition(count, n - self.k)[n - self.k]
        selected, tied = count > threshold, np.flatnonzero(count == threshold)
        n_places = self.k - np.count_nonzero(selected)
        if n_places < len(tied):
            middle = (len(passes) - 1) // 2, len(passes) // 2
            values = np.partition(self.importance[passes[:, None], tied], middle, axis=0)[[*middle]]
            twice_the_median = values[0].astype(np.float64) + values[1]
            tied = tied[np.argsort(-twice_the_median, kind="stable")[:n_places]]
        selected[tied] = True
        return selected


@dataclass(frozen=True)
class Convergence:
    """How well passes agree on the top features.

    Attributes
    ----------
    curve
        One row per size: `m` passes; `mean` agreement of two sets of m passes, with its 95 % interval `low` to `high`
        (NaN if there are too few passes); `kind`, "observed" up to half of the accepted passes, else "expected".
    summary
        Contents of convergence.json: `statement`, in words; `level`; `estimate`, the number of passes from which the
        top k is stable at `level`, with `low` and `high` (None: beyond `reach` passes, or too few passes to estimate);
        `agreement` expected with the same number of passes again, with `agreement_low` and `agreement_high`;
        `reached`, whether this is at least `level` (None: too few passes); `top_k`, `n_passes_run`, `n_accepted`; and
        `growth` if the number of passes has a cap.
    """

    curve: pd.DataFrame
    summary: dict


def read_top_sets(paths: Sequence[str | Path], top_k: int, min_accuracy: float) -> TopSets:
    """Read the top sets of passes from their files, one file at a time.

    Parameters
    ----------
    paths
        Files of passes (`PassResult.save`).
    top_k
        Number of features that each pass selects: the first of its ranking.
    min_accuracy
        Passes with a lower accuracy are left out.

    Raises
    ------
    InputError
        If there is no path, or a file does not hold a complete pass.
    """
    if not paths:
        raise InputError("there are no passes: expected at least one")
    accepted = [path for path in paths if accept_pass(read_importance(path)[0], min_accuracy)]
    n_features = len(read_importance(paths[0])[1])
    return _top_sets(lambda i: read_importance(accepted[i])[1], len(accepted), n_features, top_k, len(paths))


def make_top_sets(importances: np.ndarray, top_k: int) -> TopSets:
    """Make the top sets of passes from their importances, (n accepted passes, p)."""
    n, p = importances.shape
    return _top_sets(lambda i: importances[i], n, p, top_k, n)


def assess_convergence(top_sets: Ordered, level: float, cap: int | None = None) -> Convergence:
    """Measure how well passes agree, and estimate from how many passes on they agree at `level`.

    The random divisions have a fixed seed, so the same passes always give the same result.

    Parameters
    ----------
    top_sets
        Top sets of the accepted passes, or another order of features by passes.
    level
        Agreement that counts as stable, in (0, 1).
    cap
        Maximum number of passes if their number grows automatically; the summary then also says where it stopped
        (`growth`, and at the start of the statement).
    """
    convergence = _assess(top_sets, level)
    if cap is None:
        return convergence
    summary = convergence.summary
    growth = growth_statement(summary, cap, level)
    return replace(convergence, summary=summary | {"growth": growth, "statement": f"{growth} {summary['statement']}"})


def expected_agreement(top_sets: TopSets) -> dict:
    """Agreement expected with another set of as many passes: the part of the summary that does not depend on a level.

    Keys: `n_passes_run`, `n_accepted`, `top_k`, `agreement`, `agreement_low`, `agreement_high`.
    """
    return _expected_agreement(top_sets, _curve(top_sets))


def mean_agreement(
    top_sets: Ordered, passes: np.ndarray, sizes: np.ndarray, n_divisions: int, rng: np.random.Generator
) -> np.ndarray:
    """Mean share of the top k that two disjoint random sets of `passes` have in common, for every size of the sets."""
    shared = np.zeros(len(sizes))
    for _ in range(n_divisions):
        mixed = rng.permutation(passes)
        shared += [(top_sets.top(mixed[:m]) & top_sets.top(mixed[m : 2 * m])).sum() for m in sizes]
    return shared / (n_divisions * top_sets.k)


def _top_sets(importance_of: Callable[[int], np.ndarray], n: int, n_features: int, top_k: int, n_run: int) -> TopSets:
    k = min(top_k, n_features)
    tops = np.array([_top_of_pass(importance_of(i), k) for i in range(n)], dtype=np.int64).reshape(n, k)
    kept, columns = np.unique(tops, return_inverse=True)
    importance = np.empty((n, len(kept)), dtype=np.float32)
    for i in range(n):
        importance[i] = importance_of(i)[kept]
    return TopSets(columns.reshape(n, k), importance, n_features, n_run)


def _top_of_pass(importance: np.ndarray, k: int) -> np.ndarray:
    """Indices of the k highest importances; ties for the last places go to the first in input order."""
    threshold = np.partition(importance, len(importance) - k)[len(importance) - k]
    above = np.flatnonzero(importance > threshold)
    return np.concatenate([above, np.flatnonzero(importance == threshold)[: k - len(above)]])


def _assess(top_sets: Ordered, level: float) -> Convergence:
    """Assess convergence regardless of a cap."""
    curve = _curve(top_sets)
    reach = REACH * len(top_sets)
    summary = {"statement": "", "level": level, "reach": reach, **_expected_agreement(top_sets, curve)}
    if len(top_sets) < MIN_PASSES:
        summary |= {"statement": _too_few(top_sets), **dict.fromkeys(("estimate", "low", "high", "reached"))}
        return Convergence(curve, summary)
    summary["estimate"] = _crossing(curve["m"], curve["mean"].to_numpy(), level)
    for end, bound in (("low", "high"), ("high", "low")):
        # the interval widens again far out, so a bound may fall: what counts is where it first reaches the level
        summary[end] = _crossing(curve["m"], np.maximum.accumulate(curve[bound].to_numpy()), level)
    summary["reached"] = summary["agreement"] >= level
    if top_sets.k == top_sets.n_features:
        summary["statement"] = _all_selected(top_sets)
    else:
        summary["statement"] = _statement(top_sets.subject, summary, curve.iloc[-1])
    return Convergence(curve, summary)


def _curve(top_sets: Ordered) -> pd.DataFrame:
    """Agreement as observed and, if there are enough passes, as extrapolated to more of them, with intervals."""
    n, rng = len(top_sets), fixed_stream(FixedDraw.CONVERGENCE)
    largest = n // 2
    draws, draws_of_half, halvings = top_sets.effort
    if n < MIN_PASSES:
        sizes = _sizes(largest)
        mean = mean_agreement(top_sets, np.arange(n), sizes, draws, rng)
        return pd.DataFrame({"m": sizes, "mean": mean, "low": np.nan, "high": np.nan, "kind": OBSERVED})
    trend = _fit_trend(top_sets, np.arange(n), draws, rng)
    beyond = np.unique(np.round(np.geomspace(largest, REACH * n, SIZES_BEYOND)).astype(int))
    m = np.concatenate([trend.sizes, np.union1d(beyond[beyond > largest], [n])])
    differences = []
    for _ in range(halvings):
        mixed = rng.permutation(n)
        halves = mixed[:largest], mixed[largest : 2 * largest]
        first, second = (_fit_trend(top_sets, half, draws_of_half, rng).at(m / 2) for half in halves)
        differences.append(first - second)
    error = np.sqrt(np.mean(np.square(differences), axis=0) / 2)  # a difference has twice the variance of one half
    logit = trend.at(m)
    return pd.DataFrame(
        {
            "m": m,
            "mean": _logistic(logit),
            "low": _logistic(logit - Z * error),
            "high": _logistic(logit + Z * error),
            "kind": np.where(m <= largest, OBSERVED, EXPECTED),
        }
    )


@dataclass(frozen=True)
class _Trend:
    """Agreement by the number of passes: as observed up to the largest size, then along a line.

    Attributes
    ----------
    sizes, observed
        Sizes of the sets, and the logit of their mean agreement.
    slope
        Slope of the logit in log m, fitted to the larger sizes; at least 0, since more passes do not agree less.
    intercept
        Value of the line at the largest size.
    """

    sizes: np.ndarray
    observed: np.ndarray
    slope: float
    intercept: float

    def at(self, m: np.ndarray) -> np.ndarray:
        """Logit of the agreement of two sets of `m` passes; `m` may be fractional."""
        beyond = self.intercept + self.slope * np.log(m / self.sizes[-1])
        return np.where(m <= self.sizes[-1], np.interp(np.log(m), np.log(self.sizes), self.observed), beyond)


def _fit_trend(top_sets: Ordered, passes: np.ndarray, n_divisions: int, rng: np.random.Generator) -> _Trend:
    """Observe the agreement among some passes, and fit the line."""
    sizes = _sizes(len(passes) // 2)
    margin = 0.5 / (n_divisions * top_sets.k)  # half of what one feature in one division adds: keeps logits finite
    mean = np.clip(mean_agreement(top_sets, passes, sizes, n_divisions, rng), margin, 1 - margin)
    observed = np.log(mean / (1 - mean))
    fitted = slice(min(int(np.searchsorted(sizes, FITTED * sizes[-1])), len(sizes) - 2), None)
    x, y = np.log(sizes[fitted] / sizes[-1]), observed[fitted]
    slope = max(0.0, float(np.polyfit(x, y, 1)[0]))
    return _Trend(sizes, observed, slope, float((y - slope * x).mean()))


def _sizes(largest: int) -> np.ndarray:
    """Sizes from 1 to `largest`, evenly spaced on a logarithmic scale."""
    return np.unique(np.round(np.geomspace(1, largest, SIZES)).astype(int)) if largest else np.empty(0, dtype=int)


def _logistic(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logit))


def _expected_agreement(top_sets: Ordered, curve: pd.DataFrame) -> dict:
    """Agreement expected between two sets of as many passes as were accepted."""
    summary = {"n_passes_run": top_sets.n_run, "n_accepted": len(top_sets), "top_k": top_sets.k}
    at_n = curve[(curve["m"] == len(top_sets)) & (curve["kind"] == EXPECTED)]
    columns = {"agreement": "mean", "agreement_low": "low", "agreement_high": "high"}
    return summary | {key: float(at_n[column].iloc[0]) if len(at_n) else None for key, column in columns.items()}


def _crossing(m: pd.Series, values: np.ndarray, level: float) -> int | None:
    """Number of passes from which a curve stays at `level` or above, interpolated in log m; None if it never does."""
    below = np.flatnonzero(values < level)
    first = below[-1] + 1 if len(below) else 0
    if first == len(values):
        return None
    if first == 0:
        return int(m.iloc[0])
    x, y = np.log(m.to_numpy(dtype=float)[first - 1 : first + 1]), values[first - 1 : first + 1]
    return math.ceil(np.exp(np.interp(level, y, x)) - 1e-9)


def _statement(subject: str, summary: dict, last: pd.Series) -> str:
    """State the result in words; `last` is the last row of the curve."""
    k, level, n, n_run, reach = (summary[key] for key in ("top_k", "level", "n_accepted", "n_passes_run", "reach"))
    ran = f"You ran {n_run}" if n_run == n else f"You ran {n_run}, of which {n} were accepted"
    share, low, high = (summary[key] for key in ("agreement", "agreement_low", "agreement_high"))
    again = f"another {n} passes would share {share:.2f} of the top {k} ({low:.2f} to {high:.2f})"
    if summary["estimate"] is None:
        return (
            f"{subject} not expected to become stable (agreement {level:g}) within {reach} passes, where an "
            f"agreement of {floor2(last['mean'])}, at most {last['high']:.2f}, is expected. {ran}; {again}."
        )
    passes = "pass" if summary["estimate"] == 1 else "passes"
    high_end = f"more than {reach}" if summary["high"] is None else summary["high"]
    return (
        f"{subject} stable (agreement {level:g}) from about {summary['estimate']} {passes} on "
        f"(95 % interval {summary['low']} to {high_end}). {ran}; {again}."
    )


def _too_few(top_sets: Ordered) -> str:
    if not len(top_sets):
        return "No pass was accepted: there is no ranking that could be stable."
    passes = f"{len(top_sets)} accepted passes are" if len(top_sets) > 1 else "1 accepted pass is"
    return f"{passes} too few to estimate how stable the top {top_sets.k} is: at least {MIN_PASSES} are needed."


def _all_selected(top_sets: Ordered) -> str:
    return (
        f"Every pass selects all {top_sets.n_features} features, so the top {top_sets.k} cannot change and its "
        f"stability means nothing. Set `top_k` below the number of features."
    )

"""A second ranking, from the values themselves: between which classes a feature differs, and whether others go along.

Networks share their attention out; features that each say little are hardly told from noise by it. Here every feature
is compared between every two classes (Welch's t), on Pearson residuals where there are counts. A weak feature that
belongs to a programme is backed by the others of it: within classes it moves with those that differ likewise. How much
each comparison says is learnt, by a monotone model that tells features from their shadows, the same features with other
samples' values. No error rate follows: a feature that says nothing, but moves with those that do, is raised.

Sources: Pearson residuals of counts, Lause, Berens & Kobak 2021 (doi 10.1186/s13059-021-02451-7); a score that is
learnt by telling targets from decoys, Käll et al. 2007 (doi 10.1038/nmeth1113).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ._screen import orthonormal
from .audit import MOST_VALUES
from .blocks import Changed, even_spans
from .calibration import feature_levels, least_detected
from .chord_findings import drawn_samples
from .shadows import draw_source
from .store import Features

MOST_IN_PAIRS = 12  # classes; of more, each is compared with all others together

_BLOCK = 2**22  # values held at once as an array
_CLIP = 10.0  # Pearson residuals beyond this are set to it: a few cells must not make a feature
_EXPRESSED = 1.0  # mean count from which a feature tells of the dispersion
_AS_IF = 4  # samples by which a variance is drawn to that of the feature, and of the features
_WEAK, _STRONG = 2.0, 5.0  # sizes of t from which, and up to which, a feature backs others the more
_BACKING = 0.5  # share of the backing that is counted, and of t that it may add or take
_LEAST = 6  # features to compare
_KNOTS = np.array([0.0, 0.5, 0.8, 0.95])  # quantiles at which the learnt curves may bend
_PENALTY = 300.0  # of the squares of weights, beside the sum of losses
_MOST_LEARNT = 20_000  # features that are learnt from


@dataclass(frozen=True)
class Values:
    """What features are compared by, a block of them at a time.

    Attributes
    ----------
    X
        (n, p) CSC or dense: counts, or values.
    features
        The columns that are compared.
    depth
        (n,) counts of every sample, of all features; None where `X` holds values, which are then taken as they are.
    dispersion
        Of the counts: their variance is ``m + dispersion * m**2`` at a mean of m.
    basis
        (n, q) orthonormal: confounders, with a constant, that values are made free of; None for none.
    """

    X: Any
    features: np.ndarray
    depth: np.ndarray | None = None
    dispersion: float = 0.0
    basis: np.ndarray | None = None

    def counts(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield features as they are: their places, and (n, width) float32."""
        for start, stop in even_spans(len(self.features), self.X.shape[0], _BLOCK):
            block = self.X[:, self.features[start:stop]]
            yield slice(start, stop), np.asarray(block.toarray() if sp.issparse(block) else block, dtype=np.float32)

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield features: their places among those compared, and (n, width) float32."""
        for place, block in self.counts():
            if self.depth is not None:
                share = block.sum(0, dtype=np.float64) / self.depth.sum()
                block = pearson_residuals(block, self.depth, share, self.dispersion)
            if self.basis is not None:
                block = block - self.basis @ (self.basis.T @ block)
            yield place, block


@dataclass(frozen=True)
class Read:
    """What of a run is compared: the development part, or samples drawn from it.

    Attributes
    ----------
    rows
        (n,) rows of the features.
    X
        (n, p) counts, or values.
    depth
        As of `Values`.
    """

    rows: np.ndarray
    X: Any
    depth: np.ndarray | None


@dataclass(frozen=True)
class Compared:
    """Features, or one draw of their shadows, compared between classes.

    Attributes
    ----------
    t
        (comparisons, p) Welch's t.
    mean, deviation
        (C, p) mean of each class; (p,) standard deviation within classes, 0 for a feature that does not vary.
    """

    t: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray


def weigh_run(
    features: Features,
    expression,
    options: Mapping,
    *,
    min_detected: float = 0.05,
    seed: int = 0,
    tell: Callable[[str], None] = lambda line: None,
) -> tuple[pd.DataFrame, dict]:
    """Weigh the features of a run on its development part, or samples drawn from it; its test split is not read.

    Parameters
    ----------
    features
        The features of a run.
    expression
        `matrix_files.Expression` of the same samples, whose counts are read unless the features are values as they came
        (normalisation "none").
    options
        The section `evidence` of the settings: enabled, draws, most_samples.
    min_detected
        Share of the samples in which a feature must be seen to be compared, as `calibration.least_detected` takes it.
    seed
        Of the samples that are drawn.
    tell
        Receives progress.

    Returns
    -------
    tuple
        As `weigh_features`; without evidence, and with the reason, where it is switched off.
    """
    if not options["enabled"]:
        return no_evidence(features.names, "the configuration asks for none (evidence.enabled)")
    read = read_run(features, expression, options["most_samples"], seed)
    n_all = len(features.development)
    tell(f"{len(read.rows)} of {n_all} samples of the development part are compared")
    table, about = weigh_part(features, read, np.arange(len(read.rows)), options["draws"], min_detected, tell)
    return table, about | {"n_development": n_all}


def read_run(features: Features, expression, most: int, seed: int) -> Read:
    """Read the development part, or at most so many samples drawn from it: counts, or values that are none."""
    stored = features.X.nnz / features.X.shape[0] if sp.issparse(features.X) else features.X.shape[1]
    rows = drawn_samples(features, min(most, int(MOST_VALUES / max(stored, 1))), seed)
    if features.about["normalization"] == "none":
        return Read(rows, features.X[rows], None)
    there = expression.rows_of(features.names_of(rows))
    X = Changed(expression.X, there).whole()
    return Read(rows, X, np.asarray(X.sum(1, dtype=np.float64)).ravel())


def weigh_part(
    features: Features,
    read: Read,
    part: np.ndarray,
    draws: int,
    min_detected: float,
    tell: Callable[[str], None] = lambda line: None,
) -> tuple[pd.DataFrame, dict]:
    """Weigh the features on some of the samples that were read: as `weigh_features`."""
    rows, X = read.rows[part], read.X[part]
    samples = features.select(rows)
    _, detected = feature_levels(X, np.arange(len(rows)), features.n_features)
    return weigh_features(
        X,
        samples.labels,
        features.names,
        features.classes,
        tested=detected >= least_detected(min_detected, samples.labels),
        depth=None if read.depth is None else read.depth[part],
        design=None if features.design is None else features.design[rows],
        groups=samples.group_codes,
        strata=samples.strata_codes,
        draws=draws,
        tell=tell,
    )


def weigh_features(
    X,
    y: np.ndarray,
    names: Sequence[str],
    classes: Sequence[str],
    *,
    tested: np.ndarray | None = None,
    depth: np.ndarray | None = None,
    design: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    strata: np.ndarray | None = None,
    draws: int = 4,
    tell: Callable[[str], None] = lambda line: None,
) -> tuple[pd.DataFrame, dict]:
    """Rank features by what they and those they move with say of the classes.

    Parameters
    ----------
    X
        (n, p) counts or values, CSC, CSR or dense.
    y
        (n,) class codes.
    names, classes
        Names of the features and of the classes.
    tested
        (p,) which features to compare; None for all.
    depth
        (n,) counts of each sample where `X` holds counts, or a choice of all that were counted; None for values.
    design
        (n, q) confounders that values are made free of.
    groups, strata
        (n,) codes within which shadows are dealt, as in `shadows.draw_source`.
    draws
        Draws of the shadows.
    tell
        Receives progress.

    Returns
    -------
    tuple
        A table with one row a feature, in their order, empty for those that are not compared: feature; evidence (the
        learnt score: log odds, drawn to 0, of not being a shadow); evidence_rank; evidence_between (the two sides of
        the comparison that says most, the higher one first); evidence_t (its t); evidence_backing (how strongly those
        that differ likewise move with the feature within classes, in standard errors). And what was done, with a
        `statement`.
    """
    n, p = X.shape
    kept = np.arange(p) if tested is None else np.flatnonzero(tested)
    present = np.flatnonzero(np.bincount(y) > 1)  # one sample has no variance
    if len(kept) < _LEAST:
        return no_evidence(names, f"fewer than {_LEAST} features are seen often enough to be compared")
    if len(present) < 2:
        return no_evidence(names, "fewer than two classes have more than one sample")
    X = X.tocsc() if sp.issparse(X) else X
    basis = None if design is None else orthonormal(np.column_stack([np.ones(n), design]))
    values = Values(X, kept, None if depth is None else np.asarray(depth, dtype=np.float64), basis=basis)
    if depth is not None:
        values = replace(values, dispersion=_dispersion(values))
    sides = _comparisons(present)
    sources = [np.arange(n), *(draw_source(y, groups, strata, draw) for draw in range(draws))]
    tell(f"{len(kept)} of {p} features in {len(sides)} comparison(s) of classes, beside {draws} draws of shadows")
    compared = _compare(values, y, len(classes), sides, sources)
    tell("compared")
    scores = _programmes(values, y, compared[0])
    backing = _back(values, scores, compared, sources)
    tell("backed by one another")
    counted = [_counted(found.t, support) for found, support in zip(compared, backing, strict=True)]
    evidence = _learn(counted[0], counted[1:])
    most = counted[0].argmax(0)
    t, support = compared[0].t[most, np.arange(len(kept))], backing[0][most, np.arange(len(kept))]
    labels = [
        " > ".join(_side(one, classes) for one in (sides[i] if up else sides[i][::-1]))
        for i, up in zip(most, t >= 0, strict=True)
    ]
    table = _table(names)
    rank = np.empty(len(kept), dtype=np.int64)
    rank[np.lexsort((-counted[0].max(0), -evidence))] = np.arange(1, len(kept) + 1)
    places = table.index[kept]
    table.loc[places, "evidence"] = evidence
    table.loc[places, "evidence_rank"] = rank
    table.loc[places, "evidence_between"] = labels
    table.loc[places, "evidence_t"] = np.abs(t)
    table.loc[places, "evidence_backing"] = support
    what = "values as they are" if depth is None else f"Pearson residuals of counts, dispersion {values.dispersion:.3g}"
    statement = (
        f"Evidence: {len(kept)} features of {n} samples in {len(sides)} comparison(s) of classes, by {what}, with the "
        f"features they move with; learnt against {draws} draws of shadows. A ranking without an error rate."
    )
    about = {
        "statement": statement,
        "n_samples": n,
        "n_compared": len(kept),
        "comparisons": [" against ".join(_side(one, classes) for one in side) for side in sides],
        "dispersion": values.dispersion if depth is not None else None,
        "draws": draws,
        "adjusted": design is not None,
    }
    return table, about


def pearson_residuals(counts: np.ndarray, depth: np.ndarray, share: np.ndarray, dispersion: float) -> np.ndarray:
    """Counts less what depth expects of them, in deviations of a negative binomial law; at most 10, float32.

    Parameters
    ----------
    counts
        (n, p) dense.
    depth
        (n,) counts of each sample, of all features.
    share
        (p,) of all counts that are the feature's.
    dispersion
        The variance at a mean of m is ``m + dispersion * m**2``.
    """
    expected = np.outer(depth, share).astype(np.float32)
    spread = np.sqrt(expected + np.float32(dispersion) * expected**2)
    return np.clip((counts - expected) / np.maximum(spread, 1e-6), -_CLIP, _CLIP)


def no_evidence(names: Sequence[str], why: str) -> tuple[pd.DataFrame, dict]:
    """Give an empty table, and say why it is."""
    return _table(names), {"statement": f"No evidence beside the networks: {why}."}


def _table(names: Sequence[str]) -> pd.DataFrame:
    columns: dict[str, Any] = {"feature": list(names), "evidence": np.nan}
    columns |= {"evidence_rank": pd.array([pd.NA] * len(names), dtype="Int64"), "evidence_between": ""}
    return pd.DataFrame(columns | {"evidence_t": np.nan, "evidence_backing": np.nan})


def _side(codes: tuple[int, ...], classes: Sequence[str]) -> str:
    return classes[codes[0]] if len(codes) == 1 else "the others"


def _comparisons(present: np.ndarray) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Every two classes that there are; of many each against the others."""
    if len(present) <= MOST_IN_PAIRS:
        return [((int(a),), (int(b),)) for a, b in combinations(present, 2)]
    return [((int(a),), tuple(int(b) for b in present if b != a)) for a in present]


def _dispersion(values: Values) -> float:
    """Median over expressed features of the excess of the variance over that of a Poisson law, in squares of means.

    Of too few that are expressed, over those with the highest means.
    """
    depth = values.depth
    assert depth is not None
    excess, mean = np.empty(len(values.features)), np.empty(len(values.features))
    squares = (depth**2).sum()
    for place, block in values.counts():
        share = block.sum(0, dtype=np.float64) / depth.sum()
        mean[place] = share * depth.mean()
        away = block - np.outer(depth, share)
        with np.errstate(divide="ignore", invalid="ignore"):
            excess[place] = ((away**2).sum(0) - share * depth.sum()) / (share**2 * squares)
    chosen = np.argsort(-mean, kind="stable")[: max(100, int((mean >= _EXPRESSED).sum()))]
    known = excess[chosen][np.isfinite(excess[chosen])]
    return max(float(np.median(known)), 0.0) if len(known) else 0.0


def _compare(
    values: Values, y: np.ndarray, n_classes: int, sides: Sequence, sources: Sequence[np.ndarray]
) -> list[Compared]:
    """Compare features between classes, and so their shadows: those of a draw are rows ``source`` of the features."""
    n, p = len(y), len(values.features)
    sizes = np.bincount(y, minlength=n_classes).astype(np.float64)
    # classes of shadows, seen from the rows that they come from
    member = np.zeros((len(sources) * n_classes, n), dtype=np.float32)
    for number, source in enumerate(sources):
        np.add.at(member, (number * n_classes + y, source), 1.0)
    total, square = np.empty((2, len(member), p))
    for place, block in values.blocks():
        total[:, place], square[:, place] = member @ block, member @ block**2
    found = []
    for number in range(len(sources)):
        own = slice(number * n_classes, (number + 1) * n_classes)
        found.append(_welch(total[own], square[own], sizes, sides))
    return found


def _welch(total: np.ndarray, square: np.ndarray, sizes: np.ndarray, sides: Sequence) -> Compared:
    """Welch's t from sums and sums of squares of every class, (C, p), its variances drawn to the usual ones."""
    n = sizes.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.nan_to_num(total / sizes[:, None])
    within = np.maximum(square.sum(0) - (sizes[:, None] * mean**2).sum(0), 0.0)
    free = max(n - (sizes > 0).sum(), 1)
    varies = within > 1e-9 * np.maximum(square.sum(0), 1e-12)
    usual = np.median(within[varies]) / free if varies.any() else 0.0
    of_feature = (within + _AS_IF * usual) / (free + _AS_IF)
    t = np.zeros((len(sides), total.shape[1]))
    for row, (one, other) in zip(t, sides, strict=True):
        parts = []
        for side in map(list, (one, other)):
            size = sizes[side].sum()
            middle = total[side].sum(0) / size
            around = np.maximum(square[side].sum(0) - size * middle**2, 0.0)
            parts.append((middle, (around + _AS_IF * of_feature) / (size - 1 + _AS_IF) / size))
        (a, spread_a), (b, spread_b) = parts
        error = np.sqrt(spread_a + spread_b)
        row[varies] = (a - b)[varies] / error[varies]
    return Compared(t, mean, np.where(varies, np.sqrt(within / n), 0.0))


def _voices(t: np.ndarray) -> np.ndarray:
    """How much every feature says of the programme of a comparison, signed."""
    return np.sign(t) * (np.clip(np.abs(t), _WEAK, _STRONG) - _WEAK)


def _programmes(values: Values, y: np.ndarray, found: Compared) -> np.ndarray:
    """Where every sample stands, within its class, on the features that differ in a comparison: (n, comparisons)."""
    scores = np.zeros((len(y), len(found.t)))
    voices = _voices(found.t)
    for place, block in values.blocks():
        block = (block - found.mean[:, place].astype(np.float32)[y]) * _inverse(found.deviation[place]).astype(
            np.float32
        )
        scores += block @ voices[:, place].T.astype(np.float32)
    return scores


def _back(
    values: Values, scores: np.ndarray, compared: Sequence[Compared], sources: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Correlate features, and shadows, with the programmes: (comparisons, p) each, signed by t, in standard errors.

    A feature's own share in the programme is taken off.
    """
    n = len(scores)
    lying = np.zeros((len(sources), *scores.shape))
    for row, source in zip(lying, sources, strict=True):
        np.add.at(row, source, scores)
    sums = [np.empty_like(found.t) for found in compared]
    turned = np.concatenate([row.T for row in lying]).astype(np.float32)
    for place, block in values.blocks():
        of_all = turned @ block
        for number, (total, found) in enumerate(zip(sums, compared, strict=True)):
            width = len(found.t)
            total[:, place] = of_all[number * width : (number + 1) * width] * _inverse(found.deviation[place])
    spread = scores.std(0)[:, None]
    own = _voices(compared[0].t) * (compared[0].deviation > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return [
            np.nan_to_num(np.sign(found.t) * (total / n - (own if number == 0 else 0.0)) / spread * np.sqrt(n))
            for number, (total, found) in enumerate(zip(sums, compared, strict=True))
        ]


def _counted(t: np.ndarray, backing: np.ndarray) -> np.ndarray:
    """Size of t, with its backing: no more of that than of t itself."""
    size = np.abs(t)
    return size + _BACKING * np.clip(backing, -size, size)


def _learn(features: np.ndarray, shadows: Sequence[np.ndarray]) -> np.ndarray:
    """Score features, (comparisons, p), by a model that tells them from their shadows: (p,) log odds."""
    p = features.shape[1]
    known = np.unique(np.linspace(0, p - 1, min(p, _MOST_LEARNT)).astype(np.int64))
    seen = np.concatenate([part[:, known] for part in (features, *shadows)], axis=1)
    curves = _Curves.of(seen)
    real = np.arange(seen.shape[1]) < len(known)
    offset, slopes = _fit(curves(seen), real, np.where(real, 1.0, 1.0 / len(shadows)))
    return offset + curves(features) @ slopes


@dataclass(frozen=True)
class _Curves:
    """Rising curves of every comparison: ramps between quantiles, the last without an end.

    Attributes
    ----------
    knots
        (comparisons, knots) rising.
    """

    knots: np.ndarray

    @classmethod
    def of(cls, seen: np.ndarray) -> _Curves:
        return cls(np.quantile(seen, _KNOTS, axis=1).T)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Give (comparisons, m) values as (m, comparisons × knots) heights, of one unit each up to the next knot."""
        columns = []
        for row, knots in zip(values, self.knots, strict=True):
            widths = np.diff(knots)
            ends = np.append(widths, np.inf)
            units = np.maximum(np.append(widths, widths[-1]), 1e-9)
            columns += [np.clip(row - knot, 0, end) / unit for knot, end, unit in zip(knots, ends, units, strict=True)]
        return np.stack(columns, axis=1).astype(np.float32)


def _fit(heights: np.ndarray, real: np.ndarray, weight: np.ndarray) -> tuple[float, np.ndarray]:
    """Logistic regression with weights of 0 or more, penalised in units of each column's deviation."""
    from scipy.optimize import minimize
    from scipy.special import expit

    middle = heights.mean(0)
    scale = _inverse(heights.std(0)).astype(np.float32)
    sign = np.where(real, 1.0, -1.0)

    def loss(coefficients: np.ndarray) -> tuple[float, np.ndarray]:
        slopes = coefficients[1:] * scale
        margin = sign * (coefficients[0] + heights @ slopes.astype(np.float32) - middle @ slopes)
        pull = -sign * weight * expit(-margin)
        gradient = (heights.T @ pull.astype(np.float32) - middle * pull.sum()) * scale
        value = (weight * np.logaddexp(0, -margin)).sum() + _PENALTY / 2 * (coefficients[1:] ** 2).sum()
        return value, np.append(pull.sum(), gradient + _PENALTY * coefficients[1:]).astype(np.float64)

    start = np.zeros(1 + heights.shape[1])
    bounds = [(None, None)] + [(0, None)] * heights.shape[1]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500}).x
    slopes = found[1:] * scale
    return float(found[0] - middle @ slopes), slopes


def _inverse(values: np.ndarray) -> np.ndarray:
    """One over each value; 0 for what is 0."""
    return np.divide(1.0, values, out=np.zeros(np.shape(values)), where=np.asarray(values) > 1e-9)

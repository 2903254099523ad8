"""Perturbation of features and chords over the passes of a model: effects, their intervals, and p-values from shadows.

The p-value compares a feature with shadow features (`passes.shadows`): both are perturbed in the networks that were
trained on features and shadows. The statistic is the mean change of a class's probability over these passes, divided by
the root mean square change of the values, so that features with large values have no advantage, and then by the root
mean square of the shadows of features with a similar mean value. The null distribution consists of the shadows,
standardised in the same way, each averaged over the passes that read the same draw; beyond the largest ones a fitted
tail goes on (`null_tail`). Features are averaged over all draws, which makes their p-values conservative.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ..accumulate import accepted_passes
from ..chords.types import Chord
from ..chords.values import PIXEL_DEVIATION, chord_features
from ..core.arrays import dense
from ..core.draws import Draw, stream
from ..core.false_discovery import benjamini_hochberg
from ..core.words import count
from ..errors import InputError
from ..features.levels import feature_levels, min_detected_share
from ..features.perturbed import check_perturbed
from ..features.samples import Samples
from ..features.store import Features
from ..passes.perturbation import OF_OWN_CLASS, Effects, perturb_samples, replacements
from ..passes.result import PassFile, PassResult
from ..passes.shadows import with_shadows
from ..passes.train import choose_over_classes
from .null_tail import fit_tail, tail_p

# Shadows of similar mean value from which the size of a statistic is judged, shadows that are perturbed, sets of them
# for each size of a chord, and samples from which the replaced values are computed; all chosen by hand.
_NEAREST, _POOL, _SETS, _MOST_SAMPLES = 100, 300, 100, 5000


@dataclass(frozen=True, eq=False)
class Perturbation:
    """Effects of perturbations.

    Attributes
    ----------
    table
        Rows of the schema `PERTURBATION`, without aliases.
    summary
        What perturbation.json holds.
    """

    table: pd.DataFrame
    summary: dict[str, Any]


def items_of(
    features: Features, asked: str | Sequence[str], ranked: Sequence[str], most: int, chords: Iterable[Chord] = ()
) -> dict[str, tuple[int, ...]]:
    """Columns of everything that is to be perturbed, by name.

    Parameters
    ----------
    features
        Features of the run.
    asked
        "findings" (the first of `ranked`), "all", or names of features.
    ranked
        Names of all features, the best first.
    most
        How many of them are taken.
    chords
        Chords, whose members are perturbed together.

    Raises
    ------
    InputError
        If a name is no feature.
    """
    place = {name: i for i, name in enumerate(features.names)}
    names = list(features.names) if asked == "all" else list(ranked)[:most] if asked == "findings" else list(asked)
    check_perturbed(names, features.names)
    found = {name: (place[name],) for name in names}
    return found | {chord.name: tuple(chord.positions) for chord in chords}


def perturb_model(
    features: Features,
    passes: Sequence[PassResult | PassFile],
    shadow_passes: Sequence[PassResult | PassFile],
    items: Mapping[str, Sequence[int]],
    how: Sequence[str],
    *,
    min_accuracy: float = 0.0,
    min_detected: float = 0.05,
    n_samples: int = 200,
    seed: int = 0,
    pixel_chords: Sequence[Chord] = (),
    level: float = 0.1,
) -> Perturbation:
    """Perturb features in all accepted passes of a model, and compare them with shadows.

    Parameters
    ----------
    features
        Features that the passes read; their test split is not used.
    passes, shadow_passes
        All passes; and passes with shadows that kept their weights (none: no p-values).
    items
        Columns that are perturbed together, by name.
    how
        Some of `passes.perturbation.HOW`.
    min_accuracy
        Passes with a lower accuracy are left out.
    min_detected
        As in `model_q_values.calibrate_model`: features whose shadows may be perturbed.
    n_samples
        Out-of-bag samples of each pass that are perturbed, evenly over the classes.
    seed
        Of the choice of shadows.
    pixel_chords
        Chords whose values the networks read behind the features.
    level
        False discovery rate up to which items are counted in the summary.
    """
    accepted, samples = accepted_passes(passes, min_accuracy), features.development_samples
    columns = [tuple(item) for item in items.values()]
    shadows = _Shadows(samples, columns, min_detected, seed) if shadow_passes else None
    parts = []
    for way in dict.fromkeys(how):
        new_values = _new_values(samples, sorted({*chain(*columns), *(shadows.members if shadows else ())}), way)
        effects = [
            perturb_samples(
                result,
                dense(samples.X[rows], np.float32),
                columns,
                new_values,
                own_class=samples.y[rows] if way in OF_OWN_CLASS else None,
                update=_update(pixel_chords, samples.n_features, samples.n_features),
            )
            for result in accepted
            for rows in [_chosen(result, samples, n_samples)]
        ]
        p = None
        if shadows:
            p = shadows.p_values(shadow_passes, new_values, n_samples, pixel_chords, way in OF_OWN_CLASS)
        parts.append(effect_table(items, way, effects, features.classes, p))
    table = pd.concat(parts, ignore_index=True)
    return Perturbation(table, summarise(table, len(accepted), len(shadow_passes), level))


def effect_table(
    items: Mapping[str, Sequence[int]],
    how: str,
    effects: Sequence[Effects],
    classes: Sequence[str],
    p: np.ndarray | None = None,
) -> pd.DataFrame:
    """One row per item and class, the items with the largest changes first; `effects` are those of n passes."""
    changes = (
        np.stack([effect.probability for effect in effects]) if effects else np.zeros((0, len(items), len(classes)))
    )
    n = len(changes)
    mean = changes.mean(0) if n else np.full(changes.shape[1:], np.nan)
    half = np.full(mean.shape, np.nan)
    if n > 1:
        half = stats.t.ppf(0.975, n - 1) * changes.std(0, ddof=1) / np.sqrt(n)
    wide = np.repeat(np.arange(len(items)), len(classes))
    flat = {
        name: (np.mean([getattr(effect, name) for effect in effects], axis=0) if n else np.full(len(items), np.nan))
        for name in ("flipped", "shift")
    }
    p = np.full(mean.shape, np.nan) if p is None else p
    table = pd.DataFrame(
        {
            "item": np.repeat(np.array(list(items), dtype=object), len(classes)),
            "n_features": np.repeat([len(item) for item in items.values()], len(classes)),
            "how": how,
            "class": list(classes) * len(items),
            "change": mean.ravel(),
            "change_low": (mean - half).ravel(),
            "change_high": (mean + half).ravel(),
            "p": p.ravel(),
            "q": benjamini_hochberg(p.ravel()),
            "flipped": flat["flipped"][wide],
            "shift": flat["shift"][wide],
        }
    )
    largest = np.nan_to_num(np.abs(mean)).max(1, initial=0.0)
    return table.iloc[np.argsort(-largest[wide], kind="stable")].reset_index(drop=True)


def summarise(table: pd.DataFrame, n_passes: int, n_shadow_passes: int, level: float = 0.1) -> dict[str, Any]:
    """Contents of perturbation.json."""
    n_items = int(table["item"].nunique())
    statement = f"{count(n_items, 'perturbed item')} in {count(n_passes, 'pass', 'passes')}"
    tested = table["p"].notna()
    if not n_items:
        statement = "Nothing was perturbed: no features are named, and there are no chords."
    elif not n_passes:
        statement = f"{count(n_items, 'item')} to perturb, but no accepted pass."
    elif tested.any():
        n_found = int(table.loc[tested & (table["q"] <= level), "item"].nunique())
        statement += (
            f"; {n_found} change the probability of a class more than shadow features do (q up to {level:g}, "
            f"{count(n_shadow_passes, 'pass', 'passes')} with shadows)."
        )
    else:
        statement += "; no p-values, since no pass with shadow features kept its weights."
    return {"statement": statement, "n_items": n_items, "n_passes": n_passes, "n_shadow_passes": n_shadow_passes}


class _Shadows:
    """Shadows that are perturbed beside the items, and the p-values that follow."""

    def __init__(self, samples: Samples, columns: Sequence[tuple[int, ...]], min_detected: float, seed: int) -> None:
        mean, detected = feature_levels(samples.X, samples.rows, samples.n_features)
        tested = np.flatnonzero(detected >= min_detected_share(min_detected, samples.labels))
        tested = tested if len(tested) else np.arange(samples.n_features)
        rng = stream(seed, Draw.PERTURBED_SHADOWS)
        order = tested[np.argsort(mean[tested], kind="stable")]
        spaced = order[np.unique(np.linspace(0, len(order) - 1, min(_POOL, len(order))).round().astype(int))]
        singles = sorted({*spaced.tolist(), *(item[0] for item in columns if len(item) == 1)})
        sets: list[tuple[int, ...]] = [(column,) for column in singles]
        for size in sorted({len(item) for item in columns if len(item) > 1}):
            drawn = [rng.choice(tested, min(size, len(tested)), replace=False) for _ in range(_SETS)]
            sets += [tuple(map(int, members)) for members in drawn]
            sets += [item for item in columns if len(item) == size]
        self._samples, self._columns, self._mean = samples, columns, mean
        self._sets = list(dict.fromkeys(sets))

    @property
    def members(self) -> set[int]:
        """Features whose shadows are perturbed."""
        return set(chain(*self._sets))

    def p_values(
        self,
        shadow_passes: Sequence[PassResult | PassFile],
        new_values: np.ndarray,
        n_samples: int,
        pixel_chords: Sequence[Chord],
        of_own_class: bool,
    ) -> np.ndarray:
        """(items, C) share of comparable shadows that change the probability of the class as much, plus one."""
        samples, n_items, p = self._samples, len(self._columns), self._samples.n_features
        of_shadows = [tuple(column + p for column in members) for members in self._sets]
        wide = np.concatenate([new_values, new_values, np.zeros(samples.n_chords, dtype=np.float32)])
        total: Any = 0.0
        by_draw: dict[int, list[np.ndarray]] = {}
        for result in shadow_passes:
            if result.shadows is None or not result.weights:
                raise InputError(
                    f"pass {result.seed} with shadow features has no weights: train it again with `perturb.how` set, "
                    "so that it keeps them."
                )
            rows = _chosen(result, samples, n_samples)
            values = dense(with_shadows(samples, result.shadows.draw)[rows], np.float32)
            options: Any = {"own_class": samples.y[rows] if of_own_class else None, "embedded": False}
            options["update"] = _update(pixel_chords, p, 2 * p)
            found = perturb_samples(result, values, [*self._columns, *of_shadows], wide, **options)
            with np.errstate(divide="ignore", invalid="ignore"):
                relative = np.nan_to_num(found.probability / found.dose[:, None])
            total = total + relative[:n_items]
            by_draw.setdefault(result.shadows.draw, []).append(relative[n_items:])
        observed = np.abs(total / len(shadow_passes))
        null = np.abs(np.stack([np.mean(found, axis=0) for found in by_draw.values()]))  # (draws, sets, C)
        p_values = np.full(observed.shape, np.nan)
        for size in {len(item) for item in self._columns}:
            of_size = [i for i, item in enumerate(self._columns) if len(item) == size]
            sets = [j for j, members in enumerate(self._sets) if len(members) == size]
            p_values[of_size] = p_against(
                observed[of_size],
                self._mean_of([self._columns[i] for i in of_size]),
                null[:, sets],
                self._mean_of([self._sets[j] for j in sets]),
            )
        return p_values

    def _mean_of(self, items: Sequence[tuple[int, ...]]) -> np.ndarray:
        return np.array([self._mean[list(item)].mean() for item in items])


def p_against(observed: np.ndarray, mean: np.ndarray, null: np.ndarray, null_mean: np.ndarray) -> np.ndarray:
    """p-values of statistics against those of shadows, all relative to the shadows of a similar mean value.

    Parameters
    ----------
    observed, mean
        (items, C) absolute statistics, and (items,) mean values.
    null, null_mean
        (draws, shadows, C) those of the shadows, and (shadows,) their mean values.

    Returns
    -------
    numpy.ndarray
        (items, C) share of all shadows that reach the statistic, or the fitted tail of their distribution beyond it.
    """

    def size_at(value: float) -> np.ndarray:
        nearest = np.argsort(np.abs(null_mean - value), kind="stable")[:_NEAREST]
        return np.sqrt(np.square(null[:, nearest]).mean(axis=(0, 1)))

    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.nan_to_num(observed / np.stack([size_at(value) for value in mean]))
        pool = np.nan_to_num(null / np.stack([size_at(value) for value in null_mean]))
    pool = np.sort(pool.reshape(-1, null.shape[2]), axis=0)
    return np.stack([tail_p(values[:, c], pool[:, c], fit_tail(pool[:, c])) for c in range(pool.shape[1])], axis=1)


def _chosen(result: PassResult | PassFile, samples: Samples, n_samples: int) -> np.ndarray:
    """Rows of the matrix: out-of-bag samples of a pass, evenly over the classes."""
    rng = stream(result.seed, Draw.PERTURBED_SAMPLES)
    return samples.rows[choose_over_classes(np.asarray(result.out_of_bag_rows), samples.labels, n_samples, rng)]


def _new_values(samples: Samples, columns: Sequence[int], how: str) -> np.ndarray:
    """(columns,) replaced values of some features; NaN for all others."""
    step = -(-len(samples.rows) // _MOST_SAMPLES)
    values = np.full(samples.X.shape[1] - samples.n_chords, np.nan, dtype=np.float32)
    values[list(columns)] = replacements(samples.X[samples.rows[::step]], np.array(columns), how)
    return values


def _update(chords: Sequence[Chord], n_features: int, first: int) -> Any:
    """A function that sets the columns of chords, from column `first` on, from those of the features."""
    if not chords:
        return None

    def update(block: np.ndarray) -> None:
        block[:, first:] = chord_features(block[:, :n_features], chords) * np.float32(PIXEL_DEVIATION)

    return update

"""What each pass contributes to the ranking by z: rows whose mean over any passes is what these passes would give.

The rows are pseudo-values, as of the jackknife (Tukey 1958; Efron & Stein 1981, doi 10.1214/aos/1176345462). Two things
vary from one set of passes to another. The votes of the passes do, and z is expanded to first order in them. So do the
units that make votes comparable: the size of the shadows, and the ratio of passes with and without shadows, which are
the same for all features of similar mean value. How much is seen by leaving out one draw of shadows at a time, with as
large a share of the other passes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..passes.result import PassFile, PassResult
from .consensus import (
    Consensus,
    ShadowedVotes,
    combined_votes,
    consensus,
    mean_shadowed_votes,
    mean_votes,
    pass_votes,
    root_mean_square,
    strata_by_mean,
)

# Largest change of the logarithm of z for which a draw of shadows is held responsible: one whose shadows have hardly a
# gradient would change it without limit. Chosen by hand.
_LARGEST = 3.0

_LEAST = 1e-12  # z below which logarithms stop


def pass_scores(
    passes: Sequence[PassResult | PassFile],
    shadow_passes: Sequence[PassResult | PassFile],
    mean_value: np.ndarray,
    tested: np.ndarray,
) -> np.ndarray:
    """Split the consensus that ranks the features into one row per pass: (passes, p) float32, shadow passes last.

    The mean of all rows is z before its largest values are limited (`q_values.calibrate`). The mean of any resample of
    the rows ranks the features, by its absolute value, as these passes would to first order. With a single draw of
    shadows its size is taken as known.

    Parameters
    ----------
    passes, shadow_passes, mean_value, tested
        What `q_values.calibrate` was given.
    """
    kept = np.flatnonzero(tested)
    mean_value = np.asarray(mean_value)[kept]
    strata = tuple(kept[members] for members in strata_by_mean(mean_value))
    group = _groups(passes, shadow_passes)
    by_group = [_of_group(passes, shadow_passes, group == own, strata, kept) for own in range(group.max() + 1)]
    agreed = _together(by_group, mean_value)[-1]
    size = root_mean_square(agreed.z)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(agreed.z != 0, agreed.z / size * agreed.z / np.tanh(agreed.vote), 0.0) / len(agreed.z)
    rows = np.zeros((len(group), len(tested)), dtype=np.float32)
    for i, result in enumerate([*passes, *shadow_passes]):
        part = result.shadows if i >= len(passes) else None
        votes = pass_votes(result.class_gradient, strata, None if part is None else part.class_gradient)[0][:, kept]
        rows[i, kept] = size + (slope * (votes * (agreed.ratio if part is None else 1.0) - agreed.vote)).sum(0)
    if len(by_group) > 1:
        rows[:, kept] += size * _of_units(by_group, mean_value, group)
    return rows


def _groups(passes: Sequence[PassResult | PassFile], shadow_passes: Sequence[PassResult | PassFile]) -> np.ndarray:
    """(passes,) group of every pass: those of a draw of shadows, and as large a share of the others."""
    draws = [result.shadows.draw if result.shadows is not None else 0 for result in shadow_passes]
    known = list(dict.fromkeys(draws))
    return np.array([*(np.arange(len(passes)) % len(known)), *map(known.index, draws)])


def _of_group(
    passes: Sequence[PassResult | PassFile],
    shadow_passes: Sequence[PassResult | PassFile],
    chosen: np.ndarray,
    strata: Sequence[np.ndarray],
    kept: np.ndarray,
) -> tuple[np.ndarray, int, ShadowedVotes]:
    """Sum of the votes of some passes without shadows, their number, and the mean votes of those with shadows."""
    own = [result for result, among in zip(passes, chosen, strict=False) if among]
    shadowed = [result for result, among in zip(shadow_passes, chosen[len(passes) :], strict=True) if among]
    votes = mean_shadowed_votes(shadowed, strata)
    total = len(own) * mean_votes(own, strata)[0][:, kept] if own else np.zeros_like(votes.features)
    return total, len(own), votes


def _together(
    groups: Sequence[tuple[np.ndarray, int, ShadowedVotes]], mean_value: np.ndarray
) -> tuple[np.ndarray, int, ShadowedVotes, Consensus]:
    """Mean votes of the passes of several groups without and with shadows, and their consensus."""
    totals, numbers, votes = zip(*groups, strict=True)
    n_passes = np.concatenate([part.n_passes for part in votes])
    shadowed = ShadowedVotes(
        np.average([part.features for part in votes], axis=0, weights=n_passes),
        np.concatenate([part.shadows for part in votes]),
        n_passes,
        np.concatenate([part.squares for part in votes]),
    )
    plain = np.sum(totals, axis=0) / max(sum(numbers), 1)
    return plain, sum(numbers), shadowed, consensus(plain, sum(numbers), shadowed, mean_value)


def _of_units(
    groups: Sequence[tuple[np.ndarray, int, ShadowedVotes]], mean_value: np.ndarray, group: np.ndarray
) -> np.ndarray:
    """(passes, p) changes of z, relative to itself, by the units that each group of passes makes.

    They are enlarged so that their mean over n passes varies as the mean over the groups of these passes does.
    """
    plain, n, shadowed, _ = _together(groups, mean_value)
    logarithms = []
    for own in range(len(groups)):
        units = _together([*groups[:own], *groups[own + 1 :]], mean_value)[-1]
        vote = combined_votes(plain, n, shadowed, units.ratio)
        logarithms.append(np.log(np.maximum(root_mean_square(np.sinh(vote) * units.scale), _LEAST)))
    without = np.stack(logarithms)
    change = np.clip(-(len(groups) - 1) * (without - without.mean(0)), -_LARGEST, _LARGEST)
    change = np.sqrt(len(group) / (len(groups) - 1)) * change[group]
    return change - change.mean(0)

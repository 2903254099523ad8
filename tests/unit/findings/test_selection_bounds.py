"""Bounds on the number of false selections."""

import numpy as np
import pytest

from deepmapper.accumulate import stability_selection_bound
from deepmapper.findings import selection_bounds


@pytest.mark.parametrize("threshold", [0.55, 0.6, 0.75, 0.9, 1.0])
@pytest.mark.parametrize("n_pairs", [5, 10, 50])
def test_bounds_are_ordered_and_fall_with_the_threshold(threshold, n_pairs):
    worst = stability_selection_bound(threshold, 20, 1000)
    unimodal = selection_bounds.unimodal_bound(threshold, 20, 1000, n_pairs)
    concave = selection_bounds.r_concave_bound(threshold, 20, 1000, n_pairs)
    assert worst == pytest.approx(0.4 / (2 * threshold - 1))
    assert 0 <= concave <= unimodal + 1e-9 <= worst + 2e-9
    assert selection_bounds.r_concave_bound(min(1.0, threshold + 0.05), 20, 1000, n_pairs) <= concave + 1e-9


def test_the_largest_tail_is_reached_by_no_r_concave_distribution_but_nearly_by_some():
    rng, n, mean, start, r = np.random.default_rng(0), 8, 0.12, 5, -0.5
    bound = selection_bounds.largest_tail(mean, start, n, r)
    best = 0.0
    places = np.arange(n + 1)
    for _ in range(5000):
        # f ** r convex: slopes that rise; mass up to some place, nothing behind it
        end = rng.integers(start, n + 1)
        slopes = np.sort(rng.exponential(size=end) * rng.choice([0.1, 1, 10]) * rng.choice([-1, 1], size=end))
        power = 0.01 + rng.exponential() + np.concatenate([[0], np.cumsum(slopes)])
        if power.min() <= 0:
            continue
        f = np.zeros(n + 1)
        f[: end + 1] = power ** (1 / r)
        f /= f.sum()
        if (places * f).sum() <= mean * n:
            best = max(best, f[start:].sum())
    assert 0.1 * bound < best <= bound + 1e-9
    assert bound < mean * n / start  # Markov

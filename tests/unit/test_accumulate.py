"""The statistics over passes: their bounds, their ties, their indifference to the order of the features."""

import math
import statistics
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepmapper.accumulate import (
    accept_pass,
    accepted_passes,
    mean_rank,
    median_importance,
    ranks_from_importances,
    selection_frequency,
    stability_selection_bound,
    top_k_set,
    wilson_interval,
)

importances = st.lists(st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0]), min_size=1, max_size=30)


@st.composite
def passes_and_order(draw):
    """Some passes over the same features, all importances of a pass different, and a new order of the features."""
    n = draw(st.integers(1, 12))
    different = st.lists(st.integers(-1000, 1000), min_size=n, max_size=n, unique=True)
    return draw(st.lists(different, min_size=1, max_size=6)), draw(st.permutations(range(n)))


@given(importances)
def test_ranks_are_a_permutation_in_which_more_important_comes_first(values):
    ranks = ranks_from_importances(values)
    assert sorted(ranks) == list(range(1, len(values) + 1))
    for i, a in enumerate(values):
        for j, b in enumerate(values):
            if a > b or (a == b and i < j):
                assert ranks[i] < ranks[j]


def test_ties_go_to_the_feature_that_comes_first():
    assert ranks_from_importances([1.0, 2.0, 2.0, 1.0]) == [3, 1, 2, 4]
    assert top_k_set([0.0, 0.0, 0.0], 2) == [0, 1]


@given(importances, st.integers(0, 40))
def test_the_head_of_a_ranking_is_its_k_first(values, k):
    head = top_k_set(values, k)
    ranks = ranks_from_importances(values)
    assert [ranks[i] for i in head] == list(range(1, min(k, len(values)) + 1))


@pytest.mark.parametrize("where", range(3))
def test_nan_has_no_rank(where):
    values = [1.0, 2.0, 3.0]
    values[where] = math.nan
    for call in (ranks_from_importances, lambda v: top_k_set(v, 1)):
        with pytest.raises(ValueError, match="an importance is NaN and cannot be ranked"):
            call(values)


def test_infinite_importances_have_a_rank():
    assert ranks_from_importances([-math.inf, math.inf, 0.0]) == [3, 1, 2]


def test_a_negative_k_is_refused():
    with pytest.raises(ValueError, match="k=-1: expected 0 or more"):
        top_k_set([1.0], -1)


@given(passes_and_order(), st.integers(0, 12))
def test_frequencies_lie_between_0_and_1_and_add_up_to_k(drawn, k):
    passes, _ = drawn
    n = len(passes[0])
    frequency = selection_frequency([top_k_set(values, k) for values in passes], n)
    assert len(frequency) == n
    assert all(0.0 <= f <= 1.0 for f in frequency)
    assert math.isclose(sum(frequency), min(k, n), abs_tol=1e-9)


def test_frequency_is_the_share_of_passes():
    assert selection_frequency([[0, 1], [1, 2], [1], []], 4) == [0.25, 0.75, 0.25, 0.0]
    assert selection_frequency([], 3) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("top_sets", "message"),
    [
        ([[0], [1, 1]], r"top_sets\[1\] contains a feature twice"),
        ([[3]], r"top_sets\[0\] contains feature 3: expected 0 .. 2"),
        ([[-1]], r"top_sets\[0\] contains feature -1: expected 0 .. 2"),
    ],
)
def test_impossible_selections_are_refused(top_sets, message):
    with pytest.raises(ValueError, match=message):
        selection_frequency(top_sets, 3)


@given(passes_and_order(), st.integers(0, 12))
def test_renaming_the_features_renames_the_findings_and_changes_nothing_else(drawn, k):
    passes, order = drawn
    moved = [[values[i] for i in order] for values in passes]

    def statements(lists):
        frequency = selection_frequency([top_k_set(v, k) for v in lists], len(order))
        rank = mean_rank([ranks_from_importances(v) for v in lists])
        return list(zip(frequency, rank, median_importance(lists), strict=True))

    original = statements(passes)
    assert statements(moved) == [original[i] for i in order]


@given(passes_and_order())
def test_mean_and_median_lie_between_the_extremes_of_the_passes(drawn):
    passes, _ = drawn
    ranks = [ranks_from_importances(values) for values in passes]
    for summary, lists in ((mean_rank(ranks), ranks), (median_importance(passes), passes)):
        for value, of_feature in zip(summary, zip(*lists, strict=True), strict=True):
            assert min(of_feature) <= value <= max(of_feature)
    assert median_importance(passes) == [statistics.median(values) for values in zip(*passes, strict=True)]


def test_one_wild_pass_does_not_move_the_median():
    assert median_importance([[1.0, 0.0], [1.0, 0.0], [1e9, -5.0]]) == [1.0, 0.0]


def test_without_passes_there_is_nothing():
    assert mean_rank([]) == median_importance([]) == []


@pytest.mark.parametrize("summary", [mean_rank, median_importance])
def test_passes_over_different_features_are_refused(summary):
    with pytest.raises(ValueError, match=r"different numbers of features: \[1, 2\]"):
        summary([[1.0, 2.0], [1.0]])


@pytest.mark.parametrize(
    ("accuracy", "threshold", "accepted"),
    [(0.5, 0.5, True), (0.4999, 0.5, False), (0.0, 0.0, True), (math.nan, 0.0, False)],
)
def test_a_pass_is_accepted_from_its_threshold_on(accuracy, threshold, accepted):
    assert accept_pass(accuracy, threshold) is accepted


def test_the_bound_of_stability_selection_worked_out_by_hand():
    # Meinshausen & Buehlmann 2010: q = 20 of p = 1000 at pi = 0.9 gives 400 / (0.8 * 1000)
    assert stability_selection_bound(0.9, 20, 1000) == pytest.approx(0.5)
    assert stability_selection_bound(1.0, 10, 100) == pytest.approx(1.0)


@given(st.floats(0.51, 1.0), st.floats(0, 100), st.integers(1, 10**6))
def test_the_bound_is_its_formula_and_falls_with_a_stricter_threshold(pi, q, p):
    bound = stability_selection_bound(pi, q, p)
    assert bound == pytest.approx(q**2 / ((2 * pi - 1) * p))
    assert stability_selection_bound(1.0, q, p) <= bound + 1e-12


@pytest.mark.parametrize("pi", [0.5, 0.0, 1.01, math.nan])
def test_a_threshold_at_which_the_bound_says_nothing_is_refused(pi):
    with pytest.raises(ValueError, match="pi_thr=.*expected more than 0.5 and at most 1"):
        stability_selection_bound(pi, 5, 10)


@pytest.mark.parametrize(("q", "p"), [(-1, 10), (1, 0)])
def test_a_bound_over_nothing_is_refused(q, p):
    with pytest.raises(ValueError, match="expected q >= 0 and n_features >= 1"):
        stability_selection_bound(0.9, q, p)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_wilsons_interval_holds_its_share_within_0_and_1(counted, confidence):
    hits, n = counted
    low, high = wilson_interval(hits / n, n, confidence)
    assert 0.0 <= low <= hits / n <= high <= 1.0
    assert low < high


def test_wilsons_interval_as_published():
    # Newcombe 1998 (doi 10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E), table I, method 3
    assert wilson_interval(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(15 / 148, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson_interval(0 / 20, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson_interval(1 / 29, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


def test_without_trials_a_share_can_be_anything():
    assert wilson_interval(0.0, 0) == (0.0, 1.0)


@given(st.integers(1, 200))
def test_more_passes_narrow_the_interval(n):
    def width(trials):
        low, high = wilson_interval(0.5, trials)
        return high - low

    assert width(4 * n) < width(n)


def test_accepted_passes_keep_their_order():
    passes = [
        SimpleNamespace(seed=seed, accuracy=accuracy) for seed, accuracy in enumerate((0.9, 0.4, float("nan"), 0.5))
    ]
    assert [result.seed for result in accepted_passes(passes, 0.5)] == [0, 3]
    assert accepted_passes([], 0.5) == []

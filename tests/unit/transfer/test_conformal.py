"""p-values hold their level for samples like the reference, and sets of labels their coverage."""

import numpy as np
import pytest

from deepmapper.core.false_discovery import benjamini_hochberg
from deepmapper.transfer.conformal import Pooled, describe_set, label_sets, n_at_least, q_of_new, smallest_number


def test_counts_include_ties():
    assert n_at_least(np.array([3.0, 1.0, 2.0]), np.array([0.5, 2.0, 3.0, 4.0])).tolist() == [3, 2, 1, 0]


def test_counts_of_five_passes_are_pooled_and_rounds_averaged():
    pooled = Pooled((2,))
    for count in ([0, 4], [1, 4], [0, 4], [0, 4], [0, 4]):
        pooled.add(np.array(count), 4)
    np.testing.assert_allclose(pooled.p(), [2 / 21, 1.0])
    pooled.add(np.array([1, 0]), 4)  # a round that is not complete
    np.testing.assert_allclose(pooled.p(), [(2 / 21 + 2 / 5) / 2, (1 + 1 / 5) / 2])
    assert Pooled((3,)).p().tolist() == [1, 1, 1]


@pytest.mark.parametrize("level", [0.05, 0.1])
def test_samples_like_the_reference_seldom_have_small_p(level):
    rng, shares = np.random.default_rng(0), []
    for _ in range(200):
        reference, new = rng.normal(size=100), rng.normal(size=50)
        pooled = Pooled((50,))
        for fold in np.split(rng.permutation(reference), 5):
            pooled.add(n_at_least(fold, new), len(fold))
        shares.append((pooled.p() <= level).mean())
    assert np.mean(shares) <= level + 0.01


def test_the_predicted_label_is_always_in_the_set():
    p = np.array([[0.2, 0.01], [0.01, 0.02], [0.5, 0.9]])
    inside = label_sets(p, np.array([0, 1, 1]), 0.05)
    assert inside.tolist() == [[True, False], [False, True], [True, True]]
    assert describe_set(inside[2], np.array([0.4, 0.6]), ("a", "b")) == "b,a"
    assert describe_set(inside[2], np.array([0.4, 0.6]), ("a", "b, c")) == "b, c;a"


def test_small_classes_cannot_reach_a_level():
    assert [smallest_number(level) for level in (0.05, 0.1, 0.5)] == [19, 9, 1]


def test_q_values_leave_out_what_has_no_p():
    q = benjamini_hochberg(np.array([0.01, np.nan, 0.04, 0.5]))
    np.testing.assert_allclose(q, [0.03, np.nan, 0.06, 0.5])
    assert np.isnan(benjamini_hochberg(np.array([np.nan]))).all()


def test_q_of_new_is_smaller_by_the_share_of_known_samples_and_never_below_p():
    p = np.r_[np.full(80, 0.02), np.linspace(0.05, 1, 20), np.nan]
    usual = benjamini_hochberg(p)
    found = q_of_new(p, True)
    share = (1 + (p > 0.5).sum()) / 50
    np.testing.assert_allclose(found[-2:], [max(1.0, share), np.nan])
    assert (found[:80] == 0.02).all() and share * usual[0] < 0.02  # p holds it
    np.testing.assert_array_equal(q_of_new(p, False), usual)
    assert np.isnan(q_of_new(np.array([np.nan]), True)).all()
    few = np.r_[0.001, np.linspace(0.01, 1, 99)]
    assert (q_of_new(few, True) <= benjamini_hochberg(few)).all()


def test_few_are_falsely_new_where_many_are():
    """Both rates: of those called new, and of samples of known classes."""
    rng, of_new, of_known, power = np.random.default_rng(0), [], [], []
    for _ in range(200):
        reference, known, new = rng.normal(size=400), rng.normal(size=60), rng.normal(3.0, 1, size=140)
        p = (1 + n_at_least(reference, np.r_[known, new])) / 401
        called = q_of_new(p, True) <= 0.05
        of_new.append(called[:60].sum() / max(1, called.sum()))
        of_known.append(called[:60].mean())
        power.append((called[60:].sum(), (benjamini_hochberg(p)[60:] <= 0.05).sum()))
    assert np.mean(of_new) <= 0.05 and np.mean(of_known) <= 0.055
    ours, usual = np.mean(power, axis=0)
    assert ours > usual

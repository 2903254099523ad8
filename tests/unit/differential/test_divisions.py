"""Lists that other divisions of the same samples give as well are withheld."""

import numpy as np
import pytest

from deepmapper.differential.divisions import MAX_P, Divisions, compare_divisions, log_counts, strength

CLASSES = ("a", "b")


def values(rng, y, effect=0.0, n_true=10, p=150, batch=None, size=2.0):
    """Normal values with an effect of the class on the first features, and of an unknown batch on a third of them."""
    found = rng.normal(size=(len(y), p))
    found[:, :n_true] += effect * y[:, None]
    if batch is not None:
        found[:, : p // 3] += size * batch[:, None]
    return found


def compare(values, y, blocks=None, classes=CLASSES):
    return compare_divisions(values, y, blocks or {}, "", classes)


@pytest.mark.parametrize("n", [3, 4, 6])
def test_a_few_true_features_hold(n):
    y = np.repeat([0, 1], n)
    held = [compare(values(np.random.default_rng(seed), y, effect=8.0), y).holds for seed in range(10)]
    assert sum(held) >= 9


@pytest.mark.parametrize("n", [3, 4])
@pytest.mark.parametrize(("n_true", "effect"), [(10, 5.0), (50, 2.5)])
def test_true_features_hold_although_none_is_significant_among_many(n, n_true, effect):
    y, p = np.repeat([0, 1], n), 1000
    drawn = [values(np.random.default_rng([seed, 2]), y, effect, n_true, p) for seed in range(6)]
    assert sum(compare(each, y).holds for each in drawn) >= 5


def test_the_strength_of_p_values():
    assert strength(np.array([1e-2, 1e-2, 1e-2, 1e-2, 1.0])) == pytest.approx(2.0)
    few, many = np.ones(2000), np.ones(2000)
    few[:3], many[:40] = 1e-9, 1e-2
    assert strength(few) > 1
    assert strength(many) == pytest.approx(2.0)
    assert strength(np.array([0.0, np.nan])) == pytest.approx(150.0)
    assert strength(np.array([])) == 0.0


@pytest.mark.parametrize("with_batch", [False, True])
def test_where_nothing_differs_few_lists_hold_even_with_an_unknown_batch(with_batch):
    n, y, held = 4, np.repeat([0, 1], 4), 0
    for seed in range(50):
        rng = np.random.default_rng([seed, 1])
        batch = rng.permutation(2 * n) < 3 if with_batch else None
        held += compare(values(rng, y, batch=batch), y).holds
    assert held <= 6  # of 50 at a rate of 1/35: 6 or fewer in 99.9 %


def test_two_samples_a_class_can_hardly_be_checked_and_the_page_says_so():
    y = np.array([0, 0, 1, 1])
    found = compare(values(np.random.default_rng(0), y, effect=20.0), y)
    assert (found.n, found.holds) == (3, True)
    assert "in only 3 ways, so that differences" in found.statement and "in 1 of 3 studies" in found.statement
    assert not Divisions(2 / 3, 3).holds


def test_labels_of_a_paired_study_are_permuted_within_pairs():
    rng = np.random.default_rng(0)
    donors, y = np.repeat(np.arange(5), 2), np.tile([0, 1], 5)
    shifted = values(rng, y, effect=6.0) + 10 * rng.normal(size=(5, 150))[donors]
    found = compare(shifted, y, {"donor": donors})
    assert found.n == 2**5 / 2
    assert found.holds


def test_more_than_two_classes():
    rng = np.random.default_rng(1)
    y = np.repeat([0, 1, 2], 4)
    assert compare(values(rng, y, effect=4.0), y, classes=("a", "b", "c")).holds


def test_the_statement_names_p_and_the_number_of_divisions():
    assert "p = 0.40, 10 divisions" in Divisions(0.4, 10).statement
    assert Divisions(0.01, 100).statement == ""
    assert Divisions(MAX_P, 10).holds


def test_logarithms_of_counts_do_not_depend_on_the_depth():
    counts = np.random.default_rng(0).poisson(100, (4, 50)).astype(float)
    deep = counts * np.array([1, 10, 1, 10])[:, None]
    assert np.abs(log_counts(deep, 10) - log_counts(counts, 10)).std() < 0.1
    assert log_counts(np.zeros((4, 3)), 10).shape == (4, 0)

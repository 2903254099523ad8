"""Splits: samples of every class in both parts, whole groups in one."""

import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.random import default_rng

from deepmapper.core.draws import Draw, stream
from deepmapper.errors import InputError
from deepmapper.features.splits import (
    check_class_sizes,
    draw_out_of_bag,
    draw_validation,
    has_validation,
    hold_out,
    is_small,
    set_test_aside,
    split_off_test,
)

shares = st.floats(0.02, 0.98)
seeds = st.lists(st.integers(0, 2**32), min_size=1, max_size=3)


@st.composite
def labels(draw, smallest=2):
    sizes = draw(st.lists(st.integers(smallest, 40), min_size=2, max_size=6))
    order = draw(st.randoms(use_true_random=False))
    y = [code for code, size in enumerate(sizes) for _ in range(size)]
    order.shuffle(y)
    return np.array(y)


@given(labels(), shares, seeds)
def test_every_class_is_held_out_in_its_share_within_one_sample(y, share, seed):
    kept, held = hold_out(y, share, default_rng(seed))
    np.testing.assert_array_equal(np.sort(np.concatenate([kept, held])), np.arange(len(y)))
    assert (np.diff(kept) > 0).all()
    assert (np.diff(held) > 0).all()
    for code in np.unique(y):
        size, out = (y == code).sum(), (y[held] == code).sum()
        assert 1 <= out <= size - 1
        # half a sample by rounding, more only where one sample must stay on each side
        assert abs(out - share * size) <= 0.5 + 1e-9 or out in (1, size - 1)
        assert abs(out - share * size) <= 1


@given(labels(), shares, seeds)
def test_the_draw_is_the_seeds_alone(y, share, seed):
    state = np.random.get_state()[1].copy()
    one, other = (hold_out(y, share, default_rng(seed)) for _ in range(2))
    np.testing.assert_array_equal(one[1], other[1])
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_another_seed_is_another_draw():
    y = np.arange(200) % 2
    draws = {tuple(hold_out(y, 0.25, default_rng(seed))[1]) for seed in range(20)}
    assert len(draws) == 20


def test_every_sample_is_held_out_as_often_as_any_other():
    """400 draws of a quarter: each sample 100 times, give or take five standard deviations of 8.7."""
    y = np.repeat([0, 1], [30, 10])
    times = np.zeros(len(y))
    for seed in range(400):
        times[hold_out(y, 0.25, default_rng(seed))[1]] += 1
    expected = np.where(y == 0, 400 * 8 / 30, 400 * 3 / 10)  # 7.5 rounds to 8, 2.5 to 3
    assert (abs(times - expected) < 5 * np.sqrt(400 * 0.25 * 0.75)).all()


@st.composite
def grouped(draw):
    """Donors with some samples each, of one or several classes; every class comes from at least four donors."""
    n_classes, n_groups = draw(st.integers(2, 4)), draw(st.integers(8, 24))
    mixed = draw(st.booleans())
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    groups = np.repeat(np.arange(n_groups), rng.integers(1, 8, n_groups))
    y = rng.integers(0, n_classes, len(groups)) if mixed else groups % n_classes
    assume(all(len(np.unique(groups[y == code])) >= 4 for code in range(n_classes)))
    return y, groups + 100


@settings(max_examples=40)
@given(grouped(), st.sampled_from([0.1, 0.2, 0.25, 0.33, 0.5, 0.67, 0.75, 0.9]), seeds)
def test_groups_stay_whole_and_every_class_is_on_both_sides(drawn, share, seed):
    y, groups = drawn
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the splitter's, on small classes
        kept, held = hold_out(y, share, default_rng(seed), groups)
    assert not set(groups[kept]) & set(groups[held])
    assert set(y[kept]) == set(y[held]) == set(y)
    np.testing.assert_array_equal(np.sort(np.concatenate([kept, held])), np.arange(len(y)))


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2, 0.25, 0.33, 0.5, 0.67, 0.75, 0.9])
@pytest.mark.parametrize("one_class_a_group", [True, False])
def test_with_many_groups_the_share_is_met(share, one_class_a_group):
    groups = np.repeat(np.arange(60), 5)
    y = groups % 2 if one_class_a_group else np.arange(300) % 2
    _, held = hold_out(y, share, default_rng(1), groups)
    assert len(held) / len(y) == pytest.approx(share, abs=0.04)


def test_a_small_share_of_small_classes_is_drawn_by_group():
    """One group a sample: 0.05 would be twenty folds, more than any class has samples."""
    y = np.arange(45) % 3
    _, held = hold_out(y, 0.05, default_rng(1), np.arange(45))
    assert set(y[held]) == {0, 1, 2}
    assert len(held) <= 6


@pytest.mark.parametrize(
    ("y", "groups", "message"),
    [
        ([0, 0, 0, 1], None, r"class 'rare': 1 sample left, expected at least 2"),
        ([0, 0, 1, 1], [5, 5, 6, 6], r"class 'common', 'rare' lies in a single group of the 2 to divide"),
        ([0, 0, 1, 1], [5, 6, 7, 7], r"class 'rare' lies in a single group of the 3 to divide.*Add donors"),
        # each class in two of three groups: the side with a single group always lacks one
        ([0, 1, 1, 2, 2, 0], [1, 1, 2, 2, 3, 3], "3 groups could not be divided with every class in both parts"),
    ],
)
def test_what_cannot_be_divided_is_refused(y, groups, message):
    with pytest.raises(InputError, match=message):
        hold_out(np.array(y), 0.25, default_rng(0), groups and np.array(groups), ("common", "rare", "third"))


def test_four_donors_a_condition_are_enough_for_all_splits():
    """Test, out-of-bag, validation and training each get a donor of either condition, with the default shares."""
    donors = np.repeat(np.arange(8), 10)
    y = donors % 2
    for seed in range(10):
        rows, parts = np.arange(80), []
        for share in (0.25, 0.25, 0.15):
            kept, held = hold_out(y[rows], share, default_rng(seed), donors[rows])
            parts.append(rows[held])
            rows = rows[kept]
        assert [set(y[part]) for part in (*parts, rows)] == [{0, 1}] * 4


def test_small_classes_are_named_all_at_once():
    with pytest.raises(InputError) as refused:
        check_class_sizes(np.array([0, 0, 0, 1, 2, 2]), 3, "one each to train, validate and judge", ("a", "b", "c"))
    assert "too few samples in class 'b' (1), 'c' (2): expected at least 3, one each to train" in str(refused.value)
    check_class_sizes(np.array([0, 0, 1, 1]), 2, "any", ())
    with pytest.raises(InputError, match=r"'12' \(1\) and 88 more: expected at least 2") as refused:
        check_class_sizes(np.arange(100), 2, "any", tuple(map(str, range(1, 101))))
    assert len(str(refused.value)) < 400


def test_classes_without_names_are_called_by_their_number():
    with pytest.raises(InputError, match=r"too few samples in class 7 \(1\)"):
        check_class_sizes(np.array([5, 5, 7]), 2, "any")


def test_the_test_split_is_not_that_of_a_pass():
    """The same seed draws other samples for the fixed test split than for a pass's out-of-bag share."""
    y = np.arange(400) % 2
    assert not np.array_equal(split_off_test(y, 0.25, 3)[1], hold_out(y, 0.25, stream(3, Draw.OUT_OF_BAG))[1])
    np.testing.assert_array_equal(split_off_test(y, 0.25, 3)[1], split_off_test(y, 0.25, 3)[1])


# ---- few samples ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "few"), [((4, 4), True), ((24, 25), True), ((25, 25), False), ((8,) * 7, False), ((7,) * 8, True)]
)
def test_few_is_below_50_or_8_a_class(sizes, few):
    y = np.repeat(np.arange(len(sizes)), sizes)
    assert is_small(y) is few
    chosen, development, test = set_test_aside(y, "auto", 0.25, 0)
    assert chosen.name == ("repeated" if few else "fixed")
    assert (len(test) == 0) is few
    np.testing.assert_array_equal(np.sort(np.concatenate([development, test])), np.arange(len(y)))


def test_the_scheme_says_why():
    def why(sizes, scheme="auto"):
        return set_test_aside(np.repeat(np.arange(len(sizes)), sizes), scheme, 0.25, 0)[0].why

    judges = ". Each sample is predicted by the passes that did not train on it."
    assert why((4, 4)) == "No test split was set aside: 8 samples are too few" + judges
    assert why((7,) * 8) == "No test split was set aside: 56 samples in 8 classes are too few" + judges
    assert why((90, 90), "repeated") == "No test split was set aside, as the configuration asks" + judges
    assert why((40, 40)).startswith("A test split of 20 of 80 samples was set aside before any pass")
    assert why((4, 4), "fixed").startswith("A test split of 2 of 8 samples")


def test_a_fixed_split_is_the_same_however_it_was_chosen():
    y = np.arange(80) % 2
    for scheme in ("auto", "fixed"):
        _, development, test = set_test_aside(y, scheme, 0.25, 3)
        np.testing.assert_array_equal(test, split_off_test(y, 0.25, 3)[1])
        np.testing.assert_array_equal(development, split_off_test(y, 0.25, 3)[0])


@pytest.mark.parametrize(
    ("y", "groups", "scheme", "message"),
    [
        ([0, 0, 1], None, "auto", r"class 'b' \(1\): expected at least 2"),
        ([0, 0, 1, 1], [0, 1, 2, 2], "auto", "class 'b' lies in a single group"),
        ([0, 1, 0, 1], [0, 0, 0, 0], "repeated", "class 'a', 'b' lies in a single group"),
        ([0, 0, 1, 1], None, "sometimes", "scheme='sometimes': expected one of auto, fixed, repeated"),
    ],
)
def test_what_no_scheme_can_divide_is_refused(y, groups, scheme, message):
    with pytest.raises(InputError, match=message):
        set_test_aside(np.array(y), scheme, 0.25, 0, groups and np.array(groups), ("a", "b"))


@pytest.mark.parametrize("each", [2, 3, 4, 5])
def test_of_few_samples_one_a_class_is_left_out_and_each_in_its_turn(each):
    y = np.arange(2 * each) % 2
    times = np.zeros(len(y))
    for seed in range(60):
        kept, left = draw_out_of_bag(y, 0.25, seed)
        assert sorted(y[left]) == [0, 1]
        assert len(kept) == len(y) - 2
        times[left] += 1
    assert times.min() > 0


def test_of_few_donors_one_of_either_condition_is_left_out():
    donors = np.repeat(np.arange(8), [1, 5, 2, 3, 4, 4, 2, 6])
    y = np.repeat(np.arange(8) % 2, np.bincount(donors))
    left_out = set()
    for seed in range(60):
        kept, left = draw_out_of_bag(y, 0.25, seed, donors)
        assert not set(donors[kept]) & set(donors[left])
        assert sorted(np.unique(donors[left]) % 2) == [0, 1]
        left_out |= set(donors[left])
    assert left_out == set(range(8))


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_of_few_donors_with_both_conditions_one_is_left_out(n):
    donors = np.repeat(np.arange(n), 4)
    y = np.arange(4 * n) % 2
    left_out = [np.unique(donors[draw_out_of_bag(y, 0.25, seed, donors)[1]]).tolist() for seed in range(60)]
    assert all(len(one) == 1 for one in left_out)
    assert {one[0] for one in left_out} == set(range(n))


def test_donors_of_mixed_make_are_searched_for():
    donors = np.repeat(np.arange(6), 4)
    y = np.where(donors < 3, 0, np.arange(24) % 2)
    kept, left = draw_out_of_bag(y, 0.25, 1, donors)
    assert set(y[kept]) == set(y[left]) == {0, 1}
    assert not set(donors[kept]) & set(donors[left])


@pytest.mark.parametrize(
    ("y", "groups", "spared"),
    [
        (np.arange(10) % 2, None, False),
        (np.arange(12) % 2, None, True),
        (np.repeat([0, 1], [40, 5]), None, False),
        (np.repeat([0, 1], [60, 5]), None, True),  # not few: as with any number of samples
        (np.arange(40) % 2, np.arange(40) % 8, False),  # four and four donors
        (np.arange(40) % 2, np.arange(40) % 12, True),
        (np.arange(20) % 2, np.arange(20) // 2, True),  # ten pairs
        (np.arange(10) % 2, np.arange(10) // 2, False),
        (np.where(np.arange(24) < 12, 0, np.arange(24) % 2), np.arange(24) // 4, False),
    ],
)
def test_validation_is_spared_from_six_a_class(y, groups, spared):
    assert has_validation(y, groups) is spared


def test_validation_of_few_donors_is_of_other_donors():
    donors = np.repeat(np.arange(12), 3)
    y = donors % 2
    kept, left = draw_out_of_bag(y, 0.25, 4, donors)
    train, validation = draw_validation(y, kept, 0.15, 4, donors)
    parts = [set(donors[rows]) for rows in (train, validation, left)]
    assert [len(part) for part in parts] == [6, 2, 4]
    assert set.union(*parts) == set(range(12))

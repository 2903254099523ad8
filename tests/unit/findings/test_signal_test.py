"""Signal, no signal, or too few samples to tell: a claim never goes beyond what the samples can show."""

import numpy as np
import pytest
from scipy import stats

from deepmapper.features.label_permutations import count_permutations, draw_permutations
from deepmapper.features.samples import Samples
from deepmapper.findings import signal_test
from deepmapper.findings.ranking import accumulate_passes
from deepmapper.passes.result import ControlPart


@pytest.fixture
def tested(hand_made):
    """Give a function that tests passes on `each` samples per class, `right` of which all passes classify correctly."""

    def test(each=4, right=None, controls=5, as_good=0, y=None, groups=None, min_accuracy=0.0):
        y = np.arange(2 * each) % 2 if y is None else np.asarray(y)
        n = len(y)
        right = n if right is None else right
        hit = np.arange(n) < right
        probability = np.where(np.arange(2) == np.where(hit, y, 1 - y)[:, None], 0.8, 0.2)
        passes = [
            hand_made(
                seed, hit.mean(), out_of_bag_rows=np.arange(n), out_of_bag_probability=probability,
                train_rows=np.arange(0), validation_rows=np.arange(0),
            )
            for seed in range(3)
        ]  # fmt: skip
        made = []
        for seed in range(controls):
            labels = draw_permutations(y, groups, seed)
            sure = np.where(np.arange(seed * len(labels), (seed + 1) * len(labels)) < as_good, 0.99, 0.1)
            made.append(hand_made(seed, permuted=True, control=ControlPart(labels, np.full(len(labels), 0.5), sure)))
        samples = Samples(np.empty((n, 4)), y, ("a", "b"), groups=groups)
        return signal_test.permutation_test(accumulate_passes(passes, 2, min_accuracy), passes, made, samples)

    return test


def test_four_and_four_all_right_is_signal(tested):
    found = tested()
    assert found.signal is True
    assert (found.n_permutations, found.n_possible) == (34, 35)
    assert found.p_value == pytest.approx(1 / 35)
    assert found.statement == (
        "Signal: 8 of 8 samples were classified correctly by passes that had not trained on them (95 % interval 0.68 "
        "to 1.00; always predicting their largest class reaches 0.50), and on none of 34 other permutations of the "
        "labels passes predict as well (p = 0.029); there are only 35 permutations in all, so p cannot be below 0.029."
    )
    assert found.control_accuracies == [0.5] * 34


@pytest.mark.parametrize(("each", "ways", "min_p"), [(3, 10, "0.10"), (2, 3, "0.33")])
def test_with_fewer_samples_it_is_unclear_however_good_the_passes(tested, each, ways, min_p):
    found = tested(each)
    assert found.signal is None
    assert found.p_value == pytest.approx(1 / ways)
    assert found.statement.startswith(f"It is unclear whether there is signal: {2 * each} of {2 * each} samples")
    assert f"only {ways} permutations in all, so p cannot be below {min_p}" in found.statement
    assert "as a lead, not as a finding" in found.statement


def test_with_four_pairs_it_is_unclear_as_well(tested):
    """Labels are permuted within a pair: eight ways."""
    found = tested(y=np.arange(8) % 2, groups=np.arange(8) // 2)
    assert (found.signal, found.n_possible) == (None, 8)


def test_many_samples_of_few_donors_are_few(tested):
    """Three and three donors with many samples each can be labelled in ten ways."""
    found = tested(y=np.repeat([0, 1], 15), groups=np.repeat(np.arange(6), 5))
    assert (found.signal, found.n_possible) == (None, 10)
    assert "0.61 to 1.00" in found.statement  # Wilson's interval of six donors, not of thirty samples


@pytest.mark.parametrize("controls", [1, 2])
def test_with_too_few_controls_it_is_unclear_and_more_are_asked_for(tested, controls):
    found = tested(12, controls=controls)
    assert found.signal is None
    assert f"with {8 * controls} permutations p cannot be below {1 / (8 * controls + 1):.2f}" in found.statement
    assert "raise n_permuted" in found.statement


def test_without_controls_it_is_unclear(tested):
    found = tested(controls=0)
    assert (found.signal, found.p_value, found.n_permutations) == (None, None, 0)
    assert "no control pass was trained on permuted labels" in found.statement


def test_what_other_permutations_reach_as_well_is_no_signal(tested):
    found = tested(12, as_good=2)
    assert found.signal is False
    assert "but on 2 of 40 other permutations of the labels passes predict as well (p = 0.073)" in found.statement
    assert "Do not interpret the ranking" in found.statement
    assert tested(12, as_good=1).signal is True  # 2 of 41


@pytest.mark.parametrize("right", [0, 3, 4])
def test_no_better_than_the_largest_class_is_no_signal(tested, right):
    found = tested(right=right)
    assert found.signal is False
    assert found.statement.startswith(f"No signal: {right} of 8 samples")


def test_with_an_interval_that_holds_the_largest_class_it_is_unclear(tested):
    found = tested(right=6)
    assert found.signal is None
    assert "with so few samples" in found.statement


def test_a_class_that_is_larger_is_the_reference(tested):
    """Ten of twelve classified correctly, nine of which are of one class."""
    y = np.repeat([0, 1], [9, 3])
    found = tested(y=y, right=10)
    assert "always predicting their largest class reaches 0.75" in found.statement
    assert found.signal is None
    assert count_permutations(y) == found.n_possible == 220


def test_no_accepted_pass_no_ranking(tested):
    found = tested(right=2, min_accuracy=0.9)
    assert (found.signal, found.statement) == (False, "No pass of 3 was accepted; there is no ranking.")


# ---- many samples ---------------------------------------------------------------------------------------------------


@pytest.fixture
def many(hand_made):
    """Give a function that tests passes against controls, by their accuracies; the largest class has half."""

    def test(accuracies, controls, *, majority=0.5, p=0.001, min_accuracy=0.0):
        passes = [hand_made(i, a, majority_accuracy=majority, permutation_p=p) for i, a in enumerate(accuracies)]
        made = [hand_made(1000 + i, a, permuted=True) for i, a in enumerate(controls)]
        return signal_test.compare_with_controls(accumulate_passes(passes, 2, min_accuracy), made)

    return test


def test_signal_is_beyond_the_spread_of_the_controls(many):
    """Mean 0.5 and standard deviation 0.1 of five controls: p = P(t of 4 > 0.3 / (0.1 √1.2))."""
    found = many([0.7, 0.8, 0.9], 0.5 + 0.1 * np.array([-1, -1, 0, 1, 1]))
    assert found.signal is True
    assert found.p_value == pytest.approx(stats.t.sf(0.3 / (0.1 * 1.2**0.5), 4))
    assert found.statement == (
        "Signal: the median out-of-bag accuracy of 3 passes, 0.800, is higher than without signal (largest class "
        "0.500, shuffled labels 0.500, best of 5 control passes 0.600), p = 0.026."
    )


def test_above_all_controls_but_within_chance_it_is_unclear(many):
    """Five controls, of which the best is often beaten by the next."""
    found = many([0.62] * 3, [0.4, 0.45, 0.5, 0.55, 0.6])
    assert found.signal is None and found.p_value > 0.05
    assert found.statement.startswith("It is unclear whether there is signal: the median out-of-bag accuracy")
    assert "n_permuted" in found.statement
    assert "as a lead, not as a finding" in found.statement


@pytest.mark.parametrize(
    ("accuracy", "controls", "majority"), [(0.6, [0.4, 0.45, 0.7], 0.5), (0.79, [0.5] * 4, 0.8), (0.5, [0.3, 0.3], 0.5)]
)
def test_what_is_not_above_a_reference_is_no_signal(many, accuracy, controls, majority):
    found = many([accuracy] * 3, controls, majority=majority)
    assert found.signal is False
    assert "Do not interpret the ranking" in found.statement


def test_one_lucky_control_among_many_does_not_hide_signal(many):
    controls = [*np.linspace(0.4, 0.6, 19), 0.7]
    assert many([0.68] * 3, controls).signal is True
    assert many([0.6] * 3, controls).signal is False


def test_choosing_the_best_passes_makes_no_signal(many):
    """Of nine passes that guess, the two that got lucky pass `min_accuracy`."""
    accuracies = [0.4, 0.42, 0.45, 0.48, 0.5, 0.5, 0.52, 0.66, 0.7]
    assert many(accuracies, [0.45, 0.5, 0.55, 0.5], min_accuracy=0.6).signal is False


@pytest.mark.parametrize(("p", "signal"), [(0.001, True), (0.02, True), (0.04, None)])
def test_without_controls_to_compare_the_passes_own_tests_decide(many, p, signal):
    found = many([0.7] * 3, [], p=p)
    assert (found.signal, found.p_value) == (signal, 2 * p)
    assert "no control pass was trained" in found.statement


def test_controls_that_all_reach_the_same_are_no_reason_to_fail(many):
    assert many([0.7] * 3, [0.5] * 4).signal is True
    assert many([0.5] * 3, [0.5] * 4).signal is False


def test_pure_noise_is_seldom_called_signal(many):
    """Luck of the labels, 0.12, is shared by all passes; luck of a pass, 0.1, is its own. Controls draw both anew."""
    rng = np.random.default_rng(0)
    called = {5: 0, 20: 0}
    for _ in range(400):
        luck, controls = rng.normal(0, 0.12), 0.5 + rng.normal(0, 0.12, 20) + rng.normal(0, 0.1, 20)
        accuracies = (0.5 + luck + rng.normal(0, 0.1, 10)).clip(0, 1)
        for n in called:
            called[n] += many(accuracies, controls[:n].clip(0, 1)).signal is True
    assert called[5] <= 20 and called[20] <= 20


def test_passes_that_cannot_be_judged_say_nothing(many):
    """They have no accuracy: no out-of-bag sample had a lowest label."""
    nan = float("nan")
    assert many([0.9, nan, 0.8, 0.85], [0.5, 0.52, nan, 0.48, 0.5]) == many([0.9, 0.8, 0.85], [0.5, 0.52, 0.48, 0.5])
    none = many([nan, nan], [0.5, 0.5])
    assert none.signal is False and none.statement == "No pass of 2 was accepted; there is no ranking."

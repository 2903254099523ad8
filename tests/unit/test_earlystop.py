"""When training stops, against Keras's rule written out by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepmapper.earlystop import EarlyStopper, is_improvement, should_stop

# Multiples of 1/64 add and subtract without rounding, so that both sides of a comparison mean the same.
metrics = st.lists(st.integers(0, 640).map(lambda i: i / 64) | st.just(math.nan), min_size=1, max_size=60)
rules = st.tuples(st.integers(1, 8), st.integers(0, 64).map(lambda i: i / 64), st.integers(1, 30))
modes = st.sampled_from(["min", "max"])


def keras(values, patience, min_delta, start_from_epoch, mode):
    """Keras 3, EarlyStopping.on_epoch_end with restore_best_weights: the last epoch trained, and the epoch kept."""
    best, best_epoch, wait = None, -1, 0
    for epoch, value in enumerate(values):
        if epoch < start_from_epoch:
            continue
        wait += 1
        if mode == "min":
            better = value < math.inf if best is None else value + min_delta < best
        else:
            better = value > -math.inf if best is None else value - min_delta > best
        if better:
            best, best_epoch, wait = value, epoch, 0
            continue
        if wait >= patience:
            return epoch, best_epoch
    return len(values) - 1, best_epoch


def follow(values, patience, min_delta, min_epochs, mode):
    stopper = EarlyStopper(patience, min_delta, min_epochs, mode)
    for epoch, value in enumerate(values):
        if stopper.step(epoch, value):
            break
    return epoch, stopper


@given(metrics, rules, modes)
def test_it_stops_and_keeps_what_keras_would(values, rule, mode):
    patience, min_delta, min_epochs = rule
    last, stopper = follow(values, *rule, mode)
    assert (last, stopper.best_epoch) == keras(values, patience, min_delta, min_epochs - 1, mode)


@given(metrics, rules, modes)
def test_it_never_stops_or_keeps_an_epoch_before_the_floor(values, rule, mode):
    last, stopper = follow(values, *rule, mode)
    if last < len(values) - 1:
        assert last + 1 >= rule[2]
    assert stopper.best_epoch == -1 or stopper.best_epoch + 1 >= rule[2]


@given(metrics, rules)
def test_no_epoch_beats_the_one_kept_by_more_than_min_delta(values, rule):
    _, min_delta, min_epochs = rule
    last, stopper = follow(values, *rule, "min")
    counted = [value for value in values[min_epochs - 1 : last + 1] if not math.isnan(value)]
    if counted:
        assert stopper.best == values[stopper.best_epoch]
        assert stopper.best <= min(counted) + min_delta
        if min_delta == 0:
            assert stopper.best == min(counted)
    else:
        assert stopper.best_epoch == -1


@given(metrics, rules)
def test_an_accuracy_is_followed_like_the_loss_of_opposite_sign(values, rule):
    up, down = follow(values, *rule, "max"), follow([-value for value in values], *rule, "min")
    assert (up[0], up[1].best_epoch) == (down[0], down[1].best_epoch)


def test_a_plateau_by_hand():
    stopper = EarlyStopper(patience=2, min_delta=0.1, min_epochs=3)
    #        floor      best  not by 0.1   better, then two that are not
    values = [0.1, 0.2, 1.0, 0.95, 0.8, 0.75, 0.75]
    said = [(stopper.step(epoch, value), stopper.improved) for epoch, value in enumerate(values)]
    assert said == [(False, i in (2, 4)) for i in range(6)] + [(True, False)]
    assert (stopper.best, stopper.best_epoch, stopper.num_bad) == (0.8, 4, 2)


def test_the_defaults_are_those_of_the_manual():
    stopper = EarlyStopper()
    assert (stopper.patience, stopper.min_delta, stopper.min_epochs, stopper.mode) == (20, 1e-3, 40, "min")
    assert stopper.best == math.inf
    assert EarlyStopper(mode="max").best == -math.inf


def test_a_loss_that_is_nan_never_improves():
    assert not is_improvement(math.nan, math.inf, 0.0)
    assert not is_improvement(math.nan, -math.inf, 0.0, "max")


@pytest.mark.parametrize(
    ("value", "best", "mode", "better"),
    [(0.5, 1.0, "min", True), (0.75, 1.0, "min", False), (1.5, 1.0, "max", True), (1.25, 1.0, "max", False)],
)
def test_improvement_is_by_more_than_min_delta(value, best, mode, better):
    assert is_improvement(value, best, 0.25, mode) is better


@pytest.mark.parametrize(
    ("num_bad", "epoch", "stops"), [(2, 9, False), (3, 8, False), (3, 9, True), (4, 12, True), (0, 50, False)]
)
def test_stopping_needs_both_the_floor_and_the_patience(num_bad, epoch, stops):
    assert should_stop(num_bad, patience=3, epoch=epoch, min_epochs=10) is stops


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="mode='auto': expected 'min' or 'max'"):
        EarlyStopper(mode="auto")

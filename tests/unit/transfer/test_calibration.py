"""Probabilities after calibration mean what they say."""

import numpy as np

from deepmapper.transfer.calibration import apply_temperature, fit_temperature


def drawn(temperature, n=4000):
    """Labels drawn from probabilities, and these probabilities sharpened or blunted by a temperature."""
    rng = np.random.default_rng(0)
    true = rng.dirichlet([0.5, 0.5, 0.5], n)
    labels = np.array([rng.choice(3, p=row) for row in true])
    return apply_temperature(true, temperature), labels


def test_the_temperature_undoes_a_distortion():
    for distortion in (0.5, 1.0, 2.0):
        probability, labels = drawn(distortion)
        assert abs(fit_temperature(probability, labels) * distortion - 1) < 0.1


def test_samples_that_no_pass_judged_are_left_out():
    probability, labels = drawn(0.5, 500)
    padded = np.vstack([probability, np.full((3, 3), np.nan)])
    assert fit_temperature(padded, np.append(labels, [0, 0, 0])) == fit_temperature(probability, labels)
    assert fit_temperature(np.full((3, 2), np.nan), np.zeros(3, dtype=int)) == 1.0


def test_rows_sum_to_one_and_keep_their_order():
    probability = np.array([[0.7, 0.2, 0.1], [1.0, 0.0, 0.0]])
    scaled = apply_temperature(probability, 3.0)
    np.testing.assert_allclose(scaled.sum(1), 1)
    assert (np.argsort(scaled, 1) == np.argsort(probability, 1)).all()
    np.testing.assert_allclose(apply_temperature(probability[:1], 1.0), probability[:1])

"""The learnt evidence score."""

import numpy as np

from deepmapper.evidence import scores


def test_the_learnt_score_never_falls_with_a_larger_value():
    rng = np.random.default_rng(2)
    features, shadows = np.abs(rng.normal(size=(3, 400))), [np.abs(rng.normal(size=(3, 400))) for _ in range(3)]
    features[1, :60] += rng.exponential(2.0, 60)
    examples = np.concatenate([features, *shadows], axis=1)
    curves = scores._Curves.of(examples)
    real = np.arange(examples.shape[1]) < 400
    offset, slopes = scores._fit(curves(examples), real, np.where(real, 1.0, 1 / 3))
    assert (slopes >= 0).all() and slopes.max() > 0
    point = np.abs(rng.normal(size=(3, 200))) * 3
    further = point + np.abs(rng.normal(size=(3, 200)))
    assert (curves(further) @ slopes - curves(point) @ slopes >= -1e-6).all()
    assert np.isfinite(offset)

"""What each pass contributes to the ranking by z."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from deepmapper.findings import q_values
from deepmapper.findings.list_convergence import assess_list
from deepmapper.findings.pass_scores import pass_scores
from deepmapper.findings.recommended import normal_scores
from deepmapper.passes.result import ShadowPart

P, K, N_CLASSES = 400, 20, 3
NAMES = [f"g{i}" for i in range(P)]
LEVELS = np.arange(P) % 4 * 10.0 + np.linspace(0, 1, P)  # of four strata, which share the largest effects


def made(seed, n=18, shadow_n=12, uneven=0.5):
    """Passes on the same features: noise of every pass, shadows of every draw, and of every pass its own steepness."""
    rng, effect = np.random.default_rng(seed), np.random.default_rng(0).normal(size=(N_CLASSES, P))
    effect *= np.linspace(6, 0.5, P)
    stratum = (LEVELS // 10).astype(int)

    def slope(value):
        units = np.exp(uneven * rng.normal(size=4))[stratum]
        return (units * (value + 2 * rng.normal(size=value.shape))).astype(np.float32)

    passes = [SimpleNamespace(class_gradient=slope(effect), shadows=None) for _ in range(n)]
    shadowed = []
    for i in range(shadow_n):
        if i % 3 == 0:
            shadow = rng.normal(size=effect.shape) * np.exp(uneven * rng.normal(size=4))[stratum]
        shadowed.append(SimpleNamespace(class_gradient=slope(effect), shadows=ShadowPart(slope(shadow), i // 3)))
    return passes, shadowed


@pytest.mark.parametrize("shadow_n", [3, 12])
def test_the_mean_of_all_rows_ranks_as_z_does(shadow_n):
    tested = np.arange(P) % 10 > 0
    passes, shadowed = made(1, shadow_n=shadow_n)
    scores = pass_scores(passes, shadowed, LEVELS, tested)
    found = q_values.calibrate(passes, shadowed, LEVELS, tested)
    assert scores.shape == (18 + shadow_n, P) and np.isfinite(scores).all()
    assert not scores[:, ~tested].any()
    np.testing.assert_array_equal(np.argsort(scores.mean(0, dtype=np.float64))[-50:], np.argsort(found.z)[-50:])


def test_a_feature_without_any_gradient_has_no_score():
    passes, shadowed = made(1)
    for result in [*passes, *shadowed]:
        result.class_gradient[:, 5] = 0
    scores = pass_scores(passes, shadowed, LEVELS, np.ones(P, dtype=bool))
    assert np.isfinite(scores).all() and not scores[:, 5].any()


@pytest.mark.parametrize("uneven", [0.0, 0.5])
def test_what_is_expected_of_other_passes_counts_that_they_have_other_shadows(uneven):
    tested = np.ones(P, dtype=bool)
    firsts = [
        set(np.argsort(-q_values.calibrate(*made(100 + seed, uneven=uneven), LEVELS, tested).z)[:K])
        for seed in range(16)
    ]
    truth = np.mean([len(one & two) / K for one, two in zip(firsts[::2], firsts[1::2], strict=True)])
    expected = []
    for seed in range(4):
        passes, shadowed = made(seed, uneven=uneven)
        parts = {"networks": normal_scores(q_values.calibrate(passes, shadowed, LEVELS, tested).z)}
        table = pd.DataFrame({"feature": NAMES, "score": parts["networks"]})
        scores = {"cnn": pass_scores(passes, shadowed, LEVELS, tested)}
        expected.append(assess_list(table, NAMES, scores, parts, K)[1])
    mean = np.mean([each["agreement"] for each in expected])
    assert truth - 0.13 < mean < truth + 0.08  # the jackknife is cautious
    assert sum(each["agreement_low"] <= truth <= each["agreement_high"] for each in expected) >= 3

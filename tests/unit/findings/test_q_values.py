"""Error rates: valid p-values, and which features are significant."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from deepmapper.features import levels
from deepmapper.findings import q_values
from deepmapper.findings.consensus import (
    ShadowedVotes,
    comparable_scales,
    mean_shadowed_votes,
    noise_factors,
    root_mean_square,
    standardise_shadows,
)
from deepmapper.findings.feature_join import join_by_feature, rank_by_significance
from deepmapper.passes.result import ShadowPart

P = 1000


def made(rng, effects, scale, n=12, shadow_n=12, n_classes=2, gain=1.0, noise=0.3, heavy=False):
    """Passes whose gradients are an effect, chance associations with the labels, and noise of the pass."""

    def lean(size):
        drawn = rng.normal(size=size)
        return np.sign(drawn) * np.abs(drawn) ** 3 if heavy else drawn  # gates make tails heavy

    effect = np.zeros((n_classes, P))
    effect[1] = effects
    own = effect + lean((n_classes, P))
    shadows = [lean((n_classes, P)) for _ in range(shadow_n // 3)]

    def slope(value, factor):
        return (scale * factor * (value + noise * rng.normal(size=value.shape))).astype(np.float32)

    passes = [SimpleNamespace(class_gradient=slope(own, gain)) for _ in range(n)]
    shadowed = [
        SimpleNamespace(class_gradient=slope(own, 1), shadows=ShadowPart(slope(shadows[i // 3], 1), i // 3))
        for i in range(shadow_n)
    ]
    return passes, shadowed


@pytest.mark.parametrize("heavy", [False, True])
@pytest.mark.parametrize("gain", [1.0, 7.0])
def test_p_values_of_uninformative_features_are_uniform_at_any_scale(gain, heavy):
    rng = np.random.default_rng(1)
    level = np.exp(rng.normal(size=P))
    passes, shadowed = made(rng, np.zeros(P), level, gain=gain, heavy=heavy)
    found = q_values.calibrate(passes, shadowed, level, np.ones(P, dtype=bool))
    for share in (0.05, 0.2, 0.5):
        assert abs((found.p < share).mean() - share) < 0.05
    assert not found.significant.any()
    assert found.statement.startswith("0 of 1,000 tested features")


@pytest.mark.parametrize("share", [0.03, 0.7])
def test_the_error_rate_is_controlled_if_few_and_if_most_features_differ(share):
    false, power = [], []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        level = np.exp(rng.normal(size=P))
        true = rng.random(P) < share
        passes, shadowed = made(rng, np.where(true, 7.0, 0.0), level, gain=3.0)
        chosen = q_values.calibrate(passes, shadowed, level, np.ones(P, dtype=bool)).significant
        false.append((chosen & ~true).sum() / max(1, chosen.sum()))
        power.append(chosen[true].mean())
    assert np.mean(false) <= 0.12  # 0.1, and what eight studies vary by
    assert np.mean(power) > 0.8


def test_direction_and_class_of_an_effect_are_found():
    rng = np.random.default_rng(0)
    effects = np.zeros(P)
    effects[:20], effects[20:40] = 12.0, -12.0
    passes, shadowed = made(rng, effects, np.ones(P), n_classes=3)
    found = q_values.calibrate(passes, shadowed, np.ones(P), np.ones(P, dtype=bool))
    assert (found.class_z[1, :20] > 0).all()
    assert (found.class_z[1, 20:40] < 0).all()
    assert (found.class_q[1, :40] <= 0.1).mean() > 0.9
    assert (found.class_q[0, 40:] <= 0.1).mean() < 0.02


def test_features_that_are_not_tested_have_no_p_and_do_not_count():
    rng = np.random.default_rng(0)
    effects = np.zeros(P)
    effects[:5] = 50.0
    passes, shadowed = made(rng, effects, np.ones(P))
    tested = np.arange(P) < 500
    found = q_values.calibrate(passes, shadowed, np.ones(P), tested)
    assert np.isnan(found.p[500:]).all() and np.isnan(found.q[500:]).all() and np.isnan(found.class_q[:, 500:]).all()
    assert (found.z[500:] == 0).all()
    assert set(np.flatnonzero(found.significant)) >= {0, 1, 2, 3, 4}
    assert len(found.null_z) == 4 * 500


def test_few_permutations_give_no_small_p_and_the_statement_says_so():
    rng = np.random.default_rng(0)
    passes, shadowed = made(rng, np.full(P, 50.0), np.ones(P))
    found = q_values.calibrate(passes, shadowed, np.ones(P), np.ones(P, dtype=bool), n_permutations=3)
    assert found.p.min() == pytest.approx(1 / 3)
    assert not found.significant.any()
    assert "only 3 permutations of the labels" in found.statement
    assert "below 0.33" in found.statement


def test_a_single_strong_feature_is_significant_and_nothing_else_is():
    rng = np.random.default_rng(0)
    passes, shadowed = made(rng, np.where(np.arange(P) == 7, 60.0, 0.0), np.ones(P))
    found = q_values.calibrate(passes, shadowed, np.ones(P), np.ones(P, dtype=bool))
    assert np.flatnonzero(found.significant).tolist() == [7]
    assert found.q[7] <= 0.01
    assert q_values.summarise_calibration(found)["tail"]["n_tail"] >= 50


def null_passes(seed, spread=0.0):
    """Passes without a true feature: heavy tails (Student's t, three degrees of freedom), and draws of unequal size."""
    rng = np.random.default_rng([seed, 11])

    def draw():
        lean = rng.standard_t(3, size=(1, P)) * np.exp(spread * rng.normal())
        return np.concatenate([-lean, lean])

    def slope(value):
        return (value + 0.5 * rng.normal(size=value.shape)).astype(np.float32)

    own, shadows = draw(), [draw() for _ in range(4)]
    passes = [SimpleNamespace(class_gradient=slope(own)) for _ in range(3)]
    return passes, [
        SimpleNamespace(class_gradient=slope(own), shadows=ShadowPart(slope(shadows[i // 3]), i // 3))
        for i in range(12)
    ]


@pytest.mark.parametrize("spread", [0.0, 0.3])
def test_without_a_true_feature_at_most_every_tenth_study_lists_one(spread):
    lists, small = [], []
    for seed in range(30):
        found = q_values.calibrate(*null_passes(seed, spread), np.arange(P), np.ones(P, dtype=bool))
        lists.append(found.significant.any())
        small.append((found.p <= 1e-3).mean())
    assert np.mean(lists) <= 0.1
    assert np.mean(small) <= 1.5e-3


def test_a_shadow_is_not_part_of_its_own_scale():
    shadows = np.ones((4, 1, 100))
    shadows[0, 0, 0] = 1000.0
    standardised = standardise_shadows(shadows, np.arange(100))
    assert standardised[0, 0, 0] == 1000.0  # with its own draw in the scale: at most the square root of 400
    assert (standardised[1:] < 1).all()


def test_a_draw_of_shadows_unlike_all_others_is_seen_to_be():
    shadows = np.random.default_rng(0).normal(size=(4, 2, 300))
    shadows[2] *= 10
    size = np.sqrt((standardise_shadows(shadows, np.arange(300)) ** 2).mean(axis=(1, 2)))
    assert size[2] == pytest.approx(10, rel=0.1)


def test_a_single_draw_of_shadows_gives_no_tail_and_zeros_stay_zeros():
    passes, shadowed = made(np.random.default_rng(0), np.zeros(P), np.ones(P), shadow_n=3)
    found = q_values.calibrate(passes, shadowed, np.ones(P), np.ones(P, dtype=bool))
    assert found.tail is None
    assert found.min_p == 1 / (1 + P)
    assert (standardise_shadows(np.zeros((3, 2, 50)), np.arange(50)) == 0).all()


def test_classes_that_a_pass_did_not_attribute_are_left_out_of_it():
    rng = np.random.default_rng(0)
    effects = np.where(np.arange(P) < 30, 12.0, 0.0)
    passes, shadowed = made(rng, effects, np.ones(P), n_classes=3)
    passes[0].class_gradient[2] = np.nan
    shadowed[0].class_gradient[2] = shadowed[0].shadows.class_gradient[2] = np.nan
    found = q_values.calibrate(passes, shadowed, np.ones(P), np.ones(P, dtype=bool))
    assert np.isfinite(found.z).all()
    assert found.significant[:30].mean() > 0.9


@pytest.mark.parametrize("sparse", [False, True])
def test_levels_are_those_of_the_rows_asked_for(sparse):
    X = np.array([[0, 2, 1], [4, 2, 0], [0, 2, 0], [9, 9, 9]], dtype=np.float32)
    matrix = sp.csr_matrix(X) if sparse else X
    mean, detected = levels.feature_levels(matrix, np.array([0, 1, 2]), 3, batch=2)
    np.testing.assert_allclose(mean, [4 / 3, 2, 1 / 3])
    np.testing.assert_allclose(detected, [1 / 3, 0, 1 / 3])  # the second never varies


def test_which_features_are_tested_depends_on_the_class_sizes_alone():
    assert levels.min_detected_share(0.05, np.arange(100) % 2) == 0.05
    assert levels.min_detected_share(0.05, np.repeat([0, 1], [98, 2])) == 0.01
    assert 0 < levels.min_detected_share(0.0, np.arange(100) % 2) < 1e-6


def test_passes_without_shadows_do_not_raise_the_number_of_significant_features():
    rng = np.random.default_rng(0)
    effects = np.where(np.arange(P) < 100, 8.0, 0.0)
    passes, shadowed = made(rng, effects, np.ones(P), n=60, noise=2.0)
    for result in passes:  # another network would make the largest slopes larger still
        result.class_gradient = np.sign(result.class_gradient) * np.abs(result.class_gradient) ** 2
    found = q_values.calibrate(passes, shadowed, np.ones(P), np.ones(P, dtype=bool))
    votes = mean_shadowed_votes(shadowed, found.strata)
    shadows = np.sinh(votes.shadows * noise_factors(votes, 12)[:, :, None])
    scale = comparable_scales(votes.features, votes.features, shadows, np.ones(P))[1]
    alone = np.sort(root_mean_square(np.sinh(votes.features) * scale))
    assert (np.sort(found.z) <= alone + 1e-9).all()
    assert 80 < found.significant.sum() <= (alone >= found.z[found.significant].min()).sum()
    assert found.significant[100:].sum() <= 12


def test_a_single_steep_pass_makes_no_feature():
    rng = np.random.default_rng(0)
    passes, shadowed = made(rng, np.where(np.arange(P) < 20, 8.0, 0.0), np.ones(P))
    for result in passes[:1] + shadowed[:1]:
        result.class_gradient = result.class_gradient * 1000
        result.class_gradient[1, 500] = 1e6
    found = q_values.calibrate(passes, shadowed, np.ones(P), np.ones(P, dtype=bool))
    assert found.significant[:20].mean() > 0.9
    assert not found.significant[500]


def test_shadows_get_the_spread_of_means_over_as_many_passes_as_features():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(4, 1, 1, 4000))
    single = shared + 0.8 * rng.normal(size=(4, 3, 1, 4000))
    votes = ShadowedVotes(np.zeros((1, 4000)), single.mean(1), np.full(4, 3), np.square(single).mean((1, 3)))
    few, many = noise_factors(votes, 3), noise_factors(votes, 12)
    np.testing.assert_allclose(few, 1)
    np.testing.assert_allclose(many, np.sqrt((1 + 0.64 / 12) / (1 + 0.64 / 3)), rtol=0.03)
    alone = replace(votes, n_passes=np.ones(4, dtype=int))
    np.testing.assert_allclose(noise_factors(alone, 12), 1)  # nothing says how much single passes vary


def test_the_table_puts_significant_features_first_and_counts_ranks_anew():
    rng = np.random.default_rng(0)
    passes, shadowed = made(rng, np.where(np.arange(P) < 10, 30.0, 0.0), np.ones(P))
    found = q_values.calibrate(passes, shadowed, np.ones(P), np.arange(P) != 3)
    names = [f"g{i}" for i in range(P)]
    given = pd.DataFrame({"rank": np.arange(1, P + 1), "feature": names[::-1], "median_importance": np.arange(P)})
    tested = q_values.significance_table(found, names, ["a", "b"])
    table = rank_by_significance(join_by_feature(given, tested))
    assert set(table["feature"][:9]) == {f"g{i}" for i in range(10)} - {"g3"}
    assert table["rank"].tolist() == list(range(1, P + 1))
    assert (np.diff(table["z"][table["significant"]]) <= 0).all()
    assert table.set_index("feature").loc["g7", "median_importance"] == P - 8
    assert {"z", "p", "q", "significant", "z[a]", "p[a]", "q[a]", "z[b]", "p[b]", "q[b]"} <= set(table)
    plain = rank_by_significance(join_by_feature(given, pd.DataFrame({"feature": names, "rank_low": 1.0})))
    assert plain["feature"].tolist() == given["feature"].tolist()


def test_without_shadows_the_statement_says_so():
    assert "n_shadow" in q_values.summarise_calibration(None)["statement"]
    assert list(q_values.null_table(None)) == ["share", "z_shadow", "z_feature"]

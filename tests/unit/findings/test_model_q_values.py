"""Error rates and intervals of one model, as far as its passes allow."""

import numpy as np
import pytest

from deepmapper.features.store import Features
from deepmapper.findings.model_q_values import calibrate_model
from deepmapper.passes.result import ShadowPart

P = 200
OPTIONS = {"min_accuracy": 0.5, "level": 0.1, "min_detected": 0.05, "n_resamples": 50, "seed": 0}


@pytest.fixture(scope="module")
def features():
    """Eighty samples × 200 features, of which feature 7 is never seen; ten features differ between the classes."""
    rng = np.random.default_rng(0)
    X = rng.gamma(1.0, 1.0, (80, P)).astype(np.float32)
    X[:, 7] = 0
    split = (np.arange(80) % 4 == 0).astype(np.uint8)
    return Features(X, np.arange(80) % 2, ("a", "b"), tuple(f"g{i}" for i in range(P)), (), split)


@pytest.fixture
def passes(hand_made):
    """Eight passes, the last below the gate, and six with shadows in two draws; they rely on the first ten features."""
    rng = np.random.default_rng(0)
    own = np.stack([-np.ones(P), np.ones(P)]) * np.where(np.arange(P) < 10, 30.0, rng.normal(size=P))

    def noisy(values):
        return (values + 0.1 * rng.normal(size=values.shape)).astype(np.float32)

    plain = [
        hand_made(seed, accuracy, np.abs(slope[1]), class_gradient=slope)
        for seed, accuracy, slope in ((seed, 0.9 if seed < 7 else 0.2, noisy(own)) for seed in range(8))
    ]
    shadows = [
        hand_made(seed, 0.9, np.abs(own[1]), class_gradient=noisy(own),
                  shadows=ShadowPart(noisy(rng.normal(size=(2, P))), seed // 3))
        for seed in range(6)
    ]  # fmt: skip
    return plain, shadows


def test_features_that_the_networks_rely_on_are_significant_with_their_intervals(features, passes):
    found = calibrate_model(features, *passes, **OPTIONS)
    table = found.table.set_index("feature")
    assert {f"g{i}" for i in range(10)} - {"g7"} <= set(table.index[table["significant"]])
    assert np.isnan(table.loc["g7", "p"])  # never seen, so not tested
    assert found.summary["n_tested"] == P - 1
    assert (found.summary["n_passes"], found.summary["n_shadow_passes"], found.summary["n_draws"]) == (7, 6, 2)
    assert (table["importance_low"] <= table["importance_high"]).all()
    assert (table.loc["g0", "rank_low"], table.loc["g0", "rank_high"] <= 10) == (pytest.approx(1, abs=9), True)
    assert len(found.null) == 1000


def test_without_shadow_passes_there_are_intervals_and_no_error_rates(features, passes):
    found = calibrate_model(features, passes[0], [], **OPTIONS)
    columns = ["feature", "importance_low", "importance_high", "rank_low", "rank_high"]
    assert found.table.columns.tolist() == columns
    assert len(found.null) == 0
    assert "n_shadow" in found.summary["statement"]


def test_without_an_accepted_pass_there_are_the_names_alone(features, passes):
    found = calibrate_model(features, *passes, **OPTIONS | {"min_accuracy": 0.99})
    assert found.table.columns.tolist() == ["feature"]
    assert found.table["feature"].tolist() == list(features.names)
    assert found.summary["statement"].startswith("No error rate")


def test_values_of_the_test_split_do_not_count(features, passes):
    spoiled = features.X.copy()
    spoiled[features.test] = 99
    again = Features(spoiled, features.y, features.classes, features.names, (), features.split)
    one, other = (calibrate_model(given, *passes, **OPTIONS) for given in (features, again))
    np.testing.assert_array_equal(one.table["p"], other.table["p"])

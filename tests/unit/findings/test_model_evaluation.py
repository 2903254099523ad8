"""The final evaluation of one model, and of logistic regression beside it: judged on the same samples."""

import numpy as np
import pytest

from deepmapper.features.store import Features
from deepmapper.findings import ensemble
from deepmapper.findings.baseline import fit_run_baseline
from deepmapper.findings.model_evaluation import evaluate_model
from deepmapper.passes.train import train_pass

OPTIONS = {"bins": 5, "n_resamples": 50, "seed": 0}
BASELINE = {**OPTIONS, "C": 1.0, "max_iter": 500, "out_of_bag": 0.3, "draws": [0, 1, 2]}


@pytest.fixture(scope="module")
def features(planted):
    """The planted data, a quarter of it in the test split, adjusted for a confounder that tells nothing."""
    n = len(planted.y)
    split = (np.arange(n) % 4 == 0).astype(np.uint8)
    return Features(
        planted.sparse,
        planted.y,
        planted.classes,
        tuple(planted.names),
        tuple(f"cell{i}" for i in range(n)),
        split,
        about={"scheme": "fixed", "why": "A test split was set aside."},
        design=np.random.default_rng(0).normal(size=(n, 1)),
        design_names=("batch",),
    )


@pytest.fixture(scope="module")
def repeated(features):
    """The first twelve samples, none of them set aside."""
    return Features(
        features.X[:12],
        features.y[:12],
        features.classes,
        features.names,
        features.samples[:12],
        np.zeros(12, dtype=np.uint8),
        about={"scheme": "repeated", "why": "12 samples are too few."},
    )


@pytest.fixture(scope="module")
def passes(features, quick):
    rows = features.development
    return [train_pass(features.X, features.y, features.classes, quick("linear"), seed, rows=rows) for seed in range(2)]


def test_the_accepted_passes_are_averaged_on_the_test_split(features, passes):
    found = evaluate_model(features, passes, min_accuracy=0.0, **OPTIONS)
    numbers = found.metrics.numbers
    assert (numbers["n_passes"], numbers["n_test"]) == (2, len(features.test))
    probability = np.mean([ensemble.predict(result, features.X, features.test) for result in passes], axis=0)
    assert numbers["accuracy"] == (probability.argmax(1) == features.y[features.test]).mean() > 0.8
    assert found.metrics.per_class["class"].tolist() == list(features.classes)
    assert found.predictions["cell"].tolist() == list(features.samples)
    assert (found.predictions["split"] == "test").sum() == len(features.test)
    assert found.embedding["embedding"].shape[0] == found.embedding["map"].shape[0] == len(features.y)
    assert found.lines[0] == features.about["why"]
    assert f"from 2 passes, {len(features.test)} samples judged" in found.lines[1]


def test_what_confounders_reach_alone_stands_beside_it(features, passes):
    numbers = evaluate_model(features, passes[:1], min_accuracy=0.0, **OPTIONS).metrics.numbers
    assert numbers["confounders"] == ["batch"]
    assert numbers["confounders_accuracy"] < numbers["accuracy"] - 0.2


def test_without_an_accepted_pass_nothing_is_judged_and_all_files_can_be_written(features, passes):
    found = evaluate_model(features, passes, min_accuracy=1.1, **OPTIONS)
    assert (found.metrics.numbers["n_passes"], found.metrics.numbers["accuracy"]) == (0, None)
    assert len(found.metrics.confusion) == 0
    assert found.embedding["embedding"].shape == (len(features.y), 0)
    assert str(found.embedding["basis"]) == "PCA"


def test_without_a_test_split_all_passes_are_judged_out_of_bag(repeated, hand_made):
    """Rejected ones too; a sample that none had out of bag is named."""
    made = [
        hand_made(
            seed, 0.2, classes=repeated.classes, out_of_bag_rows=np.arange(start, start + 6),
            out_of_bag_probability=np.eye(3)[repeated.y[start : start + 6]],
        )
        for seed, start in enumerate((0, 5))
    ]  # fmt: skip
    found = evaluate_model(repeated, made, min_accuracy=0.5, **OPTIONS)
    numbers = found.metrics.numbers
    assert (numbers["scheme"], numbers["n_test"], numbers["n_passes"], numbers["accuracy"]) == ("repeated", 11, 2, 1)
    assert numbers["not_judged"] == ["cell11"]
    assert found.lines[0].startswith("1 sample(s) were out of bag in none of 2 passes and are not judged: cell11")
    assert (numbers["confounders"], numbers["confounders_accuracy"]) == ([], None)
    assert found.predictions["split"].tolist() == ["out_of_bag"] * 11 + ["none"]


def test_logistic_regression_is_judged_on_the_same_samples(features, planted):
    found = fit_run_baseline(features, **BASELINE)
    assert found.metrics.numbers["n_test"] == len(features.test)
    assert found.metrics.numbers["accuracy"] > 0.8
    assert found.metrics.numbers["solver"] == found.lines[1] == "L-BFGS on the matrix in memory."
    assert found.ranking.columns.tolist() == ["rank", "feature", "importance"]
    assert found.ranking["rank"].tolist() == list(range(1, 31))
    assert set(found.ranking["feature"].head(4)) <= {f"gene{i}" for i in planted.signal}


def test_the_test_split_does_not_shape_logistic_regression(features):
    spoiled = features.X.toarray()
    spoiled[features.test] = 5
    again = Features(
        spoiled, features.y, features.classes, features.names, features.samples, features.split, about=features.about
    )
    dense = Features(
        features.X.toarray(), features.y, features.classes, features.names, features.samples, features.split,
        about=features.about,
    )  # fmt: skip
    assert fit_run_baseline(dense, **BASELINE).ranking.equals(fit_run_baseline(again, **BASELINE).ranking)


def test_without_a_test_split_logistic_regression_is_judged_out_of_bag(repeated):
    found = fit_run_baseline(repeated, **BASELINE)
    numbers = found.metrics.numbers
    assert (numbers["scheme"], numbers["n_passes"]) == ("repeated", 1)
    assert numbers["n_test"] + len(numbers["not_judged"]) == 12

"""The final evaluation of one model: on the test split, or out of bag."""

import numpy as np
import pytest

from deepmapper.findings import ensemble
from deepmapper.findings.baseline import fit_run_baseline
from deepmapper.findings.model_evaluation import evaluate_model
from deepmapper.findings.model_table import against_baseline
from deepmapper.passes.train import train_pass

OPTIONS = {"bins": 5, "n_resamples": 50, "seed": 0}


@pytest.fixture(scope="module")
def passes(features, quick):
    return [train_pass(features.development_samples, quick("linear"), seed) for seed in range(2)]


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
    assert found.lines[0] == features.metadata["why"]
    assert found.lines[1] == f"accuracy {numbers['accuracy']:.3f} of 2 passes on {len(features.test)} samples"


def test_the_accuracy_of_confounders_alone_is_given(features, passes):
    numbers = evaluate_model(features, passes[:1], min_accuracy=0.0, **OPTIONS).metrics.numbers
    assert numbers["confounders"] == ["batch"]
    assert numbers["confounders_accuracy"] < numbers["accuracy"] - 0.2


def test_without_an_accepted_pass_nothing_is_evaluated_and_all_files_can_be_written(features, passes):
    found = evaluate_model(features, passes, min_accuracy=1.1, **OPTIONS)
    assert (found.metrics.numbers["n_passes"], found.metrics.numbers["accuracy"]) == (0, None)
    assert found.lines[-1].startswith("no accuracy of 0 passes on ")
    assert len(found.metrics.confusion) == 0
    assert found.embedding["embedding"].shape == (len(features.y), 0)
    assert str(found.embedding["basis"]) == "PCA"


def test_without_a_test_split_all_passes_are_evaluated_out_of_bag(repeated, hand_made):
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
    assert "cell11" in found.lines[0]
    assert (numbers["confounders"], numbers["confounders_accuracy"]) == ([], None)
    assert found.predictions["split"].tolist() == ["out_of_bag"] * 11 + ["none"]


def test_samples_with_a_label_above_others_are_predicted_but_not_judged(nested, quick):
    """The same samples and classes as for logistic regression, to which they can be compared."""
    passes = [train_pass(nested.development_samples, quick("linear"), 0)]
    found = evaluate_model(nested, passes, min_accuracy=0.0, **OPTIONS)
    baseline = fit_run_baseline(nested, C=1.0, max_iter=500, out_of_bag=0.3, draws=[0], **OPTIONS)
    upper = nested.y[nested.test] == 3
    for numbers, lines in ((found.metrics.numbers, found.lines), (baseline.metrics.numbers, baseline.lines)):
        assert (numbers["n_test"], numbers["n_upper_label"]) == ((~upper).sum(), upper.sum())
        assert numbers["classes"] == list(nested.classes[:3])
        assert numbers["accuracy"] > 0.8
        assert any(f"{upper.sum()} of {len(upper)} samples" in line for line in lines)
    assert found.metrics.per_class["support"].sum() == (~upper).sum()
    predicted = found.predictions.set_index("cell").loc[list(nested.names_of(nested.test))]
    assert set(predicted["prediction"]) <= set(nested.classes[:3])
    assert set(predicted["prediction"][upper]) <= set(nested.classes[:2])
    assert baseline.predictions["cell"].tolist() == nested.names_of(nested.test[~upper])
    (paired,) = against_baseline([found.predictions], baseline.predictions, nested)
    assert paired.only_first + paired.only_second < (~upper).sum() / 2

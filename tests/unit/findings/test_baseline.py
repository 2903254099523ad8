"""Logistic regression on all features of a run, evaluated on the same samples as the passes."""

from dataclasses import replace

from deepmapper.findings.baseline import fit_run_baseline

OPTIONS = {"bins": 5, "n_resamples": 50, "seed": 0}
BASELINE = {**OPTIONS, "C": 1.0, "max_iter": 500, "out_of_bag": 0.3, "draws": [0, 1, 2]}


def test_logistic_regression_is_evaluated_on_the_same_samples(features, planted):
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
    one, other = (replace(features, X=X) for X in (features.X.toarray(), spoiled))
    assert fit_run_baseline(one, **BASELINE).ranking.equals(fit_run_baseline(other, **BASELINE).ranking)


def test_without_a_test_split_logistic_regression_is_evaluated_out_of_bag(repeated):
    found = fit_run_baseline(repeated, **BASELINE)
    numbers = found.metrics.numbers
    assert (numbers["scheme"], numbers["n_passes"]) == ("repeated", 1)
    assert numbers["n_test"] + len(numbers["not_judged"]) == 12

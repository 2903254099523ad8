"""The honest reference: one exact fit, the same from any kind of matrix."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from deepmapper import linear_baseline
from deepmapper.core import blocks
from deepmapper.errors import InputError
from deepmapper.features.samples import Samples
from deepmapper.features.splits import draw_out_of_bag
from deepmapper.linear_baseline import fit, out_of_bag, top_genes


@pytest.fixture(scope="module")
def fitted(planted):
    return fit(planted.X, planted.y, planted.names)


def test_planted_features_lead_the_ranking(fitted, planted):
    assert {int(name.removeprefix("gene")) for name in top_genes(fitted[2], 7)} == set(planted.signal)


def test_importance_is_the_largest_standardised_coefficient(fitted, planted):
    clf, scaler, ranking = fitted
    assert clf.coef_.shape == (3, 30)
    importance = dict(ranking)
    np.testing.assert_allclose([importance[name] for name in planted.names], np.abs(clf.coef_).max(0))
    assert [value for _, value in ranking] == sorted(importance.values(), reverse=True)
    np.testing.assert_allclose(scaler.transform(planted.X).std(0), 1, rtol=1e-4)
    np.testing.assert_allclose(scaler.transform(planted.X).mean(0), 0, atol=1e-5)


def test_the_classifier_and_the_scaler_predict_together(fitted, planted):
    clf, scaler, _ = fitted
    assert (clf.predict(scaler.transform(planted.X)) == planted.y).mean() == 1.0
    assert clf.predict_proba(scaler.transform(planted.X)).sum(1) == pytest.approx(np.ones(120))


def test_the_scale_of_a_feature_is_no_importance(fitted, planted):
    """Counted in thousands or not: standardised, it is the same feature."""
    X = planted.X * np.where(np.arange(30) % 2, 1000, 1)
    assert top_genes(fit(X, planted.y, planted.names)[2], 10) == top_genes(fitted[2], 10)


def test_sparse_data_give_the_same_ranking_and_stay_sparse(fitted, planted):
    clf, scaler, ranking = fit(planted.sparse, planted.y, planted.names)
    assert sp.issparse(scaler.transform(planted.sparse))
    np.testing.assert_allclose(clf.coef_, fitted[0].coef_, atol=0.01)  # as far as the solver's tolerance goes
    assert top_genes(ranking, 7) == top_genes(fitted[2], 7)


def test_the_fit_is_exactly_repeatable(fitted, planted):
    np.random.seed(1)
    assert fit(planted.X, planted.y, planted.names)[2] == fitted[2]


def test_a_stronger_penalty_shrinks_the_coefficients(planted):
    sizes = [np.abs(fit(planted.X, planted.y, C=C)[0].coef_).sum() for C in (0.01, 1.0)]
    assert sizes[0] < 0.5 * sizes[1]


def test_without_names_features_are_called_by_their_position(fitted, planted):
    _, _, ranking = fit(planted.X, planted.y)
    assert [f"gene{i}" for i, _ in ranking] == [name for name, _ in fitted[2]]
    assert all(type(i) is int for i, _ in ranking)


def test_a_data_frame_brings_its_names(fitted, planted):
    assert fit(pd.DataFrame(planted.X, columns=planted.names), planted.y)[2] == fitted[2]


def test_two_classes_have_one_set_of_coefficients(planted):
    rows = planted.y < 2
    _, _, ranking = fit(planted.X[rows], np.array(["ill", "well"])[planted.y[rows]], planted.names)
    assert {int(name.removeprefix("gene")) for name in top_genes(ranking, 4)} <= planted.signal


def test_a_constant_feature_has_no_importance(planted):
    X = planted.X.copy()
    X[:, 3] = 5
    assert dict(fit(X, planted.y)[2])[3] == 0


def test_too_few_iterations_are_said(planted):
    with pytest.warns(ConvergenceWarning, match="failed to converge"):
        fit(planted.X, planted.y, max_iter=1)


def test_bad_data_are_refused_as_everywhere(planted):
    with pytest.raises(InputError, match="expected one label per row"):
        fit(planted.X, planted.y[:5])
    with pytest.raises(InputError, match="NaN or infinite"):
        fit(planted.X * np.nan, planted.y)


def test_out_of_bag_predictions_are_of_fits_on_the_passes_draws(planted):
    """By hand: the mean over the draws that left a sample out; no sample is predicted by a fit that has seen it."""
    found = out_of_bag(planted.samples, 0.25, range(4))
    total, times = np.zeros((120, 3)), np.zeros(120)
    for seed in range(4):
        kept, left = draw_out_of_bag(planted.y, 0.25, seed)
        clf, scaler, _ = fit(planted.X[kept], planted.y[kept])
        total[left] += clf.predict_proba(scaler.transform(planted.X[left]))
        times[left] += 1
    assert 0 < (times == 0).sum() < 120
    assert np.isnan(found[times == 0]).all()
    seen = times > 0
    np.testing.assert_allclose(found[seen], (total / np.maximum(times, 1)[:, None])[seen])
    np.testing.assert_allclose(found[seen].sum(1), 1)
    assert (found[seen].argmax(1) == planted.y[seen]).mean() > 0.9


def test_out_of_bag_leaves_whole_groups_out(planted):
    groups = np.arange(120) // 40
    found = out_of_bag(Samples(planted.sparse, planted.y, planted.classes, groups=groups), 0.25, range(12))
    assert np.isfinite(found).all()


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("kind", [sp.csr_matrix, np.asarray])
def test_in_blocks_the_fit_is_the_one_in_memory(monkeypatch, n_classes, kind):
    rng = np.random.default_rng(0)
    dense = (rng.poisson(1, (120, 15)) * rng.random((120, 15))).astype(np.float32)
    y = np.arange(120) % n_classes
    dense[:, 0] += y
    dense[:, 1] = 0  # constant
    X, rows, names = kind(dense), np.arange(10, 110), list("abcdefghijklmno")
    whole = linear_baseline.fit_rows(X, y, rows, names)
    monkeypatch.setattr(linear_baseline, "MAX_VALUES_IN_MEMORY", 10)
    monkeypatch.setattr(blocks, "VALUES_AT_ONCE", 100)
    said = []
    parts = linear_baseline.fit_rows(X, y, rows, names, progress=said.append)
    assert whole.solver == "L-BFGS on the matrix in memory."
    assert parts.solver.startswith("L-BFGS in blocks") and "to the same tolerance" in parts.solver
    assert said[0] == "logistic regression in blocks: iteration 1 of at most 100"
    everything = np.arange(120)
    np.testing.assert_allclose(parts.predict(X, everything), whole.predict(X, everything), atol=5e-3)
    ours, theirs = dict(parts.ranking), dict(whole.ranking)
    np.testing.assert_allclose([ours[name] for name in names], [theirs[name] for name in names], atol=5e-3)
    short = linear_baseline.fit_rows(X, y, rows, names, max_iter=2)
    assert "stopped before it converged" in short.solver

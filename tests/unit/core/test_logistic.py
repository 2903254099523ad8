"""Ridge logistic regression: scikit-learn's optimum at the penalty with the lowest cross-validated log loss."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.metrics import log_loss

from deepmapper.core.logistic import column_scale, fit_ridge_logistic

PENALTIES = (0.001, 0.1, 10.0)


def made(seed=0, n=120, p=6, n_classes=3):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    X = rng.normal(2, 3, (n, p))
    X[:, 0] += 2 * y
    return X, y


def folds_of(n, n_folds=4):
    fold = np.random.default_rng(1).permutation(n) % n_folds
    return [(np.flatnonzero(fold != code), np.flatnonzero(fold == code)) for code in range(n_folds)]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_one_penalty_equals_scikit_learn_on_standardised_columns(n_classes):
    X, y = made(n_classes=n_classes)
    scaled = (X - X.mean(0)) / X.std(0)
    expected = LogisticRegression(C=0.1, max_iter=1000).fit(scaled, y)
    model = fit_ridge_logistic(X, y, penalties=(0.1,))
    np.testing.assert_array_equal(model.coefficients, expected.coef_)
    np.testing.assert_array_equal(model.intercept, expected.intercept_)
    np.testing.assert_array_equal(model.probabilities(X), expected.predict_proba(scaled))
    np.testing.assert_array_equal(model.predict(X), expected.predict(scaled))
    assert model.penalty == 0.1 and model.classes.tolist() == list(range(n_classes))


def test_columns_are_not_standardised_on_request():
    X, y = made()
    expected = LogisticRegression(max_iter=1000).fit(X, y)
    model = fit_ridge_logistic(X, y, standardise=False)
    np.testing.assert_array_equal(model.probabilities(X), expected.predict_proba(X))


@given(st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_the_penalty_has_the_lowest_cross_validated_loss(seed):
    X, y = made(seed)
    folds = folds_of(len(y))
    model = fit_ridge_logistic(X, y, penalties=PENALTIES, folds=folds)
    scaled = (X - X.mean(0)) / X.std(0)
    losses = []
    for penalty in PENALTIES:
        found = np.zeros((len(y), 3))
        for train, held in folds:
            fitted = LogisticRegression(C=penalty, max_iter=1000).fit(scaled[train], y[train])
            found[held] = fitted.predict_proba(scaled[held])
        losses.append(log_loss(y, found))
    assert model.penalty == PENALTIES[int(np.argmin(losses))]
    np.testing.assert_array_equal(model.coefficients, fit_ridge_logistic(X, y, penalties=(model.penalty,)).coefficients)


def test_a_warm_start_equals_scikit_learns_search():
    X, y = made()
    folds = folds_of(len(y))
    scaled = (X - X.mean(0)) / X.std(0)
    expected = LogisticRegressionCV(Cs=np.array(PENALTIES), cv=folds, scoring="neg_log_loss", max_iter=1000)
    expected.fit(scaled, y)
    model = fit_ridge_logistic(X, y, penalties=PENALTIES, folds=folds, warm_start=True)
    np.testing.assert_array_equal(model.coefficients, expected.coef_)
    assert model.penalty == float(np.ravel(expected.C_)[0])
    cold = fit_ridge_logistic(X, y, penalties=PENALTIES, folds=folds)
    assert cold.penalty == model.penalty
    np.testing.assert_allclose(cold.probabilities(X), model.probabilities(X), atol=1e-3)


def test_a_warm_start_without_folds_makes_its_own():
    X, y = made()
    assert fit_ridge_logistic(X, y, penalties=PENALTIES, folds=[], warm_start=True).penalty in PENALTIES
    with pytest.raises(ValueError, match="3 penalties to choose from: expected folds"):
        fit_ridge_logistic(X, y, penalties=PENALTIES)


def test_a_class_missing_from_the_rows_has_probability_zero():
    X, y = made()
    rows = y != 1
    probability = fit_ridge_logistic(X[rows], y[rows], n_classes=4).probabilities(X)
    assert probability.shape == (len(y), 4) and (probability[:, [1, 3]] == 0).all()
    np.testing.assert_allclose(probability.sum(1), 1)


def test_a_constant_column_is_centred_and_has_no_effect():
    X, y = made()
    X[:, 2] = 7
    mean, scale = column_scale(X)
    assert mean[2] == 7 and scale[2] == 1
    model = fit_ridge_logistic(X, y)
    assert np.isfinite(model.probabilities(X)).all() and np.abs(model.coefficients[:, 2]).max() < 1e-12


def test_new_rows_are_scaled_like_the_training_rows():
    X, y = made()
    model = fit_ridge_logistic(X[:80], y[:80])
    np.testing.assert_allclose(model.probabilities(X)[80:], model.probabilities(X[80:]))


def test_too_few_iterations_give_a_warning():
    X, y = made()
    with pytest.warns(ConvergenceWarning):
        fit_ridge_logistic(X, y, max_iter=1)

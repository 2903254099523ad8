"""Logistic regression with a Laplace prior: the optimum of scikit-learn, with weights that are exactly 0."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.models import LogisticRegression
from deepmapper.models.tensors import to_tensor

NAMES = np.array([f"g{i}" for i in range(40)])
CLASSES = np.array(["a", "b", "c"])


@pytest.fixture(scope="module")
def cells():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, 300)
    X = rng.normal(0, 1, (300, 40)) * (rng.random((300, 40)) < 0.5)
    X[:, :3] += np.eye(3)[codes] * 1.5
    return X.astype(np.float32), codes


def reader(X, codes, size=100):
    def read():
        for start in range(0, len(codes), size):
            rows = slice(start, start + size)
            y_n = torch.from_numpy(codes[rows])
            yield {"x_ng": to_tensor(X[rows]), "var_names_g": NAMES, "y_n": y_n, "y_categories": CLASSES}

    return read


def objective(X, codes, weights, intercepts, scale):
    scores = torch.from_numpy(X.astype(np.float64)) @ torch.as_tensor(weights) + torch.as_tensor(intercepts)
    loss = torch.nn.functional.cross_entropy(scores, torch.from_numpy(codes), reduction="sum")
    return float(loss) + float(np.abs(np.asarray(weights)).sum()) / scale


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix])
@pytest.mark.parametrize("scale", [1.0, 0.05])
def test_the_objective_is_that_of_saga_and_weights_are_zero_where_its_are(cells, scale, form):
    from sklearn.linear_model import LogisticRegression as Saga

    X, codes = cells
    model = LogisticRegression(300, NAMES, CLASSES, W_prior_scale=scale)
    model.solve(reader(form(X), codes), 3000)
    oracle = Saga(l1_ratio=1.0, C=scale, solver="saga", tol=1e-9, max_iter=20_000).fit(X.astype(np.float64), codes)
    weights, intercepts = model.W_gc.detach().double().numpy(), model.b_c.detach().double().numpy()
    found = objective(X, codes, weights, intercepts, scale)
    expected = objective(X, codes, oracle.coef_.T, oracle.intercept_, scale)
    assert abs(found / expected - 1) < 1e-6
    assert ((weights == 0) == (np.abs(oracle.coef_.T) < 1e-6)).mean() > 0.97
    assert (weights == 0).mean() > (0.2 if scale == 1 else 0.8)
    logits = model.predict(to_tensor(form(X)), NAMES)["y_logits_nc"]
    assert (logits.argmax(1).numpy() == oracle.predict(X)).mean() > 0.99
    loss = model(to_tensor(X), NAMES, torch.from_numpy(codes), CLASSES)["loss"]
    assert abs(float(loss.detach()) / found - 1) < 1e-5


def test_the_loss_of_a_batch_is_scaled_to_all_cells_and_has_a_gradient(cells):
    X, codes = cells
    model = LogisticRegression(300, NAMES, CLASSES, W_prior_scale=2.0, W_init_scale=0.1, seed=4)
    batch = torch.from_numpy(X[:50]), NAMES, torch.from_numpy(codes[:50]), CLASSES
    loss = model(*batch)["loss"]
    weights = model.W_gc.detach().double().numpy()
    prior = np.abs(weights).sum() / 2.0
    alone = objective(X[:50], codes[:50], weights, [0.0] * 3, 2.0) - prior
    assert abs(float(loss.detach()) - (6 * alone + prior)) < 1e-2
    loss.backward()
    assert model.W_gc.grad.abs().sum() > 0
    again = LogisticRegression(300, NAMES, CLASSES, W_init_scale=0.1, seed=4)
    assert torch.equal(again.W_gc, model.W_gc) and 0.05 < float(model.W_gc.detach().std()) < 0.15
    assert not torch.equal(LogisticRegression(300, NAMES, CLASSES, seed=5).W_gc, model.W_gc)


def test_a_fit_that_is_cut_short_says_so(cells):
    model = LogisticRegression(300, NAMES, CLASSES)
    with pytest.warns(DeepMapperWarning, match="stopped after .* passes before it converged"):
        model.solve(reader(*cells), 3)


def test_impossible_arguments_and_other_classes_are_refused(cells):
    with pytest.raises(InputError, match="two or more classes"):
        LogisticRegression(3, NAMES, np.array(["a"]))
    with pytest.raises(InputError, match="W_prior_scale=0: expected a positive number"):
        LogisticRegression(3, NAMES, CLASSES, W_prior_scale=0)
    model = LogisticRegression(3, NAMES, CLASSES)
    with pytest.raises(InputError, match="y_categories are .*'b', 'a'.*expected .*'a', 'b', 'c'"):
        model(torch.ones(1, 40), NAMES, torch.zeros(1), np.array(["b", "a"]))
    with pytest.raises(InputError, match="There are no cells"):
        model.solve(lambda: [], 10)

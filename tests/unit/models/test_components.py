"""Principal components: those of an exact decomposition, however many features there are."""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from deepmapper.errors import InputError
from deepmapper.models import IncrementalPCA, ProbabilisticPCA, spectrum
from deepmapper.models.tensors import to_tensor


def train(model, X, size=90):
    """Pass all cells to a model as often as it asks."""
    trainer = SimpleNamespace(world_size=1, global_rank=0, current_epoch=0)
    for trainer.current_epoch in range(model.n_epochs):
        model.on_train_epoch_start(trainer)
        for start in range(0, X.shape[0], size):
            model(to_tensor(X[start : start + size]), names_of(X.shape[1]))
        model.on_train_epoch_end(trainer)
    return model


def names_of(p):
    return np.array([f"g{i}" for i in range(p)])


@pytest.fixture(scope="module")
def cells():
    """701 cells × 600 features: a slowly falling spectrum, as of single cells, and means other than 0."""
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(701, 30)) * 3 * 0.8 ** np.arange(30)
    X = factors @ rng.normal(size=(30, 600)) / 5 + rng.normal(size=(701, 600)) + rng.uniform(0, 3, 600)
    return np.maximum(X, 0).astype(np.float32)


@pytest.fixture(params=["exact", "refined"])
def way(request, monkeypatch):
    if request.param == "refined":
        monkeypatch.setattr(spectrum, "EXACT", 100)
    return request.param


def exact(X, k):
    wide = X.astype(np.float64)
    _, singular, right = np.linalg.svd(wide - wide.mean(0), full_matrices=False)
    return singular[:k] ** 2 / len(X), right[:k]


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix])
def test_components_are_the_exact_ones(cells, way, form):
    model = train(IncrementalPCA(names_of(600), 20), form(cells))
    values, axes = exact(cells, 20)
    assert model.n_epochs == (1 if way == "exact" else 3) and model.x_size == 701
    found = model.explained_variance_k.numpy()
    np.testing.assert_allclose(found[:10], values[:10], rtol=1e-10 if way == "exact" else 1e-3)
    alike = np.abs((model.components_kg[:5].numpy() * axes[:5]).sum(1))
    assert alike.min() > (1 - 1e-9 if way == "exact" else 0.999)
    np.testing.assert_allclose(model.components_kg @ model.components_kg.T, np.eye(20), atol=1e-10)
    assert (model.residual_k[:5] < 0.05).all()
    scores = model.predict(to_tensor(form(cells)), names_of(600))
    assert scores["var_names_g"].tolist()[:2] == ["PC1", "PC2"] and scores["x_ng"].dtype == torch.float32
    np.testing.assert_allclose(scores["x_ng"].numpy().var(0)[:5], values[:5], rtol=1e-3)
    np.testing.assert_allclose(scores["x_ng"].numpy().mean(0), 0, atol=1e-4)


def test_more_passes_bring_the_components_nearer(cells, monkeypatch):
    monkeypatch.setattr(spectrum, "EXACT", 100)
    values, _ = exact(cells, 10)
    errors = []
    for passes in range(4):
        model = train(IncrementalPCA(names_of(600), 10, svd_lowrank_niter=passes), cells)
        errors.append(np.abs(model.explained_variance_k.numpy() / values - 1).max())
        assert torch.isnan(model.residual_k).all() == (passes == 0)
    assert errors[0] < 0.1 and (np.diff(errors) < 0).all() and errors[3] < 1e-5
    trainer = SimpleNamespace(current_epoch=4)
    with pytest.raises(InputError, match="Epoch 4: the components were found in 4 epochs"):
        model.on_train_epoch_start(trainer)


def test_features_that_are_centred_already_are_not_centred_again(cells, way):
    centred = cells - cells.mean(0, dtype=np.float64)
    model = train(IncrementalPCA(names_of(600), 5, perform_mean_correction=False), centred)
    np.testing.assert_allclose(model.explained_variance_k, exact(cells, 5)[0], rtol=1e-4)
    shifted = train(IncrementalPCA(names_of(600), 5, perform_mean_correction=False), cells)
    assert shifted.explained_variance_k[0] > 10 * model.explained_variance_k[0]


def test_fewer_cells_than_components_leave_the_rest_empty(cells, way):
    model = train(IncrementalPCA(names_of(600), 20), cells[:5])
    np.testing.assert_allclose(model.explained_variance_k[:4], exact(cells[:5], 4)[0], rtol=1e-6)
    assert (model.explained_variance_k[4:] < 1e-9).all()
    assert torch.isfinite(model.components_kg).all()


@pytest.mark.parametrize("flavor", ["marginalized", "linear_vae"])
def test_probabilistic_components_maximise_the_likelihood(cells, flavor):
    from sklearn.decomposition import PCA

    model = ProbabilisticPCA(701, names_of(600), 8, flavor)
    before = model.eval()(torch.from_numpy(cells), names_of(600))["loss"]
    train(model.train(), cells)
    after = model.eval()(torch.from_numpy(cells), names_of(600))["loss"]
    oracle = PCA(8).fit(cells.astype(np.float64))
    assert after < before
    # scikit-learn divides by n - 1, so its likelihood is a little lower
    expected = -oracle.score_samples(cells.astype(np.float64)).sum()
    assert 0 <= expected - after < 1
    values, axes = exact(cells, 8)
    np.testing.assert_allclose(model.L_k, values, rtol=1e-9)
    np.testing.assert_allclose(np.abs((model.U_gk.numpy().T * axes).sum(1)), 1, rtol=1e-9)
    np.testing.assert_allclose(model.W_variance + model.sigma_variance, cells.var(0, dtype=np.float64).sum(), rtol=1e-6)
    half = model(torch.from_numpy(cells[:100]), names_of(600))["loss"] / 7.01
    np.testing.assert_allclose(half, -model_scores(model, cells[:100]).sum(), rtol=1e-9)


def model_scores(model, X):
    from scipy.stats import multivariate_normal

    W = model.W_kg.numpy()
    covariance = W.T @ W + float(model.sigma**2) * np.eye(W.shape[1])
    return multivariate_normal(model.mean_g.numpy(), covariance).logpdf(X.astype(np.float64))


def test_latent_variables_are_posterior_means(cells, way):
    model = train(ProbabilisticPCA(701, names_of(600), 4, "marginalized"), cells)
    W, noise = model.W_kg.numpy(), float(model.sigma**2)
    centred = cells.astype(np.float64) - cells.mean(0, dtype=np.float64)
    expected = centred @ np.linalg.solve(W.T @ W + noise * np.eye(600), W.T)
    for form in (np.asarray, sp.csr_matrix):
        found = model.predict(to_tensor(form(cells)), names_of(600))["z_nk"]
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_given_mean_is_kept(cells, way):
    mean = torch.full((600,), 1.5)
    model = train(ProbabilisticPCA(701, names_of(600), 4, "marginalized", mean_g=mean), cells)
    assert torch.equal(model.mean_g, mean.double())
    shifted = cells.astype(np.float64) - 1.5
    expected = np.linalg.eigvalsh(shifted.T @ shifted / 701)[::-1][:4]
    np.testing.assert_allclose(model.L_k, expected, rtol=1e-3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: IncrementalPCA(names_of(3), 4), "n_components=4: expected 1 to 3"),
        (lambda: ProbabilisticPCA(9, names_of(3), 3, "marginalized"), "n_components=3: expected 1 to 2"),
        (lambda: ProbabilisticPCA(9, names_of(3), 1, "vae"), "ppca_flavor='vae': expected one of"),
        (lambda: train(ProbabilisticPCA(9, names_of(3), 1, "marginalized"), np.ones((4, 3))), "no noise to estimate"),
        (lambda: train(IncrementalPCA(names_of(3), 1), np.ones((0, 3))), "There are no cells"),
    ],
)
def test_what_is_impossible_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_products_of_columns_are_exact_however_dense_each_is():
    """A few dense columns, many sparse ones and an empty one, as of variable genes: parts of the sum are sparse."""
    rng = np.random.default_rng(0)
    share = np.concatenate([[0.0], rng.beta(0.3, 3, 399)])
    X = sp.csr_matrix(rng.normal(1, 1, (900, 400)) * (rng.random((900, 400)) < share))
    total = np.zeros((400, 400))
    for rows in (X[:500], X[500:]):
        spectrum.add_products(total, rows)
    once = np.tril(total) + np.triu(total, 1).T
    np.testing.assert_allclose(once, np.tril((X.T @ X).toarray()), rtol=1e-12, atol=1e-10)

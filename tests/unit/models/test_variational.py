"""The variational autoencoder of counts: against scvi-tools, its inputs, its flow, and what it learns."""

import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch

from deepmapper.errors import InputError
from deepmapper.models import SingleCellVariationalInference, fit, predict
from deepmapper.models.variational_flow import SplineFlow, spline
from deepmapper.models.variational_layers import (
    NegativeBinomial,
    ZeroInflatedNegativeBinomial,
    layers_of_scvi,
    mean_of_softmax,
)

reference = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("scvi_reference.py"))))
CASES, HIDDEN, K = reference.CASES, reference.HIDDEN, reference.K
NAMES = np.array([f"g{i}" for i in range(12)])


def made(n_hidden=HIDDEN, **options):
    return SingleCellVariationalInference(NAMES, **{**layers_of_scvi(n_hidden), "n_latent": K, **options})


def layers(case):
    """Our description of the layers of scvi-tools."""
    found = layers_of_scvi(HIDDEN, CASES[case].get("n_layers", 1))
    if case == "covariates":
        both = layers_of_scvi(HIDDEN, of_batch="LinearWithBatchAndCovariates")["decoder"]
        found = {"encoder": both, "decoder": both}
    return found


def parts_of(name, value, wide):
    """Our parameters for one of scvi-tools': its matrices read batch and covariates in their last columns."""
    name = name.replace("decoder.px_scale_decoder.0", "decoder.scores.linear").replace("px_r_decoder", "log_dispersion")
    name = name.replace("px_dropout_decoder", "zero_logits")
    name = name.replace("z_encoder.mean_encoder", "encoder.mean.linear")
    name = name.replace("z_encoder.var_encoder", "encoder.log_variance.linear")
    if name == "px_r":
        return {"decoder.log_dispersion": value}
    for theirs, ours in (("z_encoder.encoder", "encoder"), ("decoder.px_decoder", "decoder")):
        if not name.startswith(f"{theirs}.fc_layers"):
            continue
        _, layer, place, kind = name.removeprefix(f"{theirs}.").replace("Layer ", "").split(".")
        if place != "0":
            return {f"{ours}.hidden.dressings.{layer}.{int(place) - 1}.{kind}": value}
        linear = f"{ours}.hidden.linears.{layer}"
        if kind == "bias" or not (wide[ours] and value.ndim == 2):
            return {f"{linear}.linear.{kind}": value}
        return {
            f"{linear}.linear.weight": value[:, : -wide[ours]],
            f"{linear}.condition.0.weight": value[:, -wide[ours] :],
        }
    return {name: value}


def ours(case, shapes):
    """Our model with the weights of scvi-tools, and the names of the parameters in both."""
    others = "n_layers", "encode_covariates", "n_labels"
    options: dict = {name: value for name, value in CASES[case].items() if name not in others}
    if "n_labels" in CASES[case]:
        options["cell_type_categories"] = [f"t{i}" for i in range(CASES[case]["n_labels"])]
    model = made(**{**layers(case), "n_batch": 3, "dropout_rate": 0.0, "z_kl_weight_max": 0.7, **options}).train()
    wide = {"decoder": 8, "encoder": 8} if case == "covariates" else {"decoder": 3, "encoder": 0}
    known = set(dict(model.named_parameters()))
    places = {}
    given = {}
    for name, value in reference.weights({name: tuple(shape) for name, shape in shapes.items()}).items():
        parts = parts_of(name, value, wide)
        if set(parts) <= known:
            given |= parts
            places[name] = list(parts)
    assert set(given) == known
    model.load_state_dict(given, strict=False)
    return model, places


def loss_and_gradients(case, shapes):
    model, places = ours(case, shapes)
    with reference.fixed_noise():
        x, batch, *covariates, labels = reference.cells(case)
        found = model(x, NAMES, batch, *covariates, cell_type_n=labels)
    found["loss"].backward()
    gradients = dict(model.named_parameters())
    joined = {
        name: torch.cat([gradients[part].grad for part in parts], dim=1) if len(parts) > 1 else gradients[parts[0]].grad
        for name, parts in places.items()
    }
    return found, joined


@pytest.mark.parametrize("case", CASES)
def test_loss_and_gradients_equal_those_that_scvi_tools_gave(case):
    stored = json.loads(reference.STORED.read_text())[case]
    found, gradients = loss_and_gradients(case, stored["shapes"])
    assert found["loss"].item() == pytest.approx(stored["loss"], rel=1e-5)
    assert found["reconstruction_loss"].mean().item() == pytest.approx(stored["reconstruction"], rel=1e-5)
    assert found["kl_divergence_z"].mean().item() == pytest.approx(stored["divergence"], rel=1e-5)
    assert set(gradients) == set(stored["gradients"])
    for name, expected in stored["gradients"].items():
        np.testing.assert_allclose(reference.summary(gradients[name]), expected, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("case", CASES)
def test_loss_and_gradients_equal_those_of_scvi_tools_where_it_is_installed(case):
    pytest.importorskip("scvi")
    theirs = reference.of_scvi_tools(case)
    found, gradients = loss_and_gradients(case, theirs["shapes"])
    assert found["loss"].item() == pytest.approx(theirs["loss"], rel=1e-5)
    for name, expected in theirs["gradients"].items():
        torch.testing.assert_close(gradients[name], expected, rtol=1e-5, atol=1e-5, msg=name)


@pytest.fixture(scope="module")
def study():
    """400 cells of three types from two batches, of which the second has more of every third feature."""
    rng = np.random.default_rng(0)
    types, batch = rng.integers(0, 3, 400), rng.integers(0, 2, 400)
    rate = np.exp(rng.normal(0, 1.2, (3, 12)))[types] * 3
    rate[:, ::3] *= np.where(batch, 4, 1)[:, None]
    obs = pd.DataFrame({"type": types.astype(str), "batch": np.array(["x", "y"])[batch]})
    obs.index = [f"c{i}" for i in range(400)]
    return anndata.AnnData(sp.csr_matrix(rng.poisson(rate).astype(np.float32)), obs=obs, var=pd.DataFrame(index=NAMES))


@pytest.fixture(scope="module")
def trained(study):
    pytest.importorskip("lightning")
    torch.manual_seed(0)
    model = made(16, n_batch=2)
    given = {"obs": {"batch_index_n": "batch"}, "batch_size": 50, "learning_rate": 1e-2}
    return fit(model, study, epochs=40, **given)


def test_latent_variables_keep_types_and_lose_batches(study, trained):
    from sklearn.linear_model import LogisticRegression

    latent = predict(trained, study)["x_ng"]
    assert latent.shape == (400, K)
    of_type, of_batch = (LogisticRegression().fit(latent, study.obs[name]) for name in ("type", "batch"))
    assert of_type.score(latent, study.obs["type"]) > 0.95
    assert of_batch.score(latent, study.obs["batch"]) < 0.65
    assert trained.kl_weight == 1 and trained.annealing.used_epochs == 20
    assert trained.batch_categories.tolist() == ["x", "y"]


def test_counts_are_decoded_for_another_batch(study, trained):
    x = torch.from_numpy(study.X.toarray())
    batch = torch.from_numpy((study.obs["batch"] == "y").to_numpy().astype(int))
    arguments = {"n_latent_samples": 20}
    torch.manual_seed(0)
    as_x, as_y, mean = (
        trained.reconstruct(x, NAMES, np.arange(12), batch, transform_batch=other, **arguments)["x_ng"].numpy()
        for other in (0, 1, "mean")
    )
    np.testing.assert_allclose(as_x.sum(1), 10_000, rtol=1e-4)
    raised = (as_y / as_x).mean(0)
    assert raised[::3].min() > 2 * raised[[1, 2, 4, 5, 7, 8, 10, 11]].max()
    np.testing.assert_allclose(mean.mean(0), (as_x + as_y).mean(0) / 2, rtol=0.05)
    few = trained.reconstruct(x, NAMES, [3, 1], batch, transform_batch=0, use_latent_mean=True)["x_ng"].numpy()
    np.testing.assert_allclose(few.mean(0), as_x[:, [3, 1]].mean(0), rtol=0.1)


def test_importance_sampling_gives_the_mean_over_the_posterior():
    torch.manual_seed(0)
    model = made(n_latent=1).eval()
    x = torch.poisson(torch.full((3, 12), 4.0))
    given, size = torch.zeros((300, 0)), x.sum(1)
    grid = torch.linspace(-6, 6, 300)[:, None]
    with torch.no_grad():
        shares = model.generative(grid, torch.ones((300, 1)), given)["px"].mean
        exact = []
        for cell, total in zip(x, size, strict=True):
            px = model.generative(grid, total.expand(300, 1), given)["px"]
            weight = torch.softmax(px.log_prob(cell).sum(1) + model.log_prior(grid), dim=0)
            exact.append(weight @ shares)
    given = {"n_latent_samples": 1500, "reconstructed_library_size": 1.0}
    found = model.reconstruct(x, NAMES, np.arange(12), use_importance_sampling=True, **given)["x_ng"]
    torch.testing.assert_close(found, torch.stack(exact), rtol=0.05, atol=0)
    plain = model.reconstruct(x, NAMES, np.arange(12), **given)["x_ng"]
    assert (plain / torch.stack(exact) - 1).abs().max() > 0.1


def test_predict_returns_counts_if_the_model_was_made_so(study):
    model = made(reconstruct_counts_on_predict=True, reconstruction_var_names_g=["g4", "g0"], n_batch=2)
    found = predict(model, study, obs={"batch_index_n": "batch"})
    assert found["x_ng"].shape == (400, 2) and found["var_names_g"].tolist() == ["g4", "g0"]
    assert found["x_ng"].min() >= 0


def test_batches_are_known_by_name(study, trained):
    only = study[study.obs["batch"] == "y"].copy()
    whole = predict(trained, study, obs={"batch_index_n": "batch"})["x_ng"]
    np.testing.assert_allclose(
        predict(trained, only, obs={"batch_index_n": "batch"})["x_ng"], whole[study.obs["batch"] == "y"], atol=1e-5
    )
    only.obs["batch"] = "z"
    with pytest.raises(InputError, match="batch_index_n: found 'z', which the model does not know"):
        predict(trained, only, obs={"batch_index_n": "batch"})


def test_representations_of_batches():
    codes = torch.tensor([0, 2, 2])
    assert made(n_batch=3).batch_representation_from_batch_index(codes).tolist() == torch.eye(3)[codes].tolist()
    embedded = made(n_batch=3, batch_embedded=True, n_latent_batch=2, batch_representation_sampled=True)
    mean = embedded.batch_representation_from_batch_index(codes, use_mean_though_sampling=True)
    torch.testing.assert_close(mean, torch.eye(3, 2)[codes])
    assert not torch.allclose(embedded.batch_representation_from_batch_index(codes), mean)
    several = made(n_cats_per_cov=[2, 3], **layers_of_scvi(16, of_batch="LinearWithBatchAndCovariates"))
    found = several.categorical_onehot_from_categorical_index(torch.tensor([[1, 0], [0, 2]]))
    assert found.tolist() == [[0, 1, 1, 0, 0], [1, 0, 0, 0, 1]]
    assert several.categorical_onehot_from_categorical_index(None) is None
    x = torch.ones((4, 12))
    weighted = made(n_batch=3, batch_embedded=True, batch_representation_sampled=True, batch_kl_weight_max=1.0)
    of_batch = torch.zeros(4, dtype=torch.int64)
    plain = weighted(x, NAMES, of_batch)
    expected = (plain["reconstruction_loss"] + plain["kl_divergence_z"]).mean() + 0.5
    torch.testing.assert_close(plain["loss"], expected)  # of N((1, 0, 0), 1) from N(0, 1)


def test_the_flow_is_a_density_and_starts_as_the_standard_normal():
    torch.manual_seed(0)
    flow = SplineFlow(2, [16, 16]).double()
    z = torch.randn((20, 2), dtype=torch.float64)
    normal = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1)
    torch.testing.assert_close(flow.log_prob(z), normal, atol=0.1, rtol=0)
    for parameter in flow.parameters():
        torch.nn.init.normal_(parameter, 0, 0.2)
    line = torch.linspace(-9, 9, 500, dtype=torch.float64)
    with torch.no_grad():
        mass = flow.log_prob(torch.cartesian_prod(line, line)).exp().sum() * (line[1] - line[0]) ** 2
    assert float(mass) == pytest.approx(1, abs=1e-3)
    x = torch.linspace(-6, 6, 40, dtype=torch.float64)[:, None].requires_grad_()
    value, log_slope = spline(x, *(torch.randn((1, 1, n), dtype=torch.float64).expand(40, 1, n) for n in (8, 8, 7)))
    torch.testing.assert_close(torch.autograd.grad(value.sum(), x)[0].log(), log_slope)


def test_a_flow_is_trained_as_the_prior():
    torch.manual_seed(0)
    model = made(use_flow=True, flow_hidden_features=[8])
    found = model(torch.ones((30, 12)), NAMES)
    found["loss"].backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_negative_binomial_counts():
    torch.manual_seed(0)
    found = NegativeBinomial(torch.tensor([3.0, 0.5]), torch.tensor([2.0, 5.0]))
    drawn = found.sample((100_000,))
    torch.testing.assert_close(drawn.mean(0), found.mean, rtol=0.05, atol=0)
    torch.testing.assert_close(drawn.var(0), found.variance, rtol=0.05, atol=0)
    total = found.log_prob(torch.arange(300.0)[:, None]).exp().sum(0)
    torch.testing.assert_close(total, torch.ones(2), rtol=1e-5, atol=0)


def test_zero_inflated_counts():
    torch.manual_seed(0)
    means, dispersions, logits = torch.tensor([3.0, 0.5]), torch.tensor([2.0, 5.0]), torch.tensor([-1.0, 2.0])
    found = ZeroInflatedNegativeBinomial(means, dispersions, logits)
    drawn = found.sample((100_000,))
    torch.testing.assert_close(drawn.mean(0), found.mean, rtol=0.05, atol=0)
    torch.testing.assert_close(drawn.var(0), found.variance, rtol=0.05, atol=0)
    counts = torch.arange(300.0)[:, None]
    probability = found.log_prob(counts).exp()
    torch.testing.assert_close(probability.sum(0), torch.ones(2), rtol=1e-5, atol=0)
    others = NegativeBinomial(means, dispersions).log_prob(counts).exp() * torch.sigmoid(-logits)
    torch.testing.assert_close(probability[1:], others[1:], rtol=1e-5, atol=1e-30)
    torch.testing.assert_close(probability[0], others[0] + torch.sigmoid(logits), rtol=1e-5, atol=0)


def test_the_mean_of_logistic_normal_variables():
    q = torch.distributions.Normal(torch.tensor([[0.5, -1.0], [3.0, 0.0]]), torch.tensor([[1.0, 0.5], [0.1, 2.0]]))
    found = mean_of_softmax(q)
    # the first of two shares is the logistic function of their difference, a normal variable
    line = torch.linspace(-12, 12, 4001, dtype=torch.float64)
    weight = torch.softmax(-(line**2) / 2, dim=0)
    difference, deviation = q.mean[:, 0] - q.mean[:, 1], q.variance.sum(1).sqrt()
    exact = torch.sigmoid(difference[:, None] + deviation[:, None] * line) @ weight
    torch.testing.assert_close(found[:, 0].double(), exact, rtol=0, atol=1e-3)
    torch.testing.assert_close(found.sum(1), torch.ones(2))
    torch.testing.assert_close(found, torch.stack([mean_of_softmax(row) for row in _rows_of(q)]), rtol=0, atol=1e-6)


def _rows_of(q):
    return [torch.distributions.Normal(*row) for row in zip(q.mean, q.stddev, strict=True)]


@pytest.mark.parametrize("use_flow", [False, True])
def test_latent_variables_that_are_shares(study, use_flow):
    pytest.importorskip("lightning")
    torch.manual_seed(0)
    model = made(latent_distribution="ln", n_latent=4, use_flow=use_flow, flow_hidden_features=[8])
    fit(model, study, epochs=20, batch_size=50, learning_rate=1e-2)
    found = predict(model, study)["x_ng"]
    assert found.min() > 0 and found.shape == (400, 4)
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(found[:7], predict(model, study[:7].copy())["x_ng"], rtol=1e-6)
    centres = np.stack([found[study.obs["type"] == name].mean(0) for name in "012"])
    nearest = ((found[:, None] - centres) ** 2).sum(2).argmin(1)
    assert (nearest.astype(str) == study.obs["type"]).mean() > 0.9
    x = torch.from_numpy(study.X[:5].toarray())
    for options in ({"use_latent_mean": True}, {"n_latent_samples": 50, "use_importance_sampling": True}):
        torch.testing.assert_close(
            model.reconstruct(x, NAMES, range(12), **options)["x_ng"].sum(1), torch.full((5,), 1e4)
        )


def test_the_dispersion_of_a_label(study):
    pytest.importorskip("lightning")
    torch.manual_seed(0)
    counts = study.X.toarray()
    is_first = (study.obs["type"] == "0").to_numpy()
    counts[is_first] = np.random.default_rng(1).poisson(4, counts[is_first].shape)
    counts[~is_first] = np.random.default_rng(2).negative_binomial(0.5, 0.1, counts[~is_first].shape)
    cells = anndata.AnnData(counts, obs=study.obs, var=study.var)
    model = made(dispersion="gene-label", cell_type_categories=["2", "1", "0"])
    fit(model, cells, obs={"cell_type_n": "type"}, epochs=30, batch_size=50, learning_rate=0.03)
    of_label = model.decoder.log_dispersion.detach().mean(0)
    assert of_label[2] > of_label[:2].max() + 1.5
    x = torch.from_numpy(counts[:3])
    assert model.reconstruct(x, NAMES, [0], use_latent_mean=True)["x_ng"].shape == (3, 1)
    assert predict(model, cells)["x_ng"].shape == (400, K)
    for call, message in (
        (lambda: model(x, NAMES), "dispersion='gene-label', but no cell_type_n was given"),
        (lambda: model(x, NAMES, cell_type_n=torch.tensor([0, 1, 3])), "cell_type_n has codes from 0 to 3, expected"),
        (lambda: model.reconstruct(x, NAMES, [0], use_importance_sampling=True), "labels, which reconstruct does not"),
    ):
        with pytest.raises(InputError, match=message):
            call()


@pytest.mark.parametrize("likelihood", ["nb", "zinb", "poisson"])
def test_empty_cells_have_a_loss(likelihood):
    model = made(gene_likelihood=likelihood)
    found = model(torch.zeros((4, 12)), NAMES)["loss"]
    found.backward()
    assert torch.isfinite(found)
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters())


def test_counts_are_dropped_from_the_input_in_training_only():
    model = made(input_gene_dropout_rate=0.9, dropout_rate=0.0, use_batch_norm="none")
    x = torch.poisson(torch.full((30, 12), 5.0))
    conditions = torch.zeros((30, 0))
    first, second = (model.train().inference(x, conditions)["qz"].mean for _ in range(2))
    assert not torch.allclose(first, second)
    first, second = (model.eval().inference(x, conditions)["qz"].mean for _ in range(2))
    torch.testing.assert_close(first, second)


def test_validation_logs_the_loss_and_what_the_latent_variables_keep():
    distances = pd.DataFrame(1.0 - np.eye(3), index=list("abc"), columns=list("abc"))
    distances.loc["a", "c"] = distances.loc["c", "a"] = 3
    model = made(n_batch=2, cell_type_categories=list("cab"), ontology_distance_matrix=distances)

    class Module:
        logged: dict = {}

        def log(self, name, value, **options):
            self.logged[name] = float(torch.as_tensor(value).detach())

    rng = np.random.default_rng(0)
    rates = torch.tensor(np.exp(rng.normal(0, 1.5, (3, 12))), dtype=torch.float32)
    for number in range(4):
        types = torch.from_numpy(rng.integers(0, 3, 40))
        batch = torch.from_numpy(rng.integers(0, 2, 40))
        counts = torch.poisson(rates[types] * 20)
        model.validate(None, Module(), number, x_ng=counts, var_names_g=NAMES, batch_index_n=batch, cell_type_n=types)
    model.on_validation_epoch_end(None, Module())
    assert Module.logged["val_cell_type_accuracy"] > 0.9
    assert abs(Module.logged["val_batch_silhouette"]) < 0.1
    assert -1 <= Module.logged["val_ontology_spearman"] <= 1
    assert Module.logged["val_loss"] > 0
    assert model.validation.metrics() == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gene_likelihood": "normal"}, "gene_likelihood='normal': expected 'nb' or 'zinb' or 'poisson'"),
        ({"latent_distribution": "t"}, "latent_distribution='t': expected 'normal' or 'ln'"),
        ({"dispersion": "gene-label"}, "needs cell_type_categories: pass the names of the labels"),
        ({"use_size_factor_key": True}, "use_size_factor_key=True: expected False"),
        ({"n_latent_batch": 4, "n_batch": 2}, r"n_latent_batch=4 without batch_embedded: expected n_batch \(2\)"),
        ({"dispersion": "gene-batch"}, "needs n_batch of 1 or more"),
        ({"reconstruction_var_names_g": ["x"]}, "'x' not among the 12 features"),
        ({"ontology_distance_matrix": pd.DataFrame()}, "needs cell_type_categories"),
        ({"encoder": {"hidden_layers": []}}, "encoder: found the keys 'hidden_layers', expected"),
        ({"decoder": {"hidden_layers": [{"class_path": "x.Conv"}], "final_layer": {}}}, "no out_features"),
    ],
)
def test_impossible_arguments_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        made(**options)


def test_unknown_layers_are_refused():
    layer = {"class_path": "torch.nn.Conv1d", "init_args": {"out_features": 3}}
    with pytest.raises(InputError, match="class_path 'torch.nn.Conv1d': expected a path that ends in Linear"):
        made(encoder={"hidden_layers": [layer], "final_layer": {"class_path": "torch.nn.Linear"}})
    layer = {"class_path": "torch.nn.Linear", "init_args": {"out_features": 3, "width": 4}}
    with pytest.raises(InputError, match="init_args of Linear: found 'width'"):
        made(encoder={"hidden_layers": [layer], "final_layer": {"class_path": "torch.nn.Linear"}})


def test_cells_that_do_not_suit_the_model_are_refused():
    x = torch.ones((3, 12))
    with pytest.raises(InputError, match="n_batch=2, but no batch_index_n was given"):
        made(n_batch=2)(x, NAMES)
    with pytest.raises(InputError, match="batch_index_n has codes from 0 to 2, expected 0 to 1"):
        made(n_batch=2)(x, NAMES, torch.tensor([0, 1, 2]))
    with pytest.raises(InputError, match="found 0 covariates, expected the 1 of the model"):
        made(n_continuous_cov=1)(x, NAMES)
    with pytest.raises(InputError, match="transform_batch=5: expected None, 'mean', or 0 to 1"):
        made(n_batch=2).reconstruct(x, NAMES, [0], torch.zeros(3), transform_batch=5)

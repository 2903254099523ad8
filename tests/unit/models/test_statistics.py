"""Means, variances and highly variable genes: equal to numpy and scanpy, however the cells are cut into batches."""

from importlib.metadata import version
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from packaging.version import Version

from deepmapper.errors import InputError
from deepmapper.models import HVGSeuratV3, OnePassMeanVarStd
from deepmapper.models.tensors import to_tensor


def train(model, X, names, batches=None, size=64, epochs=None):
    """Pass all cells to a model, batch by batch, with the hooks of a trainer."""
    trainer = SimpleNamespace(world_size=1, global_rank=0, current_epoch=0)
    model.on_train_start(trainer)
    for epoch in range(epochs or model.n_epochs):
        trainer.current_epoch = epoch
        model.on_train_epoch_start(trainer)
        for start in range(0, X.shape[0], size):
            rows = slice(start, start + size)
            further = {} if batches is None else {"batch_index_n": torch.as_tensor(batches[rows])}
            model(x_ng=to_tensor(X[rows]), var_names_g=names, **further)
        model.on_train_epoch_end(trainer)
    model.on_train_end(trainer)
    return model


def names_of(p):
    return np.array([f"g{i}" for i in range(p)])


@pytest.fixture(scope="module")
def counts():
    """701 cells of three batches × 4000 genes, many of them with equal counts in few cells."""
    rng = np.random.default_rng(1)
    n, p = 701, 4000
    batches = rng.integers(0, 3, n)
    rate = rng.gamma(0.3, 1.0, p) * rng.gamma(2.0, 0.5, (n, 1)) * np.exp(rng.normal(0, 0.5, (3, p)))[batches]
    return sp.csr_matrix(rng.poisson(rate * rng.gamma(1.0, 1.0, (n, p))).astype(np.float32)), batches


@pytest.mark.parametrize("algorithm", ["naive", "shifted_data"])
@pytest.mark.parametrize(("mean", "tolerance"), [(0.0, 1e-12), (1000.0, 1e-12), (-1e5, 1e-10)])
def test_mean_and_variance_are_exact_for_any_mean(mean, tolerance, algorithm):
    X = np.random.default_rng(0).normal(mean, 1.0, (701, 30))
    model = train(OnePassMeanVarStd(names_of(30), algorithm, output_path=None), X, names_of(30))
    exact = X.astype(np.longdouble)
    expected = exact.mean(0), exact.var(0)
    assert model.n == 701
    assert model.mean_g.dtype == torch.float64
    np.testing.assert_allclose(model.mean_g, expected[0].astype(float), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(model.var_g, expected[1].astype(float), rtol=tolerance)
    np.testing.assert_allclose(model.std_g, np.sqrt(expected[1].astype(float)), rtol=tolerance)


def test_batches_are_kept_apart_and_sparse_cells_give_the_same(counts, tmp_path):
    X, batches = counts
    path = tmp_path / "out.csv"
    sparse = train(OnePassMeanVarStd(names_of(4000), n_batch=4, output_path=str(path)), X, names_of(4000), batches)
    dense = train(OnePassMeanVarStd(names_of(4000), n_batch=4, output_path=None), X.toarray(), names_of(4000), batches)
    wide = X.toarray().astype(np.float64)
    for batch in range(3):
        np.testing.assert_allclose(sparse.batch_mean_bg[batch], wide[batches == batch].mean(0), rtol=1e-12)
        np.testing.assert_allclose(sparse.batch_var_bg[batch], wide[batches == batch].var(0), rtol=1e-12)
        np.testing.assert_allclose(dense.batch_var_bg[batch], sparse.batch_var_bg[batch], rtol=1e-12)
    assert torch.isnan(sparse.batch_mean_bg[3]).all()
    np.testing.assert_allclose(sparse.var_g, wide.var(0), rtol=1e-12)
    written = pd.read_csv(path, index_col="feature", float_precision="round_trip")
    assert list(written) == ["mean", "var", "std", *(f"{what}_{b}" for b in range(4) for what in ("mean", "var"))]
    np.testing.assert_array_equal(written["var"], sparse.var_g)


def test_a_second_epoch_counts_no_cell_twice_and_a_checkpoint_holds_everything():
    X = np.random.default_rng(0).normal(3, 1, (50, 4))
    model = train(OnePassMeanVarStd(names_of(4), output_path=None), X, names_of(4), epochs=2)
    assert model.n == 50
    again = OnePassMeanVarStd(names_of(4), output_path=None)
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.var_g, model.var_g)
    model.reset_parameters()
    assert model.n == 0 and torch.isnan(model.mean_g).all()


def scanpy_genes(X, batches, flavor, n_top):
    import anndata
    import scanpy

    obs = pd.DataFrame({"batch": pd.Categorical(batches.astype(str))}, index=[str(i) for i in range(X.shape[0])])
    adata = anndata.AnnData(X.copy(), obs=obs, var=pd.DataFrame(index=names_of(X.shape[1])))
    options = {"flavor": flavor, "n_top_genes": n_top, "inplace": False}
    return scanpy.pp.highly_variable_genes(adata, batch_key="batch" if batches.any() else None, **options)


@pytest.mark.parametrize("flavor", ["seurat_v3", "seurat_v3_paper"])
@pytest.mark.parametrize("several", [False, True], ids=["one batch", "three batches"])
def test_highly_variable_genes_are_those_of_scanpy(counts, flavor, several):
    X, batches = counts
    batches = batches if several else np.zeros_like(batches)
    expected = scanpy_genes(X, batches, flavor, 2000)
    model = HVGSeuratV3(names_of(4000), [2000, 500], 3 if several else 1, flavor, several, output_path=None)
    found = train(model, X, names_of(4000), batches if several else None).hvg_df
    assert found["highly_variable"].sum() == 2000
    rounded = several and Version(version("scanpy")) >= Version("1.12")
    if rounded:
        # it sums batches in another order: rounding moves genes of equal means in the loess, and orders equal variances
        assert (found["highly_variable"] == expected["highly_variable"].to_numpy()).mean() > 0.95
    else:
        np.testing.assert_array_equal(found["highly_variable"], expected["highly_variable"])
        np.testing.assert_array_equal(found["highly_variable_rank"], expected["highly_variable_rank"])
        if several:
            np.testing.assert_array_equal(found["highly_variable_nbatches"], expected["highly_variable_nbatches"])
    for column in ("means", "variances", "variances_norm"):
        tolerance = 5e-3 if rounded and column == "variances_norm" else 1e-9
        np.testing.assert_allclose(found[column], expected[column], rtol=tolerance, err_msg=column)
    assert model.hvg_dfs[500]["highly_variable"].sum() == 500


def test_small_batches_are_left_out_and_genes_may_have_to_be_in_several(counts, tmp_path):
    X, batches = counts
    few = np.where(np.arange(len(batches)) < 3, 3, batches)  # a batch of three cells
    options = {"use_batch_key": True, "batch_n_cell_minimum": 10, "n_batch_minimum": 3}
    model = HVGSeuratV3(names_of(4000), 1000, 4, output_path=str(tmp_path / "hvg.csv"), **options)
    table = train(model, X, names_of(4000), few).hvg_df
    assert set(model.trends) == {0, 1, 2}
    assert 0 < table["highly_variable"].sum() < 1000
    assert (table["highly_variable_nbatches"][table["highly_variable"]] == 3).all()
    written = pd.read_csv(tmp_path / "hvg.csv", index_col=0)
    assert written["highly_variable"].sum() == len(pd.read_csv(tmp_path / "hvg_hvgs.csv"))


def test_a_run_that_stopped_between_the_epochs_goes_on(counts):
    X, _ = counts
    whole = train(HVGSeuratV3(names_of(4000), 500, output_path=None), X, names_of(4000))
    first = train(HVGSeuratV3(names_of(4000), 500, output_path=None), X, names_of(4000), epochs=1)
    second = HVGSeuratV3(names_of(4000), 500, output_path=None)
    second.load_state_dict(first.state_dict())
    trainer = SimpleNamespace(world_size=1, global_rank=0, current_epoch=1)
    second.on_train_epoch_start(trainer)
    second(x_ng=to_tensor(X), var_names_g=names_of(4000))
    second.on_train_epoch_end(trainer)
    pd.testing.assert_frame_equal(second.hvg_df, whole.hvg_df)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OnePassMeanVarStd(names_of(3), "fast"), "algorithm='fast': expected one of naive, shifted_data"),
        (lambda: HVGSeuratV3(names_of(3), 2, flavor="seurat"), "flavor='seurat': expected one of"),
        (lambda: HVGSeuratV3(names_of(3), 0), "n_top_genes=0: expected 1 or more"),
        (lambda: HVGSeuratV3(names_of(3), 2, output_path="out"), "ends in .csv"),
        (lambda: HVGSeuratV3(names_of(3), 2).hvg_df, "train the model for two epochs"),
    ],
)
def test_impossible_arguments_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"var_names_g": names_of(3)[::-1]}, "Feature 0 of the cells is 'g2', expected 'g0': .* in the model's order"),
        ({"x_ng": torch.ones(2, 4)}, "The cells have 4 features, expected the 3 of the model"),
        ({"batch_index_n": None}, "n_batch=2, but no batch_index_n was given"),
        ({"batch_index_n": torch.tensor([0, 2])}, "from 0 to 2; expected 2 from 0 to 1"),
    ],
)
def test_cells_that_are_not_those_of_the_model_are_refused(change, message):
    model = OnePassMeanVarStd(names_of(3), n_batch=2, output_path=None)
    given = {"x_ng": torch.ones(2, 3), "var_names_g": names_of(3), "batch_index_n": torch.tensor([0, 1])}
    with pytest.raises(InputError, match=message):
        model(**(given | change))


def test_too_little_to_choose_from_is_said():
    with pytest.raises(InputError, match="batch 0: 2 of 5 features vary among 20 samples"):
        train(HVGSeuratV3(names_of(5), 2, output_path=None), np.eye(20, 5) * [1, 1, 0, 0, 0], names_of(5))
    with pytest.raises(InputError, match="negative values .*expected counts"):
        train(HVGSeuratV3(names_of(5), 2, output_path=None), -np.eye(20, 5), names_of(5))

"""What the models do with cells, columns and arguments that they cannot use: one message, never a wrong number."""

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from torch.multiprocessing import ProcessRaisedException

from deepmapper import models
from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.models.cells import open_cells
from deepmapper.models.distributed import refused_as_here
from deepmapper.models.rank_tokens import perturbed
from deepmapper.models.transforms import Dropout, Duplicate, Filter, Log1p, NormalizeTotal
from deepmapper.models.variational_layers import layers_of_scvi

GENES = np.array([f"g{i}" for i in range(12)], dtype=object)


@pytest.fixture(scope="module")
def cells():
    rng = np.random.default_rng(0)
    counts = rng.poisson(3, (20, 12)).astype(np.float32)
    obs = {
        "type": np.array(["B", "T"])[np.arange(20) % 2],
        "donor": np.arange(20) % 2 + 5,
        "age": np.arange(20) * 3 + 20,
        "share": np.linspace(0, 1, 20),
        "run": (np.arange(20) % 2).astype(float),
    }
    return anndata.AnnData(
        sp.csr_matrix(counts),
        obs=pd.DataFrame(obs, index=[f"c{i}" for i in range(20)]),
        var=pd.DataFrame(index=GENES.astype(str)),
    )


def moments(**more):
    return models.OnePassMeanVarStd(GENES, output_path=None, **more)


def scvi(**more):
    return models.SingleCellVariationalInference(GENES, **layers_of_scvi(4), **{"n_latent": 2, **more})


def with_value(cells, value):
    changed = cells.copy()
    values = cells.X.toarray()
    values[3, 4] = value
    changed.X = values
    return changed


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("sparse", [True, False])
def test_a_missing_or_infinite_value_is_named_by_its_cell_and_feature(cells, value, sparse):
    wrong = with_value(cells, value)
    if sparse:
        wrong.X = sp.csr_matrix(wrong.X)
    for transforms in ([], [NormalizeTotal(), Log1p()]):
        with pytest.raises(InputError, match=f"Feature 'g4' of cell 'c3' is {value}: expected numbers"):
            models.fit(moments(), wrong, transforms=transforms)
    assert models.fit(models.OnePassMeanVarStd(GENES[:3], output_path=None), wrong, transforms=[Filter(GENES[:3])]).n


def test_a_value_that_a_transform_makes_missing_is_named_as_such(cells):
    below = [lambda x_ng: {"x_ng": x_ng.to_dense() - 9}, Log1p()]
    with pytest.raises(InputError, match="of cell 'c0' is nan after the transforms"):
        models.fit(moments(), cells, transforms=below)


def test_whole_numbers_stay_numbers_where_numbers_are_read(cells):
    totals = cells.copy()
    totals.obs["total"] = np.asarray(cells.X.sum(1)).ravel().astype(int)
    by_column = models.fit(moments(), totals, transforms=[NormalizeTotal()], obs={"total_mrna_umis_n": "total"}).mean_g
    np.testing.assert_allclose(by_column, models.fit(moments(), cells, transforms=[NormalizeTotal()]).mean_g)
    opened = open_cells(cells, {"continuous_covariates_nc": ["age", "share"]})
    np.testing.assert_allclose(opened.columns["continuous_covariates_nc"], cells.obs[["age", "share"]].to_numpy())
    with pytest.raises(InputError, match="Column 'type' has 'B': expected numbers"):
        open_cells(cells, {"continuous_covariates_nc": "type"})


def test_numbers_are_no_codes_unless_they_are_whole(cells):
    assert open_cells(cells, {"batch_index_n": "run"}).categories["batch_index_n"].tolist() == [0, 1]
    with pytest.raises(InputError, match="Column 'share' has 0.0526316: expected text or whole numbers"):
        open_cells(cells, {"batch_index_n": "share"})
    for wrong in (["donor"], "donor"):
        with pytest.raises(InputError, match="obs=.*: expected keys with their columns"):
            models.fit(moments(n_batch=2), cells, obs=wrong)
    with pytest.raises(InputError, match=r"batch_index_n has \['donor', 'run'\]: expected the name of one column"):
        open_cells(cells, {"batch_index_n": ["donor", "run"]})


def test_categories_of_covariates_keep_their_codes_in_other_cells(cells):
    torch.manual_seed(0)
    layers = layers_of_scvi(4, 1, "LinearWithBatchAndCovariates")
    model = models.SingleCellVariationalInference(GENES, **layers, n_latent=2, n_cats_per_cov=[2, 2])
    obs = {"categorical_covariate_index_nd": ["type", "donor"]}
    models.fit(model, cells, obs=obs, epochs=1, batch_size=10)
    model.reconstruct_counts_on_predict, model.reconstruction["use_latent_mean"] = True, True
    of_all = models.predict(model, cells, obs=obs)["x_ng"]
    of_t = models.predict(model, cells[cells.obs["type"] == "T"].copy(), obs=obs)["x_ng"]
    np.testing.assert_allclose(of_t, of_all[cells.obs["type"] == "T"], rtol=1e-5)
    unknown = cells.copy()
    unknown.obs["type"] = "NK"
    with pytest.raises(InputError, match="found 'NK', which the model does not know; expected some of 'B', 'T'"):
        models.predict(model, unknown, obs=obs)
    with pytest.raises(InputError, match="found 1 covariate, expected the 2 of the model"):
        model(torch.ones(3, 12), GENES, categorical_covariate_index_nd=torch.zeros(3))
    with pytest.raises(InputError, match="codes from 0 to 4 in column 1, expected 0 to 1"):
        model(torch.ones(2, 12), GENES, categorical_covariate_index_nd=torch.tensor([[0, 0], [0, 4]]))


def test_a_part_of_a_backed_anndata_is_refused_and_its_own_columns_are_used(cells, tmp_path):
    cells.write_h5ad(tmp_path / "cells.h5ad")
    backed = anndata.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    with pytest.raises(InputError, match="a part of one that is backed by .*cells.h5ad"):
        models.fit(moments(), backed[:5])
    backed.obs["new"] = cells.obs["donor"].to_numpy()
    assert models.fit(moments(n_batch=2), backed, obs={"batch_index_n": "new"}).n == 20
    backed.file.close()


def test_features_that_differ_between_files_are_described(cells, tmp_path):
    more = anndata.AnnData(np.ones((2, 1), dtype=np.float32), var=pd.DataFrame(index=["extra"]))
    wider = anndata.concat([cells[:2].copy(), more], axis=1)
    with pytest.raises(InputError, match=r"found 1 feature in addition \(such as 'extra'\), expected"):
        open_cells([cells, wider])
    with pytest.raises(InputError, match="found the same features in another order"):
        open_cells([cells, cells[:, ::-1].copy()])


@pytest.mark.parametrize("data", [None, np.ones((2, 12)), pd.DataFrame(np.ones((2, 12))), {"a": 1}, 3])
def test_what_holds_no_cells_is_refused(data):
    with pytest.raises(InputError, match=f"Cells are given as {type(data).__name__}: expected an AnnData"):
        models.fit(moments(), data)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"epochs": 0}, "epochs=0: expected 1 or more"),
        ({"batch_size": -1}, "batch_size=-1: expected 1 or more"),
        ({"batch_size": 2.5}, "batch_size=2.5: expected a whole number"),
        ({"devices": "auto"}, "devices='auto': expected a whole number"),
        ({"seed": -1}, "seed=-1: expected 0 or more"),
        ({"learning_rate": 0}, "learning_rate=0: expected a positive number"),
        ({"checkpoint": "folder"}, "OnePassMeanVarStd is not trained by gradients, and takes no checkpoint"),
        ({"trainer": {}}, "takes no trainer"),
        ({"transforms": Log1p()}, "transforms is Log1p.*: expected a list"),
        ({"transforms": [Log1p]}, "transforms has the class Log1p: expected modules"),
        ({"transforms": ["log1p"]}, "transforms has 'log1p'"),
        ({"transforms": [lambda x_ng: x_ng]}, "returned Tensor: expected a dictionary"),
        ({"transforms": [np.log1p]}, "log1p needs 'x', which the cells do not have"),
    ],
)
def test_impossible_arguments_of_fit_are_refused(cells, more, message):
    with pytest.raises(InputError, match=message):
        models.fit(moments(), cells, **more)


def test_what_is_no_model_or_lacks_its_columns_is_refused(cells):
    for wrong in ("pca", None, models.IncrementalPCA):
        with pytest.raises(InputError, match="expected a model"):
            models.fit(wrong, cells)
    with pytest.raises(InputError, match="LogisticRegression.forward needs 'y_n', 'y_categories'.*obs={'y_n': "):
        models.fit(models.LogisticRegression(20, GENES, ["B", "T"]), cells)
    with pytest.raises(InputError, match="There are no components yet"):
        models.predict(models.IncrementalPCA(GENES, 2), cells)
    with pytest.raises(InputError, match="batch_index_n has codes up to 1, but n_batch=1"):
        models.fit(moments(), cells, obs={"batch_index_n": "donor"})


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: moments(n_batch=0), "n_batch=0: expected 1 or more"),
        (lambda: models.HVGSeuratV3(GENES, 5, span=0), "span=0: expected a share of the genes"),
        (lambda: models.HVGSeuratV3(GENES, 2.5), "n_top_genes=2.5: expected a whole number"),
        (lambda: models.HVGSeuratV3(GENES, 5, n_batch_minimum=2), "n_batch_minimum=2 with 1 batch"),
        (lambda: models.ProbabilisticPCA(9, GENES, 2, "marginalized", mean_g=torch.zeros(3)), "mean_g has shape"),
        (lambda: models.LogisticRegression(9, GENES, ["B", "B"]), "y_categories has 'B' more than once"),
        (lambda: models.ContrastiveMLP(12, 8, 2), r"hidden_size=8: expected a list of sizes, such as \[8\]"),
        (lambda: scvi(n_latent=0), "n_latent=0: expected 1 or more"),
        (lambda: scvi(dropout_rate=1.5), "dropout_rate=1.5: expected 0 or more and less than 1"),
        (lambda: scvi(kl_annealing_start=3), "kl_annealing_start=3: expected 0 to 1"),
        (lambda: Filter("g1"), r"filter_list='g1': expected a list of names, such as \['g1'\]"),
        (lambda: models.Geneformer(GENES, initializer_range=0), "initializer_range=0: expected a positive number"),
    ],
)
def test_impossible_arguments_of_models_are_refused(build, message):
    with pytest.raises(InputError, match=message):
        build()


@pytest.mark.parametrize(
    ("below", "names", "message"),
    [
        ([[1, 1, 0], [0, 1, 1], [0, 0, 1]], "abc", "'c' descends from a descendant of 'a', but not from 'a'"),
        ([[1, 1, 1], [1, 1, 1], [0, 0, 1]], "abc", "'a' and 'b' descend from each other"),
        (np.eye(3), "aab", "cl_names has 'a' more than once"),
    ],
)
def test_what_is_no_closure_of_an_ontology_is_refused(below, names, message):
    with pytest.raises(InputError, match=message):
        models.SOCAM(9, GENES, torch.tensor(below), [*names])


def test_values_that_are_no_counts_are_said_where_counts_are_read(cells):
    hvg = models.HVGSeuratV3(GENES, 3, output_path=None, span=1.0)
    with pytest.warns(DeepMapperWarning, match="values that are not whole numbers: highly variable genes"):
        models.fit(hvg, cells, transforms=[Log1p()])
    with pytest.warns(DeepMapperWarning, match="values that are not whole numbers: the model explains counts"):
        scvi()(torch.full((4, 12), 0.5), GENES)
    with pytest.raises(InputError, match="The cells have negative values"):
        scvi()(torch.full((4, 12), -1.0), GENES)


def test_tables_of_variable_genes_come_back_with_a_saved_state(cells, tmp_path):
    one, other = (models.HVGSeuratV3(GENES, 3, output_path=None, span=1.0) for _ in range(2))
    torch.save(models.fit(one, cells).state_dict(), tmp_path / "state.pt")
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    pd.testing.assert_frame_equal(other.hvg_df, one.hvg_df)


def test_places_and_draws_of_a_reconstruction_are_checked():
    model, x = scvi(), torch.ones(2, 12)
    for places in ([99], [-1], [], ["g1"], 0):
        with pytest.raises(InputError, match="gene_inds"):
            model.reconstruct(x, GENES, places, n_latent_samples=2)
    for more, message in (
        ({"n_latent_samples": 0}, "n_latent_samples=0"),
        ({"reconstructed_library_size": -1}, "reconstructed_library_size=-1"),
        ({"transform_categorical_covariates": [1]}, r"transform_categorical_covariates=\[1\]"),
    ):
        with pytest.raises(InputError, match=message):
            model.reconstruct(x, GENES, [0], **more)


def test_tokens_are_numbers_and_names_are_lists():
    for mapping in ({"g0": "MASK"}, {"g0": 1.0}):
        with pytest.raises(InputError, match="feature_map has the token"):
            perturbed(torch.ones(1, 12), 5, GENES, mapping=mapping)
    with pytest.raises(InputError, match="feature_deletion='g0': expected a list of names"):
        perturbed(torch.ones(1, 12), 5, GENES, deletion="g0")


def test_dropout_keeps_cells_sparse(cells):
    torch.manual_seed(0)
    kept = models.fit(moments(), cells, transforms=[Dropout(0.5)]).mean_g.sum()
    assert 0.4 < kept / models.fit(moments(), cells).mean_g.sum() < 0.6


def test_what_another_process_refuses_is_refused_as_here():
    def fail(message):
        with refused_as_here():
            raise ProcessRaisedException(message, 0, 1)

    with pytest.raises(InputError, match="^Found 3 cells$"):
        fail("Traceback ...\n  raise InputError(\ndeepmapper.errors.InputError: Found 3 cells\n")
    with pytest.raises(ProcessRaisedException):
        fail("Traceback ...\nValueError: x")


class TestTraining:
    """Training by gradients."""

    twice = [Log1p(), Duplicate(), Dropout(0.2)]

    def fit(self, cells, hidden=4, **more):
        model = models.ContrastiveMLP(12, [hidden], 2)
        return models.fit(model, cells, **{"transforms": self.twice, "epochs": 1, "batch_size": 10, **more})

    def test_what_would_train_nothing_or_the_wrong_pairs_is_refused(self, cells):
        with pytest.raises(InputError, match="Found 1 cell in batches of 10"):
            self.fit(cells[:1].copy())
        with pytest.raises(InputError, match="20 cells in batches of 1 for 1 process: expected two or more"):
            self.fit(cells, batch_size=1)
        with pytest.raises(InputError, match="A batch of 10 cells has 10 rows, expected 2 copies of every cell"):
            self.fit(cells, transforms=[Log1p()])
        with pytest.raises(InputError, match=r"The cells have 3 features, expected the 12 \(n_obs\) of the model"):
            self.fit(cells[:, :3].copy())

    def test_arguments_of_the_trainer_are_checked_and_callbacks_are_added(self, cells, tmp_path):
        with pytest.raises(InputError, match="trainer has 'foo', which Lightning's Trainer does not take"):
            self.fit(cells, trainer={"foo": 1})
        with pytest.raises(InputError, match="trainer has 'max_epochs', which `fit` sets itself"):
            self.fit(cells, trainer={"max_epochs": 1})
        self.fit(cells, trainer={"callbacks": []}, checkpoint=tmp_path)
        assert (tmp_path / "last.ckpt").is_file()
        with pytest.raises(InputError, match="checkpoint of another model"):
            self.fit(cells, hidden=5, checkpoint=tmp_path)
        (tmp_path / "last.ckpt").write_bytes(b"no checkpoint")
        with pytest.raises(InputError, match="cannot be read as a checkpoint"):
            self.fit(cells, checkpoint=tmp_path)
        with pytest.raises(InputError, match="is a file: expected a folder"):
            self.fit(cells, checkpoint=tmp_path / "last.ckpt")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"n_batch": 3}, "n_batch=3, but no layer .*: use LinearWithBatch"),
        ({"n_cats_per_cov": [2]}, r"n_cats_per_cov=\[2\]"),
    ],
)
def test_what_no_layer_reads_is_said_to_have_no_effect(more, said):
    layers = layers_of_scvi(4, 1, "Linear")
    with pytest.warns(DeepMapperWarning, match=said):
        models.SingleCellVariationalInference(GENES, **layers, n_latent=2, **more)

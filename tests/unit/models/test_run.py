"""Training on cells of any source: all give the same, in one process or two, and each cell counts once."""

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch

from deepmapper.core import blocks
from deepmapper.errors import InputError
from deepmapper.features.store import Features, write_features
from deepmapper.models import (
    HVGSeuratV3,
    IncrementalPCA,
    LogisticRegression,
    OnePassMeanVarStd,
    ProbabilisticPCA,
    TDigest,
    fit,
    predict,
    spectrum,
)
from deepmapper.models.contrastive import nt_xent
from deepmapper.models.transforms import Filter, Log1p, NormalizeTotal

P = 300


def cells(n=701):
    """701 cells × 300 genes of three donors and two types."""
    rng = np.random.default_rng(3)
    donors, types = rng.integers(0, 3, n), rng.integers(0, 2, n)
    rate = rng.gamma(0.5, 2.0, P) * rng.gamma(3.0, 0.3, (n, 1))
    rate[:, :20] *= 1 + 3 * types[:, None]
    obs = pd.DataFrame({"donor": donors, "type": np.array(["b", "a"])[types], "depth": rate.sum(1)})
    obs.index = [f"cell{i}" for i in range(n)]
    var = pd.DataFrame(index=[f"g{i}" for i in range(P)])
    X = sp.csr_matrix(rng.poisson(rate * rng.gamma(2.0, 0.5, (n, P))).astype(np.float32))
    return anndata.AnnData(X, obs=obs, var=var)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cells")


@pytest.fixture(scope="module")
def sources(folder):
    """The same cells in every form."""
    adata = cells()
    adata.write_h5ad(folder / "whole.h5ad")
    adata.write_zarr(folder / "whole.zarr")
    by_column = adata.copy()
    by_column.X = sp.csc_matrix(adata.X)
    by_column.write_h5ad(folder / "columns.h5ad")
    dense = adata.copy()
    dense.X = adata.X.toarray()
    dense.layers["counts"] = adata.X
    dense.write_h5ad(folder / "dense.h5ad")
    for number, rows in enumerate((slice(0, 100), slice(100, 101), slice(101, 701))):
        adata[rows].write_h5ad(folder / f"shard{number}.h5ad")
    split = np.zeros(701, dtype=np.uint8)
    y = (adata.obs["type"] == "b").to_numpy().astype(np.int64)
    groups = adata.obs["donor"].to_numpy()
    store = Features(adata.X, y, ("a", "b"), tuple(adata.var_names), tuple(adata.obs_names), split, groups)
    write_features(folder / "features", store)
    return {
        "memory": adata,
        "dense in memory": dense,
        "backed": anndata.read_h5ad(folder / "whole.h5ad", backed="r"),
        "h5ad": folder / "whole.h5ad",
        "path as text": str(folder / "whole.h5ad"),
        "zarr": folder / "whole.zarr",
        "by column": folder / "columns.h5ad",
        "dense": folder / "dense.h5ad",
        "shards": [folder / f"shard{number}.h5ad" for number in range(3)],
        "store": folder / "features",
    }


KINDS = ["memory", "dense in memory", "backed", "h5ad", "path as text", "zarr", "by column", "dense", "shards", "store"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_source_gives_the_same_statistics(sources, kind, monkeypatch):
    monkeypatch.setattr(blocks, "VALUES_AT_ONCE", 20_000)
    adata = sources["memory"]
    column = "group" if kind == "store" else "donor"
    model = OnePassMeanVarStd(adata.var_names, n_batch=3, output_path=None)
    fit(model, sources[kind], obs={"batch_index_n": column}, batch_size=50)
    wide = adata.X.toarray().astype(np.float64)
    assert model.n == 701
    np.testing.assert_allclose(model.var_g, wide.var(0), rtol=1e-12)
    for donor in range(3):
        np.testing.assert_allclose(model.batch_mean_bg[donor], wide[adata.obs["donor"] == donor].mean(0), rtol=1e-12)


def test_codes_are_the_same_whatever_shard_holds_a_category(sources):
    """The second shard has a single cell, so its own codes would start at 0."""
    names = sources["memory"].var_names[:15]
    model = LogisticRegression(701, names, np.array(["a", "b"]), W_prior_scale=0.1)
    few = {"obs": {"y_n": "type"}, "transforms": [Filter(names)]}
    whole = fit(model, sources["memory"], **few).W_gc.clone()
    model.reset_parameters()
    shards = fit(model, sources["shards"], **few).W_gc
    torch.testing.assert_close(shards, whole, atol=1e-3, rtol=1e-2)


def test_transforms_are_applied_and_stay_sparse(sources):
    adata = sources["memory"]
    kept = list(adata.var_names[5:50])
    names = np.array(kept)
    transforms = [NormalizeTotal(100), Log1p(), Filter(kept[::-1])]
    wide = adata.X.toarray().astype(np.float64)
    expected = np.log1p(wide / wide.sum(1, keepdims=True) * 100)[:, 5:50]
    seen = []

    def look(x_ng):
        seen.append(x_ng.layout)
        return {}

    for kind, layout in (("h5ad", torch.sparse_csr), ("dense", torch.strided)):
        model = fit(OnePassMeanVarStd(names, output_path=None), sources[kind], transforms=[*transforms, look])
        np.testing.assert_allclose(model.mean_g, expected.mean(0), rtol=1e-5)
        assert seen[-1] == layout
    given = fit(
        OnePassMeanVarStd(adata.var_names, output_path=None),
        adata,
        transforms=[NormalizeTotal(100)],
        obs={"total_mrna_umis_n": "depth"},
    )
    np.testing.assert_allclose(given.mean_g, (wide / adata.obs["depth"].to_numpy()[:, None] * 100).mean(0), rtol=1e-5)


def test_predictions_are_in_the_order_of_the_cells_and_a_model_can_be_a_transform(sources):
    adata = sources["memory"]
    pca = fit(IncrementalPCA(adata.var_names, 5), adata, transforms=[Log1p()])
    scores = predict(pca, sources["shards"], transforms=[Log1p()], batch_size=33)
    logs = np.log1p(adata.X.toarray().astype(np.float64))
    expected = (logs - logs.mean(0)) @ pca.components_kg.numpy().T
    np.testing.assert_allclose(scores["x_ng"], expected, atol=1e-3)
    assert scores["var_names_g"].tolist() == [f"PC{i}" for i in range(1, 6)]
    assert scores["obs_names"].tolist() == adata.obs_names.tolist()
    of_scores = OnePassMeanVarStd(scores["var_names_g"], output_path=None)
    fit(of_scores, adata, transforms=[Log1p(), pca])
    np.testing.assert_allclose(of_scores.var_g, pca.explained_variance_k, rtol=1e-4)


def everything(data):
    """All models on the same cells."""
    var_names = cells(1).var_names
    logs = [Log1p()]
    batches = {"batch_index_n": "donor"}
    models = {
        "mean": fit(OnePassMeanVarStd(var_names, n_batch=3, output_path=None), data, obs=batches),
        "hvg": fit(HVGSeuratV3(var_names, 50, 3, use_batch_key=True, output_path=None), data, obs=batches),
        "pca": fit(IncrementalPCA(var_names, 10), data, transforms=logs),
        "ppca": fit(ProbabilisticPCA(701, var_names, 10, "marginalized"), data, transforms=logs),
        "digest": fit(TDigest(var_names), data),
        "logistic": fit(
            LogisticRegression(701, var_names[:15], np.array(["a", "b"]), W_prior_scale=0.1),
            data,
            transforms=[Filter(var_names[:15])],
            obs={"y_n": "type"},
        ),
    }
    spectrum.EXACT, exact = 100, spectrum.EXACT
    models["refined"] = fit(IncrementalPCA(var_names, 10), data, transforms=logs)
    spectrum.EXACT = exact
    hvg, scores = models["hvg"], predict(models["pca"], data, transforms=logs)["x_ng"]
    return {
        "n": torch.tensor([models["mean"].n, models["pca"].x_size]),
        "mean": models["mean"].mean_g,
        "variance": models["mean"].var_g,
        "by batch": models["mean"].batch_var_bg,
        "hvg": torch.tensor(hvg.hvg_df["highly_variable"].to_numpy()),
        "hvg variances": torch.tensor(hvg.hvg_df["variances_norm"].to_numpy()),
        "pca": models["pca"].explained_variance_k,
        "scores": torch.from_numpy(scores),
        "ppca": models["ppca"].L_k,
        "refined": models["refined"].explained_variance_k[:5],
        "median": models["digest"].median_g,
        "logistic": models["logistic"].W_gc.detach(),
    }


def contrast(rows):
    """Loss of some of 12 pairs of embeddings, and its gradient for their first and second copies."""
    draw = torch.Generator().manual_seed(0)
    first, second = (torch.nn.functional.normalize(torch.randn(12, 5, generator=draw), dim=1)[rows] for _ in range(2))
    loss = nt_xent(first.requires_grad_(), second.requires_grad_(), 0.5)
    loss.backward()
    return {"loss": loss.detach(), "gradient": torch.stack([first.grad, second.grad])}


def one_of_two(rank, data, meeting, out):
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    torch.save([everything(data), contrast(slice(6 * rank, 6 * rank + 6))], f"{out}{rank}")
    torch.distributed.destroy_process_group()


TOLERANCE = {"refined": 1e-3, "median": 0.05, "logistic": 1e-2, "scores": 1e-4}


def test_two_processes_give_what_one_gives_and_count_every_cell_once(sources):
    """Shards of 100, 1 and 600 cells: neither process has as many as the other, and one reads across shards."""
    data = sources["shards"]
    folder = Path(data[0]).parent
    torch.multiprocessing.spawn(one_of_two, (data, folder / "meeting", folder / "found"), nprocs=2)
    found = [torch.load(f"{folder}/found{rank}", weights_only=True) for rank in range(2)]
    first, second = found[0][0], found[1][0]
    one = everything(data)
    assert first["n"].tolist() == [701, 701]
    for name, values in one.items():
        assert torch.equal(torch.nan_to_num(first[name]), torch.nan_to_num(second[name])), name
        tolerance = TOLERANCE.get(name, 1e-12)
        near = tolerance if name in TOLERANCE else 1e-14
        torch.testing.assert_close(first[name], values, rtol=tolerance, atol=near, equal_nan=True, msg=name)
    whole, halves = contrast(slice(None)), [part[1] for part in found]
    torch.testing.assert_close((halves[0]["loss"] + halves[1]["loss"]) / 2, whole["loss"])
    gradient = torch.cat([half["gradient"] for half in halves], dim=1) / 2  # averaged over processes in training
    torch.testing.assert_close(gradient, whole["gradient"])


def test_fit_starts_processes_itself(sources):
    names = sources["memory"].var_names
    one = fit(HVGSeuratV3(names, 50, output_path=None), sources["h5ad"])
    two = fit(HVGSeuratV3(names, 50, output_path=None), sources["h5ad"], devices=2)
    pd.testing.assert_frame_equal(one.hvg_df, two.hvg_df, rtol=1e-12)
    assert torch.equal(one.counts.n_b, two.counts.n_b)


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ("memory", {"obs": {"batch_index_n": "donr"}}, "no column 'donr'.* Did you mean"),
        ("memory", {"obs": {"y_n": "type"}}, "neither OnePassMeanVarStd nor a transform takes 'y_n'"),
        ("memory", {"layer": "counts"}, "has no matrix 'counts'"),
        ("h5ad", {"layer": "counts"}, "has no matrix 'counts'"),
        ("memory", {"transforms": [Filter(["g0", "TP53"])]}, "1 of 2 features of filter_list .* such as 'TP53'"),
    ],
)
def test_what_is_not_there_is_named(sources, data, options, message):
    model = OnePassMeanVarStd(sources["memory"].var_names, output_path=None)
    with pytest.raises(InputError, match=message):
        fit(model, sources[data], **options)


def test_sources_that_do_not_fit_together_are_refused(sources):
    adata = sources["memory"]
    model = OnePassMeanVarStd(adata.var_names, output_path=None)
    with pytest.raises(
        InputError, match=r"AnnData 2: found 1 feature missing \(such as 'g0'\), expected the features of AnnData 1"
    ):
        fit(model, [adata, adata[:, 1:].copy()])
    with pytest.raises(InputError, match="found the same features in another order"):
        fit(model, [adata, adata[:, ::-1].copy()])
    with pytest.raises(InputError, match="There are no files of cells"):
        fit(model, [])
    with pytest.raises(InputError, match="y_n: found 'a', which the model does not know"):
        fit(LogisticRegression(701, adata.var_names, np.array(["b", "c"])), adata, obs={"y_n": "type"})
    with pytest.raises(InputError, match="TDigest has no method predict"):
        predict(TDigest(adata.var_names), adata)
    unknown = adata.copy()
    unknown.obs["type"] = unknown.obs["type"].astype(object).where(np.arange(701) != 7, None)
    with pytest.raises(InputError, match="no value for 1 cell, the first is 'cell7'"):
        fit(LogisticRegression(701, adata.var_names, np.array(["a", "b"])), unknown, obs={"y_n": "type"})

"""An embedding that is kept as a folder embeds other cells, and refuses what it cannot embed."""

import json

import anndata
import numpy as np
import pandas as pd
import pytest
import torch

from deepmapper.errors import InputError
from deepmapper.models import fit, open_embedding
from deepmapper.models.count_halves import SplitCounts
from deepmapper.models.fitted_embedding import FittedEmbedding, build_network, write_embedding_model
from deepmapper.models.transforms import DivideByScale

NAMES = np.array([f"g{i}" for i in range(12)], dtype=object)


def cells(values, names=NAMES):
    return anndata.AnnData(values, var=pd.DataFrame(index=names))


@pytest.fixture
def values():
    return np.random.default_rng(0).poisson(2.0, (60, 12)).astype(np.float32)


@pytest.fixture
def folder(values, tmp_path):
    """A folder with principal components of cells."""
    sizes = {"n_components": 3}
    network = fit(build_network("pca", NAMES, sizes), cells(values))
    write_embedding_model(FittedEmbedding("pca", NAMES, sizes, network), tmp_path)
    return tmp_path


def test_other_cells_are_embedded_by_their_features(folder, values):
    fitted = open_embedding(folder)
    expected = fitted.embed(cells(values))
    mean = values.mean(0, dtype=np.float64)
    axes = np.linalg.svd(values - mean, full_matrices=False)[2][:3]
    np.testing.assert_allclose(np.abs(expected), np.abs((values - mean) @ axes.T), atol=1e-4)
    more = np.column_stack([values[:, :5], np.full(60, 7, np.float32), values[:, 5:]])
    found = fitted.embed(cells(more, np.insert(NAMES, 5, "another")))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_cells_with_other_features_are_refused(folder, values):
    fitted = open_embedding(folder)
    with pytest.raises(InputError, match="the 12 features that the embedding reads, in their order: 1 are missing"):
        fitted.embed(cells(values[:, 1:], NAMES[1:]))
    with pytest.raises(InputError, match="they are in another order"):
        fitted.embed(cells(values[:, ::-1].copy(), NAMES[::-1]))


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        ("pca", {"n_components": 3}),
        ("ppca", {"n_components": 3, "n_obs": 60}),
        ("contrastive", {"embed_dim": 3, "hidden_size": [8]}),
        ("geneformer", {"hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}),
        ("scvi", {"hidden_units": 8, "n_batch": 0, "n_latent": 3}),
    ],
)
def test_the_callers_generators_are_left_alone(tmp_path, values, leaves_no_trace, kind, sizes):
    pytest.importorskip("lightning")
    network, transforms = build_network(kind, NAMES, sizes), [SplitCounts()] if kind == "contrastive" else []
    scale = np.ones(len(NAMES)) if kind == "geneformer" else None
    if scale is not None:
        transforms = [DivideByScale(torch.from_numpy(scale), NAMES)]
    with leaves_no_trace():
        fit(network, cells(values), transforms=transforms, epochs=2, batch_size=20)
    write_embedding_model(FittedEmbedding(kind, NAMES, sizes, network, scale), tmp_path)
    with leaves_no_trace():
        open_embedding(tmp_path).embed(cells(values))


def test_batches_are_kept(tmp_path, values):
    sizes = {"hidden_units": 8, "n_batch": 2, "n_latent": 3}
    network = build_network("scvi", NAMES, sizes)
    network.batch_categories = np.array(["day1", "day2"])
    write_embedding_model(FittedEmbedding("scvi", NAMES, sizes, network), tmp_path)
    fitted = open_embedding(tmp_path)
    assert fitted.network.batch_categories.tolist() == ["day1", "day2"]
    np.testing.assert_array_equal(
        fitted.embed(cells(values)), FittedEmbedding("scvi", NAMES, sizes, network).embed(cells(values))
    )


def test_folders_that_are_none_are_refused(folder, tmp_path):
    with pytest.raises(InputError, match="is not an embedding, since its file embedding.json is missing or damaged"):
        open_embedding(tmp_path / "elsewhere")
    content = json.loads((folder / "embedding.json").read_text())
    (folder / "embedding.json").write_text(json.dumps(content | {"format": 0}))
    with pytest.raises(InputError, match="has format 0, expected 1: run the rule fit_embedding again"):
        open_embedding(folder)
    (folder / "embedding.json").write_text(json.dumps(content | {"sizes": {"n_components": 4}}))
    with pytest.raises(InputError, match="embedding.json is not a complete embedding"):
        open_embedding(folder)
    (folder / "embedding.json").write_text(json.dumps(content))
    (folder / "arrays.npz").unlink()
    with pytest.raises(InputError, match="is not a complete embedding: arrays.npz is missing"):
        open_embedding(folder)

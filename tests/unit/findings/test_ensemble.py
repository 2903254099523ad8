"""The embedding of an ensemble of passes, and its map in two dimensions."""

import numpy as np
import pytest

from deepmapper.findings import ensemble
from deepmapper.findings.ensemble import embed, embed_ensemble, map_embedding, predict
from deepmapper.passes.restore import softmax
from deepmapper.passes.train import train_pass


@pytest.fixture(scope="module")
def members(planted, quick):
    return [train_pass(planted.samples, quick("mlp"), seed) for seed in range(3)]


def test_the_embedding_keeps_classes_together(members, planted):
    """The nearest neighbour of a sample in the ensemble's embedding is of its class."""
    points = embed_ensemble(members, planted.X, np.arange(120), n_components=8)
    assert points.shape == (120, 8)
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (planted.y[distance.argmin(1)] == planted.y).mean() > 0.9
    variance = points.var(axis=0)
    assert (np.diff(variance) <= 1e-6).all()


def test_the_embedding_is_the_same_every_time_and_from_sparse_data(members, planted):
    one = embed_ensemble(members, planted.X, np.arange(120))
    np.testing.assert_array_equal(one, embed_ensemble(members, planted.X, np.arange(120)))
    np.testing.assert_array_equal(one, embed_ensemble(members, planted.sparse, np.arange(120)))


def test_every_pass_counts_the_same_in_the_embedding(members, planted, monkeypatch):
    """One pass's embedding a thousand times larger is the same embedding: scale is no importance."""
    plain = embed_ensemble(members, planted.X, np.arange(120), 4)
    monkeypatch.setattr(ensemble, "embed", lambda result, *given: embed(result, *given) * 1000 ** (result.seed == 1))
    scaled = embed_ensemble(members, planted.X, np.arange(120), 4)
    np.testing.assert_allclose(np.abs(scaled), np.abs(plain), rtol=1e-2, atol=1e-3)


def test_no_pass_no_embedding(planted):
    assert embed_ensemble([], planted.X, np.arange(7)).shape == (7, 0)


def test_the_embedding_of_one_pass_is_what_its_last_layer_reads(members, planted):
    """Its last layer makes of it the scores that the pass predicts by."""
    weight, bias = (members[0].weights[f"head.{name}"] for name in ("weight", "bias"))
    scores = embed(members[0], planted.X, np.arange(5)) @ weight.T + bias
    np.testing.assert_allclose(softmax(scores), predict(members[0], planted.X, np.arange(5)), atol=1e-6)


@pytest.mark.parametrize("shape", [(5, 8), (20, 2), (20, 1), (20, 0)])
def test_too_little_for_a_map_is_shown_as_it_is(shape):
    points = np.random.default_rng(0).normal(size=shape)
    map_, basis = map_embedding(points)
    assert basis == "PCA"
    assert map_.shape == (shape[0], 2)
    np.testing.assert_allclose(map_[:, : shape[1]], points[:, :2], rtol=1e-6)
    assert not map_[:, shape[1] :].any()


def test_in_blocks_the_embedding_is_the_same(planted, quick):
    results = [train_pass(planted.samples, quick("mlp"), seed) for seed in range(2)]
    rows = np.arange(0, len(planted.y), 2)
    whole = ensemble.embed_ensemble(results, planted.X, rows, 5)
    parts = ensemble.embed_ensemble(results, planted.X, rows, 5, max_values=8 * 256 * 17)
    assert parts.dtype == np.float32 and parts.shape == whole.shape
    np.testing.assert_allclose(parts, whole, atol=2e-4)

"""An embedding that has never seen a label."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from deepmapper.config import BackboneSpec, DeepMapperConfig
from deepmapper.errors import InputError
from deepmapper.unsupervised import embed_unsupervised

CONFIG = DeepMapperConfig(epochs=4, batch_size=16, lr=3e-3, backbone=BackboneSpec(extra={"width": 8}))


def codes(X, **changed):
    return embed_unsupervised(X, **{"config": CONFIG, "latent_dim": 4, **changed})


@pytest.fixture(scope="module")
def embedded(planted):
    return codes(planted.X)


def test_one_code_a_sample(embedded):
    assert embedded.shape == (120, 4)
    assert embedded.dtype == np.float32
    assert np.isfinite(embedded).all()


def test_the_seed_is_all_that_counts_and_it_counts(embedded, planted):
    torch.manual_seed(9)
    before = torch.random.get_rng_state()
    np.testing.assert_array_equal(codes(planted.X), embedded)
    np.testing.assert_array_equal(codes(planted.sparse), embedded)
    assert not np.array_equal(codes(planted.X, seed=1), embedded)
    in_order = replace(CONFIG, index_features=True)  # the arrangement aside
    assert not np.array_equal(codes(planted.X, config=in_order), codes(planted.X, config=in_order, seed=1))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_mode_and_beta_count(embedded, planted):
    assert not np.array_equal(codes(planted.X, mode="ae"), embedded)
    assert not np.array_equal(codes(planted.X, beta=10.0), embedded)
    np.testing.assert_array_equal(codes(planted.X, mode="ae", beta=10.0), codes(planted.X, mode="ae"))


def test_a_strong_divergence_draws_the_codes_together(planted):
    loose, tight = (codes(planted.X, beta=beta).std() for beta in (0.0, 50.0))
    assert tight < 0.5 * loose


@pytest.mark.parametrize("mode", ["vae", "ae"])
def test_training_lowers_the_loss(planted, mode):
    lines = []
    codes(planted.X, mode=mode, progress=lines.append)
    losses = [float(line.rsplit(" ", 1)[1]) for line in lines]
    assert len(losses) == 4
    assert losses[-1] < losses[0]


def test_codes_keep_what_separates_the_samples(planted):
    """The strongest difference between samples is that of the classes: neighbours in the code share theirs."""
    config = DeepMapperConfig(epochs=25, batch_size=16, lr=3e-3, backbone=BackboneSpec(extra={"width": 8}))
    points = codes(planted.X, config=config, mode="ae", latent_dim=8)
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (planted.y[distance.argmin(1)] == planted.y).mean() > 0.7  # a third by chance


@pytest.mark.parametrize("n_features", [1, 2, 5, 26, 50])
def test_images_of_odd_sides_come_back_whole(planted, n_features):
    X = np.tile(planted.X, 2)[:16, :n_features]
    assert codes(X, config=DeepMapperConfig(epochs=1), latent_dim=3).shape == (16, 3)


def test_without_a_configuration_the_defaults_are_taken(planted):
    assert embed_unsupervised(planted.X[:16]).shape == (16, 32)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "pca"}, "mode='pca': expected 'vae' or 'ae'"),
        ({"beta": -1}, "beta=-1, latent_dim=4: expected beta of 0 or more"),
        ({"latent_dim": 0}, "latent_dim=0: expected beta of 0 or more, latent_dim of 1 or more"),
        ({"latent_dim": 2.5}, r"latent_dim=2\.5: expected a whole number"),
        ({"config": DeepMapperConfig(epochs=0)}, "epochs=0: expected 1 or more"),
        ({"config": DeepMapperConfig(backbone=BackboneSpec(extra={"width": 0}))}, "width=0: expected a whole number"),
        ({"config": DeepMapperConfig(backbone=BackboneSpec(img_size=3))}, "img_size=3: 30 features"),
        ({"config": DeepMapperConfig(lr=1e30, epochs=5)}, r"training diverged in epoch \d: lower lr"),
    ],
)
def test_what_cannot_be_embedded_is_refused(planted, settings, message):
    with pytest.raises(InputError, match=message):
        codes(planted.X, **settings)


def test_bad_data_are_refused_as_everywhere(planted):
    with pytest.raises(InputError, match="NaN or infinite"):
        codes(np.where(planted.X > 3, np.inf, planted.X))
    with pytest.raises(InputError, match=r"X has shape \(30,\)"):
        codes(planted.X[0])

"""The autoencoder: its loss by hand, and what it learns."""

import numpy as np
import pytest
import torch

from deepmapper.backbones import autoencoder
from deepmapper.backbones.registry import build
from deepmapper.config import BackboneSpec, DeepMapperConfig
from deepmapper.passes.train import train_pass

EXTRA = {"latent_dim": 4, "width": 8, "reconstruction": 0.5, "beta": 0.5}


def network(**extra):
    torch.manual_seed(0)
    return build(BackboneSpec("conv_vae", 6, extra={**EXTRA, **extra}), 3).eval()


def test_the_loss_of_the_autoencoder_by_hand():
    model, images, targets = network(), torch.rand(6, 1, 6, 6), torch.tensor([0, 1, 2, 0, 1, 0])
    torch.manual_seed(5)
    loss = model.loss(images, targets)
    torch.manual_seed(5)
    encoded = model.body.encoder(images)
    mean, log_variance = model.body.mean(encoded), model.body.log_variance(encoded)
    rebuilt = model.body.decoder(mean + torch.randn_like(mean) * (log_variance / 2).exp())[..., :6, :6]
    error = (rebuilt - images).square().flatten(1).sum(1).mean()
    divergence = (mean.square() + log_variance.exp() - log_variance - 1).sum(1).mean() / 2
    class_loss = torch.nn.functional.cross_entropy(model(images), targets)
    torch.testing.assert_close(loss, class_loss + 0.5 * (error + 0.5 * divergence) / 36)
    torch.testing.assert_close(model.embed(images), mean)


def test_the_autoencoder_without_reconstruction_is_a_plain_classifier():
    images, targets = torch.rand(6, 1, 6, 6), torch.tensor([0, 1, 2, 0, 1, 0])
    model = network(reconstruction=0.0)
    torch.testing.assert_close(model.loss(images, targets), torch.nn.functional.cross_entropy(model(images), targets))


def test_training_teaches_the_autoencoder_to_rebuild(planted):
    """The classifier alone would leave the decoder with its initial weights."""

    def error(result):
        model = build(BackboneSpec("conv_vae", extra=extra), 3, 30).eval()
        model.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in result.weights.items()})
        images = torch.zeros(120, 36)
        images[:, :30] = torch.from_numpy(planted.X.copy())
        with torch.no_grad():
            images = images.reshape(-1, 1, 6, 6)
            return float((model.body.decoder(model.embed(images))[..., :6, :6] - images).square().mean())

    extra = {**EXTRA, "beta": 0.0}
    config = DeepMapperConfig(
        epochs=25, lr=5e-3, batch_size=16, early_stop=False, index_features=True, attribution="saliency",
        backbone=BackboneSpec("conv_vae", extra=extra),
    )  # fmt: skip
    trained = train_pass(planted.samples, config, 0)
    config.epochs, config.lr = 1, 1e-12
    fresh = train_pass(planted.samples, config, 0)
    assert error(trained) < 0.8 * error(fresh)
    assert trained.accuracy > 0.8


@pytest.mark.parametrize("side", [1, 2, 5, 63, 64, 65, 129, 200])
def test_the_autoencoder_gives_images_back_whole(side):
    model = autoencoder.ConvAutoencoder(side, 2, latent_dim=3, width=2)
    mean, loss = model.rebuild(torch.rand(2, 2, side, side), 1.0)
    assert mean.shape == (2, 3)
    assert torch.isfinite(loss)
    assert model.decoder(mean)[..., :side, :side].shape == (2, 2, side, side)

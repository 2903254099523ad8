"""Networks that read a trained embedding: trained in the pass without labels, attributed through it to the features."""

import numpy as np
import pytest
import torch

from deepmapper.errors import InputError
from deepmapper.features.samples import Samples
from deepmapper.models.contrastive import ContrastiveMLP
from deepmapper.passes.encoders import _without_normalisation
from deepmapper.passes.restore import image_maker, restore_model, softmax
from deepmapper.passes.shadows import train_shadow_pass
from deepmapper.passes.train import train_pass
from deepmapper.training.inference import predict

pytest.importorskip("lightning")

HOW = {
    "kind": "contrastive",
    "n_components": 3,
    "hidden_units": 24,
    "n_features": 0,
    "n_epochs": 30,
    "views": "auto",
    "dropout": 0.2,
    "temperature": 0.5,
}


@pytest.fixture(scope="module")
def counted():
    """240 samples of two classes and 40 features, log1p of scaled counts; 0 to 7 are twenty times as high in one."""
    rng = np.random.default_rng(0)
    y = np.arange(240) % 2
    rate = np.full((240, 40), 1.5)
    rate[:, :8] = np.where(y, 8.0, 0.4)[:, None]
    counts = rng.poisson(rate) + (np.arange(40) == 39)  # the last makes sure that something is counted once
    depth = rng.uniform(0.5, 2, (240, 1))
    return Samples(np.log1p(counts * depth).astype(np.float32), y, ("a", "b"))


SCVI = {"kind": "scvi", "n_components": 3, "hidden_units": 24, "n_features": 0, "n_epochs": 40, "batch": ""}


def settings(quick, how=HOW):
    return quick("linear", extra={"input_encoder": how}, attribution="integrated_gradients")


@pytest.fixture(scope="module", params=[HOW, SCVI], ids=["contrastive", "scvi"])
def trained(counted, quick, request):
    return train_pass(counted, settings(quick, request.param), 0)


def test_planted_features_are_first_through_the_encoder(counted, trained):
    assert trained.accuracy > trained.majority_accuracy + 0.3
    assert trained.completeness_error < 0.05
    assert trained.importance.argmax() < 8
    assert trained.importance[:8].mean() > 2 * trained.importance[8:].mean()
    assert (trained.class_gradient[1, :8] > 0).all() and trained.class_gradient[0, :8].mean() < 0


def test_a_restored_network_encodes_new_samples_as_the_pass_did(counted, trained):
    network = restore_model(trained, 40, "cpu")
    images = image_maker(counted.X, trained.config, 0, torch.device("cpu"))
    probability = softmax(predict(network, images, trained.out_of_bag_rows))
    np.testing.assert_allclose(probability, trained.out_of_bag_probability, atol=1e-6)
    scores = network.scores(images(trained.train_rows)).numpy()
    np.testing.assert_allclose(scores.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(scores.std(0), 1, rtol=1e-3)


def test_neither_out_of_bag_samples_nor_labels_shape_the_encoder(counted, trained, quick):
    spoiled = np.array(counted.X)
    spoiled[trained.out_of_bag_rows] = 3
    how = trained.settings["backbone"]["extra"]["input_encoder"]
    other = train_pass(Samples(spoiled, counted.y, counted.classes), settings(quick, how), 0)
    for name in ("pixels", "hidden", "output"):
        np.testing.assert_array_equal(trained.weights[name], other.weights[name])


@pytest.mark.parametrize("how", [HOW, SCVI], ids=["contrastive", "scvi"])
def test_shadows_take_part_in_the_encoder(counted, quick, how):
    result = train_shadow_pass(counted, settings(quick, how), 0)
    own, shadow = (np.abs(part) for part in (result.class_gradient[:, :8], result.shadows.class_gradient))
    assert own.mean() > shadow.mean() > 0


def test_batch_normalisation_is_part_of_the_layer_before_it():
    torch.manual_seed(0)
    layers = ContrastiveMLP(9, [5], 3).layers
    for _ in range(20):
        layers(torch.randn(64, 9) * 3 + 1)
    layers.eval()
    weight, bias = _without_normalisation(layers[0], layers[1])
    x = torch.randn(7, 9)
    torch.testing.assert_close(x @ weight.T + bias, layers[:2](x))


def test_latent_variables_need_counts(counted, quick):
    fractions = Samples(np.sqrt(counted.X), counted.y, counted.classes)
    with pytest.raises(InputError, match="input: scvi needs log1p of scaled counts"):
        train_pass(fractions, settings(quick, SCVI), 0)

"""The linear model: its start and its embedding."""

import torch

from deepmapper.backbones.registry import build
from deepmapper.config import BackboneSpec


def test_the_embedding_of_the_linear_model_is_its_scores():
    model, images = build(BackboneSpec("linear"), 3, 30), torch.rand(5, 1, 6, 6)
    assert torch.equal(model.embed(images), model(images))


def test_the_linear_model_starts_at_zero():
    assert not build(BackboneSpec("linear"), 3, 30).head.weight.any()

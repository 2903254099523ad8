"""Predictions and embeddings in batches."""

import numpy as np
import torch

from deepmapper.backbones.registry import build
from deepmapper.config import BackboneSpec
from deepmapper.training.inference import embed, predict


def test_predictions_do_not_depend_on_the_batch():
    torch.manual_seed(0)
    model, images, rows = build(BackboneSpec("cnn_small"), 3, 30), torch.rand(60, 1, 6, 6), np.arange(10, 50)
    scores = predict(model, images.__getitem__, rows)
    np.testing.assert_allclose(predict(model, images.__getitem__, rows, batch_size=7), scores, rtol=1e-4, atol=1e-5)
    assert embed(model, images.__getitem__, rows).shape == (40, model.head.in_features)
    assert not model.training

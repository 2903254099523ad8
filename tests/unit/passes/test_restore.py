"""The network and the arrangement of a finished pass, rebuilt from its record."""

import numpy as np
import torch

from deepmapper.passes.restore import restore_model, softmax
from deepmapper.transform import permutation, to_images


def test_importance_is_what_attribution_of_the_stored_model_says(trained, planted):
    """Network, arrangement and samples are all restored from the record."""
    from deepmapper.attribution import feature_importances

    perm = permutation(1, 30)
    rows = trained.out_of_bag_rows
    images = torch.from_numpy(to_images(planted.X[rows], perm=perm)).permute(0, 3, 1, 2)
    targets = planted.y[rows].copy()
    again = feature_importances(restore_model(trained, 30), images, targets, "integrated_gradients", perm, 30)
    np.testing.assert_allclose(again, trained.importance, rtol=1e-4, atol=1e-6)


def test_the_stored_network_gives_the_stored_predictions(trained, planted):
    from deepmapper.findings.ensemble import predict

    again = predict(trained, planted.X, trained.out_of_bag_rows)
    np.testing.assert_allclose(again, trained.out_of_bag_probability, rtol=1e-6)


def test_softmax_of_large_scores_does_not_overflow():
    np.testing.assert_allclose(softmax(np.array([[1000.0, 0.0], [-1e9, -1e9]])), [[1, 0], [0.5, 0.5]])

"""Augmentation of training images."""

import pytest
import torch

from deepmapper.config import AugmentConfig


def test_the_noise_has_the_deviation_asked_for():
    from deepmapper.augment import make_train_transform

    torch.manual_seed(0)
    added = make_train_transform(AugmentConfig(True, 0.3))(torch.ones(100, 1, 30, 30)) - 1
    assert float(added.mean()) == pytest.approx(0, abs=0.01)
    assert float(added.std()) == pytest.approx(0.3, rel=0.02)

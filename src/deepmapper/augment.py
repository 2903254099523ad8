"""Augmentation of training images that keeps every feature at its pixel: noise on the values, or none."""

from __future__ import annotations

from collections.abc import Callable

from .config import AugmentConfig


def make_train_transform(cfg: AugmentConfig) -> Callable:
    """Return the function that is applied to training images of any shape; it draws from torch's seeded generator.

    Padding pixels get noise, too: they hold no feature, and their importance is dropped.
    """
    if not cfg.enabled or cfg.gaussian_noise_std <= 0:
        return lambda images: images

    def add_noise(images):
        import torch

        return images + cfg.gaussian_noise_std * torch.randn_like(images)

    return add_noise

"""Augmentation that keeps every feature in its place: noise on the values, or none."""

from __future__ import annotations

from collections.abc import Callable

from .config import AugmentConfig


def make_train_transform(cfg: AugmentConfig) -> Callable:
    """Return the function applied to training images, any shape; draws from torch's seeded generator.

    Padding pixels get noise as well; they carry no feature and no importance.
    """
    if not cfg.enabled or cfg.gaussian_noise_std <= 0:
        return lambda images: images

    def add_noise(images):
        import torch

        return images + cfg.gaussian_noise_std * torch.randn_like(images)

    return add_noise


def describe(cfg: AugmentConfig) -> str:
    """Say in a few words what is done to the training images."""
    if not cfg.enabled:
        return "no augmentation"
    if cfg.gaussian_noise_std <= 0:
        return "augmentation enabled, but its noise is 0: nothing is done"
    return f"Gaussian noise on the values, sigma = {cfg.gaussian_noise_std:g}"

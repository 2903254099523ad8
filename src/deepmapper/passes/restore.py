"""Rebuilds what a finished pass used: the arrangement of its features, its images, its network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..backbones import registry
from ..config import DeepMapperConfig
from ..transform import inverse_permutation, permutation

if TYPE_CHECKING:
    import torch

    from ..backbones.base import Network
    from ..backbones.images import Images


class Trained(Protocol):
    """What rebuilding a network needs of a pass: `result.PassResult`, `result.PassFile`, or a member of a model."""

    @property
    def seed(self) -> int:
        """Seed of the pass."""

    @property
    def config(self) -> DeepMapperConfig:
        """Settings of the pass."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""

    @property
    def weights(self) -> Mapping[str, np.ndarray]:
        """The network's `state_dict`."""


def arrangement(config: DeepMapperConfig, seed: int, n_features: int) -> list[int]:
    """Return the feature on each pixel of pass `seed`, in the order of the pixels."""
    return list(range(n_features)) if config.index_features else permutation(seed, n_features)


def image_maker(X, config: DeepMapperConfig, seed: int, device: torch.device, rows: np.ndarray | None = None) -> Images:
    """Return a function from row numbers to images in the arrangement of `seed`.

    The images, (batch, in_chans, side, side) float32 on `device`, are made a batch at a time.

    Parameters
    ----------
    X
        (n, p) dense or CSR.
    config
        Gives image size, buffer, channels and whether features are permuted.
    seed
        Of the arrangement.
    device
        Of the images.
    rows
        Rows of `X` that row numbers refer to; None for all rows.

    Raises
    ------
    InputError
        If `config.backbone.img_size` is too small for the features.
    """
    from ..backbones.images import Images

    n_features = X.shape[1]
    side = registry.resolve_side(config.backbone, n_features, config.buffer)
    pixel = np.asarray(inverse_permutation(arrangement(config, seed, n_features)), dtype=np.int32)
    return Images(X, pixel, side, config.backbone.in_chans, device, rows)


def build_network(config: DeepMapperConfig, images: Images, n_classes: int) -> Network:
    """Build the network of a pass for its images, with fresh weights from torch's seeded generator."""
    return registry.build(replace(config.backbone, img_size=images.side), n_classes, images.X.shape[1])


def restore_model(result: Trained, n_features: int, device: torch.device | str | None = None) -> Network:
    """Rebuild the network of a pass with its weights, in evaluation mode.

    On `device`; None stands for the accelerator that torch finds, else the CPU.
    """
    import torch

    from ..training.runtime import as_device, seeded

    backbone = result.config.backbone
    side = registry.resolve_side(backbone, n_features, result.config.buffer)
    with seeded(result.seed):
        model = registry.build(replace(backbone, img_size=side), len(result.classes), n_features)
    model.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in result.weights.items()})
    return model.to(as_device(device)).eval()


def softmax(scores: np.ndarray) -> np.ndarray:
    """Return the probabilities of (n, C) scores, in float64."""
    scores = scores.astype(np.float64)
    exponential = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponential / exponential.sum(axis=1, keepdims=True)

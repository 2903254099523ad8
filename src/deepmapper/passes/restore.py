"""The network and the arrangement of a finished pass, rebuilt from its record."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..backbones import registry
from ..config import BackboneSpec, DeepMapperConfig
from ..transform import inverse_permutation, permutation
from .result import PassFile, PassResult

if TYPE_CHECKING:
    import torch

    from ..backbones.images import Images


def image_maker(X, config: DeepMapperConfig, seed: int, where: torch.device, rows: np.ndarray | None = None) -> Images:
    """Return what makes images from row numbers in the arrangement of `seed`.

    The images, (batch, in_chans, side, side) float32 on `where`, are made a batch at a time.

    Parameters
    ----------
    X
        (n, p) dense or CSR.
    config
        Gives image size, buffer, channels and whether features are permuted.
    seed
        Of the arrangement.
    where
        Device of the images.
    rows
        Rows of `X` that the numbers count within; None for all.
    """
    from ..backbones.images import Images

    n_features = X.shape[1]
    side = registry.resolve_side(config.backbone, n_features, config.buffer)
    pixel = np.asarray(inverse_permutation(arrangement(config, seed, n_features)), dtype=np.int32)
    return Images(X, pixel, side, config.backbone.in_chans, where, rows)


def arrangement(config: DeepMapperConfig, seed: int, n_features: int) -> list[int]:
    """The order of the features on the pixels of pass `seed`."""
    return list(range(n_features)) if config.index_features else permutation(seed, n_features)


def restore_model(result: PassResult | PassFile, n_features: int, device: torch.device | str | None = None):
    """Rebuild the network of a pass with its weights, in evaluation mode.

    On `device`; None stands for the accelerator that torch sees, else the CPU.
    """
    import torch

    from ..training.runtime import as_device, seeded

    config = result.config
    with seeded(result.seed):
        model = registry.build(sized(config, n_features), len(result.classes), n_features)
    model.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in result.weights.items()})
    return model.to(as_device(device)).eval()


def softmax(scores: np.ndarray) -> np.ndarray:
    """Probabilities of (n, C) scores, in float64."""
    scores = scores.astype(np.float64)
    exponential = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponential / exponential.sum(axis=1, keepdims=True)


def sized(config: DeepMapperConfig, n_features: int) -> BackboneSpec:
    """The backbone with its image size derived, extra pixels included."""
    side = registry.resolve_side(config.backbone, n_features, config.buffer)
    return replace(config.backbone, img_size=side)

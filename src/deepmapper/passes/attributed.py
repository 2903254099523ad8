"""Importances of features in a trained network, over all samples and class by class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..config import AttributionOptions

if TYPE_CHECKING:
    import torch

    from ..backbones.base import Network
    from ..backbones.images import Images


def attribute_classes(
    model: Network,
    images: Images,
    rows: np.ndarray,
    targets: np.ndarray,
    share: np.ndarray,
    baseline: torch.Tensor | None,
    options: AttributionOptions,
) -> dict:
    """Attribute the scores of samples to the columns of the matrix.

    Parameters
    ----------
    model
        The network, in evaluation mode.
    images
        The samples.
    rows, targets
        (n,) row numbers, and the classes whose scores are attributed; n is at least 1.
    share
        (C,) share of every class among the samples from which these were chosen evenly over the classes: its weight in
        the importance over all.
    baseline
        (channels, side, side) reference image; None for zeros.
    options
        Method and its settings.

    Returns
    -------
    dict
        "importance", (p,) float32; "class_importance" and "class_gradient", (C, p) float32, NaN for classes without
        samples; "completeness_error".
    """
    from ..attribution import attribute
    from ..training.runtime import halving

    pixels = halving(
        lambda size: attribute(model, images(rows), targets, options.method, baseline, options.ig_steps, size),
        options.batch_size,
        "attribution",
    )
    contribution, gradient = np.abs(pixels.contribution[:, images.pixel]), pixels.slope[:, images.pixel]
    n_classes, n_columns = len(share), len(images.pixel)
    class_importance = np.full((n_classes, n_columns), np.nan, dtype=np.float32)
    class_gradient = np.full((n_classes, n_columns), np.nan, dtype=np.float32)
    total, total_share = np.zeros(n_columns), 0.0
    for code in np.unique(targets):
        in_class = targets == code
        class_importance[code] = contribution[in_class].mean(0)
        class_gradient[code] = gradient[in_class].mean(0)
        total += share[code] * class_importance[code]
        total_share += share[code]
    return {
        "importance": (total / total_share).astype(np.float32),
        "class_importance": class_importance,
        "class_gradient": class_gradient,
        "completeness_error": pixels.completeness_error,
    }

"""Attribution: the importance of every feature in a trained network. Imports torch on first use.

Sources: integrated gradients, Sundararajan et al. 2017 (arXiv:1703.01365), by Gauss-Legendre quadrature; saliency,
Simonyan et al. 2013 (arXiv:1312.6034); occlusion, Zeiler & Fergus 2013 (arXiv:1311.2901), one pixel at a time;
attention rollout, Abnar & Zuidema 2020 (arXiv:2005.00928); chefer, Chefer et al. 2021 (arXiv:2103.15679).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .config import ATTENTION_METHODS, ATTRIBUTION_METHODS, GENERAL_METHODS
from .errors import AttributionUnavailable
from .transform import pixels_to_features


@dataclass(frozen=True)
class PixelAttribution:
    """The contribution of every pixel to the score of its image's target class.

    Attributes
    ----------
    contribution
        (n, pixels) signed, summed over channels. For saliency, the magnitude of the gradient. For attention rollout and
        chefer, the relevance (0 or more) of the token that covers the pixel, divided among the pixels of that token.
    slope
        (n, pixels) change of the score per increase of the pixel's value: the gradient, averaged along the path for
        integrated gradients; for occlusion, the contribution divided by the value's distance from the baseline.
        Relevance has no sign, so for attention methods this is the gradient.
    completeness_error
        Integrated gradients only, else NaN: mean of |f(x) - f(baseline) - sum of contributions| divided by the mean of
        |f(x) - f(baseline)|; 0 for an exact integral.
    """

    contribution: np.ndarray
    slope: np.ndarray
    completeness_error: float


def attribute(
    model, images, targets, method: str, baseline=None, ig_steps: int = 32, ig_internal_batch: int = 16
) -> PixelAttribution:
    """Attribute the score of each image's target class to its pixels.

    Parameters
    ----------
    model
        Maps (batch, channels, side, side) to scores; should be in evaluation mode. The methods in
        `config.ATTENTION_METHODS` need a model with `attend` and `spread`, as "vit_cct" has them.
    images
        (n, channels, side, side) tensor on the model's device.
    targets
        (n,) class codes.
    method
        One of `config.ATTRIBUTION_METHODS`.
    baseline
        (channels, side, side) or (1, channels, side, side) reference image; None for zeros.
    ig_steps, ig_internal_batch
        Quadrature nodes, and images per batch, which bounds memory.

    Raises
    ------
    AttributionUnavailable
        If the method is unknown or does not fit the model, or torch is not installed.
    """
    if method not in ATTRIBUTION_METHODS:
        raise AttributionUnavailable(
            f"attribution={method!r} is unknown: expected one of {', '.join(ATTRIBUTION_METHODS)}"
        )
    if method in ATTENTION_METHODS and not (hasattr(model, "attend") and hasattr(model, "spread")):
        raise AttributionUnavailable(
            f"attribution={method!r} needs a network's attention, and {type(model).__name__} has none: expected one of "
            f"{', '.join(GENERAL_METHODS)}, or a network of kind vit_cct"
        )
    try:
        import torch
    except ImportError as error:
        raise AttributionUnavailable(f"attribution needs torch ({error}): pip install torch") from error

    images = images.detach()
    targets = torch.as_tensor(np.asarray(targets), dtype=torch.int64, device=images.device)
    reference = torch.zeros_like(images[:1]) if baseline is None else torch.as_tensor(baseline, device=images.device)
    reference = reference.to(images.dtype).reshape(1, *images.shape[1:])
    chunks = list(zip(images.split(ig_internal_batch), targets.split(ig_internal_batch), strict=True))
    completeness_error = float("nan")
    if method == "integrated_gradients":
        slope = torch.cat(
            [_path_gradient(model, batch, reference, target, ig_steps, ig_internal_batch) for batch, target in chunks]
        )
        contribution = slope * (images - reference)
        completeness_error = _completeness_error(model, images, reference, targets, contribution)
    elif method == "occlusion":
        contribution, slope = _occlude(model, images, reference, targets, ig_internal_batch)
    else:
        slope = torch.cat([_gradient(model, batch, target) for batch, target in chunks])
        if method == "saliency":
            contribution = slope.abs()
        elif method == "input_x_gradient":
            contribution = slope * images
        else:
            relevance = _rollout if method == "attention_rollout" else _chefer
            contribution = torch.cat([model.spread(relevance(model, batch, target)) for batch, target in chunks])
    return PixelAttribution(_flat(contribution), _flat(slope), completeness_error)


def feature_importances(
    model,
    X_images,
    targets,
    method: str,
    perm: Sequence[int] | None,
    n_features: int,
    baseline=None,
    ig_steps: int = 32,
    ig_internal_batch: int = 16,
) -> np.ndarray:
    """Return the importance of every feature: its pixel's mean absolute contribution over the images.

    Parameters
    ----------
    model, X_images, targets, method, baseline, ig_steps, ig_internal_batch
        As in `attribute`.
    perm
        The arrangement that made the images; None for features in order.
    n_features
        Number of features; the remaining pixels are padding and are dropped.

    Returns
    -------
    numpy.ndarray
        (n_features,) float32, 0 or more.
    """
    attributed = attribute(model, X_images, targets, method, baseline, ig_steps, ig_internal_batch)
    return pixels_to_features(np.abs(attributed.contribution).mean(0), perm, n_features)


def _gradient(function, values, targets, weight=None):
    """Gradient of each row's target-class score with respect to its values, times `weight`; shape of `values`."""
    import torch

    with torch.enable_grad():
        values = values.detach().clone().requires_grad_()
        scores = function(values)[torch.arange(len(values), device=values.device), targets]
        (slope,) = torch.autograd.grad((scores if weight is None else scores * weight).sum(), values)
    return slope


def _path_gradient(model, images, reference, targets, steps: int, batch: int):
    """Average gradient along the straight path from `reference` to each image, (n, channels, side, side).

    The first layer of many networks is linear (`first_layer`) and maps a straight path to a straight path. The average
    is then taken in that layer, whatever the size of the image, and propagated back to the pixels once.
    """
    import torch

    linear = hasattr(model, "first_layer")
    with torch.no_grad():
        start, end = (model.first_layer(reference), model.first_layer(images)) if linear else (reference, images)
    nodes, weights = (torch.as_tensor(values).to(end) for values in np.polynomial.legendre.leggauss(steps))
    nodes, weights = (nodes + 1) / 2, weights / 2  # from the interval (-1, 1) to (0, 1)
    average = torch.zeros_like(end)
    n = len(images)
    for evaluations in torch.arange(n * steps, device=end.device).split(batch):  # all nodes of a row, then the next row
        rows, node = evaluations // steps, evaluations % steps
        along = start + nodes[node].reshape(-1, *[1] * (end.dim() - 1)) * (end[rows] - start)
        slope = _gradient(model.later_layers if linear else model, along, targets[rows], weights[node])
        average.index_add_(0, rows, slope)
    if not linear:
        return average
    with torch.enable_grad():
        pixels = images.detach().clone().requires_grad_()
        (slope,) = torch.autograd.grad((model.first_layer(pixels) * average).sum(), pixels)
    return slope


def _completeness_error(model, images, reference, targets, contribution) -> float:
    import torch

    with torch.no_grad():
        rows = torch.arange(len(images), device=images.device)
        change = model(images)[rows, targets] - model(reference)[0, targets]
    error = (change - contribution.flatten(1).sum(1)).abs().mean()
    return float(error / change.abs().mean().clamp_min(1e-12))


def _occlude(model, images, reference, targets, batch: int):
    """Set each pixel (all channels) to the baseline in turn; a pixel that equals the baseline is skipped."""
    import torch

    n, channels, side, _ = images.shape
    flat, base = images.flatten(2), reference.flatten(2)
    differs = ((flat - base).abs() > 0).any(dim=1)
    contribution = torch.zeros_like(flat)
    with torch.no_grad():
        for row in range(n):
            full = model(images[row : row + 1])[0, targets[row]]
            pixels = torch.nonzero(differs[row])[:, 0]
            for chunk in pixels.split(batch):
                occluded = flat[row].repeat(len(chunk), 1, 1)
                occluded[torch.arange(len(chunk)), :, chunk] = base[0, :, chunk].T
                drop = full - model(occluded.reshape(-1, channels, side, side))[:, targets[row]]
                contribution[row][:, chunk] = drop / channels
    distance = flat - base
    slope = torch.where(distance != 0, contribution / distance, torch.zeros_like(distance))
    return contribution.reshape(images.shape), slope.reshape(images.shape)


def _rollout(model, images, targets):
    """Relevance of every token, (n, tokens), the same for every class.

    The product over layers, from last to first, of 0.5 A + 0.5 I, where A is the attention averaged over heads and I
    the residual connection. The pooling weights are one more attention at the end, without a residual connection.
    """
    import torch

    with torch.no_grad():
        _, attentions, pooling = model.attend(images)
        relevance = pooling[:, None]
        for attention in reversed(attentions):
            relevance = 0.5 * (relevance @ attention.mean(1)) + 0.5 * relevance
    return relevance[:, 0]


def _chefer(model, images, targets):
    """Relevance of every token for the score of the target class, (n, tokens).

    R starts as I and becomes R + E[(dA * A)+] R in each layer, where A is the attention, dA the gradient of the score
    in it, E the mean over heads and + the positive part. The pooling weights w are one more attention at the end,
    without a residual connection: (dw * w)+ R. All are 0 if no token raises the score.
    """
    import torch

    with torch.enable_grad():
        scores, attentions, pooling = model.attend(images.clone().requires_grad_())
        total = scores[torch.arange(len(images), device=images.device), targets].sum()
        *gradients, pooling_gradient = torch.autograd.grad(total, [*attentions, pooling])
    relevance = (pooling_gradient * pooling.detach()).clamp_min(0)[:, None]
    for attention, gradient in zip(reversed(attentions), reversed(gradients), strict=True):
        relevance = relevance + relevance @ (gradient * attention.detach()).clamp_min(0).mean(1)
    return relevance[:, 0]


def _flat(attribution) -> np.ndarray:
    """Sum over channels: (n, channels, side, side) to (n, pixels)."""
    return attribution.detach().flatten(2).sum(1).cpu().numpy()

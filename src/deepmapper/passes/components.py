"""Principal components of the training samples of a pass, which a network reads instead of the features."""

from __future__ import annotations

import numpy as np
import torch

from ..backbones.components import OnComponents, OnScores
from ..backbones.images import Images
from ..errors import InputError
from ..models.spectrum import Spectrum

# Readings that refine the components after the first, with more than 2048 pixels; rows read at once. Chosen by hand.
_N_REFINEMENTS, _AT_ONCE = 2, 2048


def fit_components(network: OnComponents, images: Images, y: np.ndarray, train: np.ndarray) -> None:
    """Set the axes of a network to the components of the training samples, scaled to unit variance.

    Neither validation nor out-of-bag samples shape them. A network that is set up from statistics of its pixels
    (`base.Network.prime`) is, from those of the components.

    Parameters
    ----------
    network
        Network of a pass, on the device of the images; changed in place.
    images
        Samples of the pass.
    y
        (n,) class codes.
    train
        Training rows.

    Raises
    ------
    InputError
        If there are too few samples or features.
    """
    k, n_pixels = network.n_components, images.side**2
    most = min(images.X.shape[1], len(train) - 1)
    if k > most:
        raise InputError(
            f"embeddings.pca.n_components is {k}, and a model reads these components (input: pca), but a pass has "
            f"{len(train)} training samples of {images.X.shape[1]} features: expected at most {most}."
        )
    spectrum = Spectrum(n_pixels, k, _N_REFINEMENTS)
    for epoch in range(spectrum.n_epochs):
        spectrum.start_epoch(epoch)
        for start in range(0, len(train), _AT_ONCE):
            spectrum.add(images.sparse(train[start : start + _AT_ONCE]))
        spectrum.end_epoch()
    deviation = torch.sqrt(spectrum.eigenvalue_k)
    axes = torch.where(deviation > 0, spectrum.vector_gk / deviation, torch.zeros_like(spectrum.vector_gk))
    mean = spectrum.sum_g / spectrum.n
    network.axes.copy_(axes.to(network.axes.dtype))
    network.centre.copy_((mean @ axes).to(network.centre.dtype))
    if network.inner.prime is not None:  # else the scores need not be computed
        prime_inner(network, _scores(network, images, np.arange(len(y))), images.device, y, train)


def prime_inner(network: OnScores, scores: np.ndarray, device: torch.device, y: np.ndarray, train: np.ndarray) -> None:
    """Set the network on some scores, (n, k) float32 of all samples, up from statistics of the training samples."""
    if network.inner.prime is not None:
        pixel = np.arange(scores.shape[1], dtype=np.int32)
        inner = Images(scores, pixel, network.inner_side, network.in_chans, device)
        network.inner.prime(*inner.statistics(y, train))


def _scores(network: OnComponents, images: Images, rows: np.ndarray) -> np.ndarray:
    axes, centre = network.axes.cpu().numpy(), network.centre.cpu().numpy()
    parts = [images.sparse(rows[i : i + _AT_ONCE]) @ axes - centre for i in range(0, len(rows), _AT_ONCE)]
    return np.concatenate(parts).astype(np.float32)

"""Features to pixels and back: one pixel per feature, in a seeded order.

Pixels are counted row by row. Under a permutation `perm`, pixel j holds feature ``perm[j]``; pixels beyond the
features are padding and hold zero. Importing needs the standard library only; the two array functions import numpy.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence


def square_dim(n_features: int, buffer: int = 0) -> int:
    """Return the side of the smallest square image that holds `n_features` and `buffer` extra pixels.

    Raises
    ------
    ValueError
        If `n_features` is not an integer of at least 1, or `buffer` is not an integer of at least 0.
    """
    if not _is_int(n_features) or n_features < 1:
        raise ValueError(f"n_features={n_features!r}: expected a whole number of 1 or more")
    if not _is_int(buffer) or buffer < 0:
        raise ValueError(f"buffer={buffer!r}: expected a whole number of 0 or more")
    return math.isqrt(n_features + buffer - 1) + 1


def image_side(n_features: int) -> int:
    """Return the side of the smallest square image that holds `n_features`."""
    return square_dim(n_features)


def permutation(seed: int, n: int) -> list[int]:
    """Return arrangement `seed` of `n` features: pixel j holds feature ``result[j]``.

    Uses ``random.Random(seed).shuffle`` like the published package, so the arrangements are the same.
    """
    order = list(range(n))
    random.Random(seed).shuffle(order)
    return order


def inverse_permutation(perm: Sequence[int]) -> list[int]:
    """Return the pixel of each feature: feature i is at pixel ``result[i]``.

    Raises
    ------
    ValueError
        If `perm` does not contain each of ``0 .. len(perm) - 1`` exactly once.
    """
    inverse = [-1] * len(perm)
    for pixel, feature in enumerate(perm):
        if not 0 <= feature < len(perm) or inverse[feature] != -1:
            raise ValueError(f"perm[{pixel}]={feature!r}: expected each of 0 .. {len(perm) - 1} exactly once")
        inverse[feature] = pixel
    return inverse


def to_images(X, buffer: int = 0, perm: Sequence[int] | None = None):
    """Lay out every row of a matrix as a square image.

    Parameters
    ----------
    X
        (n_samples, n_features), dense or scipy sparse.
    buffer
        Extra pixels beyond the features.
    perm
        Arrangement; None keeps the features in order.

    Returns
    -------
    numpy.ndarray
        (n_samples, side, side, 1) float32, padded with zeros.

    Raises
    ------
    ValueError
        If `X` is not two-dimensional or `perm` is not a permutation of its columns.
    """
    import numpy as np

    if not hasattr(X, "shape"):
        X = np.asarray(X)
    if len(X.shape) != 2:
        raise ValueError(f"X has shape {X.shape}: expected two dimensions, (n_samples, n_features)")
    n_samples, n_features = X.shape
    if perm is not None and len(perm) != n_features:
        raise ValueError(f"perm has {len(perm)} entries: expected {n_features}, one for each feature of X")
    side = square_dim(n_features, buffer)
    pixel = np.arange(n_features) if perm is None else np.asarray(inverse_permutation(perm))
    images = np.zeros((n_samples, side * side), dtype=np.float32)
    if hasattr(X, "tocoo"):
        coo = X.tocoo()
        np.add.at(images, (coo.row, pixel[coo.col]), coo.data)
    else:
        images[:, pixel] = X
    return images.reshape(n_samples, side, side, 1)


def pixels_to_features(attr_image, perm: Sequence[int] | None, n_features: int):
    """Map one value per pixel back to one value per feature; padding is dropped.

    Parameters
    ----------
    attr_image
        One value per pixel; any shape that is in the image's row-by-row order when flattened.
    perm
        The arrangement that made the image; None for features in order.
    n_features
        Number of features.

    Returns
    -------
    numpy.ndarray
        (n_features,) float32.

    Raises
    ------
    ValueError
        If there are fewer pixels than features, or `perm` does not have `n_features` entries.
    """
    import numpy as np

    pixels = np.asarray(attr_image, dtype=np.float32).reshape(-1)
    if pixels.size < n_features:
        raise ValueError(f"the image has {pixels.size} pixels: expected at least {n_features}, one for each feature")
    if perm is None:
        return pixels[:n_features].copy()
    if len(perm) != n_features:
        raise ValueError(f"perm has {len(perm)} entries: expected n_features={n_features}")
    return pixels[np.asarray(inverse_permutation(perm))]


def _is_int(value: object) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool)

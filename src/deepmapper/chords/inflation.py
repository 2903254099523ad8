"""Genomic control of the screen for pairs: arrangements of the labels are scaled by how large their ordinary z are.

Strong main effects that the additive model describes imperfectly leave traces in many products at once, also in those
of features without any effect: all z of the observed labels are then somewhat larger than those of permutations. The
90th percentile of z squared over pairs at random measures this: near the tail that decides, and unlike the mean hardly
moved by the few pairs that act together. The observed labels and every permutation are divided by the root of their
own percentile: one statistic for all of them, so that the test by permutation stays exact where it was.

Source: Devlin & Roeder 1999, Biometrics 55:997, Genomic control for association studies, who take the median.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..core.draws import Draw, stream
from .columns import Columns, spans
from .contrasts import Contrast
from .scan import MIN_VARIANCE

_FEATURES = 200  # features drawn, of which all pairs are scored: 19,900
_QUANTILE = 0.9
_MIN_PAIRS = 1000  # of fewer pairs, those that act together could be most
_BLOCK = 50  # features that are scored against each other at once


def equalise(contrast: Contrast, columns: Columns, seed: int) -> Contrast:
    """Divide the residuals of every arrangement of the labels by the root of its inflation.

    Parameters
    ----------
    contrast
        The observed residuals and their permutations.
    columns
        The features that are screened, for this contrast.
    seed
        Of the features that are drawn.

    Returns
    -------
    Contrast
        With residuals scaled, so that every arrangement has the same 90th percentile of z squared over pairs at random:
        the mean of these percentiles before. The same contrast if there are fewer than 1,000 pairs.
    """
    size = ordinary_size(contrast, columns, seed)
    if size is None or size.min() <= 0:
        return contrast
    scale = np.sqrt(size.mean() / size)
    return replace(contrast, residuals=contrast.residuals * scale[:, None].astype(np.float32))


def ordinary_size(contrast: Contrast, columns: Columns, seed: int) -> np.ndarray | None:
    """90th percentile of z squared over pairs at random, (1 + permutations,); None if there are fewer than 1,000."""
    p = columns.shape[1]
    chosen = np.sort(stream(seed, Draw.CHORD_INFLATION).permutation(p)[:_FEATURES])
    drawn = columns.select(chosen)
    squares: list[np.ndarray] = []
    for left, right in _pairs_of_blocks(len(chosen)):
        a, b = drawn.block(*left), drawn.block(*right)
        variance = (np.square(a) * contrast.weight[:, None]).T @ np.square(b)
        tested = variance > MIN_VARIANCE * float(contrast.weight.sum())
        if left == right:
            tested &= ~np.tri(*tested.shape, dtype=np.bool_)
        scores = [((a * residual[:, None]).T @ b)[tested] for residual in contrast.residuals]
        squares.append(np.square(scores) / variance[tested])
    z2 = np.concatenate(squares, axis=1) if squares else np.zeros((len(contrast.residuals), 0))
    return np.quantile(z2, _QUANTILE, axis=1) if z2.shape[1] >= _MIN_PAIRS else None


def _pairs_of_blocks(p: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    blocks = list(spans(p, _BLOCK))
    return [(left, right) for i, left in enumerate(blocks) for right in blocks[i:]]

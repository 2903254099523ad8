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
from .columns import Columns
from .contrasts import Contrast
from .scan import MIN_VARIANCE

_FEATURES = 200  # features drawn, of which all pairs are scored: 19,900
_QUANTILE = 0.9
_MIN_PAIRS = 1000  # of fewer pairs, those that act together could be most


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
    drawn = columns.select(chosen).block(0, len(chosen))
    variance = (np.square(drawn) * contrast.weight[:, None]).T @ np.square(drawn)
    tested = np.triu(variance > MIN_VARIANCE * float(contrast.weight.sum()), 1)
    if np.count_nonzero(tested) < _MIN_PAIRS:
        return None
    # one arrangement at a time: with thousands of permutations all z would take gigabytes
    scores = (((drawn * residual[:, None]).T @ drawn)[tested] for residual in contrast.residuals)
    return np.array([np.quantile(np.square(score) / variance[tested], _QUANTILE) for score in scores])

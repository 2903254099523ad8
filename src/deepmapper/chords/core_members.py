"""The core of a chord: the few members that keep nearly all of what the whole chord says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .contrasts import Contrast
from .scan import score_products
from .values import squash

# What the core has to keep of the |z| of the chord's value, and members of a side at most. Chosen by hand: a reader
# takes in ten names, and the last tenth of z is shared by all members that are left.
_SHARE, _MOST = 0.9, 10

# Only the heaviest members of a side are tried, so that a side of thousands costs neither time nor memory.
_TRIED = 50


def find_core(
    columns: Sequence[np.ndarray], weights: Sequence[np.ndarray], contrast: Contrast
) -> tuple[list[list[int]], float]:
    """Choose the fewest members that keep nine tenths of the |z| of the chord's value, at most ten of a side.

    It starts with the strongest member of each side; then the member that adds most to |z| joins, whatever its side,
    until enough is kept or no member adds anything. The fifty heaviest members of each side are tried.

    Parameters
    ----------
    columns
        Standardised values of the members of each side, (n, members).
    weights
        Weight of each member in the score of its side, by decreasing size.
    contrast
        The class that the chord predicts, against the rest.

    Returns
    -------
    tuple
        Positions of the chosen members within each side, in the order in which they were chosen; and the share of |z|
        that they keep, which is below 0.9 if ten members of a side are too few.
    """
    scores = [(values @ weight)[:, None] for values, weight in zip(columns, weights, strict=True)]
    whole = float(_sizes(scores, 0, contrast)[0])
    weighted = [values[:, :_TRIED] * weight[:_TRIED] for values, weight in zip(columns, weights, strict=True)]
    core = [[0] for _ in weighted]
    sums = [values[:, :1].astype(np.float64) for values in weighted]
    size = float(_sizes(sums, 0, contrast)[0])
    while size < _SHARE * whole:
        best = (size, -1, -1)
        for k, values in enumerate(weighted):
            left = [i for i in range(values.shape[1]) if i not in core[k]]
            if left and len(core[k]) < _MOST:
                sizes = _sizes([*sums[:k], sums[k] + values[:, left], *sums[k + 1 :]], k, contrast)
                i = int(sizes.argmax())
                best = max(best, (float(sizes[i]), k, left[i]))
        size, k, member = best
        if k < 0:
            break
        core[k].append(member)
        sums[k] += weighted[k][:, [member]]
    return core, size / whole if whole else 1.0


def _sizes(sums: Sequence[np.ndarray], k: int, contrast: Contrast) -> np.ndarray:
    """|z| of the product of sides for every column of the k-th, (m,); the other sides have one column each."""
    scores = [squash((values - values.mean(0)) / np.maximum(values.std(0), 1e-9)) for values in sums]
    others = np.multiply.reduce([score for i, score in enumerate(scores) if i != k])
    left, right = scores[k].astype(np.float32), others.astype(np.float32)
    return np.abs(score_products(left, right, contrast.residuals[:1], contrast.weight)[0][:, 0])

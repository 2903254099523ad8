"""How strongly each feature is expressed, and the samples drawn to measure it in large studies."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from ..core.draws import Draw, FixedDraw, fixed_stream, stream
from ..core.moments import Moments
from .store import Features

# Stored values up to which components are of all samples: 1 GB as CSR, of which the methods of others make several
# copies. Beyond, they are of so many samples, drawn at random, as fit into it.
MAX_VALUES = 2**27


def drawn_rows(X, rows: np.ndarray) -> tuple[np.ndarray, str]:
    """Choose rows for components: all, or as many as `MAX_VALUES` allow, drawn; and say which, if not all."""
    stored = int(np.diff(X.indptr)[rows].sum()) if sp.issparse(X) else len(rows) * X.shape[1]
    if stored <= MAX_VALUES:
        return rows, ""
    n = max(1, int(len(rows) * (MAX_VALUES / stored)))
    drawn = np.sort(fixed_stream(FixedDraw.AUDITED_SAMPLES).choice(rows, n, replace=False))
    return drawn, f"made on {n} of {len(rows)} samples, drawn at random: all hold {stored} values"


def feature_levels(X, rows: np.ndarray, n_features: int, batch: int = 1024) -> tuple[np.ndarray, np.ndarray]:
    """Mean of every feature over some rows, (p,), and the share of them that are not zero, `batch` rows at a time.

    The share of a feature with a single value is 0, whatever the value.
    """
    moments = Moments(n_features, keep=("nonzero", "extremes"))
    for start in range(0, len(rows), batch):
        moments.update(X[rows[start : start + batch]][:, :n_features])
    return moments.mean, np.where(moments.maximum > moments.minimum, moments.n_nonzero / moments.n, 0.0)


def min_detected_samples(share: float, y: np.ndarray) -> float:
    """Share of the samples in which a feature must be seen to be tested: `share`, or half of the smallest class.

    So the marker of a rare class is not left out. Only the sizes of the classes count, or the choice would know what is
    tested. Never 0: a feature that does not vary is not tested.
    """
    counts = np.bincount(y)
    return max(min(share, counts[counts > 0].min() / len(y) / 2), 1e-12)


def draw_samples(features: Features, most: int, seed: int) -> np.ndarray:
    """Draw the samples of the development part that are screened: all, or `most` of them.

    Half of the places are dealt evenly to the classes, so that a rare one keeps its samples; the others follow the
    classes' sizes.
    """
    rows = features.development
    if len(rows) <= most:
        return rows
    y = features.y[rows]
    sizes = np.bincount(y, minlength=len(features.classes))
    dealt = np.minimum(sizes, most // (2 * len(sizes)))
    dealt += ((sizes - dealt) * ((most - dealt.sum()) / (sizes - dealt).sum())).astype(np.int64)
    largest = int(np.argmax(sizes - dealt))
    dealt[largest] = min(sizes[largest], dealt[largest] + most - dealt.sum())  # what rounding left over
    rng = stream(seed, Draw.SCREENED_SAMPLES)
    drawn = [rng.choice(rows[y == code], size, replace=False) for code, size in enumerate(dealt)]
    return np.sort(np.concatenate(drawn))

"""Mean and detection rate of every feature, and subsamples of large studies."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from ..core.draws import Draw, FixedDraw, fixed_stream, stream
from ..core.moments import Moments
from .store import Features

# Maximum number of stored values that are computed on at once, 1 GB as CSR; decompositions make several copies of them.
# From a larger matrix a random subsample of this size is drawn.
MAX_VALUES = 2**27


def subsample_rows(X, rows: np.ndarray) -> tuple[np.ndarray, str]:
    """Return all rows, or a random subsample with at most `MAX_VALUES` stored values and a note that says so."""
    stored = int(np.diff(X.indptr)[rows].sum()) if sp.issparse(X) else len(rows) * X.shape[1]
    if stored <= MAX_VALUES:
        return rows, ""
    n = max(1, int(len(rows) * (MAX_VALUES / stored)))
    drawn = np.sort(fixed_stream(FixedDraw.AUDITED_SAMPLES).choice(rows, n, replace=False))
    return drawn, f"computed on {n} of {len(rows)} samples, drawn at random, since all have {stored} values"


def max_rows_in_memory(X) -> int:
    """Number of average rows of a matrix that hold at most `MAX_VALUES` stored values together."""
    per_row = X.nnz / X.shape[0] if sp.issparse(X) else X.shape[1]
    return int(MAX_VALUES / max(per_row, 1))


def feature_levels(X, rows: np.ndarray, n_features: int, batch: int = 1024) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of every feature over some rows, (p,), and the share of these rows in which it is not zero, (p,).

    Reads `batch` rows at a time. The share is 0 for a constant feature, whatever its value.
    """
    moments = Moments(n_features, keep=("nonzero", "extremes"))
    for start in range(0, len(rows), batch):
        moments.update(X[rows[start : start + batch]][:, :n_features])
    return moments.mean, np.where(moments.maximum > moments.minimum, moments.n_nonzero / moments.n, 0.0)


def min_detected_share(share: float, y: np.ndarray) -> float:
    """Return the share of samples in which a feature must be detected to be tested: `share` or half the smallest class.

    The smaller of the two, so that markers of a rare class are tested. Depends on the sizes of the classes only, so
    that the choice of features is independent of the test. Never 0: a feature that does not vary is not tested.
    """
    counts = np.bincount(y)
    return max(min(share, counts[counts > 0].min() / len(y) / 2), 1e-12)


def draw_development_samples(features: Features, max_samples: int, seed: int) -> np.ndarray:
    """Draw at most `max_samples` rows of the development part as `draw_samples` does."""
    return draw_samples(features.development, features.y, len(features.classes), max_samples, seed)


def draw_samples(rows: np.ndarray, y: np.ndarray, n_classes: int, max_samples: int, seed: int) -> np.ndarray:
    """Draw at most `max_samples` of some rows, or return all of them if there are no more.

    Half of `max_samples` is divided evenly among the classes, so that a rare class keeps its samples; the other half in
    proportion to the samples that are left in each class.

    Parameters
    ----------
    rows
        (n,) rows to draw from, ascending.
    y
        Class codes of all rows.
    n_classes
        Number of classes.
    max_samples, seed
        Number of rows to draw, and the seed of the draw.
    """
    if len(rows) <= max_samples:
        return rows
    labels = y[rows]
    sizes = np.bincount(labels, minlength=n_classes)
    n_drawn = np.minimum(sizes, max_samples // (2 * len(sizes)))
    n_drawn += ((sizes - n_drawn) * ((max_samples - n_drawn.sum()) / (sizes - n_drawn).sum())).astype(np.int64)
    largest = int(np.argmax(sizes - n_drawn))
    n_drawn[largest] = min(sizes[largest], n_drawn[largest] + max_samples - n_drawn.sum())  # the rest from rounding
    rng = stream(seed, Draw.SCREENED_SAMPLES)
    drawn = [rng.choice(rows[labels == code], n, replace=False) for code, n in enumerate(n_drawn)]
    return np.sort(np.concatenate(drawn))

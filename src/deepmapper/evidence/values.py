"""The values that are compared: Pearson residuals of counts, or given values, in blocks of features."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.arrays import dense
from ..core.blocks import even_spans

VALUES_AT_ONCE = 2**22  # values of a block: 16 MB as float32

_CLIP = 10.0  # size at which Pearson residuals are clipped, so that a few cells cannot make a feature differ

# Mean count from which a feature is used to estimate the dispersion: below, Poisson noise hides it. At least 100
# features are used, for a stable median. Both chosen by hand.
_EXPRESSED, _MIN_EXPRESSED = 1.0, 100


@dataclass(frozen=True)
class Values:
    """The values of the features that are compared, a block of features at a time.

    Attributes
    ----------
    X
        (n, p) CSC or dense: counts, or values.
    features
        The columns that are compared.
    depth
        (n,) total counts of every sample, over all features; None if `X` holds values, which are used as they are.
    dispersion
        Dispersion of the counts: their variance is ``m + dispersion * m**2`` at a mean of m.
    basis
        (n, q) orthonormal: confounders and a constant, which are regressed out of the values; None for none.
    """

    X: Any
    features: np.ndarray
    depth: np.ndarray | None = None
    dispersion: float = 0.0
    basis: np.ndarray | None = None

    def counts(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield features as they are stored: their positions among those compared, and (n, width) float32."""
        for start, stop in even_spans(len(self.features), self.X.shape[0], VALUES_AT_ONCE):
            yield slice(start, stop), dense(self.X[:, self.features[start:stop]], np.float32)

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield features as they are compared: their positions among those compared, and (n, width) float32."""
        for part, block in self.counts():
            if self.depth is not None:
                share = block.sum(0, dtype=np.float64) / self.depth.sum()
                block = pearson_residuals(block, self.depth, share, self.dispersion)
            if self.basis is not None:
                block = block - self.basis @ (self.basis.T @ block)
            yield part, block


def pearson_residuals(counts: np.ndarray, depth: np.ndarray, share: np.ndarray, dispersion: float) -> np.ndarray:
    """Pearson residuals of a negative binomial model whose mean is depth times share; clipped at 10, float32.

    Parameters
    ----------
    counts
        (n, p) dense.
    depth
        (n,) total counts of each sample, over all features.
    share
        (p,) each feature's share of all counts.
    dispersion
        The variance at a mean of m is ``m + dispersion * m**2``.
    """
    expected = np.outer(depth, share).astype(np.float32)
    deviation = np.sqrt(expected + np.float32(dispersion) * expected**2)
    return np.clip((counts - expected) / np.maximum(deviation, 1e-6), -_CLIP, _CLIP)


def estimate_dispersion(values: Values) -> float:
    """Median over expressed features of the excess variance over a Poisson model, as a share of the squared mean.

    If fewer than 100 features are expressed, the 100 with the highest means are used.
    """
    depth = values.depth
    assert depth is not None
    excess, mean = np.empty(len(values.features)), np.empty(len(values.features))
    squared_depths = (depth**2).sum()
    for part, block in values.counts():
        share = block.sum(0, dtype=np.float64) / depth.sum()
        mean[part] = share * depth.mean()
        deviation = block - np.outer(depth, share)
        with np.errstate(divide="ignore", invalid="ignore"):
            excess[part] = ((deviation**2).sum(0) - share * depth.sum()) / (share**2 * squared_depths)
    n_expressed = max(_MIN_EXPRESSED, int((mean >= _EXPRESSED).sum()))
    expressed = excess[np.argsort(-mean, kind="stable")[:n_expressed]]
    finite = expressed[np.isfinite(expressed)]
    return max(float(np.median(finite)), 0.0) if len(finite) else 0.0

"""The values that are compared: Pearson residuals of counts, or given values, in blocks of features."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..core.blocks import even_spans

_BLOCK = 2**22  # values held at once as an array

_CLIP = 10.0  # Pearson residuals beyond this are set to it: a few cells must not make a feature

_EXPRESSED = 1.0  # mean count from which a feature tells of the dispersion


@dataclass(frozen=True)
class Values:
    """What features are compared by, a block of them at a time.

    Attributes
    ----------
    X
        (n, p) CSC or dense: counts, or values.
    features
        The columns that are compared.
    depth
        (n,) counts of every sample, of all features; None where `X` holds values, which are then taken as they are.
    dispersion
        Of the counts: their variance is ``m + dispersion * m**2`` at a mean of m.
    basis
        (n, q) orthonormal: confounders, with a constant, that values are made free of; None for none.
    """

    X: Any
    features: np.ndarray
    depth: np.ndarray | None = None
    dispersion: float = 0.0
    basis: np.ndarray | None = None

    def counts(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield features as they are: their places, and (n, width) float32."""
        for start, stop in even_spans(len(self.features), self.X.shape[0], _BLOCK):
            block = self.X[:, self.features[start:stop]]
            yield slice(start, stop), np.asarray(block.toarray() if sp.issparse(block) else block, dtype=np.float32)

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield features: their places among those compared, and (n, width) float32."""
        for place, block in self.counts():
            if self.depth is not None:
                share = block.sum(0, dtype=np.float64) / self.depth.sum()
                block = pearson_residuals(block, self.depth, share, self.dispersion)
            if self.basis is not None:
                block = block - self.basis @ (self.basis.T @ block)
            yield place, block


def pearson_residuals(counts: np.ndarray, depth: np.ndarray, share: np.ndarray, dispersion: float) -> np.ndarray:
    """Counts less what depth expects of them, in deviations of a negative binomial law; at most 10, float32.

    Parameters
    ----------
    counts
        (n, p) dense.
    depth
        (n,) counts of each sample, of all features.
    share
        (p,) of all counts that are the feature's.
    dispersion
        The variance at a mean of m is ``m + dispersion * m**2``.
    """
    expected = np.outer(depth, share).astype(np.float32)
    spread = np.sqrt(expected + np.float32(dispersion) * expected**2)
    return np.clip((counts - expected) / np.maximum(spread, 1e-6), -_CLIP, _CLIP)


def estimate_dispersion(values: Values) -> float:
    """Median over expressed features of the excess of the variance over that of a Poisson law, in squares of means.

    Of too few that are expressed, over those with the highest means.
    """
    depth = values.depth
    assert depth is not None
    excess, mean = np.empty(len(values.features)), np.empty(len(values.features))
    squares = (depth**2).sum()
    for place, block in values.counts():
        share = block.sum(0, dtype=np.float64) / depth.sum()
        mean[place] = share * depth.mean()
        away = block - np.outer(depth, share)
        with np.errstate(divide="ignore", invalid="ignore"):
            excess[place] = ((away**2).sum(0) - share * depth.sum()) / (share**2 * squares)
    chosen = np.argsort(-mean, kind="stable")[: max(100, int((mean >= _EXPRESSED).sum()))]
    known = excess[chosen][np.isfinite(excess[chosen])]
    return max(float(np.median(known)), 0.0) if len(known) else 0.0

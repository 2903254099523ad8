"""Whether two models differ on the same evaluated samples.

Confidence intervals of two accuracies can overlap although one model is better, since both are evaluated on the same
samples. The samples that only one of the two classifies correctly decide: McNemar's test in its exact form (1947, doi
10.1007/BF02295996), or, if samples come in groups, random signs of the groups' differences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..core.draws import FixedDraw, fixed_stream

_SIGNS = 9999  # random signs of groups; with up to 13 groups all are used


@dataclass(frozen=True)
class Paired:
    """Comparison of two models.

    Attributes
    ----------
    only_first, only_second
        Number of samples that only the first, or only the second, classifies correctly.
    p
        Two-sided p-value.
    """

    only_first: int
    only_second: int
    p: float


def compare_paired(first: np.ndarray, second: np.ndarray, groups: np.ndarray | None = None) -> Paired:
    """Compare two models.

    Parameters
    ----------
    first, second
        (n,) whether each model classifies each sample correctly.
    groups
        (n,) group of each sample; None if every sample stands for itself.
    """
    from scipy.stats import binomtest

    difference = first.astype(int) - second.astype(int)
    better, worse = int((difference > 0).sum()), int((difference < 0).sum())
    if not better + worse:
        return Paired(0, 0, 1.0)
    if groups is None:
        return Paired(better, worse, float(binomtest(better, better + worse).pvalue))
    sums = np.bincount(np.unique(groups, return_inverse=True)[1].ravel(), weights=difference)
    return Paired(better, worse, _sign_test(sums[sums != 0]))


def _sign_test(sums: np.ndarray) -> float:
    """Share of the signs of the differences of groups whose sum is as far from 0 as that of the true signs."""
    if not len(sums):
        return 1.0
    if len(sums) <= 13:
        signs = 1 - 2 * ((np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums))) & 1)
        return float((np.abs(signs @ sums) >= abs(sums.sum())).mean())
    signs = fixed_stream(FixedDraw.SIGNS).choice([-1, 1], (_SIGNS, len(sums)))
    return float((1 + (np.abs(signs @ sums) >= abs(sums.sum())).sum()) / (1 + _SIGNS))


def correct_of(predictions: pd.DataFrame) -> pd.Series:
    """Whether each evaluated sample is classified correctly, by sample.

    Parameters
    ----------
    predictions
        Contents of predictions.tsv. Samples of the test split are evaluated or, without one, those out of bag.
    """
    split = "test" if (predictions["split"] == "test").any() else "out_of_bag"
    own = predictions[(predictions["split"] == split) & predictions["prediction"].notna()]
    return pd.Series((own["prediction"] == own["label"]).to_numpy(), index=own["cell"].astype(str))

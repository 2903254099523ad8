"""Whether other divisions of the same samples differ as much: a permutation test of the whole list.

A negative binomial model of few samples takes its dispersions from a trend over all features. If some samples differ
from the others for a reason of their own, such as a batch that nobody recorded, hundreds of features can be
significant between classes that do not differ at all (wild type against wild type: benchmarks/README.md). Then other
divisions of the same samples into classes of the same sizes differ as much, which this test sees. Its statistic is how
small the smallest p-values of a linear model with moderated t on logarithms are, which takes milliseconds a division:
the mean of -log10 p of the first 16, 32, 64, ... features, up to a share of all, and the mean of these means. So a few
strong features count, and so do many weak ones, of which no single p-value is small enough in three samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..core.draws import FixedDraw, fixed_stream
from ..features.label_permutations import count_permutations, draw_distinct
from .contrasts import NO_OVERLAPS, Overlaps, plain_design
from .linear_model import fit_values

# Divisions besides the true one, at most: p can be as small as 1 / 100.
MAX_DIVISIONS = 99

# A list is withheld above this p. If there are so few divisions that no p is below it, the true one must be the first.
MAX_P = 0.05

# The largest share of the p-values that are averaged, and bounds of the smallest number of them: of several ways to sum
# up p-values, the one that recognises most true divisions of samples (benchmarks/divisions.py).
_LARGEST_SHARE, _FEWEST, _FEW = 0.02, 4, 16

_SMALLEST = 1e-300  # p-values may be 0 in floating point


@dataclass(frozen=True)
class Divisions:
    """How the true division of the samples compares with others.

    Attributes
    ----------
    p
        Share of the divisions, the true one included, that differ at least as much.
    n
        Number of divisions that were compared, the true one included.
    """

    p: float
    n: int

    @property
    def holds(self) -> bool:
        """Whether the true division differs more than chance lets others differ."""
        return self.p <= max(MAX_P, 1 / self.n)

    @property
    def statement(self) -> str:
        """The result in a sentence, unless nothing is to be said."""
        if not self.holds:
            return (
                f"Other divisions of the same samples into classes of these sizes differ as much (p = {self.p:.2f}, "
                f"{self.n} divisions), so what differs may come from single samples, not from the classes."
            )
        if 1 / self.n > MAX_P:
            return (
                f"These samples can be divided into classes of these sizes in only {self.n} ways, so that differences "
                f"which come from single samples pass for those of the classes in 1 of {self.n} studies. More samples "
                "would help."
            )
        return ""


def compare_divisions(
    values: np.ndarray,
    y: np.ndarray,
    blocks: Mapping[str, np.ndarray],
    reference: str,
    classes: tuple[str, ...],
    overlaps: Overlaps = NO_OVERLAPS,
) -> Divisions:
    """Compare the true classes with other divisions of the units.

    Parameters
    ----------
    values
        (units, p) logarithms of counts, or other values that a linear model suits.
    y
        (units,) class codes.
    blocks
        Name and (units,) codes of the groups of a paired study, within which labels are permuted; or empty.
    reference, classes, overlaps
        As for `contrasts.plain_design`.
    """
    groups = next(iter(blocks.values()), None)
    n_others = min(count_permutations(y, groups) - 1, MAX_DIVISIONS)
    others = draw_distinct(y, groups, None, n_others, fixed_stream(FixedDraw.DIVISIONS))
    own, *rest = (_difference(values, labels, blocks, reference, classes, overlaps) for labels in (y, *others))
    reached = sum(difference >= own for difference in rest)
    return Divisions((1 + reached) / (1 + n_others), 1 + n_others)


def log_counts(counts: np.ndarray, min_total: int) -> np.ndarray:
    """Logarithms of counts relative to the depth of each unit, of the features with enough counts."""
    kept = counts[:, counts.sum(axis=0) >= min_total]
    depth = counts.sum(axis=1, keepdims=True)
    return np.log2((kept + 0.5) / (depth + 1) * np.median(depth))


def _difference(
    values, y: np.ndarray, blocks: Mapping[str, np.ndarray], reference: str, classes, overlaps: Overlaps
) -> float:
    """How much the classes differ, in the contrast in which they differ most."""
    results, _ = fit_values(values, plain_design("class", y, classes, blocks, None, reference, overlaps))
    return max((strength(result["p"].to_numpy()) for result in results), default=0.0)


def strength(p: np.ndarray) -> float:
    """Sum up (p,) p-values of features: large if some are much smaller than others, or many a little.

    Returns
    -------
    float
        The mean of -log10 p over the smallest 16 (fewer of less than 800 features, but at least 4), 32, 64, ..., up to
        2 % of all; the mean of these means. Missing p-values count as 1.
    """
    n_most = max(_FEWEST, int(_LARGEST_SHARE * len(p)))
    smallest = np.sort(np.clip(np.nan_to_num(p, nan=1.0), _SMALLEST, 1.0))[:n_most]
    if not len(smallest):
        return 0.0
    means = np.cumsum(-np.log10(smallest)) / np.arange(1, len(smallest) + 1)
    few = min(_FEW, len(means))
    sizes = few * 2 ** np.arange(1 + int(np.log2(len(means) / few)))
    return float(means[sizes - 1].mean())

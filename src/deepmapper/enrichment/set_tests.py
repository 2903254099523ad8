"""Two tests of a gene set: whether a list has more of its genes, and whether a ranking has them higher, than by chance.

References
----------
Barry, Nobel, Wright 2008, "A statistical framework for testing functional categories in microarray data", and Wu, Smyth
2012, "Camera: a competitive gene set test accounting for inter-gene correlation": the rank sum of correlated genes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ListTest:
    """Overrepresentation of a set in a list.

    Attributes
    ----------
    n_found
        Number of genes of the set in the list.
    expected
        The same by chance.
    odds_ratio
        Odds of being in the list, of genes in the set relative to all others; 0.5 is added to each of the four counts,
        so that it is finite.
    p
        Probability of at least `n_found` among as many genes drawn at random (hypergeometric: Fisher's exact test).
    """

    n_found: int
    expected: float
    odds_ratio: float
    p: float


@dataclass(frozen=True)
class RankTest:
    """Place of a set in a ranking.

    Attributes
    ----------
    z
        Rank sum of the set, standardised; above 0: its genes stand higher than others.
    p
        P-value of `z`: one-sided for a ranking by strength alone, two-sided for a signed one.
    """

    z: float
    p: float


def list_test(n_found: int, n_set: int, n_list: int, n_universe: int) -> ListTest:
    """Test a set against a list.

    Parameters
    ----------
    n_found
        Number of genes in both.
    n_set, n_list, n_universe
        Number of genes in the set, in the list, and of all that were tested; the first two within the last.
    """
    from scipy.stats import hypergeom

    only_set, only_list = n_set - n_found, n_list - n_found
    neither = n_universe - n_set - only_list
    odds_ratio = (n_found + 0.5) * (neither + 0.5) / ((only_set + 0.5) * (only_list + 0.5))
    p = float(hypergeom.sf(n_found - 1, n_universe, n_set, n_list))
    return ListTest(n_found, n_set * n_list / n_universe, odds_ratio, p)


def rank_test(ranks: np.ndarray, n_universe: int, correlation: float, n_free: float, signed: bool) -> RankTest:
    """Test a set against a ranking: Wilcoxon's rank sum, with the variance that correlated genes have.

    Parameters
    ----------
    ranks
        (m,) ranks of the genes of the set among all tested ones, the highest score has the highest rank; mean ranks
        where scores are equal.
    n_universe
        Number of tested genes.
    correlation
        Mean correlation between the scores of two genes of the set, by chance alone; 0 gives the usual test.
    n_free
        Degrees of freedom from which this correlation was estimated; infinite if it is known.
    signed
        Whether genes at either end of the ranking count.
    """
    from scipy.stats import t

    m, others = len(ranks), n_universe - len(ranks)
    if not m or not others:
        return RankTest(0.0, 1.0)
    larger = ranks.sum() - m * (m + 1) / 2  # pairs of a gene of the set and another one in which the first is higher
    # pairs share both genes, the gene of the set, the other gene, or none; asin(1/2) = pi / 6
    variance = np.pi / 2 + (others - 1) * np.pi / 6 + (m - 1) * np.arcsin((correlation + 1) / 2)
    variance += (m - 1) * (others - 1) * np.arcsin(correlation / 2)
    excess = larger - m * others / 2
    z = float((excess - np.sign(excess) * min(0.5, abs(excess))) / np.sqrt(m * others * variance / (2 * np.pi)))
    return RankTest(z, float(2 * t.sf(abs(z), n_free) if signed else t.sf(z, n_free)))

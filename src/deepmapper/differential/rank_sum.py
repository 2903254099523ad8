"""Wilcoxon's rank-sum test between cells, as scanpy computes it, and an exact test where it does not hold.

The rank-sum test's p-value is that of a normal approximation. Of a feature that few cells have, of which the smaller
class has a handful by chance, it is far too small: with 20 of 3,000 cells in a class most studies without any
difference would have a list (benchmarks/README.md). The ranks of such a feature hardly say more than which cells have
it, so it is Fisher's exact test of that which gives its p.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import hypergeom

from ..core.false_discovery import benjamini_hochberg
from .contrasts import REST
from .results import empty_result
from .units import sum_rows

# Cells of the smaller class that would have a feature if classes did not differ: with fewer, and if at most half of all
# cells have it, its p is exact. Five is the usual bound for such approximations (Cochran 1954, doi 10.2307/3001616).
_EXPECTED, _RARE = 5, 0.5


def rank_sum_tests(
    X: Any, y: np.ndarray, classes: Sequence[str], pairs: Sequence[tuple[str, str]]
) -> list[pd.DataFrame]:
    """Compare classes of cells.

    Parameters
    ----------
    X
        (n, p) CSR or array, log-normalised values in memory.
    y
        (n,) class codes.
    classes
        Name of every class.
    pairs
        Pairs (class, class it is compared with or `contrasts.REST`), all with the same second part.

    Returns
    -------
    list of pandas.DataFrame
        For every pair p rows as in `results.RESULT_COLUMNS`; the statistic is z, corrected for ties. A feature that
        does not vary is not tested. p of a rare feature is exact (two-sided, twice the smaller tail).
    """
    import anndata
    import scanpy

    labels = pd.Categorical([classes[code] for code in y], categories=list(classes))
    adata = anndata.AnnData(X, obs=pd.DataFrame({"label": labels}, index=[str(i) for i in range(len(y))]))
    adata.var_names = [str(i) for i in range(X.shape[1])]
    adata.uns["log1p"] = {"base": None}  # natural logarithms, for the fold changes
    scanpy.tl.rank_genes_groups(
        adata,
        "label",
        groups=[name for name, _ in pairs],
        reference=pairs[0][1],  # REST is scanpy's own word; all pairs share it
        method="wilcoxon",
        tie_correct=True,
        n_genes=X.shape[1],
    )
    codes = {name: code for code, name in enumerate(classes)}
    having, sizes = sum_rows(X != 0, y, len(classes)), np.bincount(y, minlength=len(classes))
    results = []
    for name, other in pairs:
        found = scanpy.get.rank_genes_groups_df(adata, group=name)
        result = empty_result(X.shape[1])
        order = found["names"].astype(int).to_numpy()
        compared = found["scores"].to_numpy() != 0  # scanpy gives 0 to a feature that does not vary
        for column, source in (("log2_fold_change", "logfoldchanges"), ("statistic", "scores"), ("p", "pvals")):
            result.loc[order, column] = np.where(compared, found[source].to_numpy(), np.nan)
        own = codes[name]
        others = [code for code in codes.values() if code != own] if other == REST else [codes[other]]
        exact = _exact_p(having[own], sizes[own], having[others].sum(axis=0), sizes[others].sum())
        result["p"] = np.where(np.isnan(exact) | result["p"].isna(), result["p"], exact)
        result["q"] = benjamini_hochberg(result["p"].to_numpy())
        results.append(result)
    return results


def _exact_p(having: np.ndarray, n: int, other: np.ndarray, n_other: int) -> np.ndarray:
    """Two-sided p, (p,), of how many cells of two classes have a feature; NaN where the normal approximation serves."""
    share = (having + other) / (n + n_other)
    rare = np.flatnonzero((share * min(n, n_other) < _EXPECTED) & (share <= _RARE))
    drawn = having[rare], n + n_other, (having + other)[rare], n
    tails = hypergeom.cdf(*drawn), hypergeom.sf(drawn[0] - 1, *drawn[1:])
    p = np.full(len(having), np.nan)
    p[rare] = np.minimum(1, 2 * np.minimum(*tails))
    return p

"""Wilcoxon's rank-sum test between cells, as scanpy computes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..core.false_discovery import benjamini_hochberg
from .results import empty_result


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
        does not vary is not tested.
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
    results = []
    for name, _ in pairs:
        found = scanpy.get.rank_genes_groups_df(adata, group=name)
        result = empty_result(X.shape[1])
        order = found["names"].astype(int).to_numpy()
        compared = found["scores"].to_numpy() != 0  # scanpy gives 0 to a feature that does not vary
        for column, source in (("log2_fold_change", "logfoldchanges"), ("statistic", "scores"), ("p", "pvals")):
            result.loc[order, column] = np.where(compared, found[source].to_numpy(), np.nan)
        result["q"] = benjamini_hochberg(result["p"].to_numpy())
        results.append(result)
    return results

"""Negative binomial regression of counts by PyDESeq2.

The method is DESeq2 (Love, Huber & Anders 2014, doi 10.1186/s13059-014-0550-8). Of sums of cells by donor, of which its
normal p-values are too small, they are those of Student's t with moderated degrees of freedom (Smyth 2004, doi
10.2202/1544-6115.1027).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.stats import t as student

from ..core.false_discovery import benjamini_hochberg
from .contrasts import Contrast, TestDesign
from .linear_model import inverse_trigamma
from .results import empty_result

# Counts over all units below which a feature is not tested; the usual choice for DESeq2.
MIN_TOTAL = 10

# With fewer features starting further processes takes longer than they save; chosen by hand.
MIN_FOR_PROCESSES = 2000


def fit_counts(
    counts: np.ndarray,
    design: TestDesign,
    *,
    level: float,
    shrink: bool = True,
    of_sums: bool = False,
    n_threads: int = 1,
    progress: Callable[[str], None] = lambda line: None,
) -> tuple[list[pd.DataFrame], str]:
    """Fit a negative binomial model to every feature and test every contrast of the design.

    Parameters
    ----------
    counts
        (units, p) counts; expected counts are rounded.
    design
        Design matrix of the units, and the contrasts.
    level
        False discovery rate for which independent filtering is optimised.
    shrink
        Whether to shrink the fold changes of a contrast that is a single coefficient (two classes; apeGLM prior).
    of_sums
        Whether units are sums of cells by donor. Most of the variance is then between donors, and a Wald test takes its
        estimate for exact: so p is that of Student's t, and q that of Benjamini and Hochberg for all features, since a
        filter chosen by the length of the list adds false ones (both measured in benchmarks/README.md).
    n_threads
        Number of processes.
    progress
        Receives progress.

    Returns
    -------
    list of pandas.DataFrame, str
        For every contrast p rows as in `results.RESULT_COLUMNS`, empty where a feature is not tested; and what was not
        tested, in words.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyDESeq2 imports parts of anndata that are to be renamed
        from pydeseq2.dds import DeseqDataSet
        from pydeseq2.default_inference import DefaultInference

    # Size factors from ratios need a feature without zeros; else DESeq2 advises positive counts.
    whole = np.rint(counts).astype(np.int64)
    tested = np.flatnonzero(whole.sum(axis=0) >= MIN_TOTAL)
    if not len(tested):
        results = [empty_result(counts.shape[1]) for _ in design.contrasts]
        return results, f"no feature has {MIN_TOTAL} counts over all samples, so none was tested"
    names = [str(i) for i in range(len(whole))]
    has_ratios = (whole[:, tested] > 0).all(axis=0).any()
    if not has_ratios:
        progress("every feature has a zero: size factors are taken from positive counts (poscounts)")
    inference = DefaultInference(n_cpus=n_threads if len(tested) >= MIN_FOR_PROCESSES else 1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = DeseqDataSet(
            counts=pd.DataFrame(whole[:, tested], index=names, columns=[str(i) for i in tested]),
            metadata=pd.DataFrame({"unit": names}, index=names),
            design=design.matrix.set_axis(names),
            size_factors_fit_type="ratio" if has_ratios else "poscounts",
            inference=inference,
            quiet=True,
        )
        model.deseq2()
        freedom = _moderated_freedom(model, design) if of_sums else None
        results = []
        for contrast in design.contrasts:
            progress(f"testing {contrast.name} against {contrast.versus}")
            results.append(_test(model, contrast, tested, counts.shape[1], level, shrink, inference, freedom))
    for line in dict.fromkeys(str(warning.message).split("\n")[0] for warning in caught):
        progress(f"PyDESeq2: {line}")
    n_low = counts.shape[1] - len(tested)
    outliers = int(np.isnan(results[0]["p"].to_numpy()[tested]).sum())
    parts = [f"{n_low} with fewer than {MIN_TOTAL} counts" if n_low else ""]
    parts.append(f"{outliers} with an outlier count (Cook's distance)" if outliers else "")
    untested = " and ".join(filter(None, parts))
    return results, f"not tested: {untested}" if untested else ""


def _moderated_freedom(model, design: TestDesign) -> float:
    """Degrees of freedom of a dispersion: those of its residuals, and those that its prior is worth."""
    n, n_columns = design.matrix.shape
    variance = float(model.uns["prior_disp_var"])  # of log dispersions about their trend; 0.25 at least
    return n - n_columns + 2 * inverse_trigamma(variance)


def _test(
    model,
    contrast: Contrast,
    tested: np.ndarray,
    p: int,
    level: float,
    shrink: bool,
    inference,
    freedom: float | None,
) -> pd.DataFrame:
    """Test one contrast: Wald statistics, p and q with independent filtering, and fold changes.

    With degrees of freedom p is that of Student's t, and q is that of all tested features.
    """
    from pydeseq2.ds import DeseqStats

    stats = DeseqStats(model, contrast=contrast.vector, alpha=level, inference=inference, quiet=True)
    stats.run_wald_test()
    stats.summary()
    found = stats.results_df
    result = empty_result(p)
    result.loc[tested, "log2_fold_change"] = found["log2FoldChange"].to_numpy()
    result.loc[tested, "standard_error"] = found["lfcSE"].to_numpy()
    result.loc[tested, "statistic"] = found["stat"].to_numpy()
    result.loc[tested, "p"] = found["pvalue"].to_numpy()
    result.loc[tested, "q"] = found["padj"].to_numpy()
    if freedom is not None:  # features with outlier counts have no p
        normal, size = found["pvalue"].to_numpy(), np.abs(found["stat"].to_numpy())
        moderated = np.where(np.isnan(normal), np.nan, 2 * student.sf(size, freedom))
        result.loc[tested, "p"], result.loc[tested, "q"] = moderated, benjamini_hochberg(moderated)
    single = np.flatnonzero(contrast.vector)
    if shrink and len(single) == 1 and np.isclose(contrast.vector[single[0]], 1):
        stats.lfc_shrink(coeff=stats.LFC.columns[single[0]])
        result.loc[tested, "log2_fold_change_shrunken"] = stats.results_df["log2FoldChange"].to_numpy()
    return result

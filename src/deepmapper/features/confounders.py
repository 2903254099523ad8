"""Confounders: sample columns, depth, detected features and cell-cycle scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..core.blocks import blocks
from ..core.draws import Draw, stream
from ..errors import InputError
from ..io.matrix_stats import MatrixStats

# What is computed when asked for by name, where the samples have no such column.
COMPUTED = ("depth", "detected", "cell_cycle")

_BINS, _CONTROLS = 25, 50  # of expression, and control genes of a bin for each gene of a set

# Genes of the S and G2/M phases: human symbols of today for those of Tirosh et al. 2016, Science 352:189.
_S = """
    MCM5 PCNA TYMS FEN1 MCM2 MCM4 RRM1 UNG GINS2 MCM6 CDCA7 DTL PRIM1 UHRF1 CENPU HELLS RFC2 RPA2 NASP RAD51AP1 GMNN
    WDR76 SLBP CCNE2 UBR7 POLD3 MSH2 ATAD2 RAD51 RRM2 CDC45 CDC6 EXO1 TIPIN DSCC1 BLM CASP8AP2 USP1 CLSPN POLA1 CHAF1B
    BRIP1 E2F8
"""

_G2M = """
    HMGB2 CDK1 NUSAP1 UBE2C BIRC5 TPX2 TOP2A NDC80 CKS2 NUF2 CKS1B MKI67 TMPO CENPF TACC3 PIMREG SMC4 CCNB2 CKAP2L CKAP2
    AURKB BUB1 KIF11 ANP32E TUBB4B GTSE1 KIF20B HJURP CDCA3 JPT1 CDC20 TTK CDC25C KIF2C RANGAP1 NCAPD2 DLGAP5 CDCA2
    CDCA8 ECT2 KIF23 HMMR AURKA PSRC1 ANLN LBR CKAP5 CENPE CTCF NEK2 G2E3 GAS2L3 CBX5 CENPA
"""

CELL_CYCLE = {"s_score": tuple(_S.split()), "g2m_score": tuple(_G2M.split())}


def confounder_columns(
    obs: pd.DataFrame,
    requested: Sequence[str],
    *,
    counts=None,
    X=None,
    names: Sequence[str] | None = None,
    gene_sets: Mapping[str, Sequence[str]] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Collect the named confounders: columns of the samples, or what is computed from their matrix.

    Parameters
    ----------
    obs
        One row a sample.
    requested
        Names of columns of `obs`; a name of `COMPUTED` that is no column is computed: "depth" (logarithm of the sum of
        `counts`), "detected" (features that are not zero), "cell_cycle" (a score for each of `gene_sets`).
    counts
        (n, p) raw counts, or what `io.survey` saw of them, for "depth" and "detected".
    X, names
        (n, p) normalised values and the names of the features, for "cell_cycle".
    gene_sets
        Score name -> genes; None takes `CELL_CYCLE`.
    seed
        Seed of the choice of control genes.

    Raises
    ------
    InputError
        If a name is neither a column nor computed, a column lacks values, or what is computed lacks its matrix.
    """
    found = pd.DataFrame(index=obs.index)
    for name in requested:
        if name in obs.columns:
            found[name] = obs[name]
        elif name == "depth":
            given = _needed(counts, name, "counts")
            found[name] = np.log1p(given.totals if isinstance(given, MatrixStats) else _by_row(given, _sum))
        elif name == "detected":
            given = _needed(counts, name, "counts")
            found[name] = given.detected if isinstance(given, MatrixStats) else _by_row(given, _count)
        elif name == "cell_cycle":
            sets = CELL_CYCLE if gene_sets is None else gene_sets
            for score, genes in sets.items():
                found[score] = score_genes(_needed(X, name, "X"), _needed(names, name, "names"), genes, seed=seed)
        else:
            listed = ", ".join(map(str, obs.columns[:12])) or "none at all"
            raise InputError(
                f"confounder '{name}': expected a column of the samples ({listed}) or what is computed "
                f"({', '.join(COMPUTED)})"
            )
    lacking = [f"{name} ({found[name].isna().sum()})" for name in found if found[name].isna().any()]
    if lacking:
        raise InputError(
            f"confounders without a value for some samples: {', '.join(lacking)}. Fill them in, or leave the samples "
            f"or the columns out."
        )
    return found


def score_genes(X, names: Sequence[str], genes: Sequence[str], *, seed: int = 0) -> np.ndarray:
    """Score a set of genes in every sample: their mean minus that of control genes of similar expression.

    Parameters
    ----------
    X
        (n, p) CSR or dense, normalised.
    names
        Names of the features.
    genes
        The set. Case does not matter, so that symbols of mouse are found too.
    seed
        Seed of the choice of control genes.

    Raises
    ------
    InputError
        If fewer than 2 genes of the set are among `names`, or no other genes are left for control.

    Notes
    -----
    Tirosh et al. 2016, Science 352:189, as in Seurat: 25 bins of mean expression, 50 control genes of the bin each.
    """
    place = {str(name).upper(): i for i, name in enumerate(names)}
    inside = np.array(sorted({place[gene.upper()] for gene in genes if gene.upper() in place}), dtype=np.int64)
    if len(inside) < 2:
        raise InputError(
            f"{len(inside)} of {len(genes)} genes of the set ({', '.join(list(genes)[:3])}, ...) are among the feature "
            f"names: expected at least 2. The built-in sets are human symbols; give gene_sets in the names of the "
            f"matrix, or leave this confounder out."
        )
    total = sum(np.asarray(block.sum(0, dtype=np.float64)).ravel() for _, block in blocks(X))
    mean = np.round(total / X.shape[0], 9)  # so that sparse and dense have the same ties
    rank = np.argsort(np.argsort(mean, kind="stable"), kind="stable")
    bins = rank * _BINS // len(mean)
    rng = stream(seed, Draw.CONTROL_GENES)
    controls: set[int] = set()
    for code in np.unique(bins[inside]):
        free = np.setdiff1d(np.flatnonzero(bins == code), inside)
        wanted = _CONTROLS * int((bins[inside] == code).sum())
        controls |= set(rng.permutation(free)[:wanted].tolist())
    if not controls:
        raise InputError(f"the set of {len(inside)} genes leaves no control genes of similar expression")
    beside = np.array(sorted(controls))
    return _by_row(X, lambda block: _mean_of(block, inside) - _mean_of(block, beside))


def _by_row(X, what: Callable) -> np.ndarray:
    """Compute a value a row from a matrix, or another source of `blocks`."""
    return np.concatenate([what(block) for _, block in blocks(X)])


def _count(matrix) -> np.ndarray:
    return matrix.getnnz(1) if sp.issparse(matrix) else np.count_nonzero(matrix, axis=1)


def _sum(matrix) -> np.ndarray:
    return np.asarray(matrix.sum(1), dtype=np.float64).ravel()


def _mean_of(X, columns: np.ndarray) -> np.ndarray:
    return np.asarray(X[:, columns].mean(1), dtype=np.float64).ravel()


def _needed(value, name: str, what: str):
    if value is None:
        raise InputError(f"confounder '{name}' is computed from `{what}`: expected it to be given")
    return value

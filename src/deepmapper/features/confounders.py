"""Confounders: columns of the samples, depth, number of detected features, cell-cycle scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..core.blocks import blocks
from ..core.draws import Draw, stream
from ..core.missing import MISSING_WORDS
from ..errors import InputError
from ..io.matrix_stats import MatrixStats
from .confounder_types import numbers, typed

# Confounders that are computed on request if the samples have no column of that name.
COMPUTED = ("depth", "detected", "cell_cycle")

# Bins of mean expression, and control genes per gene of a set: the defaults of scanpy's score_genes.
_N_BINS, _N_CONTROLS = 25, 50

# Genes of the S and G2/M phases from Tirosh et al. 2016, Science 352:189, by their current human symbols.
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
    numeric: Sequence[str] = (),
    na_values: Sequence[str] = MISSING_WORDS,
    counts=None,
    X=None,
    names: Sequence[str] | None = None,
    gene_sets: Mapping[str, Sequence[str]] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Collect the requested confounders: columns of the samples, or values computed from the matrix.

    Parameters
    ----------
    obs
        One row per sample.
    requested
        Names of columns of `obs`. A name in `COMPUTED` that is not a column is computed: "depth" (logarithm of the sum
        of `counts`), "detected" (number of non-zero features), "cell_cycle" (one score for each of `gene_sets`).
        Columns of text, categories, booleans and whole numbers are categories; floats are numbers.
    numeric
        Names of columns of `obs` that are numbers, whatever their type.
    na_values
        Words that are missing values in columns of text.
    counts
        (n, p) raw counts, or their `io.matrix_stats.scan`, for "depth" and "detected".
    X, names
        (n, p) normalised values and the names of the features, for "cell_cycle".
    gene_sets
        Score name -> genes; None for `CELL_CYCLE`.
    seed
        Seed of the choice of control genes.

    Raises
    ------
    InputError
        If a name is neither a column nor can be computed, a column has missing values, more than 50 different whole
        numbers, or among `numeric` a cell that is not a number, or if a matrix that is needed is not given.
    """
    columns = pd.DataFrame(index=obs.index)
    for name in [*requested, *numeric]:
        if name in obs.columns:
            columns[name] = (numbers if name in numeric else typed)(obs[name], na_values)
        elif name == "depth":
            source = _require(counts, name, "counts")
            columns[name] = np.log1p(source.totals if isinstance(source, MatrixStats) else _by_row(source, _sum))
        elif name == "detected":
            source = _require(counts, name, "counts")
            columns[name] = source.detected if isinstance(source, MatrixStats) else _by_row(source, _count)
        elif name == "cell_cycle":
            sets = CELL_CYCLE if gene_sets is None else gene_sets
            for score, genes in sets.items():
                columns[score] = score_genes(_require(X, name, "X"), _require(names, name, "names"), genes, seed=seed)
        else:
            known = ", ".join(map(str, obs.columns[:12])) or "none"
            raise InputError(
                f"confounder '{name}': expected a column of the samples ({known}) or one that can be computed "
                f"({', '.join(COMPUTED)})"
            )
    incomplete = [f"{name} ({columns[name].isna().sum()})" for name in columns if columns[name].isna().any()]
    if incomplete:
        raise InputError(
            f"confounders are missing for some samples (number of samples): {', '.join(incomplete)}. Fill the values "
            f"in, or leave out the samples or the columns."
        )
    return columns


def score_genes(X, names: Sequence[str], genes: Sequence[str], *, seed: int = 0) -> np.ndarray:
    """Score a gene set in every sample: its mean expression minus that of control genes with similar expression.

    Parameters
    ----------
    X
        (n, p) CSR or dense, normalised.
    names
        Names of the features.
    genes
        The gene set. Case is ignored, so that mouse symbols are found, too.
    seed
        Seed of the choice of control genes.

    Raises
    ------
    InputError
        If fewer than 2 genes of the set are among `names`, or there are no other genes to use as controls.

    Notes
    -----
    Tirosh et al. 2016, Science 352:189: 25 bins of mean expression, 50 control genes from the bin of each gene.
    """
    column = {str(name).upper(): i for i, name in enumerate(names)}
    inside = np.array(sorted({column[gene.upper()] for gene in genes if gene.upper() in column}), dtype=np.int64)
    if len(inside) < 2:
        raise InputError(
            f"{len(inside)} of {len(genes)} genes of the set ({', '.join(list(genes)[:3])}, ...) are among the feature "
            f"names: expected at least 2. The built-in sets are human gene symbols; give the gene sets by the feature "
            f"names of the matrix, or leave this confounder out."
        )
    total = sum(np.asarray(block.sum(0, dtype=np.float64)).ravel() for _, block in blocks(X))
    mean = np.round(total / X.shape[0], 9)  # so that sparse and dense matrices have the same ties
    rank = np.argsort(np.argsort(mean, kind="stable"), kind="stable")
    bins = rank * _N_BINS // len(mean)
    rng = stream(seed, Draw.CONTROL_GENES)
    chosen: set[int] = set()
    for code in np.unique(bins[inside]):
        candidates = np.setdiff1d(np.flatnonzero(bins == code), inside)
        n_controls = _N_CONTROLS * int((bins[inside] == code).sum())
        chosen |= set(rng.permutation(candidates)[:n_controls].tolist())
    if not chosen:
        raise InputError(f"the set of {len(inside)} genes leaves no control genes with similar expression")
    controls = np.array(sorted(chosen))
    return _by_row(X, lambda block: _row_means(block, inside) - _row_means(block, controls))


def _by_row(X, compute: Callable) -> np.ndarray:
    """Compute one value per row, block by block, from a matrix or another source of `blocks`."""
    return np.concatenate([compute(block) for _, block in blocks(X)])


def _count(matrix) -> np.ndarray:
    return matrix.getnnz(1) if sp.issparse(matrix) else np.count_nonzero(matrix, axis=1)


def _sum(matrix) -> np.ndarray:
    return np.asarray(matrix.sum(1), dtype=np.float64).ravel()


def _row_means(X, columns: np.ndarray) -> np.ndarray:
    return np.asarray(X[:, columns].mean(1), dtype=np.float64).ravel()


def _require(value, name: str, argument: str):
    if value is None:
        raise InputError(f"confounder '{name}' is computed from `{argument}`, which is not given")
    return value

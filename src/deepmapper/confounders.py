"""What may differ between classes without being the finding: depth, batch, cell cycle; taken out, and judged alone."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ._auc import auc, resamples
from ._main_effects import assign_folds
from .errors import DeepMapperWarning, InputError

# What is computed when asked for by name, where the samples have no such column.
COMPUTED = ("depth", "detected", "cell_cycle")
_MOST_CATEGORIES = 50
_BINS, _CONTROLS = 25, 50  # of expression, and control genes of a bin for each gene of a set
_CONTROL, _ALONE = 107, 108  # second words of the seeds of control genes and folds, apart from those of other draws

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


@dataclass(frozen=True, eq=False)
class Design:
    """Confounders as numbers.

    Attributes
    ----------
    values
        (n, q) float64; each column has mean 0 and deviation 1 over all samples.
    names
        Name of each column; of a category ``column=value``.
    """

    values: np.ndarray
    names: tuple[str, ...]


@dataclass(frozen=True)
class Alone:
    """How well confounders alone tell the classes, each sample predicted by a fit that has not seen it.

    Attributes
    ----------
    names
        The confounders.
    n
        Samples judged.
    accuracy, balanced_accuracy
        Of the predictions; balanced is the mean recall of the classes.
    majority_accuracy
        What always naming the largest class reaches.
    macro_auc, macro_auc_low, macro_auc_high
        Mean over classes, each against the rest, with a 95 % bootstrap interval over samples, or over groups.
    """

    names: tuple[str, ...]
    n: int
    accuracy: float
    balanced_accuracy: float
    majority_accuracy: float
    macro_auc: float
    macro_auc_low: float
    macro_auc_high: float


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
        (n, p) raw counts, for "depth" and "detected".
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
            found[name] = np.log1p(_sum(_needed(counts, name, "counts")))
        elif name == "detected":
            matrix = _needed(counts, name, "counts")
            found[name] = matrix.getnnz(1) if sp.issparse(matrix) else np.count_nonzero(matrix, axis=1)
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


def make_design(columns: pd.DataFrame) -> Design:
    """Turn confounders into standardised numbers: numeric columns as they are, others as indicators of their values.

    Raises
    ------
    InputError
        If a column that is not numeric has more than 50 values, or a numeric one values that are not finite.

    Warns
    -----
    DeepMapperWarning
        For a column with a single value, which is left out.
    """
    parts: dict[str, np.ndarray] = {}
    for name in columns:
        column = columns[name]
        if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            values = column.to_numpy(dtype=np.float64)
            if not np.isfinite(values).all():
                raise InputError(
                    f"confounder '{name}' holds {int((~np.isfinite(values)).sum())} value(s) that are NaN or infinite: "
                    f"expected finite numbers"
                )
            made = {str(name): values}
        else:
            text = column.astype(str)
            kinds = sorted(text.unique())
            if len(kinds) > _MOST_CATEGORIES:
                raise InputError(
                    f"confounder '{name}' holds {len(kinds)} different values that are not numbers: expected at most "
                    f"{_MOST_CATEGORIES}. Is it a name of samples?"
                )
            made = {f"{name}={kind}": (text == kind).to_numpy(dtype=np.float64) for kind in kinds[1:]}
        made = {key: values for key, values in made.items() if np.ptp(values) > 0}
        if not made:
            warnings.warn(
                f"confounder '{name}' has the same value in every sample and is left out.",
                DeepMapperWarning,
                stacklevel=2,
            )
        parts |= made
    if not parts:
        return Design(np.zeros((len(columns), 0)), ())
    values = np.column_stack(list(parts.values()))
    return Design((values - values.mean(0)) / values.std(0), tuple(parts))


def residualise(X, design: Design | np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
    """Take out of features what confounders say of them, by least squares.

    Parameters
    ----------
    X
        (n, p) CSR or dense; a block of features, since the result is dense.
    design
        Confounders of the n samples.
    rows
        Rows to fit on (the development part); the fit is taken out of all. None fits on all.

    Returns
    -------
    numpy.ndarray
        (n, p) float32. On `rows`, without correlation with any confounder and with the features' own means.
    """
    values = X.toarray() if sp.issparse(X) else np.array(X, dtype=np.float32)
    numbers = design.values if isinstance(design, Design) else np.asarray(design)
    if numbers.shape[1] == 0:
        return values.astype(np.float32, copy=False)
    rows = np.arange(len(values)) if rows is None else np.asarray(rows)
    centred = numbers - numbers[rows].mean(0)
    inside = values[rows].astype(np.float64)
    slope = np.linalg.lstsq(centred[rows], inside - inside.mean(0), rcond=None)[0]
    return (values - centred @ slope).astype(np.float32)


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
    total = np.asarray(X.sum(0, dtype=np.float64)).ravel()
    mean = np.round(total / X.shape[0], 9)  # so that sparse and dense have the same ties
    rank = np.argsort(np.argsort(mean, kind="stable"), kind="stable")
    bins = rank * _BINS // len(mean)
    rng = np.random.default_rng([seed, _CONTROL])
    controls: set[int] = set()
    for code in np.unique(bins[inside]):
        free = np.setdiff1d(np.flatnonzero(bins == code), inside)
        wanted = _CONTROLS * int((bins[inside] == code).sum())
        controls |= set(rng.permutation(free)[:wanted].tolist())
    if not controls:
        raise InputError(f"the set of {len(inside)} genes leaves no control genes of similar expression")
    return _mean_of(X, inside) - _mean_of(X, np.array(sorted(controls)))


def judge_alone(
    design: Design, y: np.ndarray, *, groups: np.ndarray | None = None, draws: int = 500, seed: int = 0
) -> Alone:
    """Say how well the confounders alone tell the classes, by five-fold cross-validation.

    Parameters
    ----------
    design
        Confounders of n samples; their squares take part.
    y
        (n,) class codes, 0 .. K - 1.
    groups
        (n,) codes: folds keep groups whole where they can, and the interval resamples groups.
    draws
        Resamples.
    seed
        Seed of folds and resamples.
    """
    from sklearn.linear_model import LogisticRegression

    n_classes = int(y.max()) + 1
    counts = np.bincount(y, minlength=n_classes)
    values = np.hstack([design.values, design.values**2])
    probability = np.tile(counts / len(y), (len(y), 1))
    if design.names:
        folds = assign_folds(y, groups, seed + _ALONE)
        for fold in np.unique(folds):
            train = folds != fold
            model = LogisticRegression(max_iter=1000).fit(values[train], y[train])
            probability[~train] = 0
            probability[np.ix_(~train, model.classes_)] = model.predict_proba(values[~train])
    named = probability.argmax(1)
    area = _macro_auc(probability, y)
    drawn = [_macro_auc(probability[rows], y[rows]) for rows in resamples(len(y), groups, draws, [seed, _ALONE])]
    drawn = [value for value in drawn if np.isfinite(value)]
    low, high = np.quantile(drawn, [0.025, 0.975]) if drawn else (np.nan, np.nan)
    return Alone(
        names=design.names,
        n=len(y),
        accuracy=float((named == y).mean()),
        balanced_accuracy=float(np.mean([(named[y == code] == code).mean() for code in range(n_classes)])),
        majority_accuracy=float(counts.max() / len(y)),
        macro_auc=area,
        macro_auc_low=float(low),
        macro_auc_high=float(high),
    )


def _macro_auc(probability: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean([auc(probability[:, code], y == code) for code in range(probability.shape[1])]))


def _sum(matrix) -> np.ndarray:
    return np.asarray(matrix.sum(1), dtype=np.float64).ravel()


def _mean_of(X, columns: np.ndarray) -> np.ndarray:
    return np.asarray(X[:, columns].mean(1), dtype=np.float64).ravel()


def _needed(value, name: str, what: str):
    if value is None:
        raise InputError(f"confounder '{name}' is computed from `{what}`: expected it to be given")
    return value

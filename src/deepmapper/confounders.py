"""What may differ between classes without being the finding: depth, batch, cell cycle; taken out, and judged alone."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ._auc import auc, resamples, weighted_auc
from ._main_effects import assign_folds, draw_strata, strata_of_vectors
from .blocks import blocks
from .draws import Draw, integer_seed, stream
from .errors import DeepMapperWarning, InputError
from .io import Survey
from .logistic import fit_ridge_logistic

# What is computed when asked for by name, where the samples have no such column.
COMPUTED = ("depth", "detected", "cell_cycle")
_MOST_CATEGORIES = 50
_BINS, _CONTROLS = 25, 50  # of expression, and control genes of a bin for each gene of a set
_DRAWS = 200  # resamples behind the intervals of `judge_confounders`
_LEAST_OF_A_KIND, _MOST_KINDS = 4, 64  # samples of each combination of values on average, and combinations at most
_ALL = "all together"
_SAID = {"detected": "the number of detected features alone names", _ALL: "together they name"}

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
            found[name] = np.log1p(given.totals if isinstance(given, Survey) else _by_row(given, _sum))
        elif name == "detected":
            given = _needed(counts, name, "counts")
            found[name] = given.detected if isinstance(given, Survey) else _by_row(given, _count)
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
    n_classes = int(y.max()) + 1
    counts = np.bincount(y, minlength=n_classes)
    probability = _propensity(design.values, y, groups, seed)
    named = probability.argmax(1)
    area = _macro_auc(probability, y)
    areas = [weighted_auc(probability[:, code], y == code) for code in range(n_classes)]
    drawn = []
    for rows in resamples(len(y), groups, draws, stream(seed, Draw.CONFOUNDER_RESAMPLES)):
        times = np.bincount(rows, minlength=len(y))
        drawn.append(float(np.mean([area(times) for area in areas])))
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


def judge_confounders(
    columns: pd.DataFrame,
    adjusted: Sequence[str],
    y: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    seed: int = 0,
) -> dict:
    """Say how well confounders tell the classes, each alone and those adjusted for together: for confounders.json.

    Parameters
    ----------
    columns
        One row a sample, those that are judged; one column a confounder, adjusted for or only to be looked at.
    adjusted
        Names of the columns that are adjusted for.
    y, groups, seed
        As in `judge_alone`.

    Returns
    -------
    dict
        ``adjusted`` (names), ``alone`` (one record a column, and "all together" where several are adjusted for) and
        ``statement``, a sentence or two for people.
    """
    asked = {str(name): [name] for name in columns}
    if len(adjusted) > 1:
        asked[_ALL] = list(adjusted)
    records = []
    for label, names in asked.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeepMapperWarning)  # a column of one value tells nothing, and is told so
            design = make_design(columns[names])
        alone = judge_alone(design, y, groups=groups, draws=_DRAWS, seed=seed)
        numbers = {
            name: value if np.isfinite(value) else None
            for name, value in vars(alone).items()
            if name not in ("names", "n")
        }
        records.append({"confounder": label, "adjusted": set(names) <= set(adjusted), "n": alone.n, **numbers})
    return {"adjusted": [*map(str, adjusted)], "alone": records, "statement": _statement(records, adjusted)}


def _statement(records: Sequence[dict], adjusted: Sequence[str]) -> str:
    """Say first what was adjusted for, then how well it (or depth, where nothing was) tells the classes."""
    if not records:
        return "Nothing was adjusted for, and no confounder could be computed from values that are not counts."
    first, told = "Nothing was adjusted for.", list(records)
    if adjusted:
        first = f"Adjusted for {', '.join(map(str, adjusted))}."
        told = [record for record in records if record["adjusted"]][-1:]  # all together, where they are several
    said = [f"{_SAID.get(one['confounder'], one['confounder'] + ' alone names')} the class right in" for one in told]
    shares = [f"{one['accuracy']:.2f}" for one in told]
    second = " and ".join(f"{who} {share}" for who, share in zip(said, shares, strict=True))
    return f"{first} {second[0].upper()}{second[1:]} of {told[0]['n']} samples (largest class " + (
        f"{told[0]['majority_accuracy']:.2f})."
    )


def accuracy_alone(
    design: np.ndarray, y: np.ndarray, *, train: np.ndarray, test: np.ndarray, groups: np.ndarray | None = None
) -> float:
    """Share of samples whose class confounders alone name: fitted on `train` rows, judged on `test` rows.

    Where there are no test rows, out of fold on the `train` rows (folds keep `groups` whole).
    """
    if not len(test):
        inner = None if groups is None else groups[train]
        return float((_propensity(design[train], y[train], inner, 0).argmax(1) == y[train]).mean())
    values = _with_squares(design)
    model = fit_ridge_logistic(values[train], y[train], standardise=False)
    return float((model.predict(values[test]) == y[test]).mean())


def draw_null_strata(
    design: np.ndarray, y: np.ndarray, groups: np.ndarray | None = None, *, seed: int = 0
) -> tuple[np.ndarray | None, str]:
    """Divide samples into strata within which confounders leave labels exchangeable, for null passes.

    Where confounders take few different values together, every combination is a stratum. Else samples are divided by
    the class probabilities that the confounders and their squares alone give them, out of fold. Strata lie within
    groups.

    Parameters
    ----------
    design
        (n, q) confounders.
    y
        (n,) class codes.
    groups
        (n,) codes, or None.
    seed
        Seed of the folds.

    Returns
    -------
    tuple
        (n,) codes from 0, or None where confounders cannot be held; and a sentence that says what was done.

    Notes
    -----
    Rosenbaum 1984, J. Am. Stat. Assoc. 79:565: labels permuted within strata of the propensity score.
    """
    if groups is not None and all(len(np.unique(y[groups == group])) == 1 for group in np.unique(groups)):
        return None, (
            "Every group holds a single class: null passes exchange whole groups, and cannot hold the confounders."
        )
    whole = np.zeros(len(y), dtype=np.int64) if groups is None else np.unique(groups, return_inverse=True)[1]
    kinds = np.unique(np.round(design, 6), axis=0, return_inverse=True)[1].ravel()
    if kinds.max() < min(len(y) // _LEAST_OF_A_KIND, _MOST_KINDS):
        strata = np.unique(np.column_stack([whole, kinds]), axis=0, return_inverse=True)[1].ravel()
        how = f"{strata.max() + 1} strata of equal confounders"
    else:
        probability = _propensity(design, y, groups, seed)
        strata = (
            draw_strata(probability[:, 1], groups)
            if len(probability[0]) == 2
            else strata_of_vectors(probability, groups)
        )
        how = f"{strata.max() + 1} strata in which the confounders make the classes about equally probable"
    if strata.max() == whole.max():
        return None, f"{len(y)} samples are too few to be divided by confounders: null passes do not hold them."
    return strata, f"Null passes permute labels within {how}."


def _propensity(values: np.ndarray, y: np.ndarray, groups: np.ndarray | None, seed: int) -> np.ndarray:
    """Give out-of-fold class probabilities of confounders and their squares, (n, K)."""
    n_classes = int(y.max()) + 1
    probability = np.tile(np.bincount(y, minlength=n_classes) / len(y), (len(y), 1))
    if not values.shape[1]:
        return probability
    values, folds = _with_squares(values), assign_folds(y, groups, integer_seed(seed, Draw.CONFOUNDER_FOLDS))
    for fold in np.unique(folds):
        train = folds != fold
        model = fit_ridge_logistic(values[train], y[train], n_classes=n_classes, standardise=False)
        probability[~train] = model.probabilities(values[~train])
    return probability


def _with_squares(values: np.ndarray) -> np.ndarray:
    return np.hstack([values, values**2])


def _macro_auc(probability: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean([auc(probability[:, code], y == code) for code in range(probability.shape[1])]))


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

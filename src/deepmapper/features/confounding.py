"""How well confounders alone predict the classes, with a label-permutation test within strata."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..core.auc import auc, resamples, weighted_auc
from ..core.draws import Draw, integer_seed, stream
from ..core.logistic import fit_ridge_logistic
from ..errors import DeepMapperWarning
from .design import Design, make_design
from .strata import assign_folds, draw_strata, strata_of_vectors

_DRAWS = 200  # resamples behind the intervals of `judge_confounders`

_MIN_OF_A_KIND, _MAX_KINDS = 4, 64  # samples of each combination of values on average, and combinations at most

_ALL = "all together"

_SAID = {"detected": "the number of detected features alone names", _ALL: "together they name"}


@dataclass(frozen=True)
class ConfounderAuc:
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


def evaluate_design(
    design: Design, y: np.ndarray, *, groups: np.ndarray | None = None, draws: int = 500, seed: int = 0
) -> ConfounderAuc:
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
    return ConfounderAuc(
        names=design.names,
        n=len(y),
        accuracy=float((named == y).mean()),
        balanced_accuracy=float(np.mean([(named[y == code] == code).mean() for code in range(n_classes)])),
        majority_accuracy=float(counts.max() / len(y)),
        macro_auc=area,
        macro_auc_low=float(low),
        macro_auc_high=float(high),
    )


def evaluate_confounders(
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
        alone = evaluate_design(design, y, groups=groups, draws=_DRAWS, seed=seed)
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


def confounder_accuracy(
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
    if kinds.max() < min(len(y) // _MIN_OF_A_KIND, _MAX_KINDS):
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

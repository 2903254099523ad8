"""How well confounders alone predict the classes, and strata in which permuted labels keep that association."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..core.arrays import take_rows
from ..core.auc import auc, resamples, weighted_auc
from ..core.draws import Draw, integer_seed, stream
from ..core.logistic import fit_ridge_logistic
from ..core.words import confounder_words
from ..errors import DeepMapperWarning
from .design import Design, make_design
from .splits import assign_folds
from .strata import strata_by_probabilities, strata_by_probability

_N_RESAMPLES = 200  # of the intervals in confounders.json

# Confounders with few combinations of values are held exactly, one stratum per combination: with at least this many
# samples per combination on average, and at most this many combinations. Chosen by hand.
_MIN_PER_COMBINATION, _MAX_COMBINATIONS = 4, 64

_ALL = "all together"


@dataclass(frozen=True)
class ConfounderAuc:
    """How well confounders alone predict the classes, by cross-validation.

    Attributes
    ----------
    names
        The confounders.
    n
        Number of samples.
    accuracy, balanced_accuracy
        Accuracy of the out-of-fold predictions, and their mean recall over classes.
    majority_accuracy
        Accuracy of always predicting the largest class.
    macro_auc, macro_auc_low, macro_auc_high
        Mean AUC over classes, one against the rest, with a 95 % bootstrap interval over samples or groups.
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
    """Measure how well the confounders alone predict the classes, by five-fold cross-validation.

    Parameters
    ----------
    design
        Confounders of n samples; their squares are predictors, too.
    y
        (n,) class codes, 0 .. n_classes - 1.
    groups
        (n,) codes: folds do not split groups if possible, and the interval resamples groups.
    draws
        Number of resamples.
    seed
        Seed of folds and resamples.
    """
    n_classes = int(y.max()) + 1
    counts = np.bincount(y, minlength=n_classes)
    probability = _propensity(design.values, y, groups, seed)
    predicted = probability.argmax(1)
    auc_of_class = [weighted_auc(probability[:, code], y == code) for code in range(n_classes)]
    resampled = []
    for rows in resamples(len(y), groups, draws, stream(seed, Draw.CONFOUNDER_RESAMPLES)):
        multiplicity = np.bincount(rows, minlength=len(y))
        resampled.append(float(np.mean([class_auc(multiplicity) for class_auc in auc_of_class])))
    resampled = [value for value in resampled if np.isfinite(value)]
    low, high = np.quantile(resampled, [0.025, 0.975]) if resampled else (np.nan, np.nan)
    return ConfounderAuc(
        names=design.names,
        n=len(y),
        accuracy=float((predicted == y).mean()),
        balanced_accuracy=float(np.mean([(predicted[y == code] == code).mean() for code in range(n_classes)])),
        majority_accuracy=float(counts.max() / len(y)),
        macro_auc=_macro_auc(probability, y),
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
    """Measure how well each confounder, and all that are adjusted for together, predict the classes.

    Parameters
    ----------
    columns
        One row per sample to predict; one column per confounder, whether it is adjusted for or not.
    adjusted
        Names of the columns that are adjusted for.
    y, groups, seed
        As in `evaluate_design`.

    Returns
    -------
    dict
        Content of confounders.json: ``adjusted`` (names), ``alone`` (one record per column, and "all together" if
        several are adjusted for) and ``statement``, a sentence or two.
    """
    evaluated = {str(name): [name] for name in columns}
    if len(adjusted) > 1:
        evaluated[_ALL] = list(adjusted)
    records = []
    for label, names in evaluated.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeepMapperWarning)  # of a constant column: its AUC of 0.5 says the same
            design = make_design(columns[names])
        result = evaluate_design(design, y, groups=groups, draws=_N_RESAMPLES, seed=seed)
        numbers = {
            name: value if np.isfinite(value) else None
            for name, value in vars(result).items()
            if name not in ("names", "n")
        }
        records.append({"confounder": label, "adjusted": set(names) <= set(adjusted), "n": result.n, **numbers})
    return {"adjusted": [*map(str, adjusted)], "alone": records, "statement": _statement(records, adjusted)}


def confounder_accuracy(
    design: np.ndarray, y: np.ndarray, *, train: np.ndarray, test: np.ndarray, groups: np.ndarray | None = None
) -> float:
    """Return the accuracy on `test` rows of confounders alone, fitted on `train` rows.

    Without test rows, the accuracy is that of cross-validation on the `train` rows (`groups` are not split).
    """
    if not len(test):
        train_groups = take_rows(groups, train)
        return float((_propensity(design[train], y[train], train_groups, 0).argmax(1) == y[train]).mean())
    values = _with_squares(design)
    model = fit_ridge_logistic(values[train], y[train], standardise=False)
    return float((model.predict(values[test]) == y[test]).mean())


def draw_null_strata(
    design: np.ndarray, y: np.ndarray, groups: np.ndarray | None = None, *, seed: int = 0
) -> tuple[np.ndarray | None, str]:
    """Divide samples into strata within which labels are exchangeable given the confounders, for control passes.

    If the confounders have few combinations of values, every combination is a stratum. Otherwise samples are divided by
    the class probabilities that the confounders and their squares predict out of fold. Strata never span groups.

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
        (n,) codes from 0, or None if no strata can be formed; and a sentence that says what was done.

    Notes
    -----
    Rosenbaum 1984, J. Am. Stat. Assoc. 79:565: labels permuted within strata of the propensity score.
    """
    if groups is not None and all(len(np.unique(y[groups == group])) == 1 for group in np.unique(groups)):
        return None, (
            "Every group has a single class: control passes permute the labels of whole groups and do not preserve the "
            "association of labels and confounders."
        )
    group = np.zeros(len(y), dtype=np.int64) if groups is None else np.unique(groups, return_inverse=True)[1]
    combination = np.unique(np.round(design, 6), axis=0, return_inverse=True)[1].ravel()
    if combination.max() < min(len(y) // _MIN_PER_COMBINATION, _MAX_COMBINATIONS):
        strata = np.unique(np.column_stack([group, combination]), axis=0, return_inverse=True)[1].ravel()
        kind = "strata of equal confounders"
    else:
        probability = _propensity(design, y, groups, seed)
        if probability.shape[1] == 2:
            strata = strata_by_probability(probability[:, 1], groups)
        else:
            strata = strata_by_probabilities(probability, groups)
        kind = "strata in which the confounders make the classes about equally probable"
    if strata.max() == group.max():
        return None, (
            f"{len(y)} samples are too few to form strata of similar confounders: control passes do not preserve the "
            f"association of labels and confounders."
        )
    return strata, f"Control passes permute labels within {strata.max() + 1} {kind}."


def _statement(records: Sequence[dict], adjusted: Sequence[str]) -> str:
    """Say what is adjusted for and how well it predicts the classes; if nothing is, how well depth and detected do."""
    if not records:
        return "Nothing was adjusted for, and no confounder could be computed from values that are not counts."
    first, reported = "Nothing was adjusted for.", list(records)
    if adjusted:
        first = f"Adjusted for {', '.join(map(confounder_words, adjusted))}."
        reported = [record for record in records if record["adjusted"]][-1:]  # the last is "all together", if several
    clauses = []
    for record in reported:
        name = record["confounder"]
        subject = "together they predict" if name == _ALL else f"{confounder_words(name)} alone predicts"
        clauses.append(f"{subject} the class with accuracy {record['accuracy']:.3f}")
    second = " and ".join(clauses)
    n, majority = reported[0]["n"], reported[0]["majority_accuracy"]
    return f"{first} {second[0].upper()}{second[1:]} ({n:,} samples, largest class {majority:.3f})."


def _propensity(values: np.ndarray, y: np.ndarray, groups: np.ndarray | None, seed: int) -> np.ndarray:
    """Out-of-fold class probabilities given confounders and their squares, (n, n_classes)."""
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

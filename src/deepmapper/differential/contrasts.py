"""Design matrices of a differential test, and what they say about the difference between classes.

A contrast is a vector over the coefficients: the mean prediction if every unit belonged to the class, minus the mean
prediction if every unit belonged to the classes it is compared with. So it holds for every formula, with interactions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd

from ..core.words import did_you_mean, some
from ..errors import InputError

REST = "rest"  # what a class is compared with: the mean of all other classes that do not overlap with it

# By the name of a class the others whose samples may be of the same kind (`features.kinds.overlaps`).
Overlaps = Mapping[str, frozenset[str]]
NO_OVERLAPS: Overlaps = MappingProxyType({})

NOTHING_APART = (
    "Nothing was compared: by labels.ontology, samples of any two of these classes may be of the same kind. Expected "
    "at least two classes neither of which is a kind of the other."
)


@dataclass(frozen=True, eq=False)
class Contrast:
    """One comparison of a class.

    Attributes
    ----------
    name
        Name of the class.
    versus
        Name of the class it is compared with, or `REST`.
    vector
        (coefficients,) weights of the coefficients, whose weighted sum is the difference.
    """

    name: str
    versus: str
    vector: np.ndarray


@dataclass(frozen=True, eq=False)
class TestDesign:
    """A design matrix with its contrasts.

    Attributes
    ----------
    matrix
        One row per unit, one column per coefficient.
    contrasts
        The comparisons, in the order of the classes.
    formula
        The formula, for people to read.
    """

    __test__ = False  # not a test case of pytest

    matrix: pd.DataFrame
    contrasts: tuple[Contrast, ...]
    formula: str


def compared(classes: Sequence[str], reference: str = "", overlaps: Overlaps = NO_OVERLAPS) -> list[tuple[str, str]]:
    """Pairs (class, what it is compared with).

    Two classes: the second against the first. More: each against the mean of the others. With a reference class: each
    of the others against it. Classes that overlap are not compared, and a class that overlaps with all others is left
    out.

    Raises
    ------
    InputError
        If the reference is not a class.
    """
    if reference and reference not in classes:
        raise InputError(
            f"differential.reference is {reference!r}, which is not a class.{did_you_mean(reference, classes)} "
            f"Expected one of {some(classes, 20)}."
        )
    if reference or len(classes) == 2:
        versus = reference or classes[0]
        return [(name, versus) for name in classes if name != versus and versus not in overlaps.get(name, ())]
    return [(name, REST) for name in classes if rest_of(name, classes, overlaps)]


def rest_of(name: str, classes: Sequence[str], overlaps: Overlaps = NO_OVERLAPS) -> list[str]:
    """Classes that make up the rest for a class: the others that do not overlap with it."""
    return [other for other in classes if other != name and other not in overlaps.get(name, ())]


def plain_design(
    label: str,
    y: np.ndarray,
    classes: Sequence[str],
    blocks: Mapping[str, np.ndarray] | None = None,
    covariates: pd.DataFrame | None = None,
    reference: str = "",
    overlaps: Overlaps = NO_OVERLAPS,
) -> TestDesign:
    """Build the design of the label with additive terms.

    Parameters
    ----------
    label
        Name of the label column.
    y
        (units,) class codes.
    classes
        Name of every class.
    blocks
        Codes of every unit by the name of a categorical term, such as the donors of a paired study.
    covariates
        One row per unit, numbers.
    reference
        Class that the others are compared with; "" as in `compared`.
    overlaps
        Classes that are not compared with each other.

    Raises
    ------
    InputError
        If the terms determine each other, so that the classes cannot be told apart from them.
    """
    present = np.unique(y)
    blocks = blocks or {}
    covariates = pd.DataFrame(index=np.arange(len(y))) if covariates is None else covariates
    coded = {"Intercept": np.ones(len(y))}
    for name, codes in blocks.items():
        coded |= {f"{name}[{level}]": codes == level for level in np.unique(codes)[1:]}
    coded |= {name: covariates[name].to_numpy() for name in covariates}
    coded |= {f"{label}[{classes[code]}]": y == code for code in present[1:]}
    matrix = pd.DataFrame(coded).astype(float)
    formula = f"~ {' + '.join([*blocks, *covariates, label])}"
    check_rank(matrix, formula)
    vectors = np.zeros((len(present), matrix.shape[1]))
    vectors[1:, -(len(present) - 1) :] = np.eye(len(present) - 1)
    predicted = dict(zip([classes[code] for code in present], vectors, strict=True))
    return TestDesign(matrix, _contrasts(predicted, reference, overlaps), formula)


def formula_design(
    formula: str,
    label: str,
    y: np.ndarray,
    classes: Sequence[str],
    columns: pd.DataFrame,
    reference: str = "",
    overlaps: Overlaps = NO_OVERLAPS,
) -> TestDesign:
    """Build the design that a formula describes.

    Parameters
    ----------
    formula
        Formula of formulaic that names the label column, such as ``~ batch + condition``.
    label, y, classes, reference, overlaps
        See `plain_design`.
    columns
        What is known about the units, one row each; numbers are covariates, text is categorical.

    Raises
    ------
    InputError
        If the formula cannot be read, names a column that the units do not have or leaves out the label, or if its
        terms determine each other.
    """
    from formulaic import model_matrix
    from formulaic.errors import FormulaicError

    categories = [classes[code] for code in np.unique(y)]
    data = columns.drop(columns=[label], errors="ignore").reset_index(drop=True)

    def labelled(names: list[str]) -> pd.DataFrame:
        return data.assign(**{label: pd.Categorical(names, categories=categories)})

    try:
        built = model_matrix(formula, labelled([classes[code] for code in y]), na_action="raise", context=None)
        spec = built.model_spec
        predicted = {
            name: np.asarray(spec.get_model_matrix(labelled([name] * len(y))), dtype=float).mean(axis=0)
            for name in categories
        }
    except (FormulaicError, ValueError, NameError, SyntaxError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"differential.design is {formula!r}, which cannot be used: {reason}. Expected a formula such as "
            f"'~ batch + {label}', of columns that are known for every sample: {some([*data, label], 20)}. Names with "
            "blanks or dots are written in `backticks`."
        ) from None
    matrix = pd.DataFrame(built).astype(float).reset_index(drop=True)
    check_rank(matrix, formula)
    if np.ptp(np.array(list(predicted.values())), axis=0).max() < 1e-12:
        raise InputError(f"differential.design is {formula!r}, which does not use the label. Add + {label} to it.")
    return TestDesign(matrix, _contrasts(predicted, reference, overlaps), formula)


def check_rank(matrix: pd.DataFrame, formula: str) -> None:
    """Raise `InputError` if columns of a design matrix determine each other."""
    rank = np.linalg.matrix_rank(matrix.to_numpy())
    if rank < matrix.shape[1]:
        raise InputError(
            f"differential.design is {formula!r}, whose {matrix.shape[1]} coefficients cannot be estimated from these "
            f"{len(matrix)} samples (rank {rank}): a term is determined by the others, such as a batch that holds one "
            "class only, or a number that was read as categories (name it in confounders.numeric). Remove that term."
        )


def _contrasts(predicted: Mapping[str, np.ndarray], reference: str, overlaps: Overlaps) -> tuple[Contrast, ...]:
    """Contrasts of the mean predictions of each class."""
    found = []
    for name, versus in compared(list(predicted), reference, overlaps):
        others = [versus] if versus != REST else rest_of(name, list(predicted), overlaps)
        found.append(Contrast(name, versus, predicted[name] - np.mean([predicted[other] for other in others], axis=0)))
    return tuple(found)

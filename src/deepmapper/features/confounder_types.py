"""Which confounders are numbers and which are categories."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..core.number_text import DECIMAL_COMMA, advice_on, is_number, uses_decimal_commas
from ..core.words import count, yaml_text
from ..errors import DeepMapperWarning, InputError
from ..io.labels import as_categories, describe_words, warn_similar

# Whole numbers with more different values than the first are hardly categories, and with more than the second they
# cannot be: each value takes a column of the design. Chosen by hand.
_MANY_NUMBERS, _MAX_CATEGORIES = 10, 50


def typed(column: pd.Series, na_values: Sequence[str]) -> pd.Series:
    """Read a confounder by its type: floats with fractions as numbers, everything else as categories (text).

    Raises
    ------
    InputError
        If more than 50 categories are all numbers.

    Warns
    -----
    DeepMapperWarning
        If more than 10 are.
    """
    if pd.api.types.is_float_dtype(column) and (column.dropna() % 1 != 0).any():
        return column.astype(np.float64)
    found = as_categories(column, na_values)
    _say_missing(column.name, found.words)
    n = len(found.names)
    if n > _MANY_NUMBERS and all(map(is_number, found.names)):
        line = f"confounders: {{numeric: [{yaml_text(column.name)}]}}"
        said = f"confounder '{column.name}' has {n} different values, which are all numbers"
        if n > _MAX_CATEGORIES:
            raise InputError(
                f"{said}: expected at most {_MAX_CATEGORIES} categories. If it is a quantity, write `{line}` instead "
                "of naming it in confounders.columns."
            )
        warnings.warn(
            f"{said} and are used as categories. If it is a quantity, write `{line}` instead.",
            DeepMapperWarning,
            stacklevel=3,
        )
    warn_similar(found.names, "values", "categories", str(column.name))
    return pd.Series(found.texts, index=column.index, name=column.name)


def numbers(column: pd.Series, na_values: Sequence[str]) -> pd.Series:
    """Read a confounder as numbers, missing values as NaN. Decimal commas are read if no value has a decimal point.

    Raises
    ------
    InputError
        If a value is not a finite number; the message names its sample.
    """
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return pd.Series(column.to_numpy(dtype=np.float64, na_value=np.nan), index=column.index, name=column.name)
    found = as_categories(column, na_values)
    _say_missing(column.name, found.words)
    names = [name.strip() for name in found.names]
    if uses_decimal_commas(names):
        example = next(name for name in names if "," in name)
        warnings.warn(
            f"confounder '{column.name}': read commas as decimal points, as in {example!r}.",
            DeepMapperWarning,
            stacklevel=3,
        )
        names = [name.replace(",", ".", 1) if DECIMAL_COMMA.fullmatch(name) else name for name in names]
    wrong = [code for code, name in enumerate(names) if not is_number(name)]
    if wrong:
        sample = column.index[int(np.flatnonzero(np.isin(found.codes, wrong))[0])]
        cell = found.names[min(wrong)]
        others = int(np.isin(found.codes, wrong).sum()) - 1
        more = f" ({count(others, 'more sample')} have none either)" if others else ""
        raise InputError(
            f"confounders.numeric: sample '{sample}', column '{column.name}': found {cell!r}, expected a number{more}. "
            f"{advice_on(cell) or 'Correct the value, or name the column in confounders.columns, as categories.'}"
        )
    values = np.array([*map(float, names), np.nan])[found.codes]
    return pd.Series(values, index=column.index, name=column.name)


def describe_types(columns: pd.DataFrame) -> str:
    """Say how each confounder was taken, as in ``batch: 3 categories; age: numbers``."""
    return "; ".join(
        f"{name}: numbers"
        if pd.api.types.is_numeric_dtype(columns[name])
        else f"{name}: {count(columns[name].nunique(), 'category', 'categories')}"
        for name in columns
    )


def _say_missing(name: object, words: dict[str, int]) -> None:
    if words:
        warnings.warn(
            f"confounder '{name}': took {describe_words(words)} as missing (labels.na_values).",
            DeepMapperWarning,
            stacklevel=4,
        )

"""Reading the column of domains; apart from `domains`, since a pass does not depend on how columns are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.missing import MISSING_WORDS
from ..core.words import listed
from ..errors import InputError
from ..io.labels import as_categories
from .label_checks import are_numbers

# From this many numbers on with fractions, or whole ones with fewer samples each than `_FEW_PER_NUMBER`, a column is
# taken for a measurement. All chosen by hand.
_MANY_FRACTIONS, _MANY_NUMBERS, _FEW_PER_NUMBER = 10, 50, 5


def read_domain_column(values: Any, name: str, na_values: Sequence[str] = MISSING_WORDS) -> np.ndarray:
    """Read the domain of every sample as text.

    Parameters
    ----------
    values
        (n,) the column.
    name
        Its name, for messages.
    na_values
        Words that mean that there is none.

    Returns
    -------
    numpy.ndarray
        (n,) names of the domains, None without one.

    Raises
    ------
    InputError
        If they are a measurement.
    """
    found = as_categories(values, na_values)
    n = int((~found.missing).sum())
    if len(found.names) >= _MANY_FRACTIONS and are_numbers(found.names):
        fractions = any(float(text) % 1 for text in found.names)
        rare = len(found.names) >= _MANY_NUMBERS and n < _FEW_PER_NUMBER * len(found.names)
        if fractions or rare:
            raise InputError(
                f"labels.domain: '{name}' holds {len(found.names)} different numbers in {n} samples "
                f"({listed(found.names, 3, ', ...')}): it looks like a measurement; expected the study, donor or batch "
                "that a sample is from. Name such a column, or leave labels.domain out."
            )
    return found.texts

"""Whether a column that should name classes, studies or donors holds a measurement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..core.number_text import is_number

# Fewer different numbers than the first are names, such as those of clusters; numbers with as many samples each as the
# second are, too. All chosen by hand.
MANY_NUMBERS, _FEW_PER_NUMBER = 10, 5


def is_measurement(values: Any, names: Sequence[str], sizes: np.ndarray, many_whole: int = MANY_NUMBERS) -> bool:
    """Whether a column is a measurement: many different numbers, with fractions or with few samples each.

    Parameters
    ----------
    values
        The column as given; fractions in a column of floats count however many samples have them, while those in text
        may be names, such as 1.10.
    names, sizes
        (k,) its different values as text, and their numbers of samples.
    many_whole
        So many different whole numbers may be a measurement: more where samples are numbered, as donors are.
    """
    if len(names) < MANY_NUMBERS or not all(map(is_number, names)):
        return False
    fractions = any(float(name) % 1 for name in names)
    if fractions and pd.api.types.is_float_dtype(pd.Series(values)):
        return True
    return bool((fractions or len(names) >= many_whole) and np.median(sizes) < _FEW_PER_NUMBER)

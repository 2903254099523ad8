"""The column of domains read and coded; apart from `domains`, since a pass needs neither this nor pandas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..core.missing import MISSING_WORDS
from ..core.words import listed
from ..errors import InputError
from ..io.labels import as_categories
from .measurements import is_measurement

# In a bulk study donors are numbered and have few samples each, so whole numbers are a measurement from here on only;
# chosen by hand.
_MANY_WHOLE = 50


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
    sizes = np.bincount(found.codes[~found.missing], minlength=len(found.names))
    if is_measurement(values, found.names, sizes, _MANY_WHOLE):
        raise InputError(
            f"labels.domain: '{name}' holds {len(found.names)} different numbers in {sizes.sum()} samples "
            f"({listed(found.names, 3, ', ...')}): it looks like a measurement; expected the study, donor or batch "
            "that a sample is from. Name such a column, or leave labels.domain out."
        )
    return found.texts


def encode_domains(names: Sequence[str | None] | np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Encode domains as 0 .. n_domains - 1 in the order of their names.

    Parameters
    ----------
    names
        (n,) name of the domain of every sample; None for a sample without one.

    Returns
    -------
    tuple
        (n,) int64 codes, -1 without a domain; and the names.
    """
    codes, known = pd.factorize(np.array(names, dtype=object), sort=True)
    return codes.astype(np.int64), tuple(known)

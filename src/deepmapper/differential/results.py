"""The result of testing every feature in one comparison."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from .divisions import Divisions

RESULT_COLUMNS = ("log2_fold_change", "log2_fold_change_shrunken", "standard_error", "statistic", "p", "q")


def empty_result(p: int) -> pd.DataFrame:
    """Result of p features none of which is tested."""
    return pd.DataFrame(np.nan, index=np.arange(p), columns=list(RESULT_COLUMNS))


@dataclass(frozen=True, eq=False)
class Tested:
    """Results of one part of the samples.

    Attributes
    ----------
    results
        For every comparison p rows with `RESULT_COLUMNS`; empty if nothing could be tested.
    pairs
        The comparisons: class, and what it is compared with.
    test
        "deseq2", "linear" or "wilcoxon".
    method
        The test in words.
    unit
        What counts as one observation.
    formula
        Formula of the design; empty without one.
    n_units
        Number of observations.
    notes
        Sentences on what the results do not say.
    divisions
        How other divisions of the observations compare with the true one; None if that was not asked.
    """

    results: tuple[pd.DataFrame, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    test: str = ""
    method: str = ""
    unit: str = ""
    formula: str = ""
    n_units: int = 0
    notes: tuple[str, ...] = ()
    divisions: Divisions | None = None

    @property
    def holds(self) -> bool:
        """Whether what differs is not withheld because other divisions of the observations differ as much."""
        return self.divisions is None or self.divisions.holds

    def noting(self, *notes: str) -> Tested:
        """Add sentences."""
        return replace(self, notes=(*self.notes, *notes))

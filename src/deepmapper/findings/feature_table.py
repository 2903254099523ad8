"""The table of features: every feature in order of rank, with its statistics over the passes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import accumulate
from ..reads.denovo import is_denovo
from .ranking import Findings

# Sign of a feature's gradient in a class -> how the tables name it.
DIRECTIONS = {1: "up", -1: "down", 0: "unclear"}


def feature_table(findings: Findings) -> pd.DataFrame:
    """One row per feature, best first: selection frequency, importance and rank, and the importance for each class.

    If no pass was accepted, the table has all its columns and no rows.
    """
    order = findings.order()
    frequency = np.array(findings.selection_frequency)[order]
    intervals = np.array([accumulate.wilson_interval(share, findings.n_accepted) for share in frequency]).reshape(-1, 2)
    quartiles = np.array(findings.importance_quartiles or [[], []])
    names = findings.feature_names or [str(i) for i in range(findings.n_features)]
    table = {
        "rank": np.arange(1, len(order) + 1),
        "feature": [names[i] for i in order],
        "selection_frequency": frequency,
        "selection_frequency_low": intervals[:, 0],
        "selection_frequency_high": intervals[:, 1],
        "median_importance": np.array(findings.median_importance)[order],
        "importance_q25": quartiles[0][order],
        "importance_q75": quartiles[1][order],
        "mean_rank": np.array(findings.mean_rank)[order],
    }
    for code, name in enumerate(findings.classes):
        importance = findings.class_importance[code] if findings.class_importance else []
        direction = findings.class_direction[code] if findings.class_direction else []
        table[f"importance[{name}]"] = np.array(importance, dtype=float)[order]
        table[f"direction[{name}]"] = [DIRECTIONS[direction[i]] for i in order]
    table["is_denovo"] = [is_denovo(names[i]) for i in order]
    return pd.DataFrame(table)

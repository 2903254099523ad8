"""The summary of the passes of a model: its main numbers and a statement in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from .metrics import mean_or_none
from .ranking import Findings
from .signal_test import SignalTest


def summarise_model(
    model: str, findings: Findings, test: SignalTest, n_controls: int, agreement: pd.DataFrame, top_k: int
) -> dict:
    """Contents of ranking.json, which begin with a statement in words.

    Parameters
    ----------
    model
        Name of the model.
    findings
        Findings from its passes.
    test
        Test for signal.
    n_controls
        Number of control passes trained.
    agreement
        Agreement between accepted passes (`pass_table.agreement_table`).
    top_k
        Number of features that each pass selects: the first of its ranking.
    """
    accepted = np.array(findings.accuracies)[np.array(findings.accepted, dtype=bool)]
    control = np.array([value for value in test.control_accuracies if not math.isnan(value)])
    return {
        "model": model,
        "statement": test.statement,
        "signal": test.signal,
        "p_value": test.p_value,
        "n_features": findings.n_features,
        "classes": findings.classes,
        "n_passes_run": findings.n_passes_run,
        "n_accepted": findings.n_accepted,
        "rejected_seeds": [s for s, good in zip(findings.seeds, findings.accepted, strict=True) if not good],
        "accuracy_mean": mean_or_none(accepted),
        "accuracy_sd": float(accepted.std(ddof=1)) if len(accepted) > 1 else None,
        "majority_accuracy": mean_or_none(np.array(findings.majority_accuracies)),
        "permuted_accuracy": mean_or_none(np.array(findings.permuted_accuracies)),
        "n_controls": n_controls,
        "n_labelings": test.n_permutations,
        "n_possible_labelings": test.n_possible,
        "control_accuracy_mean": mean_or_none(control),
        "control_accuracy_max": float(control.max()) if len(control) else None,
        "top_k": top_k,
        "mean_top_k_overlap": mean_or_none(agreement["top_k_overlap"].to_numpy(dtype=float)),
        "mean_spearman": mean_or_none(agreement["spearman"].to_numpy(dtype=float)),
        "completeness_error_max": _max_or_none(findings.completeness_errors),
        "notes": findings.notes,
    }


def _max_or_none(errors: Sequence[float]) -> float | None:
    known = [error for error in errors if not math.isnan(error)]
    return max(known) if known else None

"""The summary of a model: its main figures and one sentence on each question."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from .metrics import mean
from .ranking import Findings
from .signal_test import SignalTest


def summarise(
    model: str, findings: Findings, found: SignalTest, n_controls: int, agreement: pd.DataFrame, top_k: int
) -> dict:
    """The state of affairs in one dictionary, beginning with a sentence for people.

    Parameters
    ----------
    model
        Its name.
    findings
        Of its passes.
    found
        Whether there is signal.
    n_controls
        Control passes trained.
    agreement
        Between accepted passes.
    top_k
        Head of a ranking that counts as selected.
    """
    kept = np.array(findings.accuracies)[np.array(findings.accepted, dtype=bool)]
    control = np.array(found.control_accuracies)
    return {
        "model": model,
        "statement": found.statement,
        "signal": found.signal,
        "p_value": found.p_value,
        "n_features": findings.n_features,
        "classes": findings.classes,
        "n_passes_run": findings.n_passes_run,
        "n_accepted": findings.n_accepted,
        "rejected_seeds": [s for s, good in zip(findings.seeds, findings.accepted, strict=True) if not good],
        "accuracy_mean": mean(kept),
        "accuracy_sd": float(kept.std(ddof=1)) if len(kept) > 1 else None,
        "majority_accuracy": float(np.mean(findings.majority_accuracies)),
        "permuted_accuracy": float(np.mean(findings.permuted_accuracies)),
        "n_controls": n_controls,
        "n_labelings": found.n_labelings,
        "n_possible_labelings": found.n_possible,
        "control_accuracy_mean": mean(control),
        "control_accuracy_max": float(control.max()) if len(control) else None,
        "top_k": top_k,
        "mean_top_k_overlap": mean(agreement["top_k_overlap"].to_numpy(dtype=float)),
        "mean_spearman": mean(agreement["spearman"].to_numpy(dtype=float)),
        "completeness_error_max": _worst(findings.completeness_errors),
        "notes": findings.notes,
    }


def _worst(errors: Sequence[float]) -> float | None:
    known = [error for error in errors if not math.isnan(error)]
    return max(known) if known else None

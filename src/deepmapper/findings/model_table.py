"""Table that compares the models, with logistic regression as the reference."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from .metrics import headline


def model_table(
    summaries: Sequence[dict], metrics_of: Sequence[dict], baseline: dict, kinds: dict[str, str]
) -> pd.DataFrame:
    """One row per model, with its metrics on the evaluated samples; logistic regression last.

    Parameters
    ----------
    summaries, metrics_of
        Contents of ranking.json and metrics.json of every model, in the same order.
    baseline
        Contents of metrics.json of logistic regression.
    kinds
        Kind of network of every model, by its name.
    """
    rows = []
    for summary, numbers in zip(summaries, metrics_of, strict=True):
        rows.append(
            {
                "model": summary["model"],
                "kind": kinds[summary["model"]],
                "n_passes": numbers["n_passes"],
                "per_pass_accuracy_mean": numbers["per_pass_accuracy_mean"],
                **headline(numbers),
                "control_accuracy_mean": summary["control_accuracy_mean"],
                "signal": summary["signal"],
                "top_k_overlap": summary["mean_top_k_overlap"],
                "confounders_accuracy": numbers.get("confounders_accuracy"),
            }
        )
    rows.append({"model": "linear_baseline", "kind": "logistic regression", "n_passes": 1, **headline(baseline)})
    return pd.DataFrame(rows)

"""Table that compares the models, with logistic regression as the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import pandas as pd

from ..features.store import Features
from .metrics import headline
from .paired import Paired, compare_paired, correct_of

# Classifier on an embedding -> its kind in the table.
KINDS = {"knn": "nearest neighbours", "logistic": "logistic regression"}


def model_table(
    summaries: Sequence[dict],
    metrics_of: Sequence[dict],
    baseline: dict,
    kinds: dict[str, str],
    paired: Sequence[Paired | None],
    embeddings: Mapping[str, dict[str, dict]] = MappingProxyType({}),
) -> pd.DataFrame:
    """One row per model with its metrics on the evaluated samples, then classifiers on embeddings and the baseline.

    Parameters
    ----------
    summaries, metrics_of
        Contents of ranking.json and metrics.json of every model, in the same order.
    baseline
        Contents of metrics.json of logistic regression.
    kinds
        Kind of network of every model, by its name.
    paired
        Comparison of every model with logistic regression (`against_baseline`).
    embeddings
        By name of an embedding the contents of its .json: numbers of each classifier.
    """
    rows = []
    for summary, numbers, difference in zip(summaries, metrics_of, paired, strict=True):
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
                "only_this": difference.only_first if difference else None,
                "only_linear": difference.only_second if difference else None,
                "p_against_linear": difference.p if difference else None,
            }
        )
    for name, classifiers in embeddings.items():
        for classifier, numbers in classifiers.items():
            kind = f"{KINDS[classifier]} on {name}"
            rows.append({"model": f"{name}_{classifier}", "kind": kind, "n_passes": 1, **headline(numbers)})
    rows.append({"model": "linear_baseline", "kind": "logistic regression", "n_passes": 1, **headline(baseline)})
    return pd.DataFrame(rows).astype({"only_this": "Int64", "only_linear": "Int64"})


def against_baseline(
    predictions: Sequence[pd.DataFrame], baseline: pd.DataFrame, features: Features
) -> list[Paired | None]:
    """Compare every model with logistic regression on the samples on which both are evaluated.

    Parameters
    ----------
    predictions
        Contents of predictions.tsv of every model.
    baseline
        Contents of predictions.tsv of logistic regression.
    features
        Features of the run, whose groups are not divided by the comparison.

    Returns
    -------
    list of Paired or None
        None for a model without predictions.
    """
    reference = correct_of(baseline)
    place = {name: row for row, name in enumerate(features.samples)}
    compared: list[Paired | None] = []
    for table in predictions:
        own = correct_of(table)
        shared = own.index.intersection(reference.index)
        groups = None if features.groups is None else features.groups[[place[name] for name in shared]]
        both = own[shared].to_numpy(), reference[shared].to_numpy()
        compared.append(compare_paired(*both, groups) if len(shared) else None)
    return compared

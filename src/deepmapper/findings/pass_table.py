"""Tables of the passes: accuracy, training history and agreement between passes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .. import accumulate
from ..core.table_schemas import AGREEMENT
from ..features.kinds import has_lowest_label
from ..features.label_permutations import control_labels
from ..features.samples import Samples
from ..passes.result import PassFile, PassResult

_MAX_VALUES = 2**24  # ranks of all passes held in float64 at once


def pass_table(
    passes: Sequence[PassResult | PassFile],
    controls: Sequence[PassResult | PassFile],
    min_accuracy: float,
    samples: Samples | None = None,
) -> pd.DataFrame:
    """One row per pass, controls last: whether it was accepted or why not, its accuracy and the references.

    Passes with an accuracy below `min_accuracy`, or without one, are not accepted, and neither are controls. If classes
    are kinds of others (`samples.kinds`), samples with a lowest label give the accuracy, and only these are counted.
    """
    rows = []
    for result in [*passes, *controls]:
        accepted = not result.permuted and accumulate.accept_pass(result.accuracy, min_accuracy)
        reason = ""
        if result.permuted:
            reason = "control: trained on permuted labels"
        elif not accepted:
            reason = (
                "no out-of-bag sample with a lowest label"
                if np.isnan(result.accuracy)
                else f"accuracy {result.accuracy:.4f} below min_accuracy {min_accuracy:g}"
            )
        rows.append(
            {
                "seed": result.seed,
                "control": result.permuted,
                "accepted": accepted,
                "reason": reason,
                "accuracy": result.accuracy,
                "balanced_accuracy": result.balanced_accuracy,
                "majority_accuracy": result.majority_accuracy,
                "permuted_accuracy": result.permuted_accuracy,
                "permutation_p": result.permutation_p,
                "epochs_run": len(result.history),
                "stop_epoch": result.stop_epoch,
                "val_loss": result.history[result.stop_epoch - 1, 1],
                "completeness_error": result.completeness_error,
                "n_train": len(result.train_rows),
                "n_val": len(result.validation_rows),
                "n_oob": _n_judged(result, samples),
            }
        )
    return pd.DataFrame(rows)


def _n_judged(result: PassResult | PassFile, samples: Samples | None) -> int:
    """Number of out-of-bag samples that give the accuracy of a pass."""
    rows = result.out_of_bag_rows
    if samples is None or samples.kinds is None:
        return len(rows)
    labels = control_labels(samples, result.seed) if result.permuted else samples.labels
    return int(has_lowest_label(labels[rows], samples.kinds).sum())


def history_table(results: Sequence[PassResult | PassFile]) -> pd.DataFrame:
    """One row per epoch of every pass."""
    parts = []
    for result in results:  # each is copied, since an array that is mapped keeps its file open
        part = pd.DataFrame(np.array(result.history), columns=["train_loss", "val_loss", "val_accuracy"])
        part.insert(0, "epoch", np.arange(1, len(part) + 1))
        part.insert(0, "control", result.permuted)
        part.insert(0, "seed", result.seed)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def agreement_table(
    results: Sequence[PassResult | PassFile], top_k: int, max_values: int = _MAX_VALUES
) -> pd.DataFrame:
    """One row per pair of passes: share of the top k in common, and Spearman correlation of the importances."""
    if len(results) < 2:
        return pd.DataFrame(columns=AGREEMENT.names())
    from scipy.sparse import csr_matrix
    from scipy.stats import rankdata

    n_features = len(results[0].importance)
    k = min(top_k, n_features)
    top_sets = np.empty((len(results), k), dtype=np.int64)
    # centred ranks are multiples of 1/2 and at most n_features / 2 in size, which float32 holds exactly here
    ranks = np.empty((len(results), n_features), dtype=np.float32 if n_features < 2**22 else np.float64)
    for row, result in enumerate(results):
        importance = np.asarray(result.importance)
        top_sets[row] = np.argsort(-importance, kind="stable")[:k]
        ranks[row] = rankdata(importance) - (n_features + 1) / 2
    ones, row_starts = np.ones(top_sets.size, dtype=np.float32), np.arange(0, top_sets.size + 1, max(k, 1))
    selected = csr_matrix((ones, top_sets.ravel(), row_starts), shape=(len(results), n_features))
    overlap = (selected @ selected.T).toarray() / k
    products = np.zeros((len(results), len(results)))
    width = max(1, max_values // len(results))
    for start in range(0, n_features, width):
        part = ranks[:, start : start + width].astype(np.float64)
        products += part @ part.T
    norm = np.sqrt(np.diagonal(products))
    norm = np.where(norm == 0, np.nan, norm)  # constant importances have no correlation
    correlation = products / np.outer(norm, norm)
    first, second = np.triu_indices(len(results), 1)
    seeds = np.array([result.seed for result in results])
    return pd.DataFrame(
        {
            "seed_a": seeds[first],
            "seed_b": seeds[second],
            "top_k_overlap": overlap[first, second].astype(float),
            "spearman": correlation[first, second],
        }
    )

"""Many passes become statements: the tables and the annotated matrix that people read."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from . import accumulate, evaluate
from .blocks import Changed
from .denovo import is_denovo
from .matrix_files import Expression, write_expression
from .pass_result import PassFile, PassResult
from .runner import Findings
from .store import Features
from .table_schemas import AGREEMENT, CALIBRATION, CONFUSION, PER_CLASS
from .verdict import Verdict

DIRECTIONS = {1: "up", -1: "down", 0: "unclear"}
_AT_ONCE = 2**24  # ranks held together in float64, of all passes
_HEADLINE = [
    f"{metric}{end}" for metric in ("accuracy", "balanced_accuracy", "macro_f1") for end in ("", "_low", "_high")
]


def feature_table(findings: Findings) -> pd.DataFrame:
    """One row a feature, best first: frequency with its 95 % interval, importance with quartiles, classes, directions.

    Empty, with all its columns, when no pass was accepted.
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


def add_chords(table: pd.DataFrame, chord_features: pd.DataFrame, chords: pd.DataFrame) -> pd.DataFrame:
    """Add to a table of features the columns `chord`, `z_chord` and `synergy`.

    Parameters
    ----------
    table
        One row a feature, column `feature`.
    chord_features
        As `chords.feature_table` gives it: `feature`, `chord` (comma-separated, the strongest first) and `z_chord`.
    chords
        As findings/chords.tsv holds them: `chord` and `synergy`, which is that of a feature's first chord.
    """
    of_feature = chord_features.set_index("feature").reindex(table["feature"])
    named = of_feature["chord"].fillna("").astype(str)
    synergy = named.str.split(",").str[0].map(dict(zip(chords["chord"], chords["synergy"], strict=True)))
    added = {"chord": named, "z_chord": of_feature["z_chord"], "synergy": synergy.astype(float)}
    return table.assign(**{name: values.to_numpy() for name, values in added.items()})


def join_by_feature(table: pd.DataFrame, added: pd.DataFrame) -> pd.DataFrame:
    """Add the columns of one table of features to another, by the features' names.

    Parameters
    ----------
    table
        One row per feature, column `feature` among others; its rows and their order stay.
    added
        One row per feature, in any order, column `feature` among others; features that it lacks get no value.
    """
    columns = added.set_index("feature").reindex(table["feature"])
    return pd.concat([table, columns.set_index(table.index)], axis=1)


def rank_by_significance(table: pd.DataFrame) -> pd.DataFrame:
    """Put significant features first, then sort by falling `z`; ties keep their order, and `rank` counts anew.

    A table without a column `z`, as there is without shadow passes, keeps its order.

    Parameters
    ----------
    table
        One row per feature, columns `rank` and `feature` and, where features were tested, `z` and `significant`.
    """
    if "z" not in table or not len(table):
        return table
    order = np.lexsort((-table["z"].to_numpy(), ~table["significant"].to_numpy(dtype=bool)))
    table = table.iloc[order].reset_index(drop=True)
    table["rank"] = np.arange(1, len(table) + 1)
    return table


def pass_table(
    passes: Sequence[PassResult | PassFile], controls: Sequence[PassResult | PassFile], min_accuracy: float
) -> pd.DataFrame:
    """One row a pass, controls last: whether it was accumulated and why not, its accuracy beside its references."""
    rows = []
    for result in [*passes, *controls]:
        accepted = not result.permuted and accumulate.accept_pass(result.accuracy, min_accuracy)
        reason = "" if accepted else "control: trained on permuted labels"
        if not accepted and not result.permuted:
            reason = f"accuracy {result.accuracy:.4f} below min_accuracy {min_accuracy:g}"
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
                "n_oob": len(result.out_of_bag_rows),
            }
        )
    return pd.DataFrame(rows)


def history_table(results: Sequence[PassResult | PassFile]) -> pd.DataFrame:
    """One row an epoch of every pass."""
    parts = []
    for result in results:
        part = pd.DataFrame(result.history, columns=["train_loss", "val_loss", "val_accuracy"])
        part.insert(0, "epoch", np.arange(1, len(part) + 1))
        part.insert(0, "control", result.permuted)
        part.insert(0, "seed", result.seed)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def agreement_table(results: Sequence[PassResult | PassFile], top_k: int) -> pd.DataFrame:
    """Every pair of passes: share of the top k in common, and Spearman correlation of the importances."""
    if len(results) < 2:
        return pd.DataFrame(columns=AGREEMENT.names())
    from scipy.sparse import csr_matrix
    from scipy.stats import rankdata

    n_features = len(results[0].importance)
    k = min(top_k, n_features)
    heads = np.empty((len(results), k), dtype=np.int64)
    # centred ranks are whole or half numbers, exact in float32 up to 8 million features
    ranks = np.empty((len(results), n_features), dtype=np.float32 if n_features < 2**22 else np.float64)
    for row, result in enumerate(results):
        importance = np.asarray(result.importance)
        heads[row] = np.argsort(-importance, kind="stable")[:k]
        ranks[row] = rankdata(importance) - (n_features + 1) / 2
    chosen = (np.ones(heads.size, dtype=np.float32), heads.ravel(), np.arange(0, heads.size + 1, max(k, 1)))
    picks = csr_matrix(chosen, shape=(len(results), n_features))
    overlap = (picks @ picks.T).toarray() / k
    products = np.zeros((len(results), len(results)))
    width = max(1, _AT_ONCE // len(results))
    for start in range(0, n_features, width):
        part = ranks[:, start : start + width].astype(np.float64)
        products += part @ part.T
    norm = np.sqrt(np.diagonal(products))
    norm = np.where(norm == 0, np.nan, norm)  # constant importances correlate with nothing
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


def summarise(
    model: str, findings: Findings, found: Verdict, n_controls: int, agreement: pd.DataFrame, top_k: int
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
        "accuracy_mean": _mean(kept),
        "accuracy_sd": float(kept.std(ddof=1)) if len(kept) > 1 else None,
        "majority_accuracy": float(np.mean(findings.majority_accuracies)),
        "permuted_accuracy": float(np.mean(findings.permuted_accuracies)),
        "n_controls": n_controls,
        "n_labelings": found.n_labelings,
        "n_possible_labelings": found.n_possible,
        "control_accuracy_mean": _mean(control),
        "control_accuracy_max": float(control.max()) if len(control) else None,
        "top_k": top_k,
        "mean_top_k_overlap": _mean(agreement["top_k_overlap"].to_numpy(dtype=float)),
        "mean_spearman": _mean(agreement["spearman"].to_numpy(dtype=float)),
        "completeness_error_max": _worst(findings.completeness_errors),
        "notes": findings.notes,
    }


def prediction_table(
    features: Features, passes: Sequence[PassResult | PassFile], test_probability: np.ndarray
) -> tuple[pd.DataFrame, np.ndarray]:
    """What was predicted for every sample by passes that had not trained on it.

    Test samples carry the ensemble's prediction; all others the average of the passes that had them out of bag; those
    that no pass had out of bag carry none ("none" in the column `split`, NaN probabilities). Samples without a label
    are left out: the table has a row for every other one, in their order.

    Returns
    -------
    tuple
        The table, and the (n, C) probabilities, NaN for those without a label.
    """
    n_classes = len(features.classes)
    probability = np.full((len(features.y), n_classes), np.nan)
    probability[features.development] = evaluate.out_of_bag_probability(passes, len(features.development), n_classes)
    split = np.where(np.isnan(probability[:, 0]), "none", "out_of_bag").astype(object)
    if len(test_probability):
        probability[features.test] = test_probability
    known = ~np.isnan(probability[:, 0])
    names = np.array(features.classes, dtype=object)
    predicted = np.full(len(features.y), None, dtype=object)
    predicted[known] = names[probability[known].argmax(1)]
    split[features.test] = "test"
    confidence = np.full(len(features.y), np.nan)
    confidence[known] = probability[known].max(1)
    table = pd.DataFrame(
        {
            "cell": features.samples,
            "split": split,
            "label": names[features.y],
            "prediction": predicted,
            "confidence": confidence,
        }
    )
    return table.iloc[features.labelled].reset_index(drop=True), probability


@dataclass(frozen=True)
class Metrics:
    """Numbers and tables of a final evaluation.

    Attributes
    ----------
    numbers
        What metrics.json holds.
    per_class
        One row per class: precision, recall and F1 with their intervals, and the samples of the class.
    confusion
        One row per true class, one column per predicted class: counts.
    calibration
        One row per bin of confidence.
    """

    numbers: dict
    per_class: pd.DataFrame
    confusion: pd.DataFrame
    calibration: pd.DataFrame


def metrics(
    result: evaluate.EvalResult, bins: int, n_resamples: int, seed: int, samples: Sequence[str] = ()
) -> Metrics:
    """Numbers and tables of a final evaluation, with 95 % intervals.

    Those of a class are Wilson's; those of all samples a bootstrap over the test samples, or, judged out of bag,
    Wilson's and what follows from them (`evaluate.wilson_intervals`), groups being counted where they were kept whole.
    `samples`, the names of all samples, lists those that were not judged by name.
    """
    from sklearn.metrics import confusion_matrix, log_loss

    truth, probability = np.array(result.y_true), np.array(result.y_proba)
    n_classes = len(result.classes)
    if not result.n_passes:
        return _no_metrics(result, samples)
    groups = None if result.groups is None else np.array(result.groups)
    if result.scheme == "repeated":
        intervals = evaluate.wilson_intervals(truth, probability, groups)
    else:
        intervals = evaluate.bootstrap_intervals(truth, probability, n_resamples, seed)
    bins_table, ece = evaluate.calibration_table(truth, probability, bins)
    counts = confusion_matrix(truth, probability.argmax(1), labels=np.arange(n_classes))
    one_hot = np.eye(n_classes)[truth]
    numbers: dict = _about(result, samples)
    for name in ("accuracy", "balanced_accuracy", "macro_f1"):
        numbers |= {name: getattr(result, name), f"{name}_low": intervals[name][0], f"{name}_high": intervals[name][1]}
    numbers |= {
        "majority_accuracy": result.majority_accuracy,
        "log_loss": float(log_loss(truth, probability, labels=np.arange(n_classes))),
        "brier": float(((probability - one_hot) ** 2).sum(1).mean()),
        "ece": ece,
        "per_pass_accuracy_mean": _mean(np.array(result.per_pass_acc)),
        "per_pass_accuracy": result.per_pass_acc,
        "classes": result.classes,
    }
    share = evaluate.effective_share(probability.argmax(1) == truth, groups)
    of_class = evaluate.per_class_intervals(counts, share=share)
    per_class = pd.DataFrame({"class": result.classes})
    for name, scores in evaluate.per_class_scores(counts).items():
        per_class[name], per_class[f"{name}_low"], per_class[f"{name}_high"] = scores, *of_class[name]
    per_class["support"] = counts.sum(1)
    confusion = pd.DataFrame(counts, columns=result.classes)
    confusion.insert(0, "true_class", result.classes)
    return Metrics(numbers, per_class, confusion, pd.DataFrame(bins_table))


def _about(result: evaluate.EvalResult, samples: Sequence[str]) -> dict:
    """How the samples were judged, and how many."""
    return {
        "scheme": result.scheme,
        "why": result.why,
        "n_test": len(result.y_true),
        "not_judged": [samples[row] if len(samples) else row for row in result.not_judged],
        "n_passes": result.n_passes,
    }


def _no_metrics(result: evaluate.EvalResult, samples: Sequence[str]) -> Metrics:
    """The same numbers and tables when no pass was accepted: there, and empty."""
    numbers = _about(result, samples) | dict.fromkeys(
        [*_HEADLINE, "log_loss", "brier", "ece", "per_pass_accuracy_mean"]
    )
    numbers |= {"majority_accuracy": result.majority_accuracy, "per_pass_accuracy": [], "classes": result.classes}
    return Metrics(
        numbers,
        per_class=pd.DataFrame(columns=PER_CLASS.names()),
        confusion=pd.DataFrame(columns=CONFUSION.names(result.classes)),
        calibration=pd.DataFrame(columns=CALIBRATION.names()),
    )


def model_table(
    summaries: Sequence[dict], metrics_of: Sequence[dict], baseline: dict, kinds: dict[str, str]
) -> pd.DataFrame:
    """One row a model, what it reached on the judged samples beside its passes; logistic regression last."""
    rows = []
    for summary, numbers in zip(summaries, metrics_of, strict=True):
        rows.append(
            {
                "model": summary["model"],
                "kind": kinds[summary["model"]],
                "n_passes": numbers["n_passes"],
                "per_pass_accuracy_mean": numbers["per_pass_accuracy_mean"],
                **_headline(numbers),
                "control_accuracy_mean": summary["control_accuracy_mean"],
                "signal": summary["signal"],
                "top_k_overlap": summary["mean_top_k_overlap"],
                "confounders_accuracy": numbers.get("confounders_accuracy"),
            }
        )
    rows.append({"model": "linear_baseline", "kind": "logistic regression", "n_passes": 1, **_headline(baseline)})
    return pd.DataFrame(rows)


def _headline(numbers: dict) -> dict:
    return {name: numbers[name] for name in [*_HEADLINE, "ece", "majority_accuracy"]}


def annotate(adata, features: Features, table: pd.DataFrame, predictions: pd.DataFrame, embedding: dict, about: dict):
    """Put the findings into an AnnData, where a scanpy user looks for them; give back a copy.

    `var` gets the statistics (deepmapper_*), `varm["deepmapper_importance"]` and ``["deepmapper_direction"]`` (+1 up,
    -1 down, 0 unclear) one column a class, `obs` the predictions, `obsm["X_deepmapper"]` the embedding and
    ``["X_deepmapper_umap"]`` (or ``_pca``) its map, `uns["deepmapper"]` the rest. Samples that were left out of the
    analysis, or have no label, are left out here.
    """
    adata = adata[features.names_of(features.labelled)].copy()
    if len(table):
        by_feature = table.set_index("feature").loc[list(features.names)]
        always = ["rank", "selection_frequency", "median_importance", "mean_rank"]
        for column in [
            *always,
            *(name for name in ("z", "p", "q", "significant", "stability", "evidence") if name in by_feature),
        ]:
            adata.var[f"deepmapper_{column}"] = by_feature[column].to_numpy()
        if "chord" in by_feature:
            adata.var["deepmapper_chord"] = by_feature["chord"].fillna("").astype(str).to_numpy()
            adata.var["deepmapper_z_chord"] = by_feature["z_chord"].to_numpy(dtype=float)
        signs = {name: sign for sign, name in DIRECTIONS.items()}
        for slot, prefix in (("deepmapper_importance", "importance"), ("deepmapper_direction", "direction")):
            columns = {name: by_feature[f"{prefix}[{name}]"] for name in features.classes}
            if prefix == "direction":
                columns = {name: values.map(signs).astype(np.int8) for name, values in columns.items()}
            adata.varm[slot] = pd.DataFrame(columns, index=adata.var_names)
    adata.obs["deepmapper_label"] = pd.Categorical(predictions["label"], categories=list(features.classes))
    adata.obs["deepmapper_prediction"] = pd.Categorical(predictions["prediction"], categories=list(features.classes))
    adata.obs["deepmapper_confidence"] = predictions["confidence"].to_numpy()
    adata.obs["deepmapper_split"] = pd.Categorical(predictions["split"], categories=["test", "out_of_bag", "none"])
    adata.obsm["X_deepmapper"] = embedding["embedding"]
    adata.obsm[f"X_deepmapper_{str(embedding['basis']).lower()}"] = embedding["map"]
    adata.uns["deepmapper"] = {
        name: json.dumps(value) if isinstance(value, (dict, list)) else value for name, value in about.items()
    }
    return adata


def write_annotated(
    path: str | Path,
    expression: Expression,
    features: Features,
    table: pd.DataFrame,
    predictions: pd.DataFrame,
    embedding: Mapping[str, np.ndarray],
    *,
    version: str,
    settings: Mapping,
    summary: Mapping,
    metrics: Mapping,
    tell: Callable[[str], None] = lambda line: None,
) -> None:
    """Write the expression matrix of the analysed samples with the findings in it (`annotate`), block by block.

    Parameters
    ----------
    path
        The .h5ad to write; it appears whole or not at all.
    expression
        The matrix that the features were made of, left in its file.
    features
        Of the run; its samples are written, in their order.
    table, predictions
        features.tsv and predictions.tsv.
    embedding
        What embedding.npz holds: "embedding" (n, d), "map" (n, 2) and "basis".
    version, settings, summary, metrics
        Version of the package, settings of the model, summary.json and metrics.json: for `uns["deepmapper"]`.
    tell
        Receives progress.

    Raises
    ------
    InputError
        If a sample of the features is not in the matrix.
    """
    import anndata

    rows = expression.rows_of(features.names_of(features.labelled))
    adata = annotate(
        anndata.AnnData(obs=expression.obs, var=expression.var, uns=dict(expression.uns)),
        features,
        table,
        predictions,
        dict(embedding),
        {"version": version, "settings": settings, "features": features.about, "summary": summary, "metrics": metrics},
    )
    matrices = {"X": expression.X} | {f"layers/{name}": layer for name, layer in expression.layers.items()}
    write_expression(path, adata, {name: Changed(matrix, rows) for name, matrix in matrices.items()}, tell)


def _mean(values: np.ndarray) -> float | None:
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else None


def _worst(errors: Sequence[float]) -> float | None:
    known = [error for error in errors if not math.isnan(error)]
    return max(known) if known else None

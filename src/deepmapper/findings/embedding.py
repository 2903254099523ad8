"""Embeddings of a run's samples, and how well classifiers on them predict, on the same samples as the models.

An embedding is fitted on the samples that may be learnt from: those of the development part or, without a test split,
those that a pass does not leave out of bag. The others are only projected.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core.files import atomic_write
from ..core.logistic import fit_ridge_logistic
from ..core.tables import write_json
from ..core.tasks import as_task
from ..errors import InputError
from ..features.for_embeddings import check_components
from ..features.splits import draw_out_of_bag
from ..features.store import Features, open_features
from ..io.expression import open_expression
from . import evaluation
from .embedding_fits import FIT
from .metrics import compute_metrics

# Nearest neighbours of the classifier; the default of scanpy's graph of neighbours.
N_NEIGHBOURS = 15


@dataclass(frozen=True)
class RunEmbedding:
    """An embedding of a run's samples.

    Attributes
    ----------
    scores
        (n, k) float32, of all samples.
    components, variance
        (k, p) float32 axes, and the variance along each; None for an embedding that is not linear.
    metrics
        Name of a classifier -> its numbers, as in metrics.json of a model.
    lines
        Lines for the log.
    """

    scores: np.ndarray
    components: np.ndarray | None
    variance: np.ndarray | None
    metrics: dict[str, dict]
    lines: tuple[str, ...]


def fit_run_embedding(
    features: Features,
    *,
    kind: str = "pca",
    n_components: int,
    out_of_bag: float,
    draws: Sequence[int],
    bins: int,
    n_resamples: int,
    seed: int,
    **options: Any,
) -> RunEmbedding:
    """Fit an embedding on the development part of a run, and classifiers on it.

    Parameters
    ----------
    features
        Features of the run.
    kind
        "pca", "ppca", "contrastive", "geneformer" or "scvi".
    n_components
        Number of components.
    out_of_bag, draws
        Share of the samples that a pass leaves out of bag, and the seeds of the passes whose splits are used if there
        is no test split.
    bins
        Number of bins of the calibration.
    n_resamples, seed
        Resamples and seed of the bootstrap over test samples; the seed is that of the training, too.
    options
        Of a trained embedding, as in the configuration: `n_epochs`; of "contrastive" also `hidden_units`, `n_features`,
        `dropout` and `temperature`; of "geneformer" `n_layers`, `n_heads` and `max_tokens`; of "scvi" `hidden_units`,
        `n_features`, `batch`, and `expression`, which has the counts.

    Raises
    ------
    InputError
        If there are not enough samples or features for as many components, or "scvi" finds no counts.
    """
    from ..models.distributed import rank_and_size  # with torch

    y, development, test, why = features.y, features.development, features.test, features.metadata["why"]
    if kind in ("pca", "ppca"):
        n_fitted = int(len(development) * (1 - (0 if len(test) else out_of_bag)))
        check_components(kind, n_components, features.n_features, len(development), n_fitted)

    def fitted(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        return FIT[kind](features, rows, n_components, seed, **options)

    scores, components, variance = fitted(development)
    samples = features.development_samples
    metrics, lines = {}, [f"{n_components} components, {len(development)} samples"]
    per_draw = []
    if features.metadata["scheme"] == "repeated":
        for draw in draws:
            kept, left_out = draw_out_of_bag(samples.labels, out_of_bag, draw, samples.group_codes)
            per_draw.append((kept, left_out, fitted(development[kept])[0][development]))
    is_first = rank_and_size()[0] == 0  # classifiers are fitted by one process
    for name, classify in CLASSIFIERS.items() if is_first else ():
        if per_draw:
            average = _out_of_bag(per_draw, samples.labels, len(features.classes), classify)
            result = evaluation.evaluate_average(
                average, samples.labels, features.classes, samples.group_codes, why, features.kinds
            )
        else:
            probability = classify(scores[development], y[development], scores[test], len(features.classes))
            result = evaluation.evaluate_ensemble(
                [probability], y[test], y[development], features.classes, why, features.kinds
            )
        metrics[name] = compute_metrics(result, bins, n_resamples, seed, features.names_of(development)).numbers
        lines.append(f"{name}: accuracy {metrics[name]['accuracy']:.3f} on {metrics[name]['n_test']} samples")
    if is_first:
        lines += evaluation.left_out_lines(result)
    return RunEmbedding(scores, components, variance, metrics, tuple(lines))


def make_embedding(
    store: str,
    embedding: str,
    metrics: str,
    *,
    gpus: int,
    expression: str | None = None,
    kinds: str | None = None,
    **options: Any,
) -> None:
    """Fit an embedding of a run and write it; of several processes the first writes.

    Parameters
    ----------
    store
        Folder of the features.
    embedding, metrics
        Files to write.
    gpus
        Number of GPUs that the job asked for; with 0 none is used, even if there is one.
    expression
        expression.h5ad, for an embedding of the counts.
    kinds
        kinds.json, if there is an ontology.
    options
        As for `fit_run_embedding`.

    Raises
    ------
    InputError
        If there are fewer GPUs, or the embedding cannot be fitted.
    """
    if not gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # before torch looks
    from ..models.distributed import join, rank_and_size  # with torch

    join()
    _check_gpus(gpus)
    features = open_features(store, kinds)
    if expression:
        options["expression"] = open_expression(expression)
    found = fit_run_embedding(features, **options)
    if rank_and_size()[0] == 0:
        print(*found.lines, sep="\n")
        write_embedding(embedding, found, features)
        write_json(found.metrics, metrics)


def _check_gpus(gpus: int) -> None:
    import torch

    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if gpus and torch.cuda.device_count() < here:
        raise InputError(
            f"resources.gpus_per_job is {gpus}, one for each process, but torch {torch.__version__} finds "
            f"{torch.cuda.device_count()} GPUs for the {here} on this machine. Set it to 0 to train on the CPU."
        )


def write_embedding(path: str | Path, embedding: RunEmbedding, features: Features) -> None:
    """Write an embedding with the names of its samples and features as .npz, without pickles."""
    linear = {"components": embedding.components, "variance": embedding.variance}
    arrays = {
        "scores": embedding.scores,
        **{name: array for name, array in linear.items() if array is not None},
        "samples": np.array(features.samples, dtype=str),
        "features": np.array(features.names, dtype=str),
    }
    with atomic_write(path) as tmp, tmp.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def _out_of_bag(
    per_draw: list[tuple[np.ndarray, np.ndarray, np.ndarray]], y: np.ndarray, n_classes: int, classify: Callable
) -> np.ndarray:
    """Average probability of every sample over the draws that left it out; NaN if none did."""
    total, counts = np.zeros((len(y), n_classes)), np.zeros(len(y))
    for kept, left_out, scores in per_draw:
        total[left_out] += classify(scores[kept], y[kept], scores[left_out], n_classes)
        counts[left_out] += 1
    return np.divide(total, counts[:, None], out=np.full_like(total, np.nan), where=counts[:, None] > 0)


def _by_neighbours(train: np.ndarray, y: np.ndarray, test: np.ndarray, n_classes: int) -> np.ndarray:
    from sklearn.neighbors import KNeighborsClassifier

    model = KNeighborsClassifier(min(N_NEIGHBOURS, len(train))).fit(train, y)
    probability = np.zeros((len(test), n_classes))
    probability[:, model.classes_] = model.predict_proba(test)
    return probability


def _by_regression(train: np.ndarray, y: np.ndarray, test: np.ndarray, n_classes: int) -> np.ndarray:
    return fit_ridge_logistic(train, y, n_classes=n_classes).probabilities(test)


# Name in ``models.tsv`` after that of the embedding -> function of training scores, labels, scores and number of
# classes that returns probabilities.
CLASSIFIERS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray, int], np.ndarray]] = {
    "knn": _by_neighbours,
    "logistic": _by_regression,
}

if __name__ == "__main__":
    as_task(make_embedding)

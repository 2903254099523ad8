"""Embeddings of a run's samples, and how well classifiers on them predict, on the same samples as the models.

An embedding is fitted on the samples that may be learnt from: those of the development part or, without a test split,
those that a pass does not leave out of bag. The others are only projected.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..core.blocks import MappedRows, blocks
from ..core.files import atomic_write
from ..core.logistic import fit_ridge_logistic
from ..core.tables import write_json
from ..core.tasks import as_task
from ..errors import InputError
from ..features.splits import draw_out_of_bag
from ..features.store import Features, open_features
from ..io.shards import Shard
from . import evaluation
from .metrics import compute_metrics
from .statistics import value_statistics

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
        "pca", "ppca", "contrastive" or "geneformer".
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
        Of a contrastive embedding: `hidden_units`, `n_epochs`, `dropout`, `temperature`, as in the configuration; of a
        Geneformer: `n_layers`, `n_heads`, `max_tokens`, `n_epochs`.

    Raises
    ------
    InputError
        If there are not enough samples or features for as many components.
    """
    from ..models.distributed import rank_and_size  # with torch

    y, development, test, why = features.y, features.development, features.test, features.metadata["why"]
    fewest = min(features.n_features, int(len(development) * (1 - (0 if len(test) else out_of_bag))) - 1)
    fewest = min(fewest, features.n_features - 1) if kind == "ppca" else fewest
    if kind in ("pca", "ppca") and n_components > fewest:
        raise InputError(
            f"embeddings.{kind}.n_components is {n_components}, but {len(development)} samples of "
            f"{features.n_features} features have at most {fewest} components here. Set it to {fewest} or less."
        )

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
            result = evaluation.evaluate_average(average, samples.labels, features.classes, samples.group_codes, why)
        else:
            probability = classify(scores[development], y[development], scores[test], len(features.classes))
            result = evaluation.evaluate_ensemble([probability], y[test], y[development], features.classes, why)
        metrics[name] = compute_metrics(result, bins, n_resamples, seed, features.names_of(development)).numbers
        lines.append(f"{name}: accuracy {metrics[name]['accuracy']:.3f} on {metrics[name]['n_test']} samples")
    return RunEmbedding(scores, components, variance, metrics, tuple(lines))


def make_embedding(
    store: str,
    embedding: str,
    metrics: str,
    *,
    gpus: int,
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
    features = open_features(store)
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


def _shards(features: Features, rows: np.ndarray) -> tuple[np.ndarray, Shard, Shard]:
    """Names of the features, all samples, and those in some rows."""
    names = np.array(features.names, dtype=object)
    whole = Shard("the features", features.X, pd.DataFrame(index=range(features.X.shape[0])), names)
    chosen = Shard("the features", MappedRows(features.X, rows), pd.DataFrame(index=range(len(rows))), names)
    return names, whole, chosen


def _fit_pca(features: Features, rows: np.ndarray, n_components: int, _seed: int) -> tuple:
    """Scores of all samples, axes and variances of components fitted on some rows."""
    from ..models.pca import IncrementalPCA  # with torch
    from ..models.run import fit, predict

    names, whole, chosen = _shards(features, rows)
    pca = IncrementalPCA(names, n_components)
    fit(pca, chosen)
    components = pca.components_kg.numpy().astype(np.float32)
    return predict(pca, whole)["x_ng"], components, pca.explained_variance_k.numpy()


def _fit_ppca(features: Features, rows: np.ndarray, n_components: int, seed: int) -> tuple:
    """The same of probabilistic components; their axes are the loadings."""
    from ..models.probabilistic_pca import ProbabilisticPCA  # with torch
    from ..models.run import fit, predict

    names, whole, chosen = _shards(features, rows)
    ppca = ProbabilisticPCA(len(rows), names, n_components, "marginalized", seed=seed)
    fit(ppca, chosen)
    return predict(ppca, whole)["z_nk"], ppca.W_kg.numpy().astype(np.float32), ppca.L_k.numpy()


def _fit_contrastive(
    features: Features,
    rows: np.ndarray,
    n_components: int,
    seed: int,
    *,
    hidden_units: int,
    n_epochs: int,
    dropout: float,
    temperature: float,
) -> tuple:
    """Scores of all samples by a contrastive network trained on some rows."""
    import torch

    from ..models.contrastive import ContrastiveMLP
    from ..models.run import fit, predict
    from ..models.transforms import Dropout, Duplicate
    from ..training.runtime import seeded

    names, whole, chosen = _shards(features, rows)
    with seeded(seed):
        network = ContrastiveMLP(len(names), [hidden_units], n_components, temperature)
        size = min(_CONTRASTIVE_BATCH, max(2, len(rows) // 2))
        fit(network, chosen, transforms=[Duplicate(), Dropout(dropout)], epochs=n_epochs, batch_size=size, seed=seed)
        with torch.no_grad():
            scores = predict(network, whole)["x_ng"]
    return scores, None, None


# Cells in a batch of contrastive learning; each is compared with all others of its batch.
_CONTRASTIVE_BATCH = 256


def _fit_geneformer(
    features: Features,
    rows: np.ndarray,
    n_components: int,
    seed: int,
    *,
    n_layers: int,
    n_heads: int,
    max_tokens: int,
    n_epochs: int,
) -> tuple:
    """Scores of all samples by a Geneformer trained on some rows; values are ranked relative to those of the rows."""
    import torch

    from ..models.geneformer import CellEmbedding, Geneformer
    from ..models.run import fit, predict
    from ..models.transforms import DivideByScale, Filter
    from ..training.runtime import seeded

    if n_components % n_heads:
        raise InputError(
            f"embeddings.geneformer.n_components is {n_components}, expected a multiple of n_heads, {n_heads}."
        )
    if any((block.data if sp.issparse(block) else block).min(initial=0) < 0 for _, block in blocks(features.X)):
        raise InputError(
            "embeddings.geneformer: the matrix has negative values, which have no rank among expressed features. Give "
            "counts, or values that are normalised but not centred, or set its n_components to 0."
        )
    names, whole, chosen = _shards(features, rows)
    with TemporaryDirectory() as folder:
        typical = value_statistics(features.X, rows, folder)["median_detected"]
    detected = np.isfinite(typical)  # the others have no place in a list
    names = names[detected]
    ranked = [Filter(names), DivideByScale(torch.from_numpy(typical[detected]), names)]
    with seeded(seed):
        network = Geneformer(
            names, n_components, n_layers, n_heads, 2 * n_components, max_position_embeddings=max_tokens
        )
        fit(network, chosen, transforms=ranked, epochs=n_epochs, batch_size=_GENEFORMER_BATCH, seed=seed)
        scores = predict(CellEmbedding(network), whole, transforms=ranked)["x_ng"]
    return scores, None, None


# Cells in a batch of Geneformer's training. Chosen by hand.
_GENEFORMER_BATCH = 64

# Kind of embedding -> function of features, rows, number of components, seed and options.
FIT: dict[str, Callable[..., tuple]] = {
    "pca": _fit_pca,
    "ppca": _fit_ppca,
    "contrastive": _fit_contrastive,
    "geneformer": _fit_geneformer,
}


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

"""Embeddings of a run, fitted on its samples and kept as folders.

An embedding is fitted on the samples that may be learnt from: those of the development part or, without a test split,
those that a pass does not leave out of bag. The others are only projected (`embedded_samples`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.files import atomic_folder
from ..core.records import write_record
from ..core.tasks import as_task
from ..errors import InputError
from ..features.for_embeddings import check_components
from ..features.splits import draw_out_of_bag
from ..features.store import Features, open_features
from ..io.expression import Expression, open_expression
from .embedded_samples import embed_samples
from .embedding_files import AXES, DRAWS
from .embedding_fits import FIT
from .embedding_reference import Reference, reference_of, write_reference

if TYPE_CHECKING:
    from ..models.fitted_embedding import FittedEmbedding


@dataclass(frozen=True, eq=False)
class RunEmbedding:
    """An embedding fitted on the samples of a run.

    Attributes
    ----------
    fitted
        The embedding, which embeds all samples.
    draws
        (draws, n, k) float32: without a test split, the development samples in the embedding that was fitted without
        those out of bag, for every draw; else None.
    """

    fitted: FittedEmbedding
    draws: np.ndarray | None


def fit_run_embedding(
    features: Features,
    *,
    kind: str = "pca",
    n_components: int,
    out_of_bag: float,
    draws: Sequence[int],
    seed: int,
    expression: Expression | None = None,
    **options: Any,
) -> RunEmbedding:
    """Fit an embedding on the development part of a run.

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
    seed
        Seed of the training.
    expression
        The matrix with the counts, of "scvi".
    options
        Of a trained embedding, as in the configuration: `n_epochs`; of "contrastive" also `hidden_units`, `n_features`,
        `views`, `dropout` and `temperature`; of "geneformer" `n_layers`, `n_heads` and `max_tokens`; of "scvi"
        `hidden_units`, `n_features` and `batch`.

    Raises
    ------
    InputError
        If there are not enough samples or features for as many components, or "scvi" finds no counts.
    """
    development, test = features.development, features.test
    if kind in ("pca", "ppca"):
        n_fitted = int(len(development) * (1 - (0 if len(test) else out_of_bag)))
        check_components(kind, n_components, features.n_features, len(development), n_fitted)
    if expression is not None:
        options["expression"] = expression
    fitted = FIT[kind](features, development, n_components, seed, **options)
    samples, per_draw = features.development_samples, []
    if features.metadata["scheme"] == "repeated":
        for draw in draws:
            kept, _ = draw_out_of_bag(samples.labels, out_of_bag, draw, samples.group_codes)
            of_draw = FIT[kind](features, development[kept], n_components, seed, **options)
            per_draw.append(embed_samples(of_draw, features, expression)[development])
    return RunEmbedding(fitted, np.stack(per_draw) if per_draw else None)


def make_embedding(store: str, folder: str, *, gpus: int, expression: str, kind: str, **options: Any) -> None:
    """Fit an embedding of a run and write it; of several processes the first writes.

    Parameters
    ----------
    store
        Folder of the features.
    folder
        Folder to write.
    gpus
        Number of GPUs that the job asked for; with 0 none is used, even if there is one.
    expression
        expression.h5ad.
    kind, options
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
    features, matrix = open_features(store), open_expression(expression)
    found = fit_run_embedding(features, kind=kind, expression=matrix if kind == "scvi" else None, **options)
    if rank_and_size()[0] == 0:
        print(f"{found.fitted.n_components} components, {len(features.development)} samples")
        write_run_embedding(found, folder, reference_of(kind, features, matrix))


def _check_gpus(gpus: int) -> None:
    import torch

    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if gpus and torch.cuda.device_count() < here:
        raise InputError(
            f"resources.gpus_per_job is {gpus}, one for each process, but torch {torch.__version__} finds "
            f"{torch.cuda.device_count()} GPUs for the {here} on this machine. Set it to 0 to train on the CPU."
        )


def write_run_embedding(embedding: RunEmbedding, folder: str | Path, reference: Reference | None = None) -> None:
    """Write an embedding as a folder, atomically: the embedding, its axes if it is linear, and draws if there are any.

    The axes are (k, g) float32; of "ppca" the loadings. With `reference` it can embed samples that come later, too.
    """
    from ..models.fitted_embedding import write_embedding_model

    kind, network = embedding.fitted.kind, embedding.fitted.network
    axes = {}
    if kind == "pca":
        axes = {"components": network.components_kg, "variance": network.explained_variance_k}
    elif kind == "ppca":
        axes = {"components": network.W_kg, "variance": network.L_k}
    arrays = {name: values.numpy() for name, values in axes.items()}
    with atomic_folder(folder) as tmp:
        write_embedding_model(embedding.fitted, tmp)
        if arrays:
            arrays["components"] = arrays["components"].astype(np.float32)
            write_record(tmp / AXES, {}, arrays)
        if embedding.draws is not None:
            write_record(tmp / DRAWS, {}, {"scores": embedding.draws})
        if reference is not None:
            write_reference(reference, tmp)


if __name__ == "__main__":
    as_task(make_embedding)

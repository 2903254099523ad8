"""Checks between the settings of embeddings and others, for `cross_checks`."""

from __future__ import annotations

from collections.abc import Iterator

from ..core.words import count
from .model_checks import Fault, Settings

# Embeddings that Lightning trains.
TRAINED = ("contrastive", "geneformer", "scvi")


def tasks_of_embeddings(settings: Settings) -> Iterator[Fault]:
    """Every node has as many processes."""
    asked = settings["resources"]
    n_tasks, nodes = asked["gpus_per_job"] or asked["embedding_tasks"], asked["embedding_nodes"]
    if n_tasks % nodes:
        yield Fault(
            ("resources.embedding_nodes", "resources.embedding_tasks", "resources.gpus_per_job"),
            f"`resources.embedding_nodes` is {nodes}, and a job has {count(n_tasks, 'process', 'processes')}; give a "
            "number of nodes that divides it",
        )


def heads_of_geneformer(settings: Settings) -> Iterator[Fault]:
    """Every head of a Geneformer has as many units."""
    options = settings["embeddings"]["geneformer"]
    n_components, n_heads = options["n_components"], options["n_heads"]
    if n_components % n_heads:
        more = (n_components // n_heads + 1) * n_heads
        yield Fault(
            ("embeddings.geneformer.n_components", "embeddings.geneformer.n_heads"),
            f"`embeddings.geneformer.n_components` is {n_components}, and `n_heads` {n_heads}; give a multiple of it, "
            f"such as {more}, or a number of heads that divides it",
        )


def batches_of_scvi(settings: Settings) -> Iterator[Fault]:
    """Latent variables are not freed from what they are to tell."""
    options, column = settings["embeddings"]["scvi"], settings["labels"]["column"]
    if options["n_components"] and options["batch"] and options["batch"] == column:
        yield Fault(
            ("embeddings.scvi.batch", "labels.column"),
            f'`embeddings.scvi.batch` and `labels.column` are both "{column}"; latent variables need not describe a '
            "batch, so they would lose the labels. Name the column of the donor or the run, or none",
        )


def fitted_embeddings(settings: Settings) -> Iterator[Fault]:
    """Embeddings of another run are for cells that its model names."""
    if settings["predict"]["embeddings"] and settings["task"] != "predict":
        yield Fault(
            ("predict.embeddings", "task"),
            "`predict.embeddings` is given; set `task: predict`, or leave it out: in the run that trains, cells to be "
            "named are placed in the embeddings of the section `embeddings`",
        )

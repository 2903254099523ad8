"""Samples that come later, in embeddings that a run has fitted: features found by name, values normalised alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..core.blocks import blocks
from ..core.records import read_record, refuse_damage, write_record
from ..core.words import count
from ..errors import InputError
from ..findings.embedding_reference import Reference, read_reference
from ..io.align import Aligned, align, feature_table
from ..io.shards import Shard
from ..io.units import LINEAR, Units
from .answer import Answer

if TYPE_CHECKING:
    from ..models.fitted_embedding import FittedEmbedding

# Share of the features that an embedding reads above which a caution says that a file lacks them. Chosen by hand.
_MANY = 0.2

# Samples that are embedded at once; chosen by hand.
_AT_ONCE = 2048

_WHAT = "table of embedded samples"


@dataclass(frozen=True, eq=False)
class OpenedEmbedding:
    """An embedding of a run, with what embedding other samples needs.

    Attributes
    ----------
    fitted
        The embedding.
    reference
        The features and values that it was fitted on.
    """

    fitted: FittedEmbedding
    reference: Reference

    @property
    def kind(self) -> str:
        """Kind of the embedding, by which it is named."""
        return self.fitted.kind

    @property
    def read(self) -> np.ndarray:
        """Places of the features that the embedding reads among those of the run."""
        return pd.Index(self.reference.features).get_indexer(list(map(str, self.fitted.var_names_g)))


@dataclass(frozen=True, eq=False)
class Embedded:
    """Samples in an embedding.

    Attributes
    ----------
    scores
        (n, k) float32.
    about
        "n_components"; "n_features" that the embedding reads; "sources": of each file "source", "n_cells" and how many
        of these features are "missing" in it.
    """

    scores: np.ndarray
    about: dict[str, Any]


def open_run_embedding(folder: str | Path) -> OpenedEmbedding:
    """Read an embedding that a run has fitted: a folder such as ``results/embeddings/pca``.

    Raises
    ------
    InputError
        If the folder is not a complete embedding, or does not say how values were normalised.
    """
    from ..models.fitted_embedding import open_embedding  # with torch

    fitted = open_embedding(folder)
    return OpenedEmbedding(fitted, read_reference(folder, list(map(str, fitted.var_names_g))))


def open_run_embeddings(folders: Sequence[str | Path]) -> dict[str, OpenedEmbedding]:
    """Read several embeddings, by kind.

    Raises
    ------
    InputError
        If one of them cannot be read, or two are of one kind.
    """
    found: dict[str, OpenedEmbedding] = {}
    place: dict[str, str | Path] = {}
    for folder in folders:
        opened = open_run_embedding(folder)
        if opened.kind in found:
            raise InputError(
                f"{place[opened.kind]} and {folder} are both embeddings of the kind {opened.kind}, and samples get one "
                "of each kind: leave one of them out."
            )
        found[opened.kind], place[opened.kind] = opened, folder
    return found


def embed_new(embedding: OpenedEmbedding | str | Path, adata: Any, source: str = "the matrix") -> Embedded:
    """Embed samples that an embedding was not fitted on.

    Features are found by name, and values normalised as those of the run. A feature that the samples lack has the mean
    of the run's development part; of "scvi" its mean count, relative to the total of the sample; for "geneformer" it is
    not in the list of a sample.

    Parameters
    ----------
    embedding
        The embedding, or its folder.
    adata
        AnnData or `io.expression.Expression`, with values of the kind that the run analysed (usually raw counts in
        `X`).
    source
        Name of the file, for messages.

    Raises
    ------
    InputError
        If the folder is no embedding, or the values or features do not fit it.

    Warns
    -----
    DeepMapperWarning
        If names that differ were matched, or most features are missing.
    """
    opened = embedding if isinstance(embedding, OpenedEmbedding) else open_run_embedding(embedding)
    return embed_parts(opened, [(source, adata, None)])


def embed_parts(
    embedding: OpenedEmbedding,
    parts: Sequence[tuple[str, Any, np.ndarray | None]],
    sources: Sequence[str] | None = None,
) -> Embedded:
    """Embed samples of several matrices, see `embed_new`.

    Parameters
    ----------
    embedding
        The embedding.
    parts
        Name for messages, matrix, and rows of the matrix (ascending; None for all).
    sources
        Short names of the parts; by default those for messages.
    """
    scores: list[np.ndarray] = [np.empty((0, embedding.fitted.n_components), dtype=np.float32)]
    found: dict[str, Any] = {}
    for (name, adata, rows), source in zip(parts, sources or [name for name, _, _ in parts], strict=True):
        aligned = align_to(embedding, adata, name, rows)
        scores += _scores(embedding, aligned)
        found |= describe_missing(embedding, aligned, source, found.get("sources", ()))
    return Embedded(np.vstack(scores), found)


def embed_target(embedding: OpenedEmbedding, expression: Any, new: Mapping[str, Any], target: Any) -> Embedded:
    """Embed the target samples of a run.

    Parameters
    ----------
    embedding
        An embedding of the run.
    expression
        The matrix of the run, which may hold the first of them.
    new
        The new files, by path.
    target
        Store of the target samples (`features.target.prepare_target`).
    """
    names = [source["source"] for source in target.metadata["sources"]]
    parts: list[tuple[str, Any, np.ndarray | None]] = [(path, adata, None) for path, adata in new.items()]
    if len(names) > len(parts):
        n_own = target.metadata["sources"][0]["n_cells"]
        parts.insert(0, ("the reference", expression, expression.rows_of(target.samples[:n_own])))
    return embed_parts(embedding, parts, names)


def align_to(embedding: OpenedEmbedding, adata: Any, name: str, rows: np.ndarray | None = None) -> Aligned:
    """Bring samples onto the features of the run: normalised, or as counts for "scvi".

    Parameters
    ----------
    embedding
        The embedding.
    adata, rows
        The matrix, and its rows to take (ascending; None for all).
    name
        Of the file, for messages.

    Raises
    ------
    InputError
        If no feature is shared, or the values are of another kind than those of the run, see `io.align.align`.
    """
    scale, var = embedding.reference.scale, feature_table(embedding.reference.features, embedding.reference.ids)
    name = f"{name} (embedding {embedding.kind})"
    aligned = align(adata, var, scale, name, rows)
    if embedding.kind != "scvi" or scale.method == "none":
        return aligned
    # they were found to be counts; for logarithms stands what they are of, scaled to the depth of the run
    units = Units(LINEAR, scale.units.total) if aligned.note and scale.units else None
    return align(adata, var, replace(scale, method="none", is_integer=True, largest=0.0, units=units), name, rows)


def describe_missing(
    embedding: OpenedEmbedding, aligned: Aligned, source: str, others: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Count the features that the embedding reads and a file lacks: `Embedded.about`, with those of `others` first."""
    n_missing = int(np.isin(embedding.read, aligned.missing).sum())
    return {
        "n_components": embedding.fitted.n_components,
        "n_features": len(embedding.read),
        "sources": [*others, {"source": source, "n_cells": len(aligned.names), "missing": n_missing}],
    }


def missing_lines(kind: str, about: Mapping[str, Any]) -> list[str]:
    """Say of every file how many features that the embedding reads it lacks, for the log."""
    of = f"{count(about['n_features'], 'feature', separator=',')} that the embedding {kind} reads"
    return [
        f"{part['source']}: {count(part['n_cells'], 'sample', separator=',')}, {part['missing']:,} of the {of} missing"
        for part in about["sources"]
    ]


def missing_cautions(about: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a caution for every file that lacks many of the features that embeddings read, by kind."""
    lost: dict[str, list[str]] = {}
    for kind, found in about.items():
        for part in found["sources"]:
            if part["missing"] > _MANY * found["n_features"]:
                text = f"{kind}: {part['missing']:,} of {count(found['n_features'], 'feature', separator=',')}"
                lost.setdefault(part["source"], []).append(text)
    return [
        f"{source} lacks many of the features that embeddings read ({'; '.join(texts)}): the places of its samples in "
        "them are less certain."
        for source, texts in lost.items()
    ]


def add_embeddings(found: Answer, embedded: Mapping[str, Embedded]) -> Answer:
    """Add embeddings of the samples to what a model says about them: places, what is missing, and cautions."""
    if not embedded:
        return found
    about = {kind: part.about for kind, part in embedded.items()}
    cautions = [*found.summary["cautions"], *missing_cautions(about)]
    summary = {**found.summary, "cautions": cautions, "embeddings": about}
    return replace(found, summary=summary, embeddings={kind: part.scores for kind, part in embedded.items()})


def write_embedded(found: Embedded, samples: Sequence[str], path: str | Path) -> None:
    """Write embedded samples with their names as .npz, atomically and without pickles."""
    write_record(path, found.about, {"scores": found.scores, "samples": np.array(samples, dtype=str)})


def read_embedded(path: str | Path) -> Embedded:
    """Read what `write_embedded` wrote.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    about, arrays = read_record(path, _WHAT)
    with refuse_damage(path, _WHAT):
        return Embedded(arrays["scores"], about)


def _scores(embedding: OpenedEmbedding, aligned: Aligned) -> list[np.ndarray]:
    """Embed samples, some at a time."""
    found, names, read, start = [], embedding.fitted.var_names_g, embedding.read, 0
    absent = np.isin(read, aligned.missing)
    for _, block in blocks(aligned.values):
        for low in range(0, block.shape[0], _AT_ONCE):
            values = sp.csr_matrix(block[low : low + _AT_ONCE], dtype=np.float32)[:, read]
            depth = aligned.depth[start : start + values.shape[0]]
            start += values.shape[0]
            if absent.any() and embedding.kind != "geneformer":
                values = values + _fill(embedding, aligned, depth)
            obs = pd.DataFrame(index=range(values.shape[0]))
            found.append(embedding.fitted.embed(Shard("the new samples", sp.csr_matrix(values), obs, names)))
    return found


def _fill(embedding: OpenedEmbedding, aligned: Aligned, depth: np.ndarray) -> sp.csr_matrix:
    """Values of the features that samples lack, (n, features that are read); 0 elsewhere."""
    mean, read = embedding.reference.mean, embedding.read
    each = np.ones(len(depth), dtype=np.float32)
    if embedding.kind == "scvi":
        shared = mean.sum(dtype=np.float64) - mean[aligned.missing].sum(dtype=np.float64)
        each = (depth / shared if shared > 0 else 0 * depth).astype(np.float32)
    row = sp.csr_matrix(np.where(np.isin(read, aligned.missing), mean[read], 0).astype(np.float32))
    return sp.csr_matrix(sp.csr_matrix(each[:, None]) @ row)

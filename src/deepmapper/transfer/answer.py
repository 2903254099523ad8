"""All that a model says about target samples: the tables and the summary, the same in a run and from a model folder."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..core.files import atomic_write
from ..errors import DeepMapperWarning, InputError
from ..io.h5_keys import h5_keys
from .genes import gene_table
from .identities import cluster_new, identity_table
from .model import Model
from .naming import Named, name_samples, verdict_table
from .own_cells import n_own, own_caution
from .statement import check_lost, describe_target
from .values import Gap, NewValues, gaps_of, parts_of


@dataclass(frozen=True, eq=False)
class Answer:
    """What a model says about n target samples.

    Attributes
    ----------
    table
        `target.tsv`, one row per sample.
    summary
        `target.json`.
    identities
        `new_identities.tsv`, one row per cluster of new samples.
    genes
        `target_genes.tsv`, one row per label and gene behind it.
    named
        Probabilities of all classes, and more.
    X
        (n, p) normalised values.
    embeddings
        (n, k) places in embeddings that a run has fitted, by name.
    """

    table: pd.DataFrame
    summary: dict[str, Any]
    identities: pd.DataFrame
    genes: pd.DataFrame
    named: Named
    X: np.ndarray | sp.csr_matrix
    embeddings: Mapping[str, np.ndarray] = field(default_factory=dict)


def answer(
    model: Model,
    X: np.ndarray | sp.csr_matrix,
    cells: pd.DataFrame,
    sources: Sequence[Mapping[str, Any]],
    *,
    level: float = 0.05,
    new_identities: bool = True,
    allowed_terms: Sequence[str] = (),
    align: bool = True,
    seed: int = 0,
    device: Any = "cpu",
) -> Answer:
    """Name target samples, judge them, and describe the new ones.

    Parameters
    ----------
    model
        The model.
    X
        (n, p) normalised values, dense or CSR.
    cells
        Columns "cell", "source", "domain", "given", "depth" and "detected", one row per sample.
    sources
        The files, as in `statement.describe_target`.
    level
        Error rate of the verdict "new", and of the sets of labels.
    new_identities
        Whether to cluster the new samples.
    allowed_terms
        Terms of the model's ontology, by id, name or exact synonym: only classes that are one of them, a kind of one,
        or above one, are answers; none for all.
    align
        Whether factors by which the features of a file differ from the reference are removed where they are large.
    seed
        Of the comparison of target and reference, and of what is drawn if there are many samples.
    device
        To compute on.

    Raises
    ------
    InputError
        If a file lacks features with most of the importance, or terms are not those of the model's ontology.

    Warns
    -----
    DeepMapperWarning
        If a file lacks features with much of it, or has samples from which the model learned.
    """
    for source in sources:
        if caution := check_lost(model, source):
            warnings.warn(caution, DeepMapperWarning, stacklevel=2)
    gaps = gaps_of(sources, model)
    sources = [{**source, "n_own": _n_own(model, X, gap)} for source, gap in zip(sources, gaps, strict=True)]
    for source in sources:
        if caution := own_caution(source["source"], source["n_own"], source["n_cells"]):
            warnings.warn(caution, DeepMapperWarning, stacklevel=2)
    usable, values = usable_classes(model, allowed_terms), NewValues(X, model, gaps)
    named = name_samples(values, level, seed, device, usable, align)
    values = values if named.aligned is None else named.aligned.values
    identity = np.full(len(cells), "", dtype=object)
    if new_identities:
        identity = cluster_new(named, values, seed)
    table = verdict_table(named, model, cells, identity.tolist())
    summary = describe_target(named, table, model, level, sources)
    identities = identity_table(identity, named, values, cells)
    return Answer(table, summary, identities, gene_table(model, table, identities, X, sources), named, X)


def _n_own(model: Model, X: Any, gap: Gap) -> int:
    return n_own(model.own, model.scale.share, parts_of(X, gap.rows), gap.columns, sum(model.sizes.values()))


def usable_classes(model: Model, allowed_terms: Sequence[str]) -> np.ndarray | None:
    """Return which classes may be answers, (C,); None for all.

    Raises
    ------
    InputError
        If the model has no ontology, or the terms are not of it.
    """
    if not allowed_terms:
        return None
    if model.terms is None:
        raise InputError(
            "labels.ontology.allowed: the model has no ontology, so its answers cannot be restricted to terms. Export "
            "it again with labels.ontology.path, or leave the terms out."
        )
    return model.terms.usable(allowed_terms)


def write_annotated(found: Answer, model: Model, path: str | Path) -> None:
    """Write the target samples as .h5ad: normalised values, and the answer in `obs` (`deepmapper_*`) and `obsm`.

    Parameters
    ----------
    found
        The answer.
    model
        The model.
    path
        The file to write, atomically.
    """
    import anndata

    table = found.table.set_index("cell")
    obs = pd.DataFrame(index=table.index.astype(str).rename(None))
    terms = [name for name in ("term", "term_name", "term_probability") if name in table]
    for name in ("label", "probability", "verdict", "q", "p", "set", *terms, "nearest"):
        values = table[name]
        obs[f"deepmapper_{name}"] = pd.Categorical(values.fillna("")) if values.dtype.kind == "O" else values.to_numpy()
    for name in ("source", "domain"):
        obs[name] = pd.Categorical(table[name].fillna(""))
    adata = anndata.AnnData(sp.csr_matrix(found.X), obs=obs, var=pd.DataFrame(index=list(model.features)))
    adata.obsm["X_deepmapper"] = found.named.coordinates.astype(np.float32)
    adata.obsm["deepmapper_probability"] = pd.DataFrame(
        found.named.probability, index=obs.index, columns=h5_keys(model.classes)
    )
    for name, places in found.embeddings.items():
        adata.obsm[f"X_{name}"] = places
    with atomic_write(path) as tmp:
        adata.write_h5ad(tmp, compression="gzip")

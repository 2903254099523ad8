"""Counts that an embedding of a run reads: those of the features that vary most, copied to a file block by block."""

from __future__ import annotations

import tempfile

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..core.blocks import MappedRows, blocks
from ..core.mapped_copy import mapped_csr
from ..errors import InputError
from ..features.for_embeddings import check_counts
from ..features.store import Features
from ..io.expression import Expression
from ..io.shards import Shard


def counts_of(features: Features, rows: np.ndarray, expression: Expression, n_features: int) -> Shard:
    """Counts of some samples, of the features that vary most among them; memory-mapped from a temporary file.

    The matrix is read in blocks, so the memory needed does not grow with the samples, nor with the features.

    Parameters
    ----------
    features
        Features of the run.
    rows
        Rows of the features, ascending.
    expression
        The matrix from which the features were prepared.
    n_features
        Number of features; 0 for all.

    Raises
    ------
    InputError
        If the matrix has other features, or does not hold counts; those of all samples are looked at.
    """
    learnt = stored_counts(features, expression, rows)
    columns, names = np.arange(len(learnt.var_names)), learnt.var_names
    n_stored = _n_stored(features, expression, rows)
    if n_features and n_features < len(names):
        columns = _most_variable(learnt, n_features)
    parts = (block[:, columns] for _, block in blocks(learnt.X))
    copy = mapped_csr(parts, int(n_stored[columns].sum()), len(columns), tempfile.gettempdir())
    return Shard(learnt.name, copy, learnt.obs, names[columns])


def stored_counts(features: Features, expression: Expression, rows: np.ndarray) -> Shard:
    """Counts of some rows of the features, which stay in the file of the matrix.

    Raises
    ------
    InputError
        If the matrix has other features.
    """
    names = np.array(features.names, dtype=object)
    if not np.array_equal(names, np.asarray(expression.var_names.astype(str), dtype=object)):
        raise InputError("embeddings.scvi: the features are not those of expression.h5ad; run prepare_features again.")
    stored = expression.rows_of(features.names_of(rows))
    counts = MappedRows(expression.X, stored, lambda block, _: sp.csr_matrix(block, dtype=np.float32))
    return Shard("the counts", counts, pd.DataFrame(index=range(len(rows))), names)


def _n_stored(features: Features, expression: Expression, rows: np.ndarray) -> np.ndarray:
    """Refuse values that are no counts, in any sample; return the number of stored values of each feature in rows."""
    n_stored = np.zeros(features.n_features, dtype=np.int64)
    normalization = features.metadata.get("normalization", "")
    is_chosen = np.zeros(len(features.y), dtype=bool)
    is_chosen[rows] = True
    for place, block in blocks(stored_counts(features, expression, np.arange(len(features.y))).X):
        fractions = not np.array_equal(block.data, np.rint(block.data))
        check_counts(bool(block.data.min(initial=0) < 0), fractions, normalization)
        n_stored += np.bincount(block[is_chosen[place]].indices, minlength=len(n_stored))
    return n_stored


def _most_variable(learnt: Shard, n_features: int) -> np.ndarray:
    """Columns of the features that vary most, ascending."""
    from ..models.run import fit  # with torch
    from ..models.variable_genes import HVGSeuratV3

    fit(chooser := HVGSeuratV3(learnt.var_names, n_features, output_path=None), learnt)
    return np.flatnonzero(chooser.hvg_df["highly_variable"].to_numpy())

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
    """Counts of all samples, of the features that vary most among some rows; memory-mapped from a temporary file.

    The matrix is read in blocks, so the memory needed does not grow with the samples, nor with the features.

    Parameters
    ----------
    features
        Features of the run.
    rows
        Rows among which features are chosen.
    expression
        The matrix from which the features were prepared.
    n_features
        Number of features; 0 for all.

    Raises
    ------
    InputError
        If the matrix has other features, or does not hold counts.
    """
    names, stored = np.array(features.names, dtype=object), expression.rows_of(features.samples)
    if not np.array_equal(names, np.asarray(expression.var_names.astype(str), dtype=object)):
        raise InputError("embeddings.scvi: the features are not those of expression.h5ad; run prepare_features again.")
    counts = MappedRows(expression.X, stored, lambda block, _: sp.csr_matrix(block, dtype=np.float32))
    n_stored = _n_stored(counts, features.metadata.get("normalization", ""))
    columns = np.arange(len(names))
    if n_features and n_features < len(names):
        learnt = MappedRows(expression.X, stored[rows], counts.transform)
        columns = _most_variable(Shard("the counts", learnt, pd.DataFrame(index=range(len(rows))), names), n_features)
    parts = (block[:, columns] for _, block in blocks(counts))
    copy = mapped_csr(parts, int(n_stored[columns].sum()), len(columns), tempfile.gettempdir())
    return Shard("the counts", copy, pd.DataFrame(index=range(copy.shape[0])), names[columns])


def _n_stored(counts: MappedRows, normalization: str) -> np.ndarray:
    """Refuse values that are no counts; return the number of stored values of each feature."""
    n_stored = np.zeros(counts.shape[1], dtype=np.int64)
    for _, block in blocks(counts):
        fractions = not np.array_equal(block.data, np.rint(block.data))
        check_counts(bool(block.data.min(initial=0) < 0), fractions, normalization)
        n_stored += np.bincount(block.indices, minlength=len(n_stored))
    return n_stored


def _most_variable(learnt: Shard, n_features: int) -> np.ndarray:
    """Columns of the features that vary most, ascending."""
    from ..models.run import fit  # with torch
    from ..models.variable_genes import HVGSeuratV3

    fit(chooser := HVGSeuratV3(learnt.var_names, n_features, output_path=None), learnt)
    return np.flatnonzero(chooser.hvg_df["highly_variable"].to_numpy())

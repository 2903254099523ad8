"""The samples of a run in an embedding that was fitted: all, or those of one shard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..core.blocks import MappedRows
from ..errors import InputError
from ..features.store import Features
from ..io.expression import Expression
from ..io.shards import Shard
from .embedding_counts import stored_counts

if TYPE_CHECKING:
    from ..models.fitted_embedding import FittedEmbedding


def embed_samples(
    embedding: FittedEmbedding, features: Features, expression: Expression | None = None, rows: range | None = None
) -> np.ndarray:
    """Embed samples of a run.

    Parameters
    ----------
    embedding
        The embedding.
    features
        Features of the run.
    expression
        The matrix from which they were prepared, of "scvi".
    rows
        Consecutive rows of the features; None for all.

    Returns
    -------
    numpy.ndarray
        (n, k) float32.
    """
    rows = range(len(features.y)) if rows is None else rows
    if embedding.kind == "scvi":
        if expression is None:
            raise InputError("embeddings.scvi reads counts: pass the expression matrix.")
        return embedding.embed(stored_counts(features, expression, np.asarray(rows)))
    X = features.X if len(rows) == len(features.y) else MappedRows(features.X, np.asarray(rows))
    names = np.array(features.names, dtype=object)
    return embedding.embed(Shard("the features", X, pd.DataFrame(index=range(len(rows))), names))


def rows_of_shard(features: Features, expression: Expression, first: int, last: int) -> range:
    """Rows of the features whose samples are in some rows of the matrix, from the first to the one before the last.

    The features have the order of the matrix.
    """
    stored = expression.rows_of(features.samples)
    start, stop = np.searchsorted(stored, [first, last])
    return range(int(start), int(stop))

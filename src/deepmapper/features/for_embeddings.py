"""What embeddings need of samples and values: asked before any job, and by the job that fits one."""

from __future__ import annotations

import pandas as pd

from ..core.words import count
from ..errors import InputError
from .prepare import column_of

BATCH = "embeddings.scvi.batch"


def check_components(kind: str, n_components: int, n_features: int | None, n_samples: int, n_fitted: int) -> None:
    """Refuse more components than there can be.

    Parameters
    ----------
    kind
        "pca" or "ppca", which needs a component less than features.
    n_components
        Number of components.
    n_features
        Number of features; None if it is not known yet.
    n_samples, n_fitted
        Samples of the development part, and how many of them components are fitted on.

    Raises
    ------
    InputError
        If there are too many.
    """
    most = n_fitted - 1
    if n_features is not None:
        most = min(most, n_features - (kind == "ppca"))
    if n_components > most:
        of_features = "" if n_features is None else f" of {count(n_features, 'feature')}"
        raise InputError(
            f"embeddings.{kind}.n_components is {n_components}, but {count(n_samples, 'sample')}{of_features} have at "
            f"most {count(most, 'component')} here. Set it to {most} or less."
        )


def check_counts(negative: bool, fractions: bool, normalization: str) -> None:
    """Refuse values that are no counts for "scvi".

    Estimated counts have fractions; but if the values are analysed as they are, fractions say that they are no counts.

    Parameters
    ----------
    negative, fractions
        Whether there are negative values, and values that are not whole numbers.
    normalization
        `features.normalization`.

    Raises
    ------
    InputError
        If they are none.
    """
    if negative or (fractions and normalization == "none"):
        raise InputError(
            "embeddings.scvi reads counts, and the matrix has others: give a matrix of counts with a "
            "`features.normalization`, or set embeddings.scvi.n_components to 0."
        )


def check_ranks(negative: bool) -> None:
    """Refuse values that have no rank among expressed features, for "geneformer".

    Raises
    ------
    InputError
        If there are negative values.
    """
    if negative:
        raise InputError(
            "embeddings.geneformer: the matrix has negative values, which have no rank among expressed features. Give "
            "counts, or values that are normalised but not centred, or set its n_components to 0."
        )


def batches_of_samples(obs: pd.DataFrame, name: str) -> pd.Series:
    """Return the batches of samples for "scvi".

    Raises
    ------
    InputError
        If there is no such column, or a sample has no batch.
    """
    column = column_of(obs, name, BATCH)
    empty = column.index[column.isna()]
    if len(empty):
        raise InputError(
            f"{BATCH}: column '{name}' is empty for {count(len(empty), 'sample')}, the first is '{empty[0]}': expected "
            "a batch for every sample. Fill them in, or leave those samples out."
        )
    return column

"""New samples in clusters, each described by its genes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..core.moments import Moments
from .model import Model
from .naming import NEW, Named
from .spaces import as_array

# Chosen by hand: samples per cluster, genes that describe one, components in which they are clustered, and clusters.
_SMALLEST, _N_GENES, _N_COMPONENTS, _MOST_CLUSTERS = 5, 10, 10, 12


IDENTITY_COLUMNS = (
    *("identity", "n_cells", "nearest", "share_nearest", "genes", "mean_p", "sources", "domains", "depth", "detected"),
)


def cluster_new(named: Named, X: np.ndarray | sp.csr_matrix, columns: np.ndarray, seed: int = 0) -> np.ndarray:
    """Cluster the new samples: a mixture of normal distributions, with as many as the Bayesian criterion prefers.

    They are clustered in principal components of their own, since those of the reference were not made to tell new
    identities apart.

    Parameters
    ----------
    named
        Result of `naming.name_samples`.
    X
        (n, p) normalised values of all samples.
    columns
        Columns to use.
    seed
        Of the decomposition and the mixtures.

    Returns
    -------
    numpy.ndarray
        (n,) "new_1" (the largest cluster), "new_2", ...; "" for samples that are not new, or if these are too few.
    """
    from sklearn.decomposition import PCA
    from sklearn.mixture import GaussianMixture

    identity = np.full(X.shape[0], "", dtype=object)
    new = np.flatnonzero(named.verdict == NEW)
    if len(new) < _SMALLEST:
        return identity
    dense = as_array(X[new][:, columns]).astype(np.float64)
    n_components = max(1, min(_N_COMPONENTS, len(new) // _SMALLEST, dense.shape[1]))
    places = PCA(n_components, random_state=seed).fit_transform(dense)
    most = min(_MOST_CLUSTERS, len(new) // _SMALLEST)
    mixtures = [
        GaussianMixture(k, covariance_type="diag", n_init=3, reg_covar=1e-3, random_state=seed).fit(places)
        for k in range(1, most + 1)
    ]
    codes = min(mixtures, key=lambda mixture: mixture.bic(places)).predict(places)
    order = np.argsort(-np.bincount(codes), kind="stable")
    for number, code in enumerate(order, start=1):
        identity[new[codes == code]] = f"{NEW}_{number}"
    return identity


def identity_table(
    identity: np.ndarray, named: Named, X: np.ndarray | sp.csr_matrix, model: Model, cells: pd.DataFrame
) -> pd.DataFrame:
    """Return `new_identities.tsv`: one row per cluster of new samples.

    Its genes are those with the largest Welch t against all named samples of the target, or, if there are fewer than
    ten of these, with the largest difference from the mean of the nearest class.

    Parameters
    ----------
    identity
        Result of `cluster_new`.
    named, X, model
        As in `cluster_new`.
    cells
        Columns "source" and "domain" of the samples.
    """
    nearest = np.nan_to_num(named.probability).argmax(1)
    others = np.flatnonzero(np.isin(named.verdict, ["assigned", "ambiguous"]))
    rows = []
    for name in sorted({name for name in identity if name}, key=lambda text: int(text.rpartition("_")[2])):
        members = np.flatnonzero(identity == name)
        counts = np.bincount(nearest[members], minlength=len(model.classes))
        code = int(counts.argmax())
        strength = _strength(X, members, others, model.class_mean[code])
        order = np.argsort(-strength, kind="stable")[:_N_GENES]
        rows.append(
            {
                "identity": name,
                "n_cells": len(members),
                "nearest": model.classes[code],
                "share_nearest": counts[code] / len(members),
                "genes": ",".join(model.features[i] for i in order if strength[i] > 0),
                "mean_p": float(named.p[members].mean()),
                "sources": ",".join(sorted(set(cells["source"].iloc[members].astype(str)))),
                "domains": ",".join(sorted(set(cells["domain"].iloc[members].astype(str)))),
                "depth": float(cells["depth"].iloc[members].median()),
                "detected": float(cells["detected"].iloc[members].median()),
            }
        )
    return pd.DataFrame(rows, columns=IDENTITY_COLUMNS)


def _strength(X, members: np.ndarray, others: np.ndarray, class_mean: np.ndarray) -> np.ndarray:
    """How much higher every feature is in the members than in others, or than on average in the nearest class."""
    own = _moments(X, members)
    if len(others) < 10 or len(members) < 2:
        return own.mean - np.nan_to_num(class_mean)
    other = _moments(X, others)
    spread = own.variance(1) / own.n + other.variance(1) / other.n
    # a feature that hardly varies would have an endless t
    return (own.mean - other.mean) / np.sqrt(spread + (np.median(spread[spread > 0]) if (spread > 0).any() else 1.0))


def _moments(X, rows: np.ndarray) -> Moments:
    moments = Moments(X.shape[1], keep=("deviations",))
    for start in range(0, len(rows), 1024):
        moments.update(X[rows[start : start + 1024]])
    return moments

"""New samples in clusters, each described by its genes.

The clusters are communities of the graph in which samples are joined that share neighbours (Levine et al. 2015, doi
10.1016/j.cell.2015.05.047), by the method of Louvain (Blondel et al. 2008, doi 10.1088/1742-5468/2008/10/P10008).
"""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..core.arrays import dense
from ..core.draws import Draw, integer_seed, stream
from .markers import groups_of_classes, markers
from .naming import AMBIGUOUS, ASSIGNED, NEW, Named
from .spaces import own_axes
from .values import NewValues

# Neighbours of a sample, principal components, and the resolution: chosen with benchmarks/new_clusters.py. Samples of
# the smallest cluster, and samples from which clusters are made, the others being added to them: chosen by hand.
_NEIGHBOURS, _N_COMPONENTS, _RESOLUTION = 10, 10, 0.15
_SMALLEST, _MOST = 5, 10_000


IDENTITY_COLUMNS = (
    *("identity", "n_cells", "nearest", "share_nearest", "genes", "mean_p", "sources", "domains", "depth", "detected"),
)


def cluster_new(named: Named, values: NewValues, seed: int = 0) -> np.ndarray:
    """Cluster the new samples, into as many clusters as there are communities.

    They are clustered in principal components of their own, since those of the reference were not made to tell new
    identities apart, and by features that all their files have.

    Parameters
    ----------
    named
        Result of `naming.name_samples`.
    values
        Values of all n samples.
    seed
        Of the communities, and of the samples that are drawn if there are more than 10,000.

    Returns
    -------
    numpy.ndarray
        (n,) "new_1" (the largest cluster), "new_2", ..., without names that a class has; "" for samples that are not
        new, and for those of clusters with fewer than 5 samples.
    """
    identity = np.full(values.X.shape[0], "", dtype=object)
    new = np.flatnonzero(named.verdict == NEW)
    if len(new) < _SMALLEST:
        return identity
    codes = communities(values.take(new)[:, _shared_columns(values, new)], seed)
    sizes = np.bincount(codes)
    large = [code for code in np.argsort(-sizes, kind="stable") if sizes[code] >= _SMALLEST]
    names = (name for i in itertools.count(1) if (name := f"{NEW}_{i}") not in values.model.classes)
    for code, name in zip(large, names, strict=False):
        identity[new[codes == code]] = name
    return identity


def _shared_columns(values: NewValues, rows: np.ndarray) -> np.ndarray:
    """Features that all files with some of the rows have; all features if there are none."""
    shared = np.ones(values.X.shape[1], dtype=bool)
    for gap in values.gaps:
        if ((rows >= gap.rows.start) & (rows < gap.rows.stop)).any():
            shared[gap.columns] = False
    return np.flatnonzero(shared) if shared.any() else np.arange(len(shared))


def communities(values: np.ndarray | sp.csr_matrix, seed: int) -> np.ndarray:
    """Return the community of every sample, (n,) codes from 0.

    Parameters
    ----------
    values
        (n, p) values.
    seed
        Of the order in which samples are considered.
    """
    from sklearn.neighbors import NearestNeighbors

    n = values.shape[0]
    drawn = np.arange(n)
    if n > _MOST:
        drawn = np.sort(stream(seed, Draw.NEW_CLUSTERS).choice(n, _MOST, replace=False))
    columns, mean, axes = own_axes(values[drawn], _N_COMPONENTS)
    blocks = (values[start : start + _MOST][:, columns] for start in range(0, n, _MOST))
    places = np.concatenate([(dense(block) - mean) @ axes for block in blocks])
    k = min(_NEIGHBOURS, len(drawn) - 1)
    if not k:
        return np.zeros(n, dtype=np.int64)
    search = NearestNeighbors(n_neighbors=k + 1).fit(places[drawn])
    found = _louvain(search.kneighbors(places[drawn], return_distance=False), integer_seed(seed, Draw.NEW_CLUSTERS))
    if n == len(drawn):
        return found
    near = found[search.kneighbors(places, return_distance=False)]
    codes = np.array([np.bincount(row).argmax() for row in near])
    codes[drawn] = found
    return codes


def _louvain(near: np.ndarray, seed: int) -> np.ndarray:
    """Communities of n samples by their (n, k) nearest ones; the share of neighbours that two have in common counts."""
    import networkx

    n, k = near.shape
    joined = sp.csr_matrix((np.ones(n * k), (np.repeat(np.arange(n), k), near.ravel())), shape=(n, n))
    joined = ((joined + sp.eye(n)) > 0).astype(np.float64)
    size, common = np.asarray(joined.sum(1)).ravel(), (joined @ joined.T).multiply((joined + joined.T) > 0).tocoo()
    weight = common.data / (size[common.row] + size[common.col] - common.data)
    upper = common.row < common.col
    graph = networkx.Graph()
    graph.add_nodes_from(range(n))
    edges = (common.row[upper].tolist(), common.col[upper].tolist(), weight[upper].tolist())
    graph.add_weighted_edges_from(zip(*edges, strict=True))
    codes = np.empty(n, dtype=np.int64)
    for code, members in enumerate(networkx.community.louvain_communities(graph, resolution=_RESOLUTION, seed=seed)):
        codes[list(members)] = code
    return codes


def identity_table(identity: np.ndarray, named: Named, values: NewValues, cells: pd.DataFrame) -> pd.DataFrame:
    """Return `new_identities.tsv`: one row per cluster of new samples.

    Parameters
    ----------
    identity
        Result of `cluster_new`.
    named, values
        As there.
    cells
        Columns "source" and "domain" of the samples.
    """
    model = values.model
    nearest = np.nan_to_num(named.probability).argmax(1)
    is_named = np.isin(named.verdict, [ASSIGNED, AMBIGUOUS])
    names = sorted({name for name in identity if name}, key=lambda text: int(text.rpartition("_")[2]))
    by_class = [np.flatnonzero(is_named & (nearest == code)) for code in range(len(model.classes))]
    groups = groups_of_classes(values, by_class) if names else []
    rows = []
    for name in names:
        members = np.flatnonzero(identity == name)
        counts = np.bincount(nearest[members], minlength=len(model.classes))
        code = int(counts.argmax())
        rows.append(
            {
                "identity": name,
                "n_cells": len(members),
                "nearest": model.classes[code],
                "share_nearest": counts[code] / len(members),
                "genes": ",".join(model.features[i] for i in markers(values, members, groups)),
                "mean_p": float(named.p[members].mean()),
                "sources": ",".join(sorted(set(cells["source"].iloc[members].astype(str)))),
                "domains": ",".join(sorted(set(cells["domain"].iloc[members].dropna().astype(str)))),
                "depth": float(cells["depth"].iloc[members].median()),
                "detected": float(cells["detected"].iloc[members].median()),
            }
        )
    return pd.DataFrame(rows, columns=IDENTITY_COLUMNS)

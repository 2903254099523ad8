"""Clusters of new cells beside the classes that they are of, on cells of one, two and three classes of a study.

    python benchmarks/new_clusters.py pbmc3k.h5ad --column cell_type --leave-out unlabelled
    python benchmarks/new_clusters.py zheng2017_facs10.h5ad --column facs_population

The cells of every class alone, and of some sets of two and three, stand for those with the verdict new: at most 30,
and at most 150, of each class. The table has the mean number of clusters, how often it is that of the classes, and the
adjusted Rand index; with one class, the index is 1 for one cluster and else 0.
"""

import argparse
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.metrics import adjusted_rand_score

from deepmapper.io.normalize import normalize_matrix
from deepmapper.transfer.identities import communities

SIZES, PAIRS, TRIPLES = (30, 150), 6, 4


def read(path, column, left_out):
    """Log-normalised counts, and labels."""
    adata = anndata.read_h5ad(path)
    labels = adata.obs[column].astype(str).to_numpy()
    kept = ~np.isin(labels, left_out)
    counts = sp.csr_matrix(adata.X, dtype=np.float32)[kept]
    return normalize_matrix(counts, "log1p_median"), labels[kept]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--column", required=True)
    parser.add_argument("--leave-out", nargs="*", default=[])
    options = parser.parse_args()
    values, labels = read(options.path, options.column, options.leave_out)
    rng, classes = np.random.default_rng(0), sorted(set(labels))
    sets = [[name] for name in classes]
    for n, times in ((2, PAIRS), (3, TRIPLES)):
        sets += [list(rng.choice(classes, n, replace=False)) for _ in range(times)]
    rows = []
    for names in sets:
        for size in SIZES:
            cells = np.concatenate([rng.permutation(np.flatnonzero(labels == name))[:size] for name in names])
            found = communities(values[cells], 0)
            n = len(set(found))
            index = adjusted_rand_score(labels[cells], found) if len(names) > 1 else float(n == 1)
            rows.append({"classes": len(names), "cells": size, "clusters": n, "right": n == len(names), "index": index})
    table = pd.DataFrame(rows).groupby(["classes", "cells"]).mean()
    print(table.round(2).to_string())


if __name__ == "__main__":
    main()

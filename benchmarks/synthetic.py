"""A study of any size for measurements of scale, written piece by piece: counts of cells, a twentieth not zero.

    python benchmarks/synthetic.py study.h5ad --cells 100000 --features 30000

Every run of twenty features has one that is not zero in a cell, so each row holds the same number of values. Ten
markers a class are there in half of the cells of their class and in a twentieth of the others: what finds them can be
judged. The same arguments give the same file.
"""

import argparse
from pathlib import Path

import numpy as np
import scipy.sparse as sp

ONE_IN = 20  # of so many features one is not zero
CLASSES, MARKERS = 4, 10
SHARE = 0.5  # of the cells of its class in which a marker is there
AT_ONCE = 2**24  # values made at a time
# counts of 1 and more, each half as frequent as the one before
_COUNTS = 1 + np.minimum(np.floor(-np.log2((np.arange(256) + 1) / 256)), 8).astype(np.float32)


def labels(cells, seed=0):
    """Class of every cell, (cells,) int64; equally many of each, in a drawn order."""
    return np.random.default_rng([seed, 0]).permutation(np.arange(cells) % CLASSES)


def marker(code, number):
    """Position of marker `number` of class `code`."""
    return ONE_IN * (code * MARKERS + number) + 3


def blocks(cells, features, seed=0):
    """Yield the counts, some cells at a time, as CSR float32."""
    y, per_cell = labels(cells, seed), features // ONE_IN
    if per_cell < CLASSES * MARKERS:
        raise SystemExit(f"{features} features: expected at least {ONE_IN * CLASSES * MARKERS}")
    rows = max(1, AT_ONCE // per_cell)
    for number, start in enumerate(range(0, cells, rows)):
        of_class = y[start : start + rows]
        rng = np.random.default_rng([seed, 1, number])
        place = rng.integers(0, ONE_IN, (len(of_class), per_cell), dtype=np.uint8)
        for code in range(CLASSES):
            mine = np.ix_(np.flatnonzero(of_class == code), code * MARKERS + np.arange(MARKERS))
            shown = place[mine]
            shown[rng.random(shown.shape) < SHARE] = 3
            place[mine] = shown
        indices = (np.arange(per_cell, dtype=np.int32) * ONE_IN + place).ravel()
        values = _COUNTS[rng.integers(0, 256, len(indices), dtype=np.uint8)]
        indptr = np.arange(len(of_class) + 1, dtype=np.int64) * per_cell
        yield sp.csr_matrix((values, indices, indptr), shape=(len(of_class), features))


def write(path, cells, features, seed=0):
    """Write an h5ad with the counts in X, uncompressed, and the classes in obs["state"]."""
    import anndata
    import h5py
    import pandas as pd

    names = [f"class{code}" for code in range(CLASSES)]
    obs = pd.DataFrame({"state": pd.Categorical.from_codes(labels(cells, seed), names)})
    obs.index = [f"cell{i}" for i in range(cells)]
    anndata.AnnData(obs=obs, var=pd.DataFrame(index=[f"gene{i}" for i in range(features)])).write_h5ad(path)
    n_values = cells * (features // ONE_IN)
    with h5py.File(path, "r+") as file:
        if "X" in file:
            del file["X"]
        group = file.create_group("X")
        group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0"})
        group.attrs["shape"] = np.array([cells, features])
        data = group.create_dataset("data", (n_values,), np.float32)
        indices = group.create_dataset("indices", (n_values,), np.int32)
        group["indptr"] = np.arange(cells + 1, dtype=np.int64) * (features // ONE_IN)
        start = 0
        for block in blocks(cells, features, seed):
            data[start : start + block.nnz] = block.data
            indices[start : start + block.nnz] = block.indices
            start += block.nnz


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--features", type=int, default=30_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    write(options.path, options.cells, options.features, options.seed)


if __name__ == "__main__":
    main()

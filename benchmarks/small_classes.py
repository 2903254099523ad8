"""Error rate of the test between cells where one class is small: rank sums alone, and with exact p of rare features.

    python benchmarks/small_classes.py --draws 8

3,000 cells × 1,500 genes, log-normal means, negative binomial (dispersion 0.5) with depths that differ; 60 genes are
four times as high in the small class. Lists at q of 0.1 or less: share of the true genes found, share of the list that
is false, and share of the draws in which shuffled labels give any list.
"""

import argparse
import warnings

import numpy as np
import pandas as pd
from scipy import sparse

from deepmapper.differential import rank_sum
from deepmapper.differential.contrasts import REST
from deepmapper.io.normalize import normalize_matrix

CELLS, GENES, TRUE, LEVEL = 3000, 1500, 60, 0.1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--sizes", type=int, nargs="+", default=[5, 9, 20, 40], help="cells of the small class")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows, expected = [], rank_sum._EXPECTED
    for size in options.sizes:
        for draw in range(options.draws):
            values, y, shuffled = study(draw, size)
            for name, bound in (("rank sums alone", 0), ("with exact p", expected)):
                rank_sum._EXPECTED = bound
                listed, by_chance = (test(values, labels) for labels in (y, shuffled))
                found, false = listed[:TRUE].mean(), listed[TRUE:].sum() / max(1, listed.sum())
                rows.append({"cells": size, "p": name, "found": found, "false": false, "shuffled": by_chance.any()})
    print(pd.DataFrame(rows).groupby(["cells", "p"]).mean().round(2).to_string())


def study(draw, size):
    """Normalised values, labels of which the first `size` cells are 1, and the same labels shuffled."""
    rng = np.random.default_rng([draw, size])
    y = (np.arange(CELLS) < size).astype(np.int64)
    mean = np.exp(rng.normal(-2.0, 1.3, GENES)) * rng.lognormal(0, 0.3, (CELLS, 1))
    mean[:size, :TRUE] *= 4
    counts = sparse.csr_matrix(rng.poisson(rng.gamma(2.0, mean / 2)).astype(np.float32))
    return normalize_matrix(counts, "log1p_median"), y, rng.permutation(y)


def test(values, y):
    """Which genes are in the list."""
    return (rank_sum.rank_sum_tests(values, y, ("most", "few"), [("few", REST)])[0]["q"] <= LEVEL).to_numpy()


if __name__ == "__main__":
    main()

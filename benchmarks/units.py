"""How closely the sums of normalised cells agree, and what is recognised of base and total.

    python benchmarks/units.py --pbmc3k FILE --zheng FILE

First, for every base and total, the relative deviation from the total that 95 % of the cells stay below, after rounding
as files are, and the share of the cells that are within .001 of the median under the closest wrong base. Then samples
of cells that do not have the same total, none of which should be taken for scaled ones.
"""

import argparse
from pathlib import Path

import anndata
import numpy as np
import scipy.sparse as sp

from deepmapper.io.units import BASES, LINEAR, SumsOfSamples, Units

ROUNDED = {
    "float32": lambda x: x, "float16": lambda x: x.astype(np.float16), "3 decimals": lambda x: x.round(3),
    "2 decimals": lambda x: x.round(2),
}  # fmt: skip


def scaled(counts, total):
    own = np.asarray(counts.sum(1)).ravel()
    return sp.csr_matrix(sp.diags(total / np.maximum(own, 1)) @ counts)


def logged(X, base, rounded=lambda x: x):
    X = X.copy()
    X.data = rounded(Units(base, 1.0).apply(X.data).astype(np.float32)).astype(np.float32)
    return X


def deviations(X, base):
    """Relative deviation of the sum of every cell from the median."""
    X = X.copy()
    X.data = Units(base, 1.0).undo(X.data)
    sums = np.asarray(X.sum(1)).ravel()
    return np.abs(sums / np.median(sums) - 1)


def units_of(X):
    sums = SumsOfSamples()
    sums.update(X)
    return sums.units()


def closeness(name, counts):
    for total in (1e3, float(np.median(np.asarray(counts.sum(1)))), 1e4, 1e6):
        for base in BASES:
            logs = {how: logged(scaled(counts, total), base, change) for how, change in ROUNDED.items()}
            wrong = [other for other in (*BASES, LINEAR) if other != base]
            near = max((deviations(logs["float32"], other) < 1e-3).mean() for other in wrong)
            found = [
                f"{how} {np.quantile(deviations(X, base), 0.95):.1e}{'' if units_of(X) else ' (not recognised)'}"
                for how, X in logs.items()
            ]
            print(f"{name}\t{total:g}\t{base}\t{', '.join(found)}\twrong base {near:.3f}", flush=True)


def false_alarms(name, counts, rng, n=100):
    """Samples of cells without a total in common."""
    wrong = 0
    for i in range(n):
        X = counts[rng.choice(counts.shape[0], int(rng.integers(2, 600)), replace=False)]
        total, base = rng.choice([1e3, 1e4, 1e5, 1e6, 777.7]), str(rng.choice([*BASES, LINEAR]))
        kind = ("not scaled", "some genes", "most genes", "variable genes", "size factors")[i % 5]
        if kind != "not scaled":
            X = scaled(X, total)
        if kind == "some genes":
            X = X[:, rng.choice(X.shape[1], int(rng.integers(1, 5000)), replace=False)]
        elif kind == "most genes":
            X = X[:, rng.random(X.shape[1]) > rng.choice([0.3, 0.05, 0.02])]
        elif kind == "variable genes":
            X = X[:, np.argsort(-np.asarray(X.multiply(X).mean(0)).ravel())[:2000]]
        elif kind == "size factors":
            X = sp.csr_matrix(sp.diags(rng.lognormal(0, 0.1, X.shape[0])) @ X)
        if (units := units_of(logged(X, base))) is not None:
            wrong += 1
            print(f"{name}\t{kind}, {X.shape[0]} cells, base {base}, total {total:g}: taken for {units}")
    print(f"{name}\t{wrong} of {n} were taken for scaled")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pbmc3k", type=Path, required=True, help="raw counts")
    parser.add_argument("--zheng", type=Path, required=True, help="raw counts")
    parser.add_argument("--cells", type=int, default=2000)
    options = parser.parse_args()
    for name in ("pbmc3k", "zheng"):
        counts = sp.csr_matrix(anndata.read_h5ad(getattr(options, name)).X, dtype=np.float64)[: options.cells]
        closeness(name, counts)
        false_alarms(name, counts, np.random.default_rng(0))


if __name__ == "__main__":
    main()

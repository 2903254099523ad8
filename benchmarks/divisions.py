"""How often a list of few samples is withheld although features differ, or given although none does.

    python benchmarks/divisions.py --draws 12

Counts are negative binomial, with dispersions of 0.05 + 2 / mean and libraries that differ up to twofold; features of a
mean above 20 differ by 0.8 to the named log2 fold change. "smallest q" is what the smallest Benjamini-Hochberg q-value
would say as the statistic of the same divisions. A line is printed for every kind of study.
"""

import argparse

import numpy as np

from deepmapper.core.false_discovery import benjamini_hochberg
from deepmapper.differential import divisions

# samples a class, genes, genes that differ, largest log2 fold change
STUDIES = [(n, p, k, size) for n in (3, 4) for p, k, size in [(2000, 0, 1.0), (2000, 5, 4.0), (2000, 100, 1.5)]]
STUDIES += [(3, 6000, 5, 4.0), (3, 6000, 20, 2.5), (3, 6000, 200, 1.5)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=12)
    draws = parser.parse_args().draws
    ours = divisions.strength
    for n, p, n_true, size in STUDIES:
        held = {}
        for name, statistic in (("list given", ours), ("by smallest q", smallest_q)):
            divisions.strength = statistic
            found = [holds(np.random.default_rng([draw, n, p, n_true]), n, p, n_true, size) for draw in range(draws)]
            held[name] = sum(found)
        shown = "  ".join(f"{name} {n_held} of {draws}" for name, n_held in held.items())
        print(f"{n} samples a class  {p} genes, {n_true} differ by up to {size:g}  {shown}", flush=True)


def smallest_q(p):
    return -np.nanmin(benjamini_hochberg(p))


def holds(rng, n, p, n_true, size):
    y = np.repeat([0, 1], n)
    mean = np.exp(rng.normal(4, 1.8, p))
    dispersion = 0.05 + 2 / (mean + 1)
    true = rng.choice(np.flatnonzero(mean > 20), n_true, replace=False)
    change = np.zeros(p)
    change[true] = rng.choice([-1, 1], n_true) * rng.uniform(0.8, size, n_true)
    expected = mean * 2 ** (change * y[:, None]) * rng.uniform(0.7, 1.4, 2 * n)[:, None]
    counts = rng.poisson(rng.gamma(1 / dispersion, expected * dispersion)).astype(float)
    return divisions.compare_divisions(divisions.log_counts(counts, 10), y, {}, "", ("a", "b")).holds


if __name__ == "__main__":
    main()

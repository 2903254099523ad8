"""Gene-set tests on data without any effect: how often a set is called, if its genes correlate and if they do not.

    python benchmarks/enrichment.py [--repeats 100] [--peers] [--networks]

`--peers` adds decoupler (ulm) and gseapy (prerank), which have to be installed; `--networks` adds rankings by the
importances of real passes, which takes longer.
"""

import argparse
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import norm, rankdata

from deepmapper.enrichment.correlation import mean_correlation, residuals_of
from deepmapper.enrichment.set_tests import list_test, rank_test
from deepmapper.features.store import Features

P, SIZE, SETS = 2000, 30, 20  # features, genes of a set, sets of each kind
LEVEL = 0.05


def make_study(rng, per_class, correlation):
    """Values without any difference between two classes; the first sets share a factor, the others are random genes."""
    n = 2 * per_class
    X = rng.standard_normal((n, P))
    correlated = [np.arange(i * SIZE, (i + 1) * SIZE) for i in range(SETS)]
    for genes in correlated:
        X[:, genes] = np.sqrt(1 - correlation) * X[:, genes] + np.sqrt(correlation) * rng.standard_normal((n, 1))
    random = [rng.choice(np.arange(SETS * SIZE, P), SIZE, replace=False) for _ in range(SETS)]
    names = tuple(f"g{i}" for i in range(P))
    y, samples = np.repeat([0, 1], per_class), tuple(map(str, range(n)))
    features = Features(X.astype(np.float32), y, ("a", "b"), names, samples, np.zeros(n, dtype=np.uint8))
    return features, correlated, random


def t_statistics(features):
    X, y = np.asarray(features.X, dtype=float), features.y
    a, b = X[y == 0], X[y == 1]
    return (b.mean(0) - a.mean(0)) / np.sqrt(a.var(0, ddof=1) / len(a) + b.var(0, ddof=1) / len(b))


def importances(features, seed):
    """Median importance of ten short passes of a network."""
    from common import configuration

    from deepmapper.runner import run

    config = replace(configuration("mlp", passes=10), seed=seed)
    return np.asarray(run(features.X, features.y, config, feature_names=features.names).median_importance)


def p_values(features, scores, sets, signed):
    """P-values by test: of each set."""
    residuals = residuals_of(features, np.arange(P), np.unique(np.concatenate(sets)))
    ranks = rankdata(scores)
    top = set(np.argsort(-scores)[: P // 20].tolist())
    found = {"rank sum, independent genes": [], "rank sum, correlated genes": [], "list (first 5 %)": []}
    for genes in sets:
        found["rank sum, independent genes"].append(rank_test(ranks[genes], P, 0.0, np.inf, signed).p)
        own = mean_correlation(residuals, genes, signed)
        found["rank sum, correlated genes"].append(rank_test(ranks[genes], P, *own, signed).p)
        found["list (first 5 %)"].append(list_test(len(top & set(genes.tolist())), len(genes), len(top), P).p)
    return found


def of_peers(scores, sets, seed):
    import decoupler
    import gseapy

    names = [f"g{i}" for i in range(P)]
    net = pd.DataFrame(
        [(f"s{k}", names[i]) for k, genes in enumerate(sets) for i in genes], columns=["source", "target"]
    )
    mat = pd.DataFrame([scores], columns=names, index=["ranking"])
    estimate, p = decoupler.mt.ulm(mat, net.assign(weight=1.0), tmin=1, verbose=False)
    order = [f"s{k}" for k in range(len(sets))]
    result = gseapy.prerank(
        pd.Series(scores, index=names), {f"s{k}": [names[i] for i in genes] for k, genes in enumerate(sets)},
        permutation_num=1000, min_size=1, max_size=10000, seed=seed, threads=1, outdir=None, verbose=False,
    ).res2d.set_index("Term")  # fmt: skip
    return {
        # ulm corrects its p-values over the sets, so they are computed again from its statistic
        "decoupler ulm": 2 * norm.sf(np.abs(estimate.loc["ranking", order].to_numpy(dtype=float))),
        "gseapy prerank": result.loc[order, "NOM p-val"].to_numpy(dtype=float),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--networks", action="store_true")
    parser.add_argument("--per-class", type=int, nargs="+", default=[4, 20, 100])
    parser.add_argument("--correlation", type=float, nargs="+", default=[0.1, 0.3])
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for per_class in args.per_class:
        for correlation in args.correlation:
            rates: dict = {}
            for seed in range(args.repeats):
                features, *kinds = make_study(np.random.default_rng(seed), per_class, correlation)
                t = t_statistics(features)
                scores = {"t": (t, True), "|t|": (np.abs(t), False)}
                if args.networks:
                    scores = {"importance": (importances(features, seed), False)}
                for score, (values, signed) in scores.items():
                    found = p_values(features, values, kinds[0] + kinds[1], signed)
                    if args.peers:
                        found |= of_peers(values, kinds[0] + kinds[1], seed)
                    for test, p in found.items():
                        called = np.array(p) <= LEVEL
                        for kind, part in (("correlated", called[:SETS]), ("random", called[SETS:])):
                            rates.setdefault((score, test, kind), []).append(part.mean())
            for (score, test, kind), values in rates.items():
                rows.append((per_class, correlation, score, test, kind, np.mean(values)))
    table = pd.DataFrame(rows, columns=["per class", "r", "score", "test", "sets", "rate"])
    wide = table.pivot_table(index=["score", "test"], columns=["sets", "r", "per class"], values="rate", sort=False)
    print(wide.round(3).to_string())


if __name__ == "__main__":
    main()

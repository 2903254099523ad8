"""Significant features of the networks that neither the test of single features nor logistic regression finds.

    python benchmarks/beyond_single.py module mixed pair --seeds 3 --passes passes      # 1,200 cells × 2,000 genes

The summary page counts them and names the first (`report.summary`). Here the truth is known: of all significant genes,
of those that the rank-sum test does not find at the same rate, and of those that are not among as many first genes of
logistic regression either, how many are informative. Genes of the cell cycle count as neither. Passes are those of
`list_convergence.py`, from the same folder.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from list_convergence import listed, passes, planted
from one_order import LEVEL, differential_of

from deepmapper.evidence import rank
from deepmapper.linear_baseline import fit_rows
from deepmapper.simulate.counts import plant


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", nargs="+", choices=["module", "mixed", "pair", "tri", "programs"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--preset", default="half", choices=["full", "half", "small"])
    parser.add_argument("--passes", type=Path, required=True, help="folder of the passes")
    parser.set_defaults(cells=None)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    rows = []
    for label in options.labels:
        for seed in range(options.seeds):
            options.seed = seed
            rows.append({"label": label, "seed": seed} | beyond(label, options))
            print(*(f"{key} {value}" for key, value in rows[-1].items()), sep="  ", flush=True)
    print(pd.DataFrame(rows).drop(columns="seed").groupby("label", sort=False).mean().round(2).T.to_string())


def beyond(label, options):
    """Numbers of genes, and how many of them are informative."""
    data, truth = planted(label, options), plant(options.preset, options.seed)
    features, tested = data[0], differential_of(data)[1]
    evidence, _ = rank.rank_run(*data, {"enabled": True, "draws": 4, "max_samples": 20_000})
    folder = options.passes / f"{label}-{options.preset}-{options.seed}-all"
    found = listed(features, tested, evidence, *passes(features, 0, folder))[0].table
    names = list(features.names)
    found, single = found.set_index("feature").loc[names], tested.features.set_index("feature").loc[names]
    significant = found["network_q"].to_numpy() <= LEVEL
    by_test = single["differential_q"].to_numpy() <= LEVEL
    first = fit_rows(features.X, features.y, features.development, names).ranking[: significant.sum()]
    by_regression = np.isin(names, [name for name, _ in first])
    true = truth.informative(label)
    counted = true | (truth.var["category"].to_numpy() != "cycle")
    groups = {
        "significant": significant,
        "not by the test": significant & ~by_test,
        "nor by regression": significant & ~by_test & ~by_regression,
        "by the test alone": by_test & ~significant,
    }
    row = {}
    for name, chosen in groups.items():
        row |= {name: int((chosen & counted).sum()), f"{name}: true": int((chosen & true).sum())}
    return row


if __name__ == "__main__":
    main()

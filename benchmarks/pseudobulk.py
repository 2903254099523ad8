"""Error rates where cells come from donors: sums by donor, and cells taken as if each were a sample.

    python benchmarks/pseudobulk.py --draws 20                       # 4 and 6 donors a class, 40 true genes and none
    python benchmarks/pseudobulk.py --draws 20 --donors 4 --true 40

Every donor has one class, 80 cells, and effects of its own on every gene (log-normal, standard deviation 0.35, or 0.5
on the scale of log2); 1,500 genes, of which the true ones are three times as high in the second class. Cells are
negative binomial around this (dispersion 0.5). Lists at q of 0.1 or less: that of the workflow (sums by donor,
PyDESeq2 with Student's t, other divisions of the donors), that before other divisions are looked at, that of PyDESeq2
as it is, that of the linear model of the logarithms of the same sums, and that of the rank-sum test of cells. A line is
printed for every draw, averages come last.
"""

import argparse
import warnings

import numpy as np
import pandas as pd
from common import ROOT
from scipy import sparse

from deepmapper.core.false_discovery import benjamini_hochberg
from deepmapper.differential.contrasts import plain_design
from deepmapper.differential.count_model import fit_counts
from deepmapper.differential.divisions import log_counts
from deepmapper.differential.linear_model import fit_values
from deepmapper.differential.run import run_differential
from deepmapper.features.prepare import prepare_features
from deepmapper.io.expression import Expression
from deepmapper.workflow import schema, settings

LEVEL, CELLS, GENES, CHANGE = 0.1, 80, 1500, 3.0
OPTIONS = settings.validate_config(
    {"matrix": {"path": "x.h5ad"}, "labels": {"column": "y"}, "models": {"cnn_small": {}}},
    schema.load_schema(ROOT / "workflow/schemas/config.schema.yaml"),
)["differential"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--donors", type=int, nargs="+", default=[4, 6], help="of each class")
    parser.add_argument("--true", type=int, nargs="+", default=[40, 0], help="genes that differ")
    parser.add_argument("--spread", type=float, default=0.35, help="standard deviation of the effects of donors")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for n in options.donors:
        for n_true in options.true:
            for draw in range(options.draws):
                rows.append({"donors a class": n, "true": n_true} | lists(draw, n, n_true, options.spread))
                print({key: round(value, 3) for key, value in rows[-1].items()}, flush=True)
    print(pd.DataFrame(rows).groupby(["donors a class", "true"]).mean().round(3).T.to_string())


def lists(draw, n_donors, n_true, spread):
    """What every test finds in one study: share of the true genes, and share of the list that is false."""
    counts, obs, true = study(draw, n_donors, n_true, spread)
    names = pd.DataFrame(index=[f"g{i}" for i in range(GENES)])
    expression = Expression(sparse.csr_matrix(counts), obs, names)
    options = {"label_column": "state", "split_scheme": "repeated"}
    of_donors = prepare_features(expression, group_column="donor", **options)
    found = run_differential(of_donors, expression, OPTIONS, level=LEVEL)
    cells = run_differential(prepare_features(expression, **options), expression, OPTIONS, level=LEVEL)
    y = np.repeat([0, 1], n_donors)
    sums = counts.reshape(2 * n_donors, CELLS, GENES).sum(axis=1).astype(float)
    linear, design = np.full(GENES, np.nan), plain_design("y", y, ("a", "b"))
    kept = sums.sum(axis=0) >= 10
    linear[kept] = benjamini_hochberg(fit_values(log_counts(sums, 10), design)[0][0]["p"])
    q = {
        "": found.features["differential_q"].to_numpy(),
        "undivided ": found.table.set_index("feature")["q"].reindex(names.index).to_numpy(),
        "PyDESeq2 ": fit_counts(sums, design, level=LEVEL, shrink=False)[0][0]["q"].to_numpy(),
        "linear ": linear,
        "cells ": cells.features["differential_q"].to_numpy(),
    }
    row = {"withheld": float(found.summary["withheld"])}
    for who, values in q.items():
        listed = values <= LEVEL
        row[f"{who}listed"] = float(listed.sum())
        row[f"{who}found"] = float(listed[true].mean()) if n_true else np.nan
        row[f"{who}false"] = float(listed[~true].sum() / max(1, listed.sum()))
    return row


def study(draw, n_donors, n_true, spread):
    """Counts of cells, their donors and states, and which genes are true."""
    rng = np.random.default_rng([draw, n_donors, n_true, 23])
    mean = np.exp(rng.normal(-0.5, 1.2, GENES))
    true = np.zeros(GENES, dtype=bool)
    true[rng.choice(np.flatnonzero(mean > 0.3), n_true, replace=False)] = True
    y = np.repeat([0, 1], n_donors)
    of_donor = (
        mean * np.exp(rng.normal(0, spread, (2 * n_donors, GENES))) * np.where(true & (y[:, None] == 1), CHANGE, 1)
    )
    expected = np.repeat(of_donor, CELLS, axis=0) * rng.lognormal(0, 0.3, (2 * n_donors * CELLS, 1))
    counts = rng.poisson(rng.gamma(2.0, expected / 2))
    donors = np.repeat(np.arange(2 * n_donors), CELLS)
    obs = pd.DataFrame({"donor": [f"d{i}" for i in donors], "state": [f"c{code}" for code in y[donors]]})
    obs.index = [f"s{i}" for i in range(len(obs))]
    return counts, obs, true


if __name__ == "__main__":
    main()

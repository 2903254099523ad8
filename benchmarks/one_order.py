"""One list to report: its order beside every column it rests on, and lists where nothing differs.

    python benchmarks/one_order.py yeast --data yeast.h5ad --per-class 3 4 6 12 --draws 5    # wild type against mutant
    python benchmarks/one_order.py yeast --data yeast.h5ad --per-class 3 4 6 12 --null       # against wild type
    python benchmarks/one_order.py yeast --data yeast.h5ad --draws 10 --list-only            # without the order
    python benchmarks/one_order.py planted --label module mixed --draws 3                    # 1,200 cells × 2,000 genes
    python benchmarks/one_order.py single --draws 10              # one true feature of 2,000 in 600 cells, and none

`yeast` takes random samples of a matrix of counts with many replicates of two conditions (`obs["condition"]`,
Gierlinski et al. 2015). Its truth are the features with |log2 fold change| of 0.5 or more and q of 0.05 or less between
all samples; features with a larger q there are false. Networks have the workflow's defaults: 30 passes and 12 with
shadow features of cnn_small; `--no-networks` leaves them out. A line is printed for every draw, averages come last.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from common import ROOT, configuration
from scipy import sparse
from sklearn.metrics import average_precision_score

from deepmapper.accumulate import accepted_passes
from deepmapper.differential.run import run_differential
from deepmapper.evidence import rank
from deepmapper.features.prepare import prepare_features
from deepmapper.findings import model_q_values
from deepmapper.findings.ranking import accumulate_passes
from deepmapper.findings.recommended import NetworkResult, recommend
from deepmapper.io.expression import Expression
from deepmapper.passes.shadows import train_shadow_pass
from deepmapper.passes.train import train_pass
from deepmapper.simulate import counts as planted_counts
from deepmapper.workflow import schema, settings

LEVEL = 0.1
DEFAULTS = settings.validate_config(
    {"matrix": {"path": "x.h5ad"}, "labels": {"column": "y"}, "models": {"cnn_small": {}}},
    schema.load_schema(ROOT / "workflow/schemas/config.schema.yaml"),
)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["yeast", "planted", "single"])
    parser.add_argument("--data", type=Path, help="of yeast: the matrix, .h5ad")
    parser.add_argument("--per-class", type=int, nargs="+", default=[3, 4, 6, 12])
    parser.add_argument("--null", action="store_true", help="of yeast: wild type against wild type")
    parser.add_argument("--label", nargs="+", default=["module", "mixed"])
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--no-networks", action="store_true")
    parser.add_argument("--list-only", action="store_true", help="of yeast: what the list holds, not its order")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    rows = []
    for row in {"yeast": yeast, "planted": planted, "single": single}[options.part](options):
        rows.append(row)
        shown = (f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}" for key, value in row.items())
        print(*shown, sep="  ", flush=True)
    print(pd.DataFrame(rows).groupby("case").mean(numeric_only=True).round(3).T.to_string())


def yeast(options):
    import anndata

    adata = anndata.read_h5ad(options.data)
    X = sparse.csr_matrix(adata.X).toarray()
    mutant = (adata.obs["condition"] != "WT").to_numpy()
    true, false = (None, None) if options.null else truth(X, mutant, adata.var_names)
    for n in options.per_class:
        for draw in range(options.draws):
            rng = np.random.default_rng([draw, n])
            first = rng.choice(np.flatnonzero(~mutant), 2 * n if options.null else n, False)
            second = first[n:] if options.null else rng.choice(np.flatnonzero(mutant), n, False)
            data = study(X[np.r_[second, first[:n]]], np.repeat([0, 1], n), adata.var_names)
            if options.list_only:
                found = membership(data)
            else:
                found = columns(data, not (options.no_networks or options.null))
            row = {"case": f"{n} a class", "draw": draw, "listed": int(found["reported"].sum())}
            row |= {"lists": float(found["reported"].any())}
            if options.null:
                yield row | {"single test": int((found["table_q"] <= LEVEL).sum())}
            else:
                yield row | judged(found, true, false)


def truth(X, mutant, names):
    """Which features differ between all samples of the two conditions, and which do not."""
    table = differential_of(study(X, mutant.astype(int), names), shrink=False)[1].table
    table = table.set_index("feature").loc[list(names)]
    differs = (table["q"] <= 0.05).to_numpy()
    return differs & (table["log2_fold_change"].abs() >= 0.5).to_numpy(), ~differs


def planted(options):
    for draw in range(options.draws):
        data = planted_counts.plant("half", draw)
        for label in options.label:
            y, _ = data.codes(label)
            neither = data.var["category"].to_numpy() == "cycle"  # differs on purpose, but is not what was planted
            true = data.informative(label)
            found = columns(study(data.counts, y, data.names), not options.no_networks)
            kept = true | ~neither
            found = {name: values[kept] for name, values in found.items()}
            yield {"case": label, "draw": draw} | judged(found, true[kept], ~true[kept])


def single(options):
    for draw in range(options.draws):
        for n_true in (1, 0):
            rng = np.random.default_rng([draw, n_true, 5])
            y, n, p = np.arange(600) % 2, 600, 2000
            mean = np.tile(rng.gamma(0.6, 0.8, p), (n, 1))
            mean[:, :n_true] = np.where(y == 1, 6.0, 0.3)[:, None]
            values = rng.poisson(mean * rng.lognormal(0, 0.3, (n, 1)) * rng.gamma(3.3, 1 / 3.3, (n, p)))
            found = columns(study(values, y, [f"g{i}" for i in range(p)]), True)
            q, listed = found["network_q"], found["reported"]
            yield {
                "case": f"{n_true} true",
                "draw": draw,
                "q of the true one": float(q[0]) if n_true else np.nan,
                "false": int(listed[n_true:].sum()),
            }


def study(counts, y, names):
    """The features of a study, and its counts."""
    obs = pd.DataFrame({"state": [f"c{code}" for code in y]}, index=[f"s{i}" for i in range(len(y))])
    expression = Expression(sparse.csr_matrix(counts), obs, pd.DataFrame(index=list(map(str, names))))
    return prepare_features(expression, label_column="state"), expression


def differential_of(data, **options):
    return data, run_differential(*data, DEFAULTS["differential"] | options, level=LEVEL)


def membership(data):
    """The list of a study of samples, whose members do not depend on the order, and that of PyDESeq2."""
    names, tested = list(data[0].names), differential_of(data, shrink=False)[1]
    single = tested.features.set_index("feature").loc[names]
    return {
        "reported": (single["differential_q"] <= LEVEL).to_numpy(),
        "table_q": tested.table.groupby("feature")["q"].min().reindex(names).fillna(1).to_numpy(),
    }


def columns(data, networks):
    """Everything that orders the features, and the list to report, as arrays over the features."""
    features, expression = data
    names = list(features.names)
    tested = differential_of(data)[1]
    evidence, _ = rank.rank_run(features, expression, {"enabled": True, "draws": 4, "max_samples": 20_000})
    models, own = [], {}
    if networks:
        config, samples = configuration("cnn_small"), features.development_samples
        passes = [train_pass(samples, config, seed) for seed in range(DEFAULTS["passes"]["n_passes"])]
        shadows = [train_shadow_pass(samples, config, seed) for seed in range(DEFAULTS["passes"]["n_shadow"])]
        rates = model_q_values.calibrate_model(
            features, accepted_passes(passes, 0.0), shadows, min_accuracy=0.0, level=LEVEL,
            min_detected=DEFAULTS["calibration"]["min_detected"], n_resamples=10, seed=0,
        )  # fmt: skip
        ranking = accumulate_passes(passes, DEFAULTS["passes"]["top_k"], 0.0, names)
        table = rates.table.assign(median_importance=ranking.median_importance)
        min_q = rates.summary["min_p"] * rates.summary["n_tested"]
        models = [NetworkResult("cnn_small", True, table[["feature", "median_importance", "z", "q"]], min_q)]
        own = {
            "z": table["z"].to_numpy(),
            "importance": np.array(ranking.median_importance),
            "frequency": np.array(ranking.selection_frequency),
        }
    listed = recommend(names, models, tested.features, tested.summary, evidence, LEVEL).table.set_index("feature")
    listed = listed.loc[names]
    single = tested.features.set_index("feature").loc[names]
    best = tested.table.groupby("feature")["q"].min().reindex(names)
    return own | {
        "evidence": evidence.set_index("feature")["evidence"].reindex(names).fillna(-1e9).to_numpy(),
        "single test p": -np.log(single["differential_p"].fillna(1).clip(lower=1e-300).to_numpy()),
        "list": -listed["rank"].to_numpy(dtype=float),
        "reported": listed["reported"].to_numpy(dtype=bool),
        "network_q": listed["network_q"].to_numpy(),
        "table_q": best.fillna(1).to_numpy(),
    }


def judged(found, true, false):
    """Share of the true features that is listed, share of the list that is false, and average precisions."""
    orders = [name for name in found if name not in ("reported", "network_q", "table_q")]
    shares = {}
    for who, listed in (("", found["reported"]), ("single test ", found["table_q"] <= LEVEL)):
        shares[f"{who}found"] = float(listed[true].mean())
        shares[f"{who}false"] = float(listed[false].sum() / max(1, listed.sum()))
    return {
        **shares,
        **{f"AP {name}": float(average_precision_score(true, found[name])) for name in orders},
    }


if __name__ == "__main__":
    main()

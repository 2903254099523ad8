"""Agreement of the list to report, as one set of passes expects it, beside lists of further sets of passes.

    python benchmarks/list_convergence.py module mixed demo --passes passes      # `demo`: pbmc68k_reduced, ten classes
    python benchmarks/list_convergence.py module --cells 300 --sets 8 --passes passes

Every set is what a run of the workflow trains with its defaults and another `passes.seed`: 30 passes of cnn_small and
12 with shadow features, whose shadows differ from set to set, too. The test of single features and the evidence are
the same for all sets. From each set alone `list_convergence` expects how many of the first features another set would
share; measured is what the lists of two sets share: the first features by score, the first of the list, which has the
features to report before all others, and the features to report (shared by both over the mean number). Sets are
compared two by two. Passes are kept in a folder, so a run can be interrupted.
"""

import argparse
import warnings
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from common import DEMO, configuration
from one_order import DEFAULTS, LEVEL, differential_of, study
from scipy import sparse

from deepmapper.evidence import rank
from deepmapper.features.prepare import prepare_features
from deepmapper.findings import model_q_values
from deepmapper.findings.list_convergence import assess_list
from deepmapper.findings.ranking import accumulate_passes
from deepmapper.findings.recommended import NetworkResult, recommend
from deepmapper.io.expression import Expression
from deepmapper.passes.result import PassResult
from deepmapper.passes.shadows import train_shadow_pass
from deepmapper.passes.train import train_pass
from deepmapper.simulate.counts import plant

FIRST = 20, 50
N_PLAIN, N_SHADOW = DEFAULTS["passes"]["n_passes"], DEFAULTS["passes"]["n_shadow"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="+", help="module, mixed, pair, tri, programs or demo")
    parser.add_argument("--sets", type=int, default=4)
    parser.add_argument("--cells", type=int, help="of a planted study, the first so many")
    parser.add_argument("--preset", default="half", choices=["full", "half", "small"])
    parser.add_argument("--seed", type=int, default=0, help="of a planted study")
    parser.add_argument("--passes", type=Path, required=True, help="folder of the passes")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    rows = []
    for name in options.studies:
        rows += compared(name, options)
    print(pd.DataFrame(rows).round(3).to_string(index=False))


def compared(name, options):
    """One row for every number of first features."""
    data = demo() if name == "demo" else planted(name, options)
    folder = options.passes / f"{name}-{options.preset}-{options.seed}-{options.cells or 'all'}"
    tested = differential_of(data)[1]
    evidence, _ = rank.rank_run(*data, {"enabled": True, "draws": 4, "max_samples": 20_000})
    lists = []
    for i in range(options.sets):
        lists.append(listed(data[0], tested, evidence, *passes(data[0], i * N_PLAIN, folder)))
        print(name, "set", i, lists[-1][0].summary["statement"], lists[-1][2][FIRST[0]]["statement"], flush=True)
    n_reported = np.mean([found.summary["n_reported"] for found, *_ in lists])
    pairs = list(combinations([found.table for found, *_ in lists], 2))
    for k in FIRST:
        expected = pd.DataFrame([convergence[k] for *_, convergence in lists])
        by_score = [share(*(top(table, "score", k) for table in pair)) for pair in pairs]
        within = [
            low <= np.mean(by_score) <= high
            for low, high in zip(expected["agreement_low"], expected["agreement_high"], strict=True)
        ]
        yield {
            "study": name,
            "first": k,
            "expected": expected["agreement"].mean(),
            "lowest": expected["agreement"].min(),
            "highest": expected["agreement"].max(),
            "low": expected["agreement_low"].mean(),
            "high": expected["agreement_high"].mean(),
            "by score": np.mean(by_score),
            "worst pair": np.min(by_score),
            "within": np.mean(within),
            "of the list": np.mean([share(*(set(table["feature"].head(k)) for table in pair)) for pair in pairs]),
            "to report": n_reported,
            "shared": np.mean([share(*(set(t.loc[t["reported"], "feature"]) for t in pair)) for pair in pairs]),
        }


def planted(label, options):
    """A planted study: its features, and its counts."""
    data = plant(options.preset, options.seed)
    y, _ = data.codes(label)
    return study(data.counts[: options.cells], y[: options.cells], data.names)


def demo():
    """The matrix of the demo, whose values are taken as they are."""
    import anndata

    adata = anndata.read_h5ad(DEMO)
    expression = Expression(sparse.csr_matrix(adata.X), adata.obs, adata.var)
    return prepare_features(expression, label_column="bulk_labels", normalization="none"), expression


def passes(features, first, folder):
    """Passes with seeds from `first` on, with and without shadow features, from their files if they are there."""
    samples, config, trained = features.development_samples, configuration("cnn_small"), []
    for kind, train, n in (("plain", train_pass, N_PLAIN), ("shadow", train_shadow_pass, N_SHADOW)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        paths = [folder / kind / f"{seed}.npz" for seed in range(first, first + n)]
        for seed, path in enumerate(paths, first):
            if not path.exists():
                train(samples, config, seed).save(path)
        trained.append([PassResult.load(path, weights=False) for path in paths])
    return trained


def listed(features, tested, evidence, plain, shadowed):
    """The list to report of a set of passes, their scores, and how well the first features agree, by their number."""
    names = list(features.names)
    rates = model_q_values.calibrate_model(
        features, plain, shadowed, min_accuracy=0.0, level=LEVEL,
        min_detected=DEFAULTS["calibration"]["min_detected"], n_resamples=10, seed=0,
    )  # fmt: skip
    importance = accumulate_passes(plain, DEFAULTS["passes"]["top_k"], 0.0, names).median_importance
    table = rates.table.assign(median_importance=importance)[["feature", "median_importance", "z", "q"]]
    model = NetworkResult("cnn_small", True, table, rates.summary["min_p"] * rates.summary["n_tested"])
    found = recommend(names, [model], tested.features, tested.summary, evidence, LEVEL)
    scores = {"cnn_small": rates.scores}
    return found, scores, {k: assess_list(found.table, names, scores, found.parts, k)[1] for k in FIRST}


def top(table, column, k):
    return set(table.sort_values(column, ascending=False, kind="stable")["feature"].head(k))


def share(one, two):
    """Share of two sets that both have, of the mean of their sizes; 1 if both are empty."""
    return 2 * len(one & two) / (len(one) + len(two)) if one or two else 1.0


if __name__ == "__main__":
    main()

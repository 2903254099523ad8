"""Genes found where half of the cells are a target without labels: planted markers, and genes that differ by batch.

    python benchmarks/adapted_genes.py --out genes.jsonl              # 20 seeds
    python benchmarks/adapted_genes.py --out genes.jsonl --fold 1.5   # weaker markers

600 cells × 500 genes, four classes with ten markers each (counts times `--fold` in their class). Half of the cells are
the target: every gene has a lognormal factor of its own there (sd 0.3), and 40 batch genes, none of which is a marker,
4.5 times as many counts or as few. An arm is a kind of network and what it may see: the labels of all cells, those of
the reference alone, or also the target without labels (`mixmatch`, `both`). Each has ten passes and six with shadow
features, with the workflow's defaults (of scnym `config: no_new_identity` and `lr: 0.005`).

For every arm: area under the precision-recall curve of the markers against the genes without effect, by z and by mean
importance; genes with q ≤ 0.1, and the share of these that are no markers; area under the ROC curve of the batch genes
against the genes without effect, by z and by importance (0.5: not ranked). A line is printed for every arm and seed
and kept in `--out`; what is found there is not run again. Averages come last, with paired differences.
"""

import argparse
import json
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from common import configuration
from sklearn.metrics import average_precision_score, roc_auc_score

from deepmapper.features import levels
from deepmapper.features.samples import Samples, with_target
from deepmapper.findings import q_values
from deepmapper.passes.adaptation import with_arm
from deepmapper.passes.shadows import train_shadow_pass
from deepmapper.passes.train import train_pass

CELLS, GENES, CLASSES, MARKERS, BATCH = 600, 500, 4, 40, 40
LEVEL = 0.1
# kind of network, arm of the adaptation, whose labels are seen
ARMS = {
    "cnn_small, all labels": ("cnn_small", None, "all"),
    "cnn_small, half": ("cnn_small", None, "half"),
    "scnym, all labels": ("scnym", "none", "all"),
    "scnym, half": ("scnym", "none", "half"),
    "scnym, mixmatch": ("scnym", "mixmatch", "target"),
    "scnym, both": ("scnym", "both", "target"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS))
    parser.add_argument("--fold", type=float, default=3.0)
    parser.add_argument("--passes", type=int, default=10)
    parser.add_argument("--shadow-passes", type=int, default=6)
    parser.add_argument("--minutes", type=float, default=1e9, help="begin nothing after so many")
    parser.add_argument("--out", type=Path, help="one JSON line an arm and seed")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    known = options.out is not None and options.out.exists()
    kept = [json.loads(line) for line in options.out.read_text().splitlines()] if known else []
    done, begun = {(row["fold"], row["arm"], row["seed"]) for row in kept}, time.time()
    for seed, arm in ((seed, arm) for seed in range(options.seeds) for arm in options.arms):
        if (options.fold, arm, seed) in done:
            continue
        if time.time() - begun > 60 * options.minutes:
            break
        kept.append({"fold": options.fold, "arm": arm, "seed": seed, **measure(options, arm, seed)})
        print(json.dumps(kept[-1]), flush=True)
        if options.out:
            with options.out.open("a") as file:
                file.write(json.dumps(kept[-1]) + "\n")
    show(pd.DataFrame([row for row in kept if row["fold"] == options.fold]))


def planted(seed, fold):
    """Logarithms of counts at one depth, class codes, which cells are the target, and what every gene is."""
    rng = np.random.default_rng([seed, 11])
    y, target = np.arange(CELLS) % CLASSES, np.arange(CELLS) >= CELLS // 2
    order = rng.permutation(GENES)
    genes = np.full(GENES, "none", dtype=object)
    genes[order[:MARKERS]], genes[order[MARKERS : MARKERS + BATCH]] = "marker", "batch"
    mean = np.tile(rng.gamma(1.0, 1.0, GENES) + 0.2, (CELLS, 1))
    for code in range(CLASSES):
        mean[np.ix_(y == code, order[code:MARKERS:CLASSES])] *= fold
    factor = np.exp(rng.normal(0, 0.3, GENES))
    factor[genes == "batch"] *= np.exp(rng.choice([-1.5, 1.5], BATCH))
    mean[target] *= factor
    depth = rng.lognormal(0, 0.3, (CELLS, 1))
    counts = rng.poisson(mean * depth * rng.gamma(3.3, 1 / 3.3, mean.shape))
    totals = counts.sum(1, keepdims=True)
    return sp.csr_matrix(np.log1p(counts / totals * np.median(totals)), dtype=np.float32), y, target, genes


def measure(options, arm, seed):
    """All figures of one arm and seed."""
    X, y, target, genes = planted(seed, options.fold)
    kind, adapt, seen = ARMS[arm]
    classes = tuple(f"class{code}" for code in range(CLASSES))
    labelled = np.flatnonzero(~target | (seen == "all"))
    samples = Samples(X[labelled], y[labelled], classes)
    if seen == "target":
        samples = with_target(samples, X[target])
    config = configuration(kind)
    if kind == "scnym":
        extra = {**config.backbone.extra, "config": "no_new_identity"}
        config = with_arm(replace(config, lr=0.005, backbone=replace(config.backbone, extra=extra)), adapt)
    start = time.process_time()
    passes = [train_pass(samples, config, i) for i in range(options.passes)]
    shadows = [train_shadow_pass(samples, config, i) for i in range(options.shadow_passes)]
    seconds = time.process_time() - start
    mean, detected = levels.feature_levels(samples.X, samples.rows, GENES)
    tested = detected >= levels.min_detected_share(0.05, samples.labels)
    found = q_values.calibrate(passes, shadows, mean, tested, LEVEL)
    marker, batch, none = (genes == name for name in ("marker", "batch", "none"))
    importance = np.mean([one.importance for one in passes], axis=0)
    figures = {
        "accuracy": float(np.mean([one.accuracy for one in passes])),
        "found": int(found.significant[marker].sum()),
        "listed": int(found.significant.sum()),
        "false_share": float(found.significant[~marker].sum() / max(1, found.significant.sum())),
        "batch_listed": int(found.significant[batch].sum()),
    }
    for name, size in (("z", np.nan_to_num(found.z, nan=-1e9)), ("importance", importance)):
        figures[f"auprc_{name}"] = float(average_precision_score(marker[marker | none], size[marker | none]))
        figures[f"batch_auroc_{name}"] = float(roc_auc_score(batch[batch | none], size[batch | none]))
    return figures | {"seconds": round(seconds, 1)}


def show(table):
    """Mean over the seeds with standard errors, and the difference from all labels on the same seeds."""
    for arm, rows in table.groupby("arm", sort=False):
        numbers = rows.drop(columns=["fold", "arm", "seed"])
        error = numbers.std() / np.sqrt(len(rows))
        print(f"\n{arm}, {len(rows)} seeds")
        for name, value in numbers.mean().items():
            print(f"  {name:22} {value:.3f} ({error[name]:.3f})")
        full = table[table["arm"] == f"{arm.split(',')[0]}, all labels"].set_index("seed")["auprc_z"]
        gain = (rows.set_index("seed")["auprc_z"] - full).dropna()
        print(f"  auprc_z minus all labels {gain.mean():+.4f} ± {1.96 * gain.std() / np.sqrt(max(len(gain), 1)):.4f}")


if __name__ == "__main__":
    main()

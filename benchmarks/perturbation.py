"""Perturbation in silico on planted data: how well planted genes are separated, and how often others are called.

    python benchmarks/perturbation.py                                 # cnn_small, 600 cells x 300 genes, 3 seeds
    python benchmarks/perturbation.py --model linear --passes 10

Data are those of `deepmapper.simulate.counts`, the label `module` (genes that are raised or lowered by half) or `main`.
Every gene is deleted, activated and masked in every pass. AUROC is that of the largest change of a class's probability
(and of the smallest p); "false" is the share of the genes without an effect whose p is at most 0.05 (least over the
classes, times their number).
"""

import argparse
import time
import warnings

import anndata
import numpy as np
import torch
from common import configuration

from deepmapper.core.auc import auc
from deepmapper.features.prepare import prepare_features
from deepmapper.findings.perturbation import items_of, perturb_model
from deepmapper.passes.perturbation import HOW
from deepmapper.passes.shadows import train_shadow_pass
from deepmapper.passes.train import train_pass
from deepmapper.simulate import counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="small", choices=list(counts.PRESETS))
    parser.add_argument("--labels", nargs="+", default=["module", "main"], choices=list(counts.TRUTH))
    parser.add_argument("--model", default="cnn_small")
    parser.add_argument("--passes", type=int, default=10)
    parser.add_argument("--shadow-passes", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print("| label | seed | how | AUROC (by p) | planted at q 0.1 | false at p 0.05 | accuracy | CPU s |")
    print("|---|---|---|---|---|---|---|---|")
    for label in options.labels:
        for seed in range(options.seeds):
            measure(options, label, seed)


def measure(options, label, seed):
    planted = counts.plant(options.preset, seed)
    obs = planted.obs[[label]].astype(str)
    features = prepare_features(
        anndata.AnnData(planted.counts, obs=obs, var=planted.var[["category"]]), label_column=label
    )
    samples, config = features.development_samples, configuration(options.model)
    passes = [train_pass(samples, config, i) for i in range(options.passes)]
    shadowed = [train_shadow_pass(samples, config, i, keep_weights=True) for i in range(options.shadow_passes)]
    category = planted.var.loc[list(features.names), "category"].to_numpy()
    informative = np.isin(category, counts.TRUTH[label])
    uninformative = category == "null"
    accuracy = np.mean([result.accuracy for result in passes])
    items = items_of(features, "all", [], 0)
    for how in HOW:
        started = time.process_time()
        table = perturb_model(features, passes, shadowed, items, [how], seed=seed).table
        seconds = time.process_time() - started
        of_item = table.groupby("item")
        change = of_item["change"].apply(lambda values: values.abs().max()).reindex(features.names).to_numpy()
        p = (of_item["p"].min().reindex(features.names) * len(features.classes)).to_numpy()
        q = of_item["q"].min().reindex(features.names).to_numpy()
        compared = informative | uninformative
        print(
            f"| {label} | {seed} | {how} | {auc(change[compared], informative[compared]):.3f} "
            f"({auc(-p[compared], informative[compared]):.3f}) | "
            f"{(q[informative] <= 0.1).sum()} of {informative.sum()} | {(p[uninformative] <= 0.05).mean():.3f} | "
            f"{accuracy:.3f} | {seconds:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()

"""Perturbation in silico on planted data: how well planted genes are separated, and how often others are called.

    python benchmarks/perturbation.py                                 # cnn_small, 600 cells x 300 genes, 3 seeds
    python benchmarks/perturbation.py --model linear --passes 10
    python benchmarks/perturbation.py --labels main --first 10 --shadow-passes 0 --cells 1800

Data are those of `deepmapper.simulate.counts`, the label `module` (genes that are raised or lowered by half) or `main`.
Every gene is deleted, activated and masked in every pass. AUROC is that of the largest change of a class's probability
(and of the smallest p); "false" is the share of the genes without an effect whose p is at most 0.05 (least over the
classes, times their number). "By category" divides the planted genes into markers and module; "F" is the AUROC of an
analysis of variance of every gene alone, on the cells that the passes may learn from.
"""

import argparse
import time
import warnings
from dataclasses import replace

import anndata
import numpy as np
import torch
from common import configuration
from sklearn.feature_selection import f_classif

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
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--cells", type=int, help="number of cells, instead of the preset's")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    columns = "label, seed, how, AUROC (by p), by category, F, planted at q 0.1, false at p 0.05, accuracy, CPU s"
    print(f"| {columns.replace(', ', ' | ')} |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for label in options.labels:
        for seed in range(options.first, options.first + options.seeds):
            measure(options, label, seed)


def measure(options, label, seed):
    design = counts.PRESETS[options.preset]
    planted = counts.plant(replace(design, cells=options.cells or design.cells), seed)
    obs = planted.obs[[label]].astype(str)
    features = prepare_features(
        anndata.AnnData(planted.counts, obs=obs, var=planted.var[["category"]]), label_column=label
    )
    samples, config = features.development_samples, configuration(options.model)
    passes = [train_pass(samples, config, i) for i in range(options.passes)]
    shadowed = [train_shadow_pass(samples, config, i, keep_weights=True) for i in range(options.shadow_passes)]
    category = planted.var.loc[list(features.names), "category"].str.split("_").str[0].to_numpy()
    planted_here = sorted({name.split("_")[0] for name in counts.TRUTH[label]})
    informative = np.isin(category, planted_here)
    uninformative = category == "null"
    accuracy = np.mean([result.accuracy for result in passes])
    items = items_of(features, "all", [], 0)
    alone = np.nan_to_num(f_classif(samples.X[samples.rows], samples.labels)[0])
    for how in HOW:
        started = time.process_time()
        table = perturb_model(features, passes, shadowed, items, [how], seed=seed).table
        seconds = time.process_time() - started
        of_item = table.groupby("item")
        change = of_item["change"].apply(lambda values: values.abs().max()).reindex(features.names).to_numpy()
        p = (of_item["p"].min().reindex(features.names) * len(features.classes)).to_numpy()
        q = of_item["q"].min().reindex(features.names).to_numpy()

        def separated(values, those=informative):
            compared = those | uninformative
            return f"{auc(values[compared], those[compared]):.3f}"

        by_category = ", ".join(f"{name} {separated(change, category == name)}" for name in planted_here)
        print(
            f"| {label} | {seed} | {how} | {separated(change)} ({separated(-p) if shadowed else ''}) | {by_category} | "
            f"{separated(alone)} | "
            f"{(q[informative] <= 0.1).sum()} of {informative.sum()} | {(p[uninformative] <= 0.05).mean():.3f} | "
            f"{accuracy:.3f} | {seconds:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()

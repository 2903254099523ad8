"""Rankings with an error rate on planted data: what is found, how much of it is false, and what small panels reach.

    python benchmarks/calibration.py --seeds 20                      # y_module and y_mixed, 2,000 cells × 5,000 genes
    python benchmarks/calibration.py --preset half --seeds 3         # 1,200 × 2,000
    python benchmarks/calibration.py --adjust depth                  # depth held, in the null and by the peers
    python benchmarks/calibration.py --labels module --shuffle       # labels shuffled: what is found is false
    python benchmarks/calibration.py --labels mixed --passes 0       # the ranking by evidence alone, in seconds a seed

For every seed data are planted anew, a quarter of the cells is set aside, stratified, and judges the panels. On the
rest the model trains with the workflow's defaults: passes, and passes with shadow features; the ranking by evidence and
its panel are made of the same cells. Beside them, on the same cells: every gene by itself with Benjamini-Hochberg, by
the rank-sum test (least p over the classes, times their number) and by analysis of variance, and logistic regression
with an L1 penalty. `--adjust` names depth, cycle (score and two axes of the planted cycle genes) or both: shadows are
then dealt within strata of how probable they make the classes, and they enter the analysis of variance.

Cycle genes differ between the states of the module: they count as false where the cycle is adjusted for, and else as
neither true nor false. A line is printed as soon as a seed is done and kept in `--out`; seeds found there are not run
again. Averages come last. Several processes can share the work: `--part 0/2` and `--part 1/2` with one `--out` each.
"""

import argparse
import json
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from common import configuration
from scipy import sparse
from scipy.stats import f, false_discovery_control, mannwhitneyu
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import average_precision_score

from deepmapper.evidence import rank
from deepmapper.evidence.panel import fit_evidence_panel
from deepmapper.features import confounder_tests, confounders, levels
from deepmapper.features import design as features_design
from deepmapper.features.prepare import prepare_features
from deepmapper.features.samples import Samples
from deepmapper.features.splits import split_off_test
from deepmapper.findings import q_values
from deepmapper.findings.panel import fit_panel
from deepmapper.io.expression import Expression
from deepmapper.passes.shadows import train_shadow_pass
from deepmapper.passes.train import train_pass
from deepmapper.simulate import counts

CATEGORIES = {
    "module": {"module": ["module"]},
    "mixed": {
        "marker": ["marker_A", "marker_B", "marker_C"],
        "module": ["module"],
        "programs": ["program_1", "program_2"],
    },
}
LEVEL = 0.1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="full", choices=list(counts.PRESETS))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--labels", nargs="+", default=["module", "mixed"], choices=list(CATEGORIES))
    parser.add_argument("--model", default="cnn_small")
    parser.add_argument("--passes", type=int, default=30, help="0 for none, nor any with shadows")
    parser.add_argument("--shadow-passes", type=int, default=12)
    parser.add_argument("--adjust", nargs="*", default=[], choices=["depth", "cycle"])
    parser.add_argument("--shuffle", action="store_true", help="shuffle the labels first")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--part", default="0/1", help="which of how many processes")
    parser.add_argument("--out", type=Path, help="one JSON line a seed and label")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")
    part, parts = map(int, options.part.split("/"))
    kept = [json.loads(line) for line in options.out.read_text().splitlines()] if known(options.out) else []
    cases = [
        (s, label) for s in range(options.first_seed, options.first_seed + options.seeds) for label in options.labels
    ]
    for seed, label in cases[part::parts]:
        if any((line["seed"], line["label"]) == (seed, label) for line in kept):
            continue
        kept.append(measure(options, seed, label))
        print(json.dumps(kept[-1]), flush=True)
        if options.out:
            with options.out.open("a") as file:
                file.write(json.dumps(kept[-1]) + "\n")
    show(pd.DataFrame(kept))


def by_networks(options, data, X, y, classes, development, test, strata, mean, tested, truth):
    """What passes find, with passes that read shadows, and what a panel of it reaches."""
    config = configuration(options.model)
    start = time.perf_counter()
    passes = [train_pass(Samples(X, y, classes, rows=development), config, s) for s in range(options.passes)]
    beside = [
        train_shadow_pass(Samples(X, y, classes, rows=development, strata=strata), config, s)
        for s in range(options.shadow_passes)
    ]
    found = q_values.calibrate(passes, beside, mean, tested, LEVEL)
    seconds = time.perf_counter() - start
    order = np.argsort(-found.z, kind="stable")[: found.significant.sum()]
    panel = fit_panel(X, y, classes, data.names, order, development, test, n_resamples=200).summary
    return {
        "seconds": round(seconds),
        "accuracy": round(float(np.mean([result.accuracy for result in passes])), 3),
        **truth.judge("", found.significant, found.z),
        **truth.ranked("importance", np.mean([result.importance for result in passes], axis=0)),
        "panel": panel["accuracy"],
    }


def known(path):
    return path is not None and path.exists()


def measure(options, seed, label):
    """All figures of one seed and label."""
    data = counts.plant(options.preset, seed)
    X, (y, classes) = data.log_normalised(), data.codes(label)
    development, test = split_off_test(y, 0.25, seed)
    if options.shuffle:
        y = y.copy()
        y[development] = np.random.default_rng([seed, 1]).permutation(y[development])
    design, strata = held(data, X, y, development, options.adjust)
    mean, detected = levels.feature_levels(X, development, X.shape[1])
    tested = detected >= levels.min_detected_share(0.05, y[development])
    truth = Truth(data, label, "cycle" in options.adjust, options.shuffle)
    figures = {"seed": seed, "label": label}
    if options.passes:
        figures |= by_networks(options, data, X, y, classes, development, test, strata, mean, tested, truth)
    start = time.perf_counter()
    obs = pd.DataFrame({"state": np.array(classes)[y]}, index=[f"cell{i}" for i in range(len(y))])
    expression = Expression(data.counts, obs, pd.DataFrame(index=list(data.names)))
    features = prepare_features(expression, label_column="state", split_scheme="fixed", split_seed=seed)
    features = replace(features, design=None if design is None else design.values, strata=strata)
    asked = {"enabled": True, "draws": 4, "max_samples": 20_000}
    weighed, about = rank.rank_run(features, expression, asked)
    figures["evidence_seconds"] = round(time.perf_counter() - start, 1)
    told, _ = fit_evidence_panel(features, expression, weighed, about, asked, n_resamples=200)
    figures |= {"evidence_panel": told["accuracy"], "evidence_panel_size": told["n_features"]}
    figures |= truth.ranked("evidence", weighed["evidence"].fillna(-np.inf).clip(lower=-1e9).to_numpy())
    for name, p in (
        ("wilcoxon", rank_sum(X[development], y[development])),
        ("anova", variance(X[development], y[development], None if design is None else design.values[development])),
    ):
        q = np.ones(len(p))
        q[tested] = false_discovery_control(p[tested])
        figures |= truth.judge(name, q <= LEVEL, np.where(tested, -np.log(p), 0))
    if options.passes:
        model, weight = lasso(X, y, development)
        figures |= truth.judge("l1", weight > 0, weight)
        figures["l1_accuracy"] = float((model(test) == y[test]).mean())
    return figures


class Truth:
    """Which genes are true, which false and which neither."""

    def __init__(self, data, label, cycle_is_false, nothing_is_true):
        category = data.var["category"].to_numpy()
        self.cycle = category == "cycle"
        self.true = np.zeros(len(category), dtype=bool) if nothing_is_true else data.informative(label)
        self.false = ~self.true & (~self.cycle if not (cycle_is_false or nothing_is_true) else True)
        self.members = {} if nothing_is_true else {n: np.isin(category, c) for n, c in CATEGORIES[label].items()}

    def judge(self, name, selected, size):
        """Selected, true, false, the false share of those that are either; and the ranking."""
        true, false = int(selected[self.true].sum()), int(selected[self.false].sum())
        numbers = {
            "selected": int(selected.sum()),
            "true": true,
            "cycle": int(selected[self.cycle].sum()),
            "false_share": false / max(1, true + false),
        }
        return {f"{name}_{key}".lstrip("_"): value for key, value in numbers.items()} | self.ranked(name, size)

    def ranked(self, name, size):
        """Area under the precision-recall curve of every category, against all genes that count as false."""
        numbers = {"cycle_top50": int(self.cycle[np.argsort(-size, kind="stable")[:50]].sum())}
        for category, members in self.members.items():
            rows = members | self.false
            numbers[f"auprc_{category}"] = float(average_precision_score(members[rows], size[rows]))
        return {f"{name}_{key}".lstrip("_"): value for key, value in numbers.items()}


def held(data, X, y, development, adjust):
    """Confounders of all cells, and strata of cells that they give a similar chance of each class; None for none."""
    columns = {}
    if "depth" in adjust:
        columns["depth"] = np.log1p(np.asarray(data.counts.sum(1)).ravel())
    if "cycle" in adjust:
        genes = [data.names[i] for i in data.genes("cycle")]
        columns["cycle"] = confounders.score_genes(X, data.names, genes)
        centred = X[:, data.genes("cycle")].toarray()
        centred -= centred[development].mean(0)
        axes = np.linalg.svd(centred[development], full_matrices=False)[2][:2]  # the phase has two dimensions
        for i, axis in enumerate(axes):
            columns[f"cycle{i}"] = centred @ axis
    if not columns:
        return None, None
    design = features_design.make_design(pd.DataFrame(columns))
    strata = np.full(len(y), -1)
    strata[development] = confounder_tests.draw_null_strata(design.values[development], y[development])[0]
    return design, strata


def rank_sum(X, y):
    """P-value of a rank-sum test of each gene, the least of class against the rest times the number of classes."""
    p, codes = np.ones(X.shape[1]), np.unique(y)
    for start in range(0, X.shape[1], 500):
        block = X[:, start : start + 500].toarray()
        for code in codes[1:] if len(codes) == 2 else codes:
            found = mannwhitneyu(block[y == code], block[y != code], axis=0, method="asymptotic").pvalue
            times = 1 if len(codes) == 2 else len(codes)
            p[start : start + 500] = np.minimum(p[start : start + 500], np.nan_to_num(found, nan=1.0) * times)
    return p.clip(1e-300, 1)


def variance(X, y, design):
    """P-value of the classes in a linear model of each gene, beside confounders where there are any."""
    classes = np.eye(y.max() + 1)[y]
    held_back = np.ones((len(y), 1)) if design is None else np.column_stack([np.ones(len(y)), design])
    p = np.ones(X.shape[1])
    df = classes.shape[1] - 1, len(y) - classes.shape[1] - held_back.shape[1] + 1
    axes = [np.linalg.qr(held_back)[0], np.linalg.svd(np.column_stack([held_back, classes]), full_matrices=False)]
    full = axes[1][0][:, axes[1][1] > 1e-8 * axes[1][1][0]]
    for start in range(0, X.shape[1], 500):
        block = X[:, start : start + 500].toarray().astype(np.float64)
        total = (block**2).sum(0)
        small, large = (total - ((axis.T @ block) ** 2).sum(0) for axis in (axes[0], full))
        ratio = (small - large) / df[0] / np.maximum(large / df[1], 1e-12)
        p[start : start + 500] = np.where(small > 1e-9, f.sf(ratio, *df), 1.0)
    return p.clip(1e-300, 1)


def lasso(X, y, development):
    """L1 logistic regression on standardised genes, its penalty by cross-validation: a predictor, sizes of weights."""
    scale = spread(X[development])
    scaled = sparse.csr_matrix(X @ sparse.diags(1 / np.maximum(scale, 1e-6)))
    model = LogisticRegressionCV(
        Cs=[0.01, 0.03, 0.1], cv=3, l1_ratios=[1.0], solver="saga", scoring="neg_log_loss", max_iter=100, tol=1e-2
    ).fit(scaled[development], y[development])
    return lambda rows: model.predict(scaled[rows]), np.abs(model.coef_).max(0)


def spread(values):
    """Standard deviation of every column."""
    mean = np.asarray(values.mean(0)).ravel()
    return np.sqrt(np.maximum(np.asarray(values.multiply(values).mean(0)).ravel() - mean**2, 0))


def show(table):
    """Mean over the seeds, and the median of what is selected."""
    for label, rows in table.groupby("label"):
        numbers = rows.drop(columns=["seed", "label"])
        print(f"\n{label}, {len(rows)} seeds")
        print(numbers.agg(["mean", "min", "median", "max"]).T.to_string(float_format="{:.3f}".format))


if __name__ == "__main__":
    main()

r"""Single features beside methods made to select them, on planted data: order, what is selected, cost.

    python benchmarks/feature_peers.py --peers ~/peers/bin/python --out small.jsonl            # 600 cells × 300 genes
    python benchmarks/feature_peers.py --peers ~/peers/bin/python --out half.jsonl --preset half --seeds 3 \
        --methods list ranksum variance chords boruta knockoffs knockpy dcrt                   # 1,200 × 2,000

Labels: a module of weak genes, five classes (mixed: markers, the module in one lineage and two programmes whose parity
matters), and the parity of two genes (pair), which no single gene tells. A quarter of the cells is set aside as the
workflow does; every method gets the others, and the genes detected in 5 % of them. A method orders the genes, and
selects some at a false discovery rate of 0.1 where it states one. Genes of the cell cycle differ between the states of
the module: they count as neither true nor false. AUPRC: informative genes against genes without effect.

`list` is the list to report with the workflow's defaults (cnn_small), `chords` the screen for pairs; ranksum and
variance are single tests with Benjamini and Hochberg. The others need packages (boruta, hidimstat, knockpy;
scikit-learn for stabl, whose procedure is written down here) and may run in another environment, named by `--peers`;
a package that is missing is said in one line. A line is kept in `--out` for every fit; fits found there are not
repeated, so a run can be interrupted. Averages come last.
"""

import argparse
import json
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

OWN = ("list", "chords", "ranksum", "variance")
PEERS = ("boruta", "knockoffs", "knockpy", "dcrt", "cfi", "stabl")
LABELS = ("module", "mixed", "pair")
LEVEL = 0.1
SUBSAMPLES = 50  # of stabl, for each penalty; its package draws 1,000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=[*OWN, *PEERS], choices=[*OWN, *PEERS])
    parser.add_argument("--labels", nargs="+", default=LABELS, choices=LABELS)
    parser.add_argument("--preset", default="small", choices=["full", "half", "small"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--peers", default=sys.executable, help="Python that has the packages of the other methods")
    parser.add_argument("--out", type=Path, help="one JSON line a fit")
    parser.add_argument("--fit", nargs=3, metavar=("METHOD", "LABEL", "SEED"), help="this one fit alone")
    options = parser.parse_args()
    if options.fit:
        method, label, seed = options.fit
        print(json.dumps(measure(options.preset, method, label, int(seed))))
        return
    kept = read(options.out)
    done = {key(row) for row in kept}
    for method in options.methods:
        for label, seed in ((label, seed) for seed in range(options.seeds) for label in options.labels):
            if (options.preset, method, label, seed) in done:
                continue
            row = in_a_process(options, method, label, seed)
            if row is None:
                break  # the method cannot run, which has been said
            kept.append(row)
            if options.out:
                with options.out.open("a") as file:
                    file.write(json.dumps(row) + "\n")
    show([row for row in kept if row["preset"] == options.preset])


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path and path.exists() else []


def key(row):
    return row["preset"], row["method"], row["label"], row["seed"]


def in_a_process(options, method, label, seed):
    """Fit in a process of its own, so that peak memory is that of the method; None if it cannot run."""
    python = options.peers if method in PEERS else sys.executable
    command = [python, __file__, "--preset", options.preset, "--fit", method, label, str(seed)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        print(f"{method} left out: {reason} (in {python}; install it there, or name another with --peers)", flush=True)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def measure(preset, method, label, seed):
    """All figures of one fit."""
    import resource

    from sklearn.metrics import average_precision_score

    from deepmapper.features import levels
    from deepmapper.features.splits import split_off_test
    from deepmapper.simulate.counts import plant

    warnings.simplefilter("ignore")
    planted = plant(preset, seed)
    y, _ = planted.codes(label)
    development, _ = split_off_test(y, 0.25, 0)
    X = planted.log_normalised()
    _, detected = levels.feature_levels(X, development, X.shape[1])
    tested = np.flatnonzero(detected >= levels.min_detected_share(0.05, y[development]))
    data = Fit(planted, label, development, X[development][:, tested], y[development], tested)
    start = time.process_time()
    size, chosen = METHODS[method](data, seed)
    seconds = time.process_time() - start
    score, selected = np.full(X.shape[1], size.min() - 1.0), np.zeros(X.shape[1], dtype=bool)
    score[tested], selected[tested] = size, chosen
    true = planted.informative(label)
    judged = true | (planted.var["category"].to_numpy() != "cycle")
    n_true, n_false = int(selected[true].sum()), int(selected[judged & ~true].sum())
    return {
        "preset": preset, "method": method, "label": label, "seed": seed,
        "auprc": float(average_precision_score(true[judged], score[judged])),
        "found": n_true, "of": int(true.sum()), "selected": n_true + n_false,
        "false_share": n_false / max(1, n_true + n_false),
        "seconds": seconds, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }  # fmt: skip


class Fit:
    """What a method may use: values and codes of the cells of the development part, genes detected often enough."""

    def __init__(self, planted, label, development, X, y, tested):
        self.planted, self.label, self.development = planted, label, development
        self.X, self.y, self.tested = X, y, tested

    @property
    def standardised(self):
        """Values with mean 0 and deviation 1, dense."""
        X = self.X.toarray().astype(np.float64)
        return (X - X.mean(0)) / np.maximum(X.std(0), 1e-6)

    @property
    def sides(self):
        """Indicators of the classes, one if there are two: regressions and knockoffs take one at a time."""
        return [self.y == code for code in range(self.y.max() + 1)][-1 if self.y.max() == 1 else 0 :]


def own_list(data, seed):
    """The list to report: 30 passes of cnn_small, 12 with shadows, the rank-sum test and the evidence."""
    import torch
    from one_order import columns, study

    torch.set_num_threads(1)
    y, _ = data.planted.codes(data.label)
    studied = study(data.planted.counts, y, data.planted.names)
    assert np.array_equal(np.sort(studied[0].development), np.sort(data.development))
    found = columns(studied, True)
    return found["list"][data.tested], found["reported"][data.tested]


def chords(data, seed):
    """The screen for pairs, family-wise 5 %: genes by their clearest pair, selected if a pair is named."""
    from deepmapper.chords.screen import screen_pairs
    from deepmapper.chords.types import ScreenOptions

    done = screen_pairs(data.X, data.y, ScreenOptions(seed=seed, threads=1))
    named = np.zeros(data.X.shape[1], dtype=bool)
    named[[i for pair in done.found for i in pair.positions]] = True
    return done.best, named


def ranksum(data, seed):
    from calibration import rank_sum

    return by_p(rank_sum(data.X, data.y))


def variance(data, seed):
    from calibration import variance as analysis_of_variance

    return by_p(analysis_of_variance(data.X, data.y, None))


def by_p(p):
    """Order by p, selected by Benjamini and Hochberg."""
    from scipy.stats import false_discovery_control

    p = np.clip(p, 1e-300, 1)
    return -np.log(p), false_discovery_control(p) <= LEVEL


def boruta(data, seed):
    """Boruta with the forest of its manual (depth 5); genes it does not confirm follow by their rank."""
    from boruta import BorutaPy
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(n_jobs=1, class_weight="balanced", max_depth=5)
    found = BorutaPy(forest, n_estimators="auto", alpha=LEVEL, random_state=seed).fit(data.X.toarray(), data.y)
    importance = np.nan_to_num(np.asarray(found.importance_history_, dtype=float)[1:]).mean(0)
    return -found.ranking_ + importance / max(importance.max(), 1e-12) / 2, found.support_


def knockoffs(data, seed):
    """Model-X knockoffs of hidimstat with its default, the coefficients of a lasso.

    The knockoffs are the same for every class, so the sum of the statistics over the classes is one, too.
    """
    from hidimstat import ModelXKnockoff

    X, statistic = data.standardised, 0.0
    for side in data.sides:
        found = ModelXKnockoff(random_state=seed)
        found.fit(X, side - side.mean())
        statistic = statistic + found.importance(X, side - side.mean()).ravel()
    return statistic, statistic >= knockoff_threshold(statistic)


def knockpy(data, seed):
    """Knockoffs of knockpy with its default (least reconstructable, MVR) and the coefficients of a lasso."""
    from knockpy import KnockoffFilter

    np.random.seed(seed)
    X, copies, statistic = data.standardised, None, 0.0
    for side in data.sides:
        found = KnockoffFilter(ksampler="gaussian", fstat="lasso")
        found.forward(X, side.astype(float), Xk=copies, fdr=LEVEL, shrinkage="ledoitwolf")
        copies, statistic = found.Xk, statistic + found.W
    return statistic, statistic >= knockoff_threshold(statistic)


def knockoff_threshold(statistic):
    """Least value at which one more than the negative statistics are a tenth of the positive ones (knockoff+)."""
    for value in np.unique(np.abs(statistic[statistic != 0])):
        if (1 + (statistic <= -value).sum()) / max(1, (statistic >= value).sum()) <= LEVEL:
            return value
    return np.inf


def dcrt(data, seed):
    """Distilled conditional randomisation test of hidimstat with a lasso; its screening leaves a tenth of the genes."""
    from hidimstat import D0CRT
    from sklearn.linear_model import LassoCV

    X, least = data.standardised, np.ones(len(data.tested))
    for side in data.sides:
        found = D0CRT(LassoCV(alphas=10, random_state=seed), random_state=seed)
        found.fit_importance(X, side - side.mean())
        least = np.minimum(least, np.nan_to_num(found.pvalues_, nan=1.0))
    return by_p(np.minimum(1, least * len(data.sides)))


def cfi(data, seed):
    """Conditional feature importance of hidimstat for a logistic regression: fitted on half of the cells, on others."""
    from hidimstat import CFI
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.metrics import log_loss
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(np.arange(len(data.y)), test_size=0.5, stratify=data.y, random_state=seed)
    X, y = data.standardised, data.y
    model = LogisticRegressionCV(Cs=5, cv=3, l1_ratios=[0.0], scoring="neg_log_loss", max_iter=200).fit(
        X[train], y[train]
    )
    found = CFI(model, method="predict_proba", loss=log_loss, feature_types="continuous", random_state=seed)
    found.fit(X[train], y[train])
    found.importance(X[test], y[test])
    return by_p(np.nan_to_num(found.pvalues_, nan=1.0))


def stabl(data, seed):
    """The procedure of Stabl (Hédou et al. 2024): stability selection beside permuted copies of the genes.

    L1 logistic regression on random halves of the cells, ten penalties; a gene's score is its largest share of
    selections. The threshold is where (1 + copies above) / genes above is smallest, so no rate is asked for. Fewer
    halves than its package draws.
    """
    from sklearn.linear_model import LogisticRegression

    rng, X = np.random.default_rng(seed), data.standardised
    both = np.hstack([X, rng.permuted(X, axis=0)])
    largest = np.zeros(both.shape[1])
    for C in np.linspace(0.01, 1, 10):
        for side in data.sides:
            share = np.zeros(both.shape[1])
            for _ in range(SUBSAMPLES):
                half = rng.choice(len(side), len(side) // 2, replace=False)
                model = LogisticRegression(C=C, l1_ratio=1, solver="liblinear", class_weight="balanced", tol=1e-3)
                share += np.abs(model.fit(both[half], side[half]).coef_[0]) > 1e-5
            largest = np.maximum(largest, share / SUBSAMPLES)
    real, copies = np.split(largest, 2)
    cuts = np.arange(0, 1, 0.01)
    estimate = [(1 + (copies > cut).sum()) / max(1, (real > cut).sum()) for cut in cuts]
    cut = 1.0 if min(estimate) > 1 else cuts[int(np.argmin(estimate))]
    return real, real > cut


METHODS = {
    "list": own_list, "chords": chords, "ranksum": ranksum, "variance": variance, "boruta": boruta,
    "knockoffs": knockoffs, "knockpy": knockpy, "dcrt": dcrt, "cfi": cfi, "stabl": stabl,
}  # fmt: skip


def show(rows):
    """Mean over the seeds of every method and label."""
    if not rows:
        return
    grouped = pd.DataFrame(rows).groupby(["label", "method"], sort=False)
    table = grouped.mean(numeric_only=True).drop(columns="seed")
    table.insert(0, "seeds", grouped.size())
    table["worst_false"] = grouped["false_share"].max()
    print(table.round(3).to_string())


if __name__ == "__main__":
    main()

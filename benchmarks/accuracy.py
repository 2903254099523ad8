"""Accuracy of the models on a labelled matrix, 25 % held out, several split seeds, beside logistic regression.

    python benchmarks/accuracy.py                                    # pbmc68k_reduced, as the demo has it
    python benchmarks/accuracy.py --matrix pbmc3k.h5ad --label cell_type --exclude unlabelled --splits 1

Each model runs with the workflow's defaults; passes and split are those of `deepmapper.evaluate`. A matrix other than
the demo's is taken for counts and normalised to log1p CP10k.
"""

import argparse
import resource
import time

import numpy as np
import torch
from common import add_matrix, configuration, read
from sklearn.linear_model import LogisticRegression

from deepmapper import linear_baseline
from deepmapper.evaluate import evaluate
from deepmapper.splits import split_off_test


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_matrix(parser)
    parser.add_argument("--models", nargs="+", default=["cnn_small", "mlp", "linear"])
    parser.add_argument("--passes", type=int, default=10)
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--epochs", type=int, help="train exactly so many")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    X, y, classes = read(options)
    print(f"{X.shape[0]} samples, {X.shape[1]} features, {len(classes)} classes, {options.threads} thread(s)")
    print(
        "model                  one pass   ensemble   (by split)                       seconds a pass   peak MB so far"
    )
    for name in options.models:
        config = configuration(name, options.passes, options.epochs)
        start, results = time.perf_counter(), []
        for seed in range(options.splits):
            results.append(evaluate(X, y, config, classes, seed=seed))
        seconds = (time.perf_counter() - start) / options.passes / options.splits
        single = np.mean([result.per_pass_acc for result in results])
        report(name, single, [result.accuracy for result in results], seconds)
    for label, fit in (("logistic regression", plain), ("... standardised", standardised)):
        start, accuracies = time.perf_counter(), []
        for seed in range(options.splits):
            rest, test = split_off_test(y, 0.25, seed)
            accuracies.append(fit(X[rest], y[rest], X[test], y[test]))
        report(label, np.nan, accuracies, (time.perf_counter() - start) / options.splits)


def plain(X, y, X_test, y_test):
    return LogisticRegression(max_iter=5000).fit(X, y).score(X_test, y_test)


def standardised(X, y, X_test, y_test):
    clf, scaler, _ = linear_baseline.fit(X, y)
    return clf.score(scaler.transform(X_test), y_test)


def report(name, single, ensemble, seconds):
    by_split = " ".join(f"{accuracy:.3f}" for accuracy in ensemble)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{name:<22} {single:8.4f}   {np.mean(ensemble):8.4f}   {by_split:<32} {seconds:14.2f}   {peak:14.0f}",
        flush=True,
    )


if __name__ == "__main__":
    main()

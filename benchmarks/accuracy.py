"""Accuracy of the models on a labelled matrix, 25 % held out, several split seeds, beside logistic regression.

    python benchmarks/accuracy.py                                    # pbmc68k_reduced, as the demo has it
    python benchmarks/accuracy.py --matrix pbmc3k.h5ad --label cell_type --exclude unlabelled --splits 1
    python benchmarks/accuracy.py --planted mixed --splits 1         # counts with planted truth (deepmapper.planted)

Each model runs with the workflow's defaults, its passes on the rest of every split. A matrix other than the demo's is
taken for counts and normalised (`--normalization`). `--feature NAME` says on which rank each split's passes put it. Of
planted truth the area under the precision-recall curve of each category is given, against all genes that tell nothing
of the label. Rankings are the documented ones: by selection frequency among the first 20, then by median importance.
"""

import argparse
import resource
import time

import numpy as np
import torch
from common import add_matrix, configuration, read
from sklearn.linear_model import LogisticRegression

from deepmapper import linear_baseline
from deepmapper.features.samples import Samples
from deepmapper.features.splits import split_off_test
from deepmapper.findings.ensemble import predict
from deepmapper.findings.ranking import accumulate_passes
from deepmapper.passes.train import train_pass
from deepmapper.simulate import counts

TOP_K = 20


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_matrix(parser)
    parser.add_argument("--planted", choices=counts.TRUTH, help="a label of planted counts in place of a matrix")
    parser.add_argument("--feature", help="whose rank to tell")
    parser.add_argument("--models", nargs="*", default=["cnn_small", "mlp", "linear"])
    parser.add_argument("--passes", type=int, default=10)
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--epochs", type=int, help="train exactly so many")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    truth = counts.plant("full", seed=0) if options.planted else None
    X, y, classes, names = read_planted(truth, options.planted) if truth else read(options)
    if options.feature and options.feature not in names:
        parser.error(f"--feature {options.feature}: the matrix has no such feature")
    print(f"{X.shape[0]} samples, {X.shape[1]} features, {len(classes)} classes, {options.threads} thread(s)")
    print("model                  one pass   ensemble   (by split)            CPU seconds a pass   peak MB so far")
    for name in options.models:
        config = configuration(name, options.passes, options.epochs)
        start, single, ensemble, found = time.process_time(), [], [], []
        for seed in range(options.splits):
            rest, test = split_off_test(y, 0.25, seed)
            passes = [train_pass(Samples(X, y, classes, rows=rest), config, i) for i in range(options.passes)]
            probabilities = [predict(one, X, test) for one in passes]
            single += [(one.argmax(1) == y[test]).mean() for one in probabilities]
            ensemble.append((np.mean(probabilities, axis=0).argmax(1) == y[test]).mean())
            found.append(accumulate_passes(passes, TOP_K, 0.0, names))
        report(name, np.mean(single), ensemble, (time.process_time() - start) / options.passes / options.splits)
        tell_ranking(found, options, truth)
    for label, fit in (("logistic regression", plain), ("... standardised", standardised)):
        start, accuracies = time.process_time(), []
        for seed in range(options.splits):
            rest, test = split_off_test(y, 0.25, seed)
            accuracies.append(fit(X[rest], y[rest], X[test], y[test]))
        report(label, np.nan, accuracies, (time.process_time() - start) / options.splits)


def read_planted(truth, label):
    codes, classes = truth.codes(label)
    return truth.log_normalised(), codes, classes, truth.names


def plain(X, y, X_test, y_test):
    return LogisticRegression(max_iter=5000).fit(X, y).score(X_test, y_test)


def standardised(X, y, X_test, y_test):
    clf, scaler, _ = linear_baseline.fit(X, y)
    return clf.score(scaler.transform(X_test), y_test)


def tell_ranking(found, options, truth):
    orders = [one.order() for one in found]
    if options.feature:
        feature = found[0].feature_names.index(options.feature)
        ranks = [1 + order.index(feature) for order in orders]
        print(f"    rank of {options.feature} by split: {' '.join(map(str, ranks))}")
    if truth:
        for group in sorted({name.split("_")[0] for name in counts.TRUTH[options.planted]}):
            areas = " ".join(f"{area(truth, options.planted, group, order):.3f}" for order in orders)
            print(f"    AUPRC of {group} genes by split: {areas}")


def area(truth, label, group, order):
    """Area under the precision-recall curve of a group's genes, those of other informative groups left out."""
    from sklearn.metrics import average_precision_score

    sought = truth.var["category"].str.startswith(group).to_numpy()
    judged = sought | ~truth.informative(label)
    score = np.empty(len(order))
    score[order] = -np.arange(len(order))
    return average_precision_score(sought[judged], score[judged])


def report(name, single, ensemble, seconds):
    by_split = " ".join(f"{accuracy:.3f}" for accuracy in ensemble)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{name:<22} {single:8.4f}   {np.mean(ensemble):8.4f}   {by_split:<32} {seconds:7.2f}   {peak:14.0f}",
        flush=True,
    )


if __name__ == "__main__":
    main()

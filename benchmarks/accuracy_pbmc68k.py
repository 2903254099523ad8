"""Accuracy of the models on pbmc68k_reduced, 25 % held out, split seeds 0-4, beside scikit-learn's logistic regression.

    python benchmarks/accuracy_pbmc68k.py [--models cnn_small mlp linear] [--passes 10] [--threads 1]

Each model runs with the workflow's defaults; passes and split follow `deepmapper.evaluate`.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from deepmapper import io, settings
from deepmapper.evaluate import evaluate
from deepmapper.splits import split_off_test

ROOT = Path(__file__).parents[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["cnn_small", "mlp", "linear"])
    parser.add_argument("--passes", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--splits", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    data = io.load_h5ad(ROOT / "resources/demo/pbmc68k_reduced.h5ad", "bulk_labels", normalize=False)
    schema = settings.load_schema(ROOT / "workflow/schemas/config.schema.yaml")
    chosen = {"matrix": {"path": "x.h5ad"}, "labels": {"column": "y"}, "models": {name: {} for name in options.models}}
    chosen = settings.validate_config(chosen, schema)

    print("model                  one pass   ensemble   (by split)                       seconds a pass")
    for name in options.models:
        config = settings.to_config(settings.model_settings(chosen, name))
        config.n_passes = options.passes
        start, results = time.perf_counter(), []
        for seed in range(options.splits):
            results.append(evaluate(data.X, data.y, config, data.label_names, seed=seed))
        seconds = (time.perf_counter() - start) / options.passes / options.splits
        single = np.mean([result.per_pass_acc for result in results])
        report(name, single, [result.accuracy for result in results], seconds)
    for label, scale in (("logistic regression", False), ("... standardised", True)):
        start, accuracies = time.perf_counter(), []
        for seed in range(options.splits):
            rest, test = split_off_test(data.y, 0.25, seed)
            X = data.X.toarray()
            if scale:
                X = StandardScaler().fit(X[rest]).transform(X)
            model = LogisticRegression(max_iter=5000).fit(X[rest], data.y[rest])
            accuracies.append(model.score(X[test], data.y[test]))
        report(label, np.nan, accuracies, (time.perf_counter() - start) / options.splits)


def report(name, single, ensemble, seconds):
    by_split = " ".join(f"{accuracy:.3f}" for accuracy in ensemble)
    print(f"{name:<22} {single:8.4f}   {np.mean(ensemble):8.4f}   {by_split:<32} {seconds:.2f}", flush=True)


if __name__ == "__main__":
    main()

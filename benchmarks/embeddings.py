"""Embeddings beside all features: accuracy of nearest neighbours and logistic regression on the test split.

    python benchmarks/embeddings.py                                          # the demo, 3 splits
    python benchmarks/embeddings.py --matrix pbmc3k.h5ad --label cell_type --exclude unlabelled

Every embedding is fitted without labels on the development part, with 50 principal components, 10 latent variables of
scvi (if the matrix has counts), as many dimensions of the contrastive embedding as `--size` says, a Geneformer of 64
units where no value is negative, and the workflow's other defaults; `--only` selects some. "All features" is logistic
regression.
"""

import argparse
import time
import warnings

import anndata
import numpy as np
import pandas as pd
import torch
from common import DEMO, ROOT, add_matrix

from deepmapper import linear_baseline
from deepmapper.features.prepare import prepare_features
from deepmapper.findings.embedded_samples import embed_samples
from deepmapper.findings.embedding import fit_run_embedding
from deepmapper.findings.embedding_evaluation import evaluate_embedding
from deepmapper.io import dataset
from deepmapper.io.expression import Expression
from deepmapper.workflow import schema, settings


def samples(options):
    """Samples with their labels `y`: counts or, of the demo, values that are normalised already; and which they are."""
    data = dataset.load_h5ad(options.matrix, options.label, normalize=False)
    labels = np.array(data.label_names, dtype=object)[data.y]
    kept = ~np.isin(labels, options.exclude)
    names = [f"cell{i}" for i in range(kept.sum())]
    obs, var = pd.DataFrame({"y": labels[kept]}, index=names), pd.DataFrame(index=list(map(str, data.var_names)))
    return anndata.AnnData(data.X[kept], obs=obs, var=var), options.matrix.resolve() != DEMO.resolve()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_matrix(parser)
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="seed of the first split")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--only", nargs="*", default=[])
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    adata, of_counts = samples(options)
    chosen = {
        "matrix": {"path": "x.h5ad"},
        "labels": {"column": "y"},
        "embeddings": {
            "pca": {"n_components": 50},
            "ppca": {"n_components": 50},
            "contrastive": {"n_components": options.size},
            "geneformer": {"n_components": 64 if adata.X.min() >= 0 else 0},  # it ranks values
            "scvi": {"n_components": 10},
        },
    }
    validated = settings.validate_config(chosen, schema.load_schema(ROOT / "workflow/schemas/config.schema.yaml"))
    embeddings = {
        kind: given
        for kind, given in validated["embeddings"].items()
        if kind in (options.only or validated["embeddings"]) and (of_counts or kind != "scvi")
    }
    if "scvi" in embeddings:
        embeddings["scvi"]["expression"] = Expression(adata.X, adata.obs, adata.var)
    normalization = options.normalization if of_counts else "none"
    found, seconds = {}, {}
    for seed in range(options.first, options.first + options.splits):
        features = prepare_features(
            adata, label_column="y", normalization=normalization, split_scheme="fixed", split_seed=seed
        )
        common = {"out_of_bag": 0.2, "draws": [0], "seed": seed}
        for kind, given in embeddings.items():
            if not given["n_components"]:
                continue
            started = time.process_time()
            fitted = fit_run_embedding(features, kind=kind, **given, **common).fitted
            scores = embed_samples(fitted, features, given.get("expression"))
            metrics, _ = evaluate_embedding(features, scores, bins=10, n_resamples=20, **common)
            seconds.setdefault(kind, []).append(time.process_time() - started)
            for name, numbers in metrics.items():
                found.setdefault((kind, name), []).append(numbers["accuracy"])
        started = time.process_time()
        rows, test = features.development, features.test
        fitted = linear_baseline.fit_rows(features.X, features.y, rows)
        seconds.setdefault("all features", []).append(time.process_time() - started)
        found.setdefault(("all features", "logistic"), []).append(
            (fitted.predict(features.X, test).argmax(1) == features.y[test]).mean()
        )
    print(f"{adata.n_obs} cells, {adata.n_vars} features, {options.splits} splits")
    print("| embedding | nearest neighbours | logistic regression | CPU s |\n|---|---|---|---|")
    for kind in seconds:
        cells = [
            f"{np.mean(values):.3f}" if (values := found.get((kind, name))) else "" for name in ("knn", "logistic")
        ]
        print(f"| {kind} | {' | '.join(cells)} | {np.mean(seconds[kind]):.0f} |")
    for kind, name in found:
        if kind != "pca" and name == "knn" and ("pca", "knn") in found:
            above = np.subtract(found[kind, "knn"], found["pca", "knn"])
            listed = " ".join(f"{value:+.3f}" for value in above)
            print(f"{kind}, nearest neighbours above those of pca: {above.mean():+.3f} (by split {listed})")


if __name__ == "__main__":
    main()

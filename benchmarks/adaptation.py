"""Learning from target cells: accuracy of every arm of the kind scnym, of what is chosen, and of the documented API.

    python benchmarks/adaptation.py arms|api|time [--splits 2] [--modes plain shift thinned both] [--pbmc3k FILE]

`arms` and `api` hide 30 % of the labels of pbmc68k_reduced (700 cells, 765 genes, ships with scanpy). The target is
also shifted (every gene by a lognormal factor of its own, sd 1) and thinned (half of the classes to a tenth). `time`
trains one pass on all genes of pbmc3k.
"""

import argparse
import resource
import tempfile
import time
import warnings

import anndata
import numpy as np
import scanpy as sc
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from deepmapper.config import BackboneSpec, DeepMapperConfig
from deepmapper.features.samples import Samples, with_target
from deepmapper.passes.adaptation import ARMS, choose_arm, with_arm
from deepmapper.passes.restore import image_maker, restore_model, softmax
from deepmapper.passes.train import train_pass
from deepmapper.scnym.api import scnym_api
from deepmapper.training.inference import predict

CONFIG = DeepMapperConfig(
    epochs=100, min_epochs=10, patience=10, batch_size=64, lr=0.005, attribution="saliency", attribution_samples=1,
    backbone=BackboneSpec("scnym", extra={"config": "no_new_identity"}),
)  # fmt: skip
PASSES = 5


def pbmc68k():
    """Logarithms and labels."""
    adata = sc.datasets.pbmc68k_reduced()
    return adata.raw.to_adata().X.toarray().astype(np.float32), adata.obs["bulk_labels"].astype(str).to_numpy()


def divided(X, labels, mode, split):
    """Values of the reference and the target, and their labels."""
    train, test = train_test_split(np.arange(len(X)), test_size=0.3, random_state=split, stratify=labels)
    rng, target = np.random.default_rng(split), X[test].copy()
    if mode in ("shift", "both"):
        counts = np.expm1(target)
        moved = counts * np.exp(rng.standard_normal(X.shape[1]))
        target = np.log1p(moved / moved.sum(1, keepdims=True) * counts.sum(1, keepdims=True)).astype(np.float32)
    kept = np.ones(len(test), dtype=bool)
    if mode in ("thinned", "both"):
        classes = rng.permutation(np.unique(labels))
        kept = ~np.isin(labels[test], classes[: len(classes) // 2]) | (rng.random(len(test)) < 0.1)
    return X[train], labels[train], target[kept], labels[test][kept]


def named(samples, config):
    """The classes that passes give the target."""
    total = 0
    for seed in range(PASSES):
        result = train_pass(samples, config, seed)
        images = image_maker(samples.X, config, seed, torch.device("cpu"), samples.unlabelled)
        model = restore_model(result, samples.X.shape[1], "cpu")
        total = total + softmax(predict(model, images, np.arange(len(samples.unlabelled))))
    return np.array(samples.classes)[total.argmax(1)]


def arms(options):
    X, labels = pbmc68k()
    for split in range(options.splits):
        for mode in options.modes:
            start = time.process_time()
            reference, y, target, truth = divided(X, labels, mode, split)
            classes, codes = np.unique(y, return_inverse=True)
            samples = with_target(Samples(reference, codes, tuple(classes)), target)
            found = {arm: (named(samples, with_arm(CONFIG, arm)) == truth).mean() for arm in ARMS}
            choice = choose_arm(samples, CONFIG, range(PASSES))
            regression = LogisticRegression(max_iter=500).fit(reference, y).score(target, truth)
            print(
                f"{mode} {split}: logistic regression {regression:.3f}, "
                + ", ".join(f"{arm} {found[arm]:.3f} (reverse {np.mean(choice['accuracy'][arm]):.3f})" for arm in ARMS)
                + f"; chosen {choice['adapt']}; {time.process_time() - start:.0f} CPU seconds",
                flush=True,
            )


def api(options):
    X, labels = pbmc68k()
    for split in range(options.splits):
        reference, y, target, truth = divided(X, labels, "plain", split)
        values = np.expm1(np.concatenate([reference, target]))
        values = np.log1p(values / values.sum(1, keepdims=True) * 1e6)
        found = []
        for config in ("no_new_identity", "new_identity_discovery", "no_dan", "no_ssl"):
            adata = anndata.AnnData(values.copy())
            adata.obs["label"] = [*y, *["Unlabeled"] * len(truth)]
            with tempfile.TemporaryDirectory() as folder:
                scnym_api(adata, groupby="label", out_path=folder, config=config)
                scnym_api(adata, task="predict", trained_model=folder)
            found.append(f"{config} {(adata.obs['scNym'].to_numpy()[len(y) :] == truth).mean():.3f}")
        print(f"split {split}: " + ", ".join(found), flush=True)


def timing(options):
    adata = anndata.read_h5ad(options.pbmc3k)
    adata = adata[adata.obs["cell_type"].astype(str) != "unlabelled"].copy()
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    classes, codes = np.unique(adata.obs["cell_type"].astype(str), return_inverse=True)
    train, test = train_test_split(np.arange(len(codes)), test_size=0.3, random_state=0, stratify=codes)
    X = adata.X.tocsr().astype(np.float32)
    samples = with_target(Samples(X[train], codes[train], tuple(classes)), X[test])
    config = with_arm(DeepMapperConfig(
        epochs=options.epochs, early_stop=False, batch_size=256, lr=0.005,
        attribution="saliency", attribution_samples=1,
        backbone=BackboneSpec("scnym", extra={"config": "no_new_identity"})), "both")  # fmt: skip
    start = time.process_time()
    result = train_pass(samples, config, 0)
    seconds, peak = time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{X.shape[1]} genes, {len(train)} + {len(test)} cells, {options.epochs} epochs: {seconds:.1f} CPU seconds, "
        f"peak {peak:.0f} MB, out-of-bag accuracy {result.accuracy:.3f}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("arms", "api", "time"))
    parser.add_argument("--splits", type=int, default=2)
    parser.add_argument("--modes", nargs="+", default=["plain", "shift", "thinned", "both"])
    parser.add_argument("--pbmc3k")
    parser.add_argument("--epochs", type=int, default=100, help="for time")
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    options = parser.parse_args()
    {"arms": arms, "api": api, "time": timing}[options.what](options)

"""Learning from target cells: accuracy of every arm of the kind scnym, of what is chosen, and of the documented API.

    python benchmarks/adaptation.py arms|api|time [--splits 2] [--modes plain shift thinned both] [--pbmc3k FILE]

`arms` and `api` hide 30 % of the labels of pbmc68k_reduced (700 cells, 765 genes, ships with scanpy). The target is
also shifted (every gene by a lognormal factor of its own, sd 1) and thinned (half of the classes to a tenth). `time`
trains one pass on all genes of pbmc3k, in a process of its own that reads the features from disk, as in the workflow;
`--defaults` stops early and averages the weights, as the workflow does.
"""

import argparse
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from memory import Watch

from deepmapper.config import BackboneSpec, DeepMapperConfig
from deepmapper.features.samples import Samples, with_target
from deepmapper.features.store import Features, open_features, write_features
from deepmapper.passes.adaptation import ARMS, choose_arm, with_arm
from deepmapper.passes.restore import image_maker, restore_model, softmax
from deepmapper.passes.train import train_pass
from deepmapper.training.inference import predict

CONFIG = DeepMapperConfig(
    epochs=100, min_epochs=10, patience=10, batch_size=64, lr=0.005, attribution="saliency", attribution_samples=1,
    backbone=BackboneSpec("scnym", extra={"config": "no_new_identity"}),
)  # fmt: skip
PASSES = 5


def pbmc68k():
    """Logarithms and labels."""
    import scanpy as sc

    adata = sc.datasets.pbmc68k_reduced()
    return adata.raw.to_adata().X.toarray().astype(np.float32), adata.obs["bulk_labels"].astype(str).to_numpy()


def divided(X, labels, mode, split):
    """Values of the reference and the target, and their labels."""
    from sklearn.model_selection import train_test_split

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
    from sklearn.linear_model import LogisticRegression

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
    import anndata

    from deepmapper.scnym.api import scnym_api

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
    """Write the features as the workflow does, and train in another process, whose memory is that of a pass."""
    with tempfile.TemporaryDirectory() as folder:
        if options.folder is None:
            write_pbmc3k(Path(folder), options.pbmc3k)
            command = [sys.executable, __file__, *sys.argv[1:], "--folder", folder]
            subprocess.run(command, check=True)
            return
    reference, target = (open_features(options.folder / name) for name in ("reference", "target"))
    samples = with_target(reference.development_samples, target.X)
    config = with_arm(replace(CONFIG, epochs=options.epochs, batch_size=256), "both")
    averaging = {"weight_average": 0.8} if options.defaults else {"early_stop": False}
    start = time.process_time()
    with Watch() as used:
        result = train_pass(samples, replace(config, **averaging), 0)
    print(
        f"{reference.X.shape[1]} genes, {len(samples)} + {target.X.shape[0]} cells, {len(result.history)} epochs: "
        f"{time.process_time() - start:.1f} CPU seconds; {used}; out-of-bag accuracy {result.accuracy:.3f}"
    )


def write_pbmc3k(folder, path):
    """Write logarithms of the labelled cells, 30 % of them as target, to two feature stores."""
    import anndata
    import scanpy as sc
    from sklearn.model_selection import train_test_split

    adata = anndata.read_h5ad(path)
    adata = adata[adata.obs["cell_type"].astype(str) != "unlabelled"].copy()
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    classes, codes = np.unique(adata.obs["cell_type"].astype(str), return_inverse=True)
    train, test = train_test_split(np.arange(len(codes)), test_size=0.3, random_state=0, stratify=codes)
    X = adata.X.tocsr().astype(np.float32)
    for name, rows in (("reference", train), ("target", test)):
        y = codes[rows].astype(np.int64)
        split = np.zeros(len(rows), dtype=np.uint8)
        write_features(folder / name, Features(X[rows], y, tuple(classes), tuple(adata.var_names), (), split))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("arms", "api", "time"))
    parser.add_argument("--splits", type=int, default=2)
    parser.add_argument("--modes", nargs="+", default=["plain", "shift", "thinned", "both"])
    parser.add_argument("--pbmc3k")
    parser.add_argument("--epochs", type=int, default=100, help="for time")
    parser.add_argument("--defaults", action="store_true", help="for time: stop early and average the weights")
    parser.add_argument("--folder", type=Path, help="for time: features that are written already")
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    options = parser.parse_args()
    {"arms": arms, "api": api, "time": timing}[options.what](options)

"""How often a study of nothing is called signal, and how often a true one is, at 5 % (`findings.signal_test`).

    python benchmarks/verdicts.py                                 # --studies, --only

Every study has 150 samples × 60 normal features, 10 passes of softmax regression and 20 control passes; its verdict is
taken with all of these and with the first 5 controls. Without signal: two equal classes, classes of 1/8 and 7/8, and 12
donors that hold one class each and differ from each other (a donor's samples are never divided). With signal: six
features that differ by 0.6 standard deviations between the classes.
"""

import argparse

import numpy as np
import torch

from deepmapper.config import BackboneSpec, DeepMapperConfig
from deepmapper.features.samples import Samples
from deepmapper.findings.ranking import accumulate_passes
from deepmapper.findings.signal_test import compare_with_controls
from deepmapper.passes.train import train_pass

SAMPLES, FEATURES, DONORS, PASSES, CONTROLS = 150, 60, 12, 10, (5, 20)
SETTINGS = {"epochs": 8, "lr": 0.02, "batch_size": 32, "early_stop": False, "weight_decay": 0.01, "test_size": 0.2}
KINDS = [f"{labels}, {there}" for there in ("nothing", "signal") for labels in ("equal", "unequal", "donors")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=20)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=KINDS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("study              controls   signal   cannot be told   no signal")
    for kind in options.only:
        told = [verdicts(kind, seed) for seed in range(options.studies)]
        for place, n in enumerate(CONTROLS):
            said = [verdict[place] for verdict in told]
            print(
                f"{kind:<18} {n:8}   {said.count(True):6}   {said.count(None):14}   {said.count(False):9}", flush=True
            )


def verdicts(kind, seed):
    """What is said of one study with few and with many controls."""
    X, y, groups = study(kind, seed)
    config = DeepMapperConfig(
        **SETTINGS, attribution="saliency", attribution_samples=1, backbone=BackboneSpec(kind="linear")
    )

    def train(seed, permuted):
        return train_pass(Samples(X, y, ("a", "b"), groups=groups), config, seed, permute_labels=permuted)

    found = accumulate_passes([train(i, False) for i in range(PASSES)], 20, 0.0)
    controls = [train(i, True) for i in range(CONTROLS[-1])]
    return [compare_with_controls(found, controls[:n]).signal for n in CONTROLS]


def study(kind, seed):
    rng = np.random.default_rng([seed, 7])
    X, groups = rng.normal(size=(SAMPLES, FEATURES)).astype(np.float32), None
    y = (np.arange(SAMPLES) < SAMPLES // 8).astype(int) if kind.startswith("unequal") else np.arange(SAMPLES) % 2
    y = rng.permutation(y)
    if kind.startswith("donors"):
        groups = np.arange(SAMPLES) % DONORS
        y = rng.permutation(np.arange(DONORS) % 2)[groups]
        X += rng.normal(size=(DONORS, FEATURES)).astype(np.float32)[groups] * 0.7
    if kind.endswith("signal"):
        X[:, :6] += 0.6 * (y[:, None] - y.mean())
    return X, y, groups


if __name__ == "__main__":
    main()

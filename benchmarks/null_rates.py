"""How often the networks list a false feature where nothing, or one feature of 2,000, is true.

    python benchmarks/null_rates.py cells --draws 20           # 600 cells, none true and one true
    python benchmarks/null_rates.py bulk --draws 30            # 24 samples

The networks have the workflow's defaults: 30 passes and 12 with shadow features, in four draws, of cnn_small. A study
without a true feature should list one in at most every tenth case at a false discovery rate of 0.1. Shadows of one
draw take the place of features for a second, sharper test: they are judged by the three other draws, four times for
each study, and differ from them in nothing at all. A line is printed for every study, averages come last.
"""

import argparse
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from common import configuration
from one_order import DEFAULTS, LEVEL, study

from deepmapper.core.false_discovery import benjamini_hochberg
from deepmapper.features import levels
from deepmapper.findings.consensus import (
    comparable_scales,
    mean_shadowed_votes,
    noise_factors,
    root_mean_square,
    standardise_shadows,
)
from deepmapper.findings.null_tail import fit_tail, tail_p
from deepmapper.findings.q_values import calibrate
from deepmapper.passes.shadows import train_shadow_pass
from deepmapper.passes.train import train_pass

P = 2000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["cells", "bulk"])
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--true", type=int, nargs="+", default=[0, 1])
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    rows = []
    for draw in range(options.first, options.first + options.draws):
        for n_true in options.true:
            values, y = {"cells": cells, "bulk": bulk}[options.kind](draw, n_true)
            samples = study(values, y, [f"g{i}" for i in range(P)])[0].development_samples
            mean, detected = levels.feature_levels(samples.X, samples.rows, samples.n_features)
            tested = detected >= levels.min_detected_share(0.05, samples.labels)
            config = configuration("cnn_small")
            passes = [train_pass(samples, config, seed) for seed in range(DEFAULTS["passes"]["n_passes"])]
            shadows = [train_shadow_pass(samples, config, seed) for seed in range(DEFAULTS["passes"]["n_shadow"])]
            rows.append({"true": n_true, "draw": draw} | judged(passes, shadows, mean, tested, n_true))
            print(*(f"{key} {value:.3g}" for key, value in rows[-1].items()), sep="  ", flush=True)
    print(pd.DataFrame(rows).drop(columns="draw").groupby("true").agg(["mean", "max"]).round(4).T.to_string())


def cells(draw, n_true):
    """600 cells in two classes; a true gene has a mean of 6 or of 0.3."""
    rng = np.random.default_rng([draw, n_true, 5])
    y, n = np.arange(600) % 2, 600
    mean = np.tile(rng.gamma(0.6, 0.8, P), (n, 1))
    mean[:, :n_true] = np.where(y == 1, 6.0, 0.3)[:, None]
    return rng.poisson(mean * rng.lognormal(0, 0.3, (n, 1)) * rng.gamma(3.3, 1 / 3.3, (n, P))), y


def bulk(draw, n_true):
    """24 samples in two classes; a true gene has a mean of 400 or of 50."""
    rng = np.random.default_rng([draw, n_true, 7])
    y, n = np.arange(24) % 2, 24
    mean = np.tile(rng.lognormal(4, 1.5, P), (n, 1))
    mean[:, :n_true] = np.where(y == 1, 400.0, 50.0)[:, None]
    return rng.poisson(mean * rng.lognormal(0, 0.3, (n, 1)) * rng.gamma(10, 1 / 10, (n, P))), y


def judged(passes, shadow_passes, mean, tested, n_true):
    """The q of the true feature, false ones, and what shadows of one draw make of the others."""
    found = calibrate(passes, shadow_passes, mean, tested, LEVEL)
    shadowed, mean = mean_shadowed_votes(shadow_passes, found.strata), mean[tested]
    lists, p = [], []
    for held in range(len(shadowed.shadows)):
        as_features, n_passes = np.sinh(shadowed.shadows[held]), shadowed.n_passes[held]
        rest = {name: np.delete(values, held, 0) for name, values in vars(shadowed).items() if name != "features"}
        others = replace(shadowed, **rest)
        shadows = np.sinh(others.shadows * noise_factors(others, n_passes)[:, :, None])
        scale = comparable_scales(as_features, as_features, shadows, mean)[1]
        null = np.sort(root_mean_square(standardise_shadows(shadows, mean)).ravel())
        p.append(tail_p(root_mean_square(as_features * scale), null, fit_tail(null)))
        lists.append((benjamini_hochberg(p[-1]) <= LEVEL).any())
    false = found.significant[n_true:].sum()
    own_p = found.p[n_true:][tested[n_true:]]
    return {
        "q of the true one": float(found.q[0]) if n_true else np.nan,
        "false": int(false),
        "lists": float(false > 0),
        "p <= .01": float((own_p <= 0.01).mean()),
        "p <= .001": float((own_p <= 0.001).mean()),
        "shadows: lists": float(np.mean(lists)),
        "shadows: p <= .01": float((np.concatenate(p) <= 0.01).mean()),
        "shadows: p <= .001": float((np.concatenate(p) <= 0.001).mean()),
        "shadows: p <= .0001": float((np.concatenate(p) <= 0.0001).mean()),
    }


if __name__ == "__main__":
    main()

"""A reference of several domains: accuracy on a further one, with and without adaptation and `labels.domain`.

    python benchmarks/several_domains.py --out domains.jsonl

800 simulated cells × 300 genes (`simulate.counts`, the classes A, B+, B- and C of "main") in four domains, of which the
last is the target. In every domain each gene is captured with a probability of its own, exp(-|x|), x normal with a
standard deviation of `--spread`. `alike`: all domains have the same classes. `uneven`: in each domain of the reference
two of the four classes are thinned to a tenth. `single`: each of four domains has cells
of one class only; nothing is chosen then.

Accuracy on the target of an ensemble of five passes of the kind scnym (`no_new_identity`, `lr: 0.005`): `none`; `both`
(MixMatch and adversary) where the adversary tells target and reference apart, and where it tells all domains apart; and
what `adapt: auto` takes in either case. A line is printed for every mode and seed and kept in `--out`; what is found
there is not run again. Means with standard errors and paired differences from `none` come last.
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
from adaptation import CONFIG, PASSES, named

from deepmapper.features.samples import Samples, with_target
from deepmapper.io.normalize import normalize_matrix
from deepmapper.passes.adaptation import best_arm, choose_arm, reverse_accuracy, with_arm
from deepmapper.simulate.counts import PRESETS, plant

MODES = ("alike", "uneven", "single")
ARMS = ("none", "mixmatch", "both", "both, domains", "auto", "auto, domains")
N_REFERENCE = {"alike": 3, "uneven": 3, "single": 4}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--modes", nargs="+", default=["alike", "uneven"], choices=MODES)
    parser.add_argument("--spread", type=float, default=1.0)
    parser.add_argument("--minutes", type=float, default=1e9, help="begin nothing after so many")
    parser.add_argument("--out", type=Path, help="one JSON line a mode and seed")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    known = options.out is not None and options.out.exists()
    kept = [json.loads(line) for line in options.out.read_text().splitlines()] if known else []
    done, begun = {(row["spread"], row["mode"], row["seed"]) for row in kept}, time.time()
    for seed, mode in ((seed, mode) for seed in range(options.seeds) for mode in options.modes):
        if (options.spread, mode, seed) in done:
            continue
        if time.time() - begun > 60 * options.minutes:
            break
        kept.append({"spread": options.spread, "mode": mode, "seed": seed, **measure(mode, seed, options.spread)})
        print(json.dumps(kept[-1]), flush=True)
        if options.out:
            with options.out.open("a") as file:
                file.write(json.dumps(kept[-1]) + "\n")
    show(pd.DataFrame([row for row in kept if row["spread"] == options.spread]))


def simulated(mode, seed, spread):
    """Samples with the last domain as target, codes of the domains, and the classes of the target."""
    n_domains = N_REFERENCE[mode] + 1
    cells = plant(replace(PRESETS["small"], cells=200 * n_domains), seed)
    y, classes = cells.codes("main")
    rng = np.random.default_rng([seed, 12])
    domain = rng.permutation(np.arange(len(y)) % n_domains)
    kept = np.ones(len(y), dtype=bool)
    for code in range(n_domains - 1):
        rare = rng.choice(len(classes), 2, replace=False) if mode == "uneven" else []
        kept &= ~((domain == code) & np.isin(y, rare) & (rng.random(len(y)) >= 0.1))
    if mode == "single":
        domain = np.where(domain == n_domains - 1, domain, y)
    captured = np.exp(-np.abs(rng.normal(0, spread, (n_domains, cells.counts.shape[1]))))
    counts = rng.binomial(cells.counts.toarray().astype(int), captured[domain]).astype(np.float32)
    rows = np.flatnonzero(kept)
    X, y, domain = normalize_matrix(counts[rows], "log1p_median"), y[rows], domain[rows]
    is_target = domain == n_domains - 1
    reference = Samples(X[~is_target], y[~is_target], classes)
    codes = np.concatenate([domain[~is_target], domain[is_target]])
    return with_target(reference, X[is_target]), codes, np.array(classes)[y[is_target]]


def measure(mode, seed, spread):
    """Accuracies of one seed, what was chosen, and the CPU seconds."""
    samples, domains, truth = simulated(mode, seed, spread)
    given, start = replace(samples, domains=domains), time.process_time()

    def accuracy(of, arm):
        config = with_arm(CONFIG, arm)
        extra = {**config.backbone.extra, "n_domains": of.n_domains}
        return float((named(of, replace(config, backbone=replace(config.backbone, extra=extra))) == truth).mean())

    found = {"none": accuracy(samples, "none"), "mixmatch": accuracy(samples, "mixmatch")}
    found |= {"both": accuracy(samples, "both"), "both, domains": accuracy(given, "both")}
    if mode == "single":
        return {**found, "seconds": round(time.process_time() - start)}
    choice = choose_arm(samples, CONFIG, range(PASSES))
    # the other arms read no domains
    back = [reverse_accuracy(given, CONFIG, "both", i)[0] for i in range(PASSES)]
    arms = choice["adapt"], best_arm({**choice["accuracy"], "both": back}, choice["difference"])[0]
    found |= {"auto": found[arms[0]], "auto, domains": found["both, domains" if arms[1] == "both" else arms[1]]}
    reverse = {arm: float(np.mean(values)) for arm, values in choice["accuracy"].items()}
    return {
        **found, "chosen": arms[0], "chosen, domains": arms[1], "difference": choice["difference"],
        "reverse": {**reverse, "both, domains": float(np.mean(back))}, "seconds": round(time.process_time() - start),
    }  # fmt: skip


def show(table):
    """Means with standard errors, and paired differences from no adaptation with their 95 % intervals."""
    for mode, rows in table.groupby("mode", sort=False):
        print(f"\n{mode}, {len(rows)} seeds, {rows['seconds'].mean():.0f} CPU seconds each")
        rows = rows.dropna(axis="columns")
        for name in (name for name in ARMS if name in rows):
            gain = rows[name] - rows["none"]
            error, half = (values.std() / np.sqrt(len(rows)) for values in (rows[name], gain))
            print(f"  {name:15} {rows[name].mean():.3f} ({error:.3f})  {gain.mean():+.3f} ± {1.96 * half:.3f}")
        for name in (name for name in ("chosen", "chosen, domains") if name in rows):
            print(f"  {name}: {rows[name].value_counts().to_dict()}")


if __name__ == "__main__":
    main()

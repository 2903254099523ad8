"""The screen for gene chords on planted data: what it finds, its error rate where there is nothing, time and memory.

    python benchmarks/chords.py recovery --seeds 20    # pair, triplet, programs, mixed: ranking, held-out accuracy
    python benchmarks/chords.py nulls --seeds 200      # shuffled labels, and true main effects without any chord
    python benchmarks/chords.py few --seeds 100        # error rate and power in studies of few samples
    python benchmarks/chords.py networks --seeds 3     # accuracy of networks that read the chords as pixels
    python benchmarks/chords.py speed                  # beside one plain product in numpy, each in its own process

Data are planted anew for every seed (`simulate.counts`; `--preset full` has 2,000 cells × 5,000 genes). A quarter of
the cells is held out before the screen, stratified, and judges. Tables are tab-separated.
"""

import argparse
import json
import subprocess
import sys
import time

import numpy as np

LABELS = ("pair", "triplet", "programs", "mixed")
NULLS = ("shuffled_2", "shuffled_5", "rare", "module", "main", "depth", "donors")
# Samples of each class in studies of few samples, and fold changes of their main effects.
FEW, FOLDS = ((16, 16), (16, 32), (16, 16, 16), (24, 24), (20, 60), (50, 50), (60, 140)), (1, 2, 3, 8)
SPEED = ("numpy", "scan", "screen")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["recovery", "nulls", "few", "networks", "speed", "measure"])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--preset", default="full", choices=["full", "half", "small"])
    parser.add_argument("--only", nargs="+", help="labels or nulls to run; all of them if left out")
    parser.add_argument("--models", nargs="+", default=["cnn_small", "mlp", "linear"], help="of the networks part")
    parser.add_argument("--passes", type=int, default=3, help="of the networks part")
    parser.add_argument("--permutations", type=int, default=39)
    parser.add_argument("--level", type=float, default=0.05, help="of the nulls and recovery parts")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cells", type=int, default=1500, help="of the speed part")
    parser.add_argument("--genes", type=int, nargs="+", default=[5000], help="of the speed part")
    parser.add_argument("--min-detected", type=float, default=0.05, help="of the speed part; 0 takes every gene seen")
    parser.add_argument("--methods", nargs="+", default=SPEED, help="of the speed part")
    options = parser.parse_args()
    parts = {"recovery": recovery, "nulls": nulls, "few": few, "networks": networks, "speed": speed, "measure": measure}
    parts[options.part](options)


def recovery(options):
    from deepmapper.features.splits import split_off_test
    from deepmapper.simulate.counts import plant

    head = "label seed auprc found true_found first members true_members accuracy additive auc synergy low high seconds"
    print(*head.split(), sep="\t")
    rows = {label: [] for label in options.only or LABELS}
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        planted = plant(options.preset, seed)
        X = planted.log_normalised()
        for label, found in rows.items():
            y, classes = planted.codes(label)
            found.append(one_recovery(X, y, classes, planted, label, seed, split_off_test(y, 0.25, seed), options))
            print(label, seed, *(f"{value:.4g}" for value in found[-1]), sep="\t", flush=True)
    for label, found in rows.items():
        print(label, "mean", *(f"{value:.4g}" for value in np.nanmean(found, axis=0)), sep="\t")
        print(label, "least", *(f"{value:.4g}" for value in np.nanmin(found, axis=0)), sep="\t")


def one_recovery(X, y, classes, planted, label, seed, split, options):
    from sklearn.metrics import average_precision_score

    from deepmapper.chords.groups import group_chords
    from deepmapper.chords.proof import prove_chords
    from deepmapper.chords.screen import screen_pairs, screen_triplets
    from deepmapper.chords.types import ScreenOptions

    development, test = split
    kinds = ("program_1", "program_2") if label in ("programs", "mixed") else (label,)
    truth = np.zeros(X.shape[1], dtype=bool)
    truth[planted.genes(*kinds)] = True
    start = time.perf_counter()
    screen = screen_pairs(
        X,
        y,
        ScreenOptions(permutations=options.permutations, level=options.level, seed=seed, threads=options.threads),
        rows=development,
        names=planted.names,
        classes=classes,
    )
    triplets = screen_triplets(X, screen) if label == "triplet" else None
    ranked = screen if triplets is None else triplets
    chords = group_chords(X, screen, triplets)
    seconds = time.perf_counter() - start
    proofs = prove_chords(X, y, chords, development=development, test=test, classes=classes, seed=seed)
    sides = planted.var["category"].to_numpy()
    whole = [
        truth[list(one.positions)].all() and len(set(sides[list(one.positions)])) == len(set(kinds))
        for one in ranked.found
    ]
    first = float(bool(ranked.candidates) and truth[list(ranked.candidates[0].positions)].all())
    auprc = average_precision_score(truth, ranked.best)
    if not proofs:
        return [auprc, len(ranked.found), sum(whole), first, 0, 0, *[np.nan] * 6, seconds]
    members, proof = set(chords[0].positions), proofs[0]
    return [
        auprc, len(ranked.found), sum(whole), first, len(members), int(truth[list(members)].sum()), proof.accuracy,
        proof.accuracy_additive, proof.auc, proof.synergy, proof.synergy_low, proof.synergy_high, seconds,
    ]  # fmt: skip


def nulls(options):
    """Share of matrices without any chord in which the screen names a pair, with its 95 % Wilson interval."""
    from deepmapper.accumulate import wilson_interval
    from deepmapper.chords.groups import group_chords
    from deepmapper.chords.screen import screen_pairs
    from deepmapper.chords.types import ScreenOptions
    from deepmapper.simulate.counts import plant

    print("null seeds family low high median_pairs median_chords any_q0.1".replace(" ", "\t"))
    for null in options.only or NULLS:
        found, chords, discovered = [], [], []
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            planted = plant(options.preset, 10_000 + seed)
            X = planted.log_normalised()
            y, settings = null_labels(null, planted, seed)
            chosen = ScreenOptions(
                permutations=options.permutations, level=options.level, seed=seed, threads=options.threads
            )
            screen = screen_pairs(X, y, chosen, **settings)
            found.append(len(screen.found))
            chords.append(len(group_chords(X, screen)))
            discovered.append(any(pair.q <= 0.1 for pair in screen.candidates))
        share = np.mean(np.array(found) > 0)
        low, high = wilson_interval(float(share), len(found))
        cells = [null, len(found), f"{share:.3f}", f"{low:.3f}", f"{high:.3f}", np.median(found), np.median(chords)]
        print(*cells, f"{np.mean(discovered):.3f}", sep="\t", flush=True)


def null_labels(null, planted, seed):
    from deepmapper.features.confounders import confounder_columns
    from deepmapper.features.design import make_design

    rng = np.random.default_rng(seed)
    n = len(planted.obs)
    if null.startswith("shuffled"):
        return rng.permutation(planted.codes("mixed" if null.endswith("5") else "module")[0]), {}
    if null == "rare":
        return (rng.random(n) < 0.06).astype(np.int64), {}
    if null == "depth":  # shallow and deep cells against the middle: every product of two genes differs through depth
        far = np.abs(np.log(planted.obs["depth"]).to_numpy())
        y = (far + rng.normal(0, 0.2, n) > np.median(far)).astype(np.int64)
        columns = confounder_columns(planted.obs.drop(columns="depth"), ["depth"], counts=planted.counts)
        return y, {"confounders": make_design(columns).values}
    if null == "donors":  # twelve donors, six of each label: only whole donors can be exchanged
        donor = rng.integers(0, 12, n)
        return (rng.permutation(12) % 2)[donor].astype(np.int64), {"groups": donor}
    return planted.codes(null)[0], {}


def few(options):
    """Share of studies of few samples with a false pair beside main effects, and in which a planted one is found."""
    from deepmapper.chords.screen import screen_pairs
    from deepmapper.chords.types import ScreenOptions

    print("classes fold named found".replace(" ", "\t"))
    for sizes in FEW:
        for fold in FOLDS:
            named, found = [], []
            for seed in range(options.first_seed, options.first_seed + options.seeds):
                for chord, hits in ((False, named), (True, found)):
                    X, y = few_samples(sizes, fold, chord, np.random.default_rng([seed, 77]))
                    settings = ScreenOptions(permutations=options.permutations, seed=seed, threads=options.threads)
                    pairs = [set(pair.positions) for pair in screen_pairs(X, y, settings).found]
                    hits.append({10, 11} in pairs if chord else bool(pairs))
            print(
                "+".join(map(str, sizes)), fold, f"{np.mean(named):.3f}", f"{np.mean(found):.3f}", sep="\t", flush=True
            )


def few_samples(sizes, fold, chord, rng):
    """75 features, 1,500 counts a sample; ten differ between the first class and all others.

    With a chord, two more are both high or both low in the last class, and one of them is high in the class before it;
    in further classes they are independent.
    """
    y = np.repeat(np.arange(len(sizes)), sizes)
    share = rng.lognormal(0, 0.5, 75)
    mean = np.tile(1500 * share / share.sum(), (len(y), 1))
    high = np.where(np.arange(10) % 2, y[:, None] > 0, y[:, None] == 0)
    mean[:, :10] *= fold ** (high - 0.5) / ((fold**0.5 + fold**-0.5) / 2)
    if chord:
        first = rng.integers(0, 2, len(y))
        second = np.where(y >= len(sizes) - 2, first ^ (y == len(sizes) - 2), rng.integers(0, 2, len(y)))
        mean[:, 10:12] = 80 * 8 ** (np.column_stack([first, second]) - 0.5) / ((8**0.5 + 8**-0.5) / 2)
    counts = rng.poisson(mean * rng.gamma(1 / 0.04, 0.04, mean.shape))
    return np.log1p(counts / counts.sum(1, keepdims=True) * 1e6).astype(np.float32), y


def networks(options):
    """Accuracy on the cells held out, of single passes and of their average, with and without chords to read."""
    from dataclasses import replace

    import torch
    from common import configuration

    from deepmapper.chords.groups import group_chords
    from deepmapper.chords.screen import screen_pairs
    from deepmapper.chords.types import ScreenOptions
    from deepmapper.chords.values import append_chords
    from deepmapper.features.samples import Samples
    from deepmapper.features.splits import split_off_test
    from deepmapper.features.store import DEVELOPMENT, TEST, Features
    from deepmapper.findings import ensemble
    from deepmapper.passes.train import train_pass
    from deepmapper.simulate.counts import plant

    torch.set_num_threads(options.threads)
    print("label seed model chords pass ensemble".replace(" ", "\t"))
    for label in options.only or ("pair", "programs"):
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            planted = plant(options.preset, seed)
            X, (y, classes) = planted.log_normalised(), planted.codes(label)
            split = np.full(len(y), DEVELOPMENT, dtype=np.uint8)
            split[split_off_test(y, 0.25, seed)[1]] = TEST
            plain = Features(X, y, classes, tuple(planted.names), tuple(planted.obs.index), split)
            chosen = ScreenOptions(permutations=options.permutations, seed=seed, threads=options.threads)
            screen = screen_pairs(X, y, chosen, rows=plain.development)
            both = append_chords(plain, group_chords(X, screen))
            for features in (plain, replace(both, X=both.X.to_memory())):
                for name in options.models:
                    said = []
                    for turn in range(options.passes):
                        result = train_pass(
                            Samples(features.X, y, classes, rows=features.development, n_chords=len(features.chords)),
                            configuration(name),
                            turn,
                        )
                        said.append(ensemble.predict(result, features.X, features.test))
                    right = [(one.argmax(1) == y[features.test]).mean() for one in [*said, np.mean(said, 0)]]
                    cells = [label, seed, name, len(features.chords), f"{np.mean(right[:-1]):.3f}", f"{right[-1]:.3f}"]
                    print(*cells, sep="\t", flush=True)


def speed(options):
    """Time and peak memory, each method in a process of its own; the matrix is made before the clock starts."""
    print("method cells genes screened threads permutations seconds cpu_seconds peak_mb before_mb".replace(" ", "\t"))
    for genes in options.genes:
        for method in options.methods:
            command = [sys.executable, __file__, "measure", "--methods", method, "--genes", str(genes)]
            command += ["--cells", str(options.cells), "--threads", str(options.threads)]
            command += ["--permutations", str(options.permutations), "--min-detected", str(options.min_detected)]
            result = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            print(*json.loads(result.splitlines()[-1]), sep="\t", flush=True)


def measure(options):
    import resource

    from threadpoolctl import threadpool_limits

    from deepmapper.chords import contrasts, scan
    from deepmapper.chords import screen as chords_screen
    from deepmapper.chords.types import ScreenOptions
    from deepmapper.simulate.counts import Design, plant

    genes, method = options.genes[0], options.methods[0]
    planted = plant(Design(cells=options.cells, genes=genes, depth=0.6 * genes), 0)
    X, y = planted.log_normalised(), planted.codes("pair")[0]
    seen = X.getnnz(0) >= max(options.min_detected * len(y), 1)
    X = X[:, seen] if method != "screen" else X
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start, cpu = time.perf_counter(), time.process_time()
    with threadpool_limits(options.threads if method == "numpy" else 1):
        if method == "numpy":
            Z = X.toarray()
            Z = (Z - Z.mean(0)) / Z.std(0)
            np.abs((Z * (y - y.mean()).astype(np.float32)[:, None]).T @ Z).max()
        elif method == "scan":
            contrast = contrasts.make_contrasts(y, np.full((len(y), 2), 0.5), permutations=0)[0]
            columns = contrast.columns(X, 3.0).cache(512, 256)
            scan.scan_pairs(columns, contrast.residuals, contrast.weight, 512, 1000, workers=options.threads)
        else:
            chosen = ScreenOptions(
                permutations=options.permutations, min_detected=options.min_detected, threads=options.threads
            )
            chords_screen.screen_pairs(X, y, chosen)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    draws = options.permutations if method == "screen" else 0
    print(
        json.dumps(
            [
                method,
                len(y),
                genes,
                int(seen.sum()),
                options.threads,
                draws,
                round(seconds, 2),
                round(cpu, 2),
                round(peak),
                round(before),
            ]
        )
    )


if __name__ == "__main__":
    main()

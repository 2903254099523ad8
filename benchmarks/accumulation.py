"""Accumulate many passes over many features: seconds and memory of each step that reads them all.

    python benchmarks/accumulation.py --passes 1000 --features 200000 --classes 10

Writes passes with drawn numbers (a few features with a signal), without weights, into a folder of its own, and removes
them at the end: 17 GB for the figures above. `--distinct` writes fewer and gives each several names, where the disk has
no room; what is read twice then comes from the system's cache. Steps: the ranking (`runner.accumulate_passes`), the
agreement of every two passes, the tables, and the intervals of rank and importance over 200 resamples of the passes.
"""

import argparse
import json
import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from memory import Watch

from deepmapper.findings import feature_table, pass_intervals, pass_table, ranking
from deepmapper.passes.result import PassFile, PassResult


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passes", type=int, default=1000)
    parser.add_argument("--features", type=int, default=200_000)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--distinct", type=int, help="files to write; the others are further names of them")
    parser.add_argument("--resamples", type=int, default=200, help="0 leaves the intervals out")
    parser.add_argument(
        "--whole", action="store_true", help="read arrays whole by numpy.load, in place of mapping them"
    )
    parser.add_argument("--folder", type=Path, help="where there is room; the system's folder for temporary files")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        with Watch() as watch:
            paths = make(Path(folder), options)
        size = sum(path.stat().st_size for path in paths[: options.distinct]) / 2**30
        print(f"{len(paths)} passes, {size:.1f} GB on disk, written in {watch.seconds:.0f} s", flush=True)
        measure(paths, options)


class ReadWhole(PassFile):
    """A pass left in its file, whose arrays are read whole whenever they are asked for."""

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        with np.load(self._record.path, allow_pickle=False) as file:
            return file[name]


def make(folder, options):
    paths = []
    for seed in range(options.passes):
        path = folder / f"{seed}.npz"
        if options.distinct and seed >= options.distinct:
            os.link(paths[seed % options.distinct], path)
        else:
            drawn(seed, options.features, options.classes).save(path)
        paths.append(path)
    return paths


def drawn(seed, n_features, n_classes):
    rng = np.random.default_rng(seed)
    importance = rng.standard_exponential(n_features, dtype=np.float32)
    importance[:20] += 10
    by_class = (n_classes, n_features)
    numbers = {"accuracy": 0.8, "balanced_accuracy": 0.8, "majority_accuracy": 0.1, "permuted_accuracy": 0.1}
    return PassResult(
        seed=seed,
        permuted=False,
        settings={"early_stop": True},
        classes=tuple(f"class{code}" for code in range(n_classes)),
        permutation_p=0.001,
        stop_epoch=1,
        completeness_error=0.0,
        history=np.zeros((1, 3)),
        importance=importance,
        class_importance=rng.standard_exponential(by_class, dtype=np.float32),
        class_gradient=rng.standard_normal(by_class, dtype=np.float32),
        train_rows=np.arange(100),
        validation_rows=np.arange(100, 120),
        out_of_bag_rows=np.arange(120, 150),
        out_of_bag_probability=np.full((30, n_classes), 1 / n_classes),
        weights={},
        **numbers,
    )


@contextmanager
def step(name):
    """Print the time and memory of a step."""
    cpu = time.process_time()
    with Watch() as watch:
        yield
    print(f"{name:<14}{watch}, {time.process_time() - cpu:.0f} s of CPU", flush=True)


def measure(paths, options):
    names = [f"gene{i}" for i in range(options.features)]
    with step("opening"):
        passes = [(ReadWhole if options.whole else PassFile)(path) for path in paths]
    with step("ranking"):
        found = ranking.accumulate_passes(passes, 100, 0.5, names)
    if options.whole:
        return
    with step("agreement"):
        agreement = pass_table.agreement_table(passes, 100)
    with step("tables"):
        table = feature_table.feature_table(found)
        pass_table.pass_table(passes, [], 0.5), pass_table.history_table(passes)
    if options.resamples:
        with step("rank"):
            scores = pass_intervals.importances(passes)
            pass_intervals.rank_intervals(scores, options.resamples)
        with step("importance"):
            pass_intervals.importance_intervals(scores, options.resamples)
    first = set(table["feature"].head(20)) == {f"gene{i}" for i in range(20)}
    print(json.dumps({"first_20_found": first, "mean_overlap": round(float(agreement["top_k_overlap"].mean()), 3)}))


if __name__ == "__main__":
    main()

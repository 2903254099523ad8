"""Everything that is measured of a pass in one command: speed, memory, accuracy and recovery, beside three references.

    python benchmarks/run.py                                          # the demo's matrix and a planted study
    python benchmarks/run.py --matrix pbmc3k.h5ad --label cell_type --exclude unlabelled
    python benchmarks/run.py --cells 1000 --features 2000            # a smaller planted study
    python benchmarks/run.py --quick --without-published              # seconds: that it runs

Each method is a process of its own on one thread, on the same values:

- *ours*: one pass of the default network with the workflow's settings, training to attribution,
- *published*: one pass of pydeepmapper 1.0.2 with its settings, in its own environment (as `against_published.py` makes
  it), for as many epochs at most,
- *logistic regression*: scikit-learn's, standardised, on three quarters of the samples.

Accuracy is out of bag for the networks, on the quarter held out for logistic regression. Recovery: how many of the 40
planted markers of the synthetic study (`synthetic.py`) are among the first 40 of the ranking. The counted floor is that
of `floor.py`. Results: a table on the screen and in OUT/results.tsv, a plot in OUT/results.svg.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
COLUMNS = ("study", "method", "cells", "features", "cpu", "wall", "peak", "accuracy", "markers")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--matrix", type=Path, help="an h5ad of counts in place of the demo's matrix")
    parser.add_argument("--label", default="bulk_labels")
    parser.add_argument("--exclude", nargs="*", default=[])
    parser.add_argument("--epochs", type=int, default=20, help="at most")
    parser.add_argument("--cells", type=int, default=4000, help="of the planted study")
    parser.add_argument("--features", type=int, default=10_000, help="of the planted study")
    parser.add_argument("--quick", action="store_true", help="small studies, two epochs")
    parser.add_argument("--without-published", action="store_true")
    parser.add_argument("--peer", help="a Python that has pydeepmapper 1.0.2; else an environment is made for it")
    parser.add_argument("--out", type=Path, default=ROOT / "results/benchmarks")
    options = parser.parse_args()
    methods = {"ours": sys.executable, "logistic regression": sys.executable}
    if not options.without_published:
        from against_published import make_peer

        methods["published"] = options.peer or make_peer(ROOT / ".peer")
    epochs = 2 if options.quick else options.epochs
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for study, path in studies(options, Path(folder)).items():
            for method, python in methods.items():
                rows.append({"study": study, "method": method} | measured(python, method, path, epochs))
                print("  ".join(f"{name} {shown(rows[-1][name])}" for name in COLUMNS), flush=True)
        told = json.loads(child(sys.executable, "--floor", path, 2 if options.quick else 5))
    print(f"floor of an epoch on {study}: {told['floor'] * 1e3:.0f} ms, measured {told['times']:.1f} times as much")
    options.out.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join(COLUMNS)] + ["\t".join(shown(row[name]) for name in COLUMNS) for row in rows]
    (options.out / "results.tsv").write_text("\n".join(lines) + "\n")
    (options.out / "floor.json").write_text(json.dumps(told, indent=2) + "\n")
    draw(rows, options.out / "results.svg")


def studies(options, folder):
    """Write the matrices for the processes: name -> file."""
    import numpy as np
    import scipy.sparse as sp
    import synthetic
    from common import DEMO, read

    from deepmapper.io.normalize import normalize_matrix

    options.matrix, options.normalization = options.matrix or DEMO, "log1p_cp10k"
    X, y, *_ = read(options)
    cells, features = (400, 1000) if options.quick else (options.cells, options.features)
    planted = normalize_matrix(sp.vstack(list(synthetic.blocks(cells, features)), format="csr"), "log1p_cp10k")
    given = {"planted": (planted, synthetic.labels(cells)), options.matrix.stem: (sp.csr_matrix(X), y)}
    paths = {}
    for name, (matrix, labels) in given.items():
        paths[name] = folder / f"{name}.npz"
        parts = {"data": matrix.data.astype(np.float32), "indices": matrix.indices, "indptr": matrix.indptr}
        np.savez(paths[name], shape=matrix.shape, y=labels, **parts)
    return paths


def child(python, *arguments):
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    environment = {**os.environ, **threads, "OMP_WAIT_POLICY": "PASSIVE", "PYTHONPATH": str(ROOT / "src")}
    command = [python, __file__, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stderr}")
    return done.stdout.splitlines()[-1]


def measured(python, method, path, epochs):
    return json.loads(child(python, "--method", method, path, epochs))


def load(path):
    import numpy as np
    import scipy.sparse as sp

    with np.load(path) as file:
        X = sp.csr_matrix((file["data"], file["indices"], file["indptr"]), shape=tuple(file["shape"]))
        return X, file["y"]


def one_method(method, path, epochs):
    """Run a method and print as JSON what it cost and found."""
    import resource

    X, y = load(path)
    wall, cpu = time.perf_counter(), time.process_time()
    accuracy, order = {"ours": ours, "published": published, "logistic regression": logistic}[method](X, y, epochs)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    markers = None
    if Path(path).stem == "planted":
        import synthetic

        planted = {synthetic.marker(code, i) for code in range(synthetic.CLASSES) for i in range(synthetic.MARKERS)}
        markers = len(planted & set(order[: len(planted)]))
    sizes = {"cells": X.shape[0], "features": X.shape[1]}
    print(json.dumps(sizes | {"cpu": cpu, "wall": wall, "peak": peak, "accuracy": accuracy, "markers": markers}))


def ours(X, y, epochs):
    import numpy as np
    import torch
    from common import configuration

    from deepmapper.features.samples import Samples
    from deepmapper.passes.train import train_pass

    torch.set_num_threads(1)
    config = configuration("cnn_small")
    config.epochs, config.min_epochs = epochs, min(config.min_epochs, epochs)
    found = train_pass(Samples(X, y, tuple(map(str, range(int(y.max()) + 1)))), config, 0)
    return found.accuracy, np.argsort(-found.importance, kind="stable").tolist()


def published(X, y, epochs):
    import torch
    from pydeepmapper.config import DeepMapperConfig
    from pydeepmapper.runner import run

    torch.set_num_threads(1)
    found = run(X.toarray(), y, DeepMapperConfig(n_passes=1, epochs=epochs))
    return float(found.accuracies[0]), [int(feature) for feature, *_ in found.ranking(40)]


def logistic(X, y, epochs):
    import numpy as np

    from deepmapper.features.splits import hold_out
    from deepmapper.linear_baseline import fit

    train, test = hold_out(y, 0.25, np.random.default_rng(0))
    clf, scaler, ranking = fit(X[train], y[train])
    return float((clf.predict(scaler.transform(X[test])) == np.asarray(y)[test]).mean()), [i for i, _ in ranking]


def shown(value):
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def draw(rows, path):
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    panels = {"cpu": "CPU seconds", "peak": "peak memory, MB", "accuracy": "accuracy", "markers": "markers of 40"}
    figure, axes = pyplot.subplots(1, len(panels), figsize=(12, 2.8), layout="constrained")
    for axis, (name, label) in zip(axes, panels.items(), strict=True):
        drawn = [row for row in rows if row[name] is not None]
        axis.barh([f"{row['study']}: {row['method']}" for row in drawn], [row[name] for row in drawn], color="0.4")
        axis.set_xlabel(label)
        axis.invert_yaxis()
        if name in ("cpu", "peak"):
            axis.set_xscale("log")
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    if sys.argv[1:2] == ["--method"]:
        one_method(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    elif sys.argv[1:2] == ["--floor"]:
        from floor import measure

        print(json.dumps(measure(*load(sys.argv[2]), int(sys.argv[3]))))
    else:
        main()

"""What a pass costs against the number of cells and of features, at a fixed number of epochs.

    python benchmarks/scaling.py                       # the table, and docs/scaling.svg
    python benchmarks/scaling.py --store results/features --epochs 1       # one pass on a store that exists

Studies are those of `synthetic.py`, a twentieth of the values not zero; `--cells` go with the middle number of features
and `--features` with the middle number of cells. Every pass, of the default network with the workflow's settings but
for the epochs, is a process of its own on one thread. CPU seconds are told beside those of the clock: on a machine with
other work they are the ones to compare. Exponents are slopes in the double logarithm: over all, and between the two
largest.
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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, nargs="*", default=[1_000, 10_000, 100_000])
    parser.add_argument("--features", type=int, nargs="*", default=[1_000, 10_000, 100_000])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--store", type=Path, help="a feature store to train one pass on")
    parser.add_argument("--folder", type=Path, help="where there is room; the system's folder for temporary files")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/scaling.svg")
    options = parser.parse_args()
    print("    cells  features   CPU s   of it training   clock s   anonymous MB   mapped MB   accuracy   markers")
    if options.store:
        told(None, None, measured(options.store, options.epochs))
        return
    cells, features = (sorted(values) for values in (options.cells, options.features))
    middle = cells[len(cells) // 2], features[len(features) // 2]
    sizes = sorted({(n, middle[1]) for n in cells} | {(middle[0], p) for p in features})
    found = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for n, p in sizes:
            store = Path(folder, f"{n}-{p}")
            child("--make", store, n, p)
            found[n, p] = measured(store, options.epochs)
            told(n, p, found[n, p])
            for path in store.iterdir():
                path.unlink()
    series = {
        "cells": [(n, found[n, middle[1]]) for n in cells],
        "features": [(p, found[middle[0], p]) for p in features],
    }
    for name, points in series.items():
        if len(points) > 1:
            for key, what in (("cpu", "whole pass"), ("training", "training")):
                over, last = exponents(points, key)
                print(f"exponent in {name}, {what}: {over:.2f} over all, {last:.2f} between the two largest")
    draw(series, middle, options)


def told(n, p, one):
    numbers = (
        f"{one['cpu']:7.1f} {one['training']:16.1f} {one['wall']:9.1f} {one['anonymous']:14.0f} {one['mapped']:11.0f} "
        f"{one['accuracy']:10.3f} {one['markers']:9d}"
    )
    print(f"{one['cells']:9d} {one['features']:9d} {numbers}", flush=True)


def child(*arguments):
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    environment = {**os.environ, **threads, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, __file__, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return done.stdout


def measured(store, epochs):
    return json.loads(child("--pass", store, epochs).splitlines()[-1])


def exponents(points, key):
    import numpy as np

    x, y = np.log([size for size, _ in points]), np.log([one[key] for _, one in points])
    return np.polyfit(x, y, 1)[0], (y[-1] - y[-2]) / (x[-1] - x[-2])


def make(store, cells, features):
    """Write a feature store of the synthetic study: log1p of counts per ten thousand, a quarter set aside."""
    import numpy as np
    import synthetic

    from deepmapper.features.store import Features, write_features
    from deepmapper.io.normalize import normalize_lazily

    class Study:
        shape = (cells, features)

        def blocks(self):
            start = 0
            for block in synthetic.blocks(cells, features):
                yield slice(start, start + block.shape[0]), block
                start += block.shape[0]

    y = synthetic.labels(cells)
    split = (np.arange(cells) % 4 == 3).astype(np.uint8)
    names = [tuple(f"{what}{i}" for i in range(n)) for what, n in (("gene", features), ("cell", cells))]
    classes = tuple(f"class{code}" for code in range(synthetic.CLASSES))
    metadata = {"scheme": "fixed", "why": "A quarter was set aside."}
    write_features(
        store, Features(normalize_lazily(Study(), "log1p_cp10k")[0], y, classes, *names, split, metadata=metadata)
    )


def one_pass(store, epochs):
    """Train one pass on the development part of a store; print what it cost as JSON."""
    from memory import Watch

    with Watch() as watch:
        cpu = time.process_time()
        import numpy as np
        import synthetic
        import torch
        from common import configuration

        from deepmapper.features.store import open_features
        from deepmapper.passes.train import train_pass

        torch.set_num_threads(1)
        features = open_features(store)
        marks = [time.process_time()]
        found = train_pass(
            features.development_samples,
            configuration("cnn_small", epochs=epochs),
            0,
            progress=lambda line: marks.append(time.process_time()),
        )
        cpu = time.process_time() - cpu
    planted = {synthetic.marker(code, i) for code in range(synthetic.CLASSES) for i in range(synthetic.MARKERS)}
    first = np.argsort(-found.importance, kind="stable")[: len(planted)]
    numbers = {
        **{"cells": features.X.shape[0], "features": features.X.shape[1], "cpu": cpu, "wall": watch.seconds},
        **{"training": marks[epochs] - marks[0], "anonymous": watch.anonymous, "mapped": watch.mapped},
        **{"accuracy": found.accuracy, "markers": len(planted & set(first.tolist()))},
    }
    print(json.dumps(numbers))


def draw(series, middle, options):
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(series), figsize=(9, 3.6), sharey=True, layout="constrained")
    for axis, (name, points), fixed in zip(axes, series.items(), middle[::-1], strict=True):
        x = [size for size, _ in points]
        for key, label in (("cpu", "whole pass"), ("training", f"{options.epochs} epochs")):
            axis.plot(x, [one[key] for _, one in points], "o-", label=label)
        axis.plot(x, [points[-1][1]["training"] * size / x[-1] for size in x], ":", color="0.6", label="linear")
        other = "features" if name == "cells" else "cells"
        axis.set(xscale="log", yscale="log", xlabel=name, title=f"{fixed:,} {other}")
    axes[0].set_ylabel("CPU seconds")
    axes[0].legend(frameon=False)
    figure.savefig(options.out, metadata={"Date": None})


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make"]:
        make(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    elif sys.argv[1:2] == ["--pass"]:
        one_pass(sys.argv[2], int(sys.argv[3]))
    else:
        main()

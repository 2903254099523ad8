"""How far a training epoch of the default network is from what it must at least read, write and compute.

    python benchmarks/floor.py --matrix pbmc3k.h5ad --label cell_type --exclude unlabelled

The floor counts, for every step on a batch: the stored values, read once, and once the weights of the pixels that they
lie on; two products of every stored value with the weights of its pixel, one forward and one for the slope (2
operations for each of `hidden + width` units); the same of the small layers; and of every weight its slope written and
read, and weight and two moments read and written by the optimiser. Validation adds one product of its values. Bytes are
divided by the memory bandwidth, operations by the rate of dense float32 products, both measured here on one thread just
before; parts that follow one another add up, and each takes the longer of its two times. The bandwidth is that of
memory changed in place: a copy from one place to another has its target read as well before it is written, which is not
counted, and so shows less than the memory can do. CPU seconds of one thread throughout, so that other work on the
machine counts less.
"""

import argparse
import time
from functools import partial

import numpy as np
import torch
from common import add_matrix, configuration, read

from deepmapper.passes import restore
from deepmapper.passes import train as passes_train
from deepmapper.passes.loss import pass_objective
from deepmapper.training import loop
from deepmapper.training.runtime import seeded


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_matrix(parser)
    parser.add_argument("--epochs", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    X, y, _, _ = read(options)
    found = measure(X, y, options.epochs)
    print(f"bandwidth {found['bandwidth'] / 1e9:.1f} GB/s, products {found['rate'] / 1e9:.1f} GFLOP/s (one thread)")
    print("part                 MB      MFLOP   floor ms")
    for name, (size, operations, seconds) in found["parts"].items():
        print(f"{name:<14} {size / 1e6:8.1f} {operations / 1e6:10.1f} {seconds * 1e3:10.1f}")
    print(f"floor {found['floor'] * 1e3:.0f} ms, measured {found['epoch'] * 1e3:.0f} ms: {found['times']:.1f} times")
    print("where an epoch goes, ms: " + ", ".join(f"{name} {ms:.0f}" for name, ms in found["where"].items()))


def bandwidth(megabytes=256, repeats=7):
    """Bytes read and written a second where memory larger than the caches is changed in place."""
    values = torch.ones(megabytes * 2**18)
    return 2 * values.numel() * 4 / best(lambda: values.mul_(1.0), repeats)


def rate(side=1024, repeats=7):
    """Operations a second of a dense float32 product."""
    a, b = torch.randn(2, side, side)
    return 2 * side**3 / best(lambda: a @ b, repeats)


def best(work, repeats):
    times = []
    for _ in range(repeats):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def measure(X, y, epochs):
    """Count the floor, and time epochs of the default network; seconds."""
    n_classes = int(y.max()) + 1
    config = configuration("cnn_small", epochs=epochs)
    classes = tuple(map(str, range(n_classes)))
    train, validation, _ = passes_train.draw_split(y, config, 0, None, classes)
    speed, memory = rate(), bandwidth()
    with seeded(0):
        images = restore.image_maker(X, config, 0, torch.device("cpu"))
        model = restore.build_network(config, images, n_classes)
        model.prime(*images.statistics(y, train))
    gated = model.gates.flatten() > 0
    weights = sum(weight.numel() for weight in model.parameters())
    used = int(gated.sum()) if gated.sum() < 0.8 * len(gated) else len(gated)
    weights -= (len(gated) - used) * model.hidden
    width = model.patches.weight.shape[1]
    batches = loop.batches(train, config.batch_size)
    steps = len(batches)
    touched = sum(len(np.unique(X[batch].indices)) for batch in batches)
    stored, judged = (int(np.diff(X.indptr)[rows].sum()) for rows in (train, validation))
    grid, small = model.grid, 0
    for _ in range(2):
        grid = -(-grid // 2)
        small += 4 * width * width * grid * grid
    small += model.head.weight.numel()
    units = model.hidden + width
    parts = {
        "products": (8 * stored + 4 * model.hidden * touched, 2 * 2 * units * stored),
        "small layers": (0, 3 * 2 * small * len(train)),
        "slopes": (2 * 4 * weights * steps, 0),
        "optimiser": (6 * 4 * weights * steps, 12 * weights * steps),
        "validation": (8 * judged, 2 * units * judged + 2 * small * len(validation)),
    }
    parts = {name: (*counted, max(counted[0] / memory, counted[1] / speed)) for name, counted in parts.items()}
    floor = sum(seconds for *_, seconds in parts.values())
    marks, where = timed(model, images, y, train, validation, config)
    epoch = float(np.median(np.diff(marks)))
    numbers = {"bandwidth": memory, "rate": speed, "parts": parts, "floor": floor, "epoch": epoch}
    return numbers | {"times": epoch / floor, "where": where}


def timed(model, images, y, train, validation, config):
    """Train twice: for the time of the epochs, and with torch's profiler for where it goes, ms an epoch."""
    from torch.profiler import ProfilerActivity, profile

    marks = []
    with seeded(0), model.training_weights(images.mostly_zero):
        objective = pass_objective(model, images, y, int(y.max()) + 1, train, validation, config)
        fit = partial(loop.fit, model, objective, train, config.training_options())
        fit(lambda line: marks.append(time.process_time()))
        with profile(activities=[ProfilerActivity.CPU]) as seen:
            fit()
    of = {event.key: event.self_cpu_time_total / 1e3 / config.epochs for event in seen.key_averages()}
    first = sorted(of.items(), key=lambda item: -item[1])[:8]
    return marks, dict(first)


if __name__ == "__main__":
    main()

"""One pass of the default network beside one of the published package: seconds and memory at equal epochs.

    python benchmarks/against_published.py --matrix pbmc3k.h5ad --label cell_type --exclude unlabelled

Both run `cnn_small` on all features of the same matrix, log1p CP10k, with training, validation, out-of-bag accuracy and
integrated gradients of 64 samples, by turns, each in a process of its own with the same number of threads. The
published package, pydeepmapper 1.0.2, is installed into an environment of its own (`--peer-env`, made where it is
missing), or is taken from the interpreter that `--peer` names. The time is that of the call, with what it imports
itself beyond torch; memory is the peak of the process, the dense matrix that the published package needs included.
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
PEER = ("torch==2.13.0", "pydeepmapper==1.0.2")  # one by one: the first is at hand without CUDA


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--matrix", type=Path, required=True)
    parser.add_argument("--label", required=True)
    parser.add_argument("--exclude", nargs="*", default=[])
    parser.add_argument("--normalization", default="log1p_median")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=1, help="runs of each, by turns")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--peer", help="a Python that has pydeepmapper 1.0.2")
    parser.add_argument("--peer-env", type=Path, default=ROOT / ".peer", help="environment to make for it")
    options = parser.parse_args()
    peer = options.peer or make_peer(options.peer_env)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data.npz")
        samples, features = write(options, data)
        print(f"{samples} samples, {features} features, {options.epochs} epoch(s), {options.threads} thread(s)")
        print("who         seconds   CPU seconds   peak MB   accuracy out of bag")
        found = {"published": [], "ours": []}
        for _ in range(options.repeats):
            for who, python in (("published", peer), ("ours", sys.executable)):
                one = measure(who, python, data, options)
                found[who].append(one)
                numbers = f"{one['wall']:8.1f} {one['cpu']:13.1f} {one['peak']:9.0f} {one['accuracy']:12.3f}"
                print(f"{who:<10} {numbers}", flush=True)
    best = {who: {key: min(one[key] for one in runs) for key in ("wall", "cpu", "peak")} for who, runs in found.items()}
    for key, name in (("wall", "seconds"), ("cpu", "CPU seconds"), ("peak", "memory")):
        print(f"published / ours, {name} (least of each): {best['published'][key] / best['ours'][key]:.1f}")


def make_peer(folder):
    python = folder / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        for package in PEER:
            subprocess.run([str(python), "-m", "pip", "install", "-q", package], check=True)
    return str(python)


def write(options, path):
    import numpy as np
    from common import read

    X, y, *_ = read(options)
    X = X.tocsr()
    np.savez(path, data=X.data.astype(np.float32), indices=X.indices, indptr=X.indptr, shape=X.shape, y=y)
    return X.shape


def measure(who, python, data, options):
    """Run one pass in a process of its own and read what it prints last."""
    threads = {name: str(options.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")}
    # without the script's own folder on the path, and with the source only for ours
    environment = {**os.environ, **threads, "OMP_WAIT_POLICY": "PASSIVE", "PYTHONPATH": str(ROOT / "src")}
    command = [python, __file__, "--child", who, str(data), str(options.epochs), str(options.threads)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{who} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def child(who, data, epochs, threads):
    import resource

    import numpy as np
    import torch

    torch.set_num_threads(threads)
    with np.load(data) as file:
        values, indices, indptr, shape, y = (file[key] for key in ("data", "indices", "indptr", "shape", "y"))
    call = (published if who == "published" else ours)(values, indices, indptr, shape, y, epochs)
    wall, cpu = time.perf_counter(), time.process_time()
    accuracy = call()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"wall": wall, "cpu": cpu, "peak": peak, "accuracy": accuracy}))


def published(values, indices, indptr, shape, y, epochs):
    import numpy as np
    from pydeepmapper.config import DeepMapperConfig
    from pydeepmapper.runner import run

    X = np.zeros(shape, dtype=np.float32)
    X[np.repeat(np.arange(shape[0]), np.diff(indptr)), indices] = values
    config = DeepMapperConfig(n_passes=1, epochs=epochs)
    return lambda: run(X, y, config).accuracies[0]


def ours(values, indices, indptr, shape, y, epochs):
    import numpy as np
    import scipy.sparse as sp
    from common import configuration

    from deepmapper.features.samples import Samples
    from deepmapper.passes.train import train_pass

    X = sp.csr_matrix((values, indices, indptr), shape=tuple(shape))
    config = configuration("cnn_small", epochs=epochs)
    classes = tuple(str(code) for code in np.unique(y))
    return lambda: train_pass(Samples(X, y, classes), config, 0).accuracy


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    else:
        main()

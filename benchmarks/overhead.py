"""What a job costs beside its training: the wall time of passes in one job a seed, and several seeds a job.

    python benchmarks/overhead.py --passes 30 --seeds-per-job 1 10

The demo's matrix, the default model, one thread a pass; the table and the features are made before the clock starts.
Against the wall time, and the CPU time of all processes, stands the sum of what the passes took, by the clock
within the jobs.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "resources/demo/matrix/pbmc68k_reduced.h5ad"
SECONDS = re.compile(r"^seed \d+ took ([\d.]+) s$", re.MULTILINE)


def main() -> None:
    """Time each number of seeds a job, and compare the passes byte for byte."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--passes", type=int, default=30)
    parser.add_argument("--seeds-per-job", type=int, nargs="+", default=[1, 10])
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--model", default="cnn_small")
    parser.add_argument("--folder", type=Path, default=Path("overhead"), help="where to work, emptied first")
    options = parser.parse_args()
    shutil.rmtree(options.folder, ignore_errors=True)
    found: dict[int, dict[str, bytes]] = {}
    print("seeds a job  jobs  wall s  CPU s  training s  beside it, s a pass")
    for n in options.seeds_per_job:
        folder = prepare(options.folder.resolve() / f"by_{n}", options, n)
        snakemake(folder, options, "results/features")
        began, cpu = time.monotonic(), cpu_seconds()
        snakemake(folder, options, "passes")
        wall, cpu = time.monotonic() - began, cpu_seconds() - cpu
        logs = list((folder / "results/logs/passes").rglob("*.log"))
        trained = sum(float(seconds) for log in logs for seconds in SECONDS.findall(log.read_text()))
        beside = (wall * options.cores - trained) / options.passes
        print(f"{n:11d}  {len(logs):4d}  {wall:6.1f}  {cpu:5.1f}  {trained:10.1f}  {beside:.2f}", flush=True)
        found[n] = {path.name: path.read_bytes() for path in (folder / "results/passes").rglob("*.npz")}
    first, *others = found.values()
    print("the same bytes" if all(other == first for other in others) else "NOT the same bytes")


def cpu_seconds() -> float:
    """CPU time of all processes that this one started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def prepare(folder: Path, options: argparse.Namespace, seeds_per_job: int) -> Path:
    """Make a work folder for the passes of one model."""
    (folder / "config").mkdir(parents=True)
    settings = {
        "matrix": {"path": str(DEMO)},
        "features": {"normalization": "none"},
        "labels": {"column": "bulk_labels"},
        "passes": {"n_passes": options.passes, "n_permuted": 0, "n_shadow": 0},
        "stability": {"n_pairs": 0},
        "models": {options.model: {}},
        "resources": {"seeds_per_job": seeds_per_job},
    }
    (folder / "config/config.yaml").write_text(yaml.safe_dump(settings))
    return folder


def snakemake(folder: Path, options: argparse.Namespace, target: str) -> None:
    """Make one target."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), target]
    command += ["--workflow-profile", str(ROOT / "workflow/profiles/default"), "--cores", str(options.cores)]
    with (folder / "said.txt").open("a") as said:
        if subprocess.run(command, cwd=folder, stdout=said, stderr=said, env=os.environ, check=False).returncode:
            raise SystemExit(f"failed, see {folder / 'said.txt'}")


if __name__ == "__main__":
    main()

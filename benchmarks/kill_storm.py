"""Kill a running analysis at random moments, again and again: its findings must come out as if nothing had been.

    python benchmarks/kill_storm.py --kills 50            processes on this machine
    python benchmarks/kill_storm.py --kills 20 --slurm    jobs of a cluster (bash benchmarks/one_node_slurm.sh start)
    python benchmarks/kill_storm.py --kills 10 --longest 5 --input new-samples --rules export_model judge_target

At random: one worker, Snakemake alone (its workers live on), or both with ``kill -9``; on a cluster a job by
``scancel``, the processes of a job, or Snakemake, whose jobs are then cancelled, as docs/cluster.md says. Each time the
same command is given again. In the end the findings must equal those of an undisturbed run byte for byte, no pass that
was finished and recorded may have been trained again, and nothing half-written may lie in the results.
"""

from __future__ import annotations

import argparse
import gzip
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import yaml

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = {
    "matrix": {"path": "matrix.h5ad"},
    "labels": {"column": "state"},
    "passes": {"n_passes": 12, "n_permuted": 2, "n_shadow": 3, "top_k": 6},
    "stability": {"n_pairs": 1},
    "training": {"epochs": 20, "min_epochs": 5, "patience": 5, "lr": 0.01, "ig_steps": 8},
    "findings": {"bootstrap": 100},
    "models": {"linear": {}},
}
# A cluster's usual patience would make of every restart a minute of waiting.
IMPATIENT = (
    "--slurm-init-seconds-before-status-checks=2",
    "--seconds-between-status-checks=3",
    "--latency-wait=10",
    "--jobs=20",
)
ON_THIS_MACHINE = ("worker", "snakemake", "snakemake and workers")
ON_CLUSTER = ("job (scancel)", "processes of a job", "snakemake")


def main() -> None:
    """Run undisturbed, run in the storm, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50, help="kills in all (default: 50)")
    parser.add_argument("--seed", type=int, default=0, help="of moments and victims (default: 0)")
    parser.add_argument("--cores", type=int, default=2, help="cores of a run (default: 2)")
    parser.add_argument("--longest", type=float, default=60, help="most seconds until a kill (default: 60)")
    parser.add_argument("--slurm", action="store_true", help="run on the Slurm of this machine")
    parser.add_argument(
        "--folder", type=Path, default=Path("storm"), help="where to work, emptied first (default: storm)"
    )
    parser.add_argument("--input", choices=INPUTS, default="h5ad", help="kind of the matrix (default: h5ad)")
    parser.add_argument("--rules", nargs="*", default=[], help="kill only while one of these works (default: always)")
    parser.add_argument("--seeds-per-job", type=int, default=1, help="passes of a job (default: 1)")
    parser.add_argument(
        "--calm", type=Path, help="folder `calm` of an earlier call with as many seeds a job, not run again"
    )
    options = parser.parse_args()
    SETTINGS["resources"] = {"seeds_per_job": options.seeds_per_job}
    write_input = INPUTS[options.input]
    shutil.rmtree(options.folder, ignore_errors=True)
    rng, again, runs = random.Random(options.seed), 0, 0
    kills: Counter[str] = Counter()
    calm = options.calm or prepare(options.folder.resolve() / "calm", write_input)
    if not options.calm:
        finish(calm, ["--cores", str(options.cores)])
    arguments = ["--cores", str(options.cores)]
    if options.slurm:
        arguments = ["--workflow-profile", str(ROOT / "workflow/profiles/slurm"), *IMPATIENT]
    began = time.monotonic()
    while kills.total() < options.kills:
        runs += 1
        folder = prepare(options.folder.resolve() / f"storm_{runs}", write_input)
        kept: dict[Path, str] = {}
        while True:
            running, struck = start(folder, arguments), 0
            # what a cluster loses is submitted again, so one command may be struck more than once
            while kills.total() < options.kills and (victim := strike(running, folder, rng, options)):
                struck += 1
                kills[victim] += 1
                kept = recorded_passes(folder) | kept
                print(f"{kills.total():3d} kills, last: {victim}; {len(kept)} passes finished", flush=True)
            status = running.wait()
            if options.slurm and status == -signal.SIGKILL:
                subprocess.run(["bash", ROOT / "scripts/cancel_left.sh"], cwd=folder, check=True)
            now = recorded_passes(folder)
            again += sum(born(path) != written for path, written in kept.items())
            kept = now
            if not struck and status == 0:
                break
            if not struck:
                raise SystemExit(f"failed with nothing killed, see {folder / 'said.txt'}")
        wrong = differences(calm / "results", folder / "results")
        halves = [str(p) for p in (folder / "results").rglob("*") if ".part" in p.name or p.suffix == ".tmp"]
        print(
            f"run {runs} is finished: {len(wrong)} files differ from the undisturbed run, {len(halves)} half-written",
            flush=True,
        )
        if wrong or halves:
            raise SystemExit("\n".join(wrong + halves))
    print(f"{dict(kills)} in {runs} runs and {time.monotonic() - began:.0f} s; finished passes trained again: {again}")
    if again:
        raise SystemExit(1)


def prepare(folder: Path, write_input: Callable) -> Path:
    """Make a work folder: 60 cells × 400 genes of three states, and settings."""
    import anndata
    import pandas as pd

    rng = np.random.default_rng(1)
    state = np.repeat(["alpha", "beta", "gamma"], 20)
    counts = rng.poisson(5, (60, 400)).astype(np.float32)
    for code, name in enumerate(("alpha", "beta", "gamma")):
        counts[state == name, 2 * code : 2 * code + 2] *= 4
    (folder / "config").mkdir(parents=True)
    obs = pd.DataFrame({"state": state}, index=[f"cell{i}" for i in range(60)])
    adata = anndata.AnnData(counts, obs, pd.DataFrame(index=[f"gene{i}" for i in range(400)]))
    settings = {key: value for key, value in (SETTINGS | write_input(folder, adata)).items() if value is not None}
    (folder / "config/config.yaml").write_text(yaml.safe_dump(settings))
    return folder


def write_h5ad(folder: Path, adata) -> dict:
    """The matrix as AnnData."""
    adata.write_h5ad(folder / "matrix.h5ad")
    return {}


def write_compressed(folder: Path, adata) -> dict:
    """The matrix as AnnData in a gzip file, which is unpacked beside the output."""
    write_h5ad(folder, adata)
    # without the time of writing, by which two equal files would differ
    (folder / "matrix.h5ad.gz").write_bytes(gzip.compress((folder / "matrix.h5ad").read_bytes(), mtime=0))
    (folder / "matrix.h5ad").unlink()
    return {"matrix": {"path": "matrix.h5ad.gz"}}


def write_csv(folder: Path, adata) -> dict:
    """The matrix as a spreadsheet writes it, with the labels in the same file."""
    frame = adata.to_df()
    frame.insert(0, "state", adata.obs["state"])
    frame.to_csv(folder / "matrix.csv", sep=";", encoding="utf-16")
    return {"matrix": {"path": "matrix.csv"}}


def write_10x(folder: Path, adata) -> dict:
    """The matrix as two samples in one folder, as GEO has them, with a table of labels without their ending."""
    import scipy.io
    import scipy.sparse

    (folder / "geo").mkdir()
    for name, part in (("GSM1_a", adata[::2]), ("GSM2_b", adata[1::2])):
        with gzip.open(folder / f"geo/{name}_matrix.mtx.gz", "wb") as file:
            scipy.io.mmwrite(file, scipy.sparse.coo_matrix(part.X.T), field="integer")
        lines = {"features": [f"ID{gene}\t{gene}" for gene in part.var_names], "barcodes": list(part.obs_names)}
        for kind, content in lines.items():
            (folder / f"geo/{name}_{kind}.tsv.gz").write_bytes(gzip.compress("\n".join(content).encode(), mtime=0))
    names = [f"{cell}-{'GSM1_a' if i % 2 == 0 else 'GSM2_b'}" for i, cell in enumerate(adata.obs_names)]
    adata.obs.set_axis(names).to_csv(folder / "labels.csv")
    return {"matrix": {"path": "geo"}, "labels": {"column": "state", "table": "labels.csv"}}


def write_new_samples(folder: Path, adata) -> dict:
    """The matrix, a second file of cells to name, a third of them of no known state, and an ontology of the states."""
    write_h5ad(folder, adata)
    rng = np.random.default_rng(2)
    new = adata[rng.integers(0, 60, 90)].copy()
    new.obs_names = [f"new{i}" for i in range(90)]
    new.X = rng.poisson(5, (90, 400)).astype(np.float32)
    for code, name in enumerate(("alpha", "beta", "gamma")):
        new.X[(new.obs["state"] == name).to_numpy(), 2 * code : 2 * code + 2] *= 4
    new.X[60:, 6:40] *= 4
    new.write_h5ad(folder / "new.h5ad")
    terms = [("1", "state", ""), ("2", "alpha", "1"), ("3", "beta", "1"), ("4", "gamma", "1")]
    lines = [f"[Term]\nid: S:{i}\nname: {name}\n" + (f"is_a: S:{up}\n" if up else "") for i, name, up in terms]
    (folder / "states.obo").write_text("format-version: 1.2\nontology: states\n\n" + "\n".join(lines))
    return {
        "matrix": {"path": ["matrix.h5ad", "new.h5ad"]},
        "labels": {"column": "state", "ontology": {"path": "states.obo"}},
    }


def write_demo_matrix(folder: Path, adata) -> dict:
    """The embedded matrix, with its own configuration but for the number of passes."""
    return _demo(folder, ROOT / "resources/demo/matrix", ROOT / "resources/demo/matrix/config/config.yaml")


def write_demo_reads(folder: Path, adata) -> dict:
    """The embedded reads, with their own configuration but for the number of passes."""
    shutil.copy(ROOT / "config/samples.tsv", folder / "config")
    return _demo(folder, ROOT / "resources/demo/reads", ROOT / "config/config.yaml")


def _demo(folder: Path, data: Path, config: Path) -> dict:
    shutil.copytree(data, folder / data.relative_to(ROOT), ignore=shutil.ignore_patterns("results", ".snakemake"))
    if data.name == "matrix":
        (folder / "pbmc68k_reduced.h5ad").symlink_to(folder / data.relative_to(ROOT) / "pbmc68k_reduced.h5ad")
    own = yaml.safe_load(config.read_text())
    return dict.fromkeys(SETTINGS) | own | {"passes": {**own["passes"], **SETTINGS["passes"]}}


INPUTS = {
    "h5ad": write_h5ad,
    "h5ad.gz": write_compressed,
    "csv": write_csv,
    "10x": write_10x,
    "new-samples": write_new_samples,
    "demo-matrix": write_demo_matrix,
    "demo-reads": write_demo_reads,
}


def start(folder: Path, arguments: list[str]) -> subprocess.Popen:
    """Give the command, in a process group of its own."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), *arguments]
    with (folder / "said.txt").open("a") as said:
        return subprocess.Popen(command, cwd=folder, stdout=said, stderr=subprocess.STDOUT, start_new_session=True)


def finish(folder: Path, arguments: list[str]) -> None:
    """Give the command and wait for its success."""
    if start(folder, arguments).wait():
        raise SystemExit(f"the undisturbed run failed, see {folder / 'said.txt'}")


def strike(running: subprocess.Popen, folder: Path, rng: random.Random, options: argparse.Namespace) -> str | None:
    """Kill something at a random moment; say what, or None where all was done before."""
    kind = rng.choice(ON_CLUSTER if options.slurm else ON_THIS_MACHINE)
    while options.rules and not victims(folder, "worker", options.rules):
        if running.poll() is not None:
            return None
        time.sleep(0.05)
    until = time.monotonic() + rng.uniform(0 if options.rules else 2, options.longest)
    while time.monotonic() < until or not (kind.startswith("snakemake") or victims(folder, kind)):
        if running.poll() is not None:
            return None
        time.sleep(0.05)
    if kind == "job (scancel)":
        subprocess.run(["scancel", rng.choice(victims(folder, kind))], check=False)
        return kind
    chosen = {
        "snakemake": [running.pid],
        "snakemake and workers": [running.pid, *map(int, victims(folder, "worker"))],
    }.get(kind) or [int(rng.choice(victims(folder, kind, options.rules) or victims(folder, kind)))]
    for pid in chosen:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue  # it ended in this moment
    return kind


def victims(folder: Path, kind: str, rules: Sequence[str] = ()) -> list[str]:
    """Numbers of the jobs in the queue, or of the processes that work in this folder below Snakemake, at some rules."""
    if kind == "job (scancel)":
        asked = subprocess.run(
            ["squeue", "--noheader", "--array", "--format=%i %Z"], capture_output=True, text=True, check=False
        )
        return [line.split()[0] for line in asked.stdout.splitlines() if line.endswith(f" {folder}")]
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            inside = (process / "cwd").resolve() == folder
            command = (process / "cmdline").read_text() if inside else ""
            if ".snakemake/scripts/" in command and (not rules or any(f".{rule}.py" in command for rule in rules)):
                found.append(process.name)
        except OSError:
            continue  # it ended in this moment
    return found


def recorded_passes(folder: Path) -> dict[Path, str]:
    """Passes that are there and not marked as in flight, with the time at which each file came into being.

    The time of its last change says less: a job of several seeds touches those that it keeps, and the plugin for Slurm
    the first one of an array whenever another of its elements ends.
    """
    marks = folder / ".snakemake/incomplete"
    unfinished = {path.name for path in marks.glob("*")} if marks.exists() else set()
    found = {}
    for path in (folder / "results/passes").rglob("*.npz"):
        name = b64encode(str(path.relative_to(folder)).encode(), b"_-").decode()
        recorded = (folder / ".snakemake/metadata" / name).exists()
        if recorded and name not in unfinished:
            found[path] = born(path)
    return found


def born(path: Path) -> str:
    """When a file came into being, in seconds; empty where it is gone."""
    return subprocess.run(["stat", "--format=%W", path], capture_output=True, text=True, check=False).stdout


def differences(calm: Path, stormy: Path) -> list[str]:
    """Files below `results` that are not the same in both, logs and benchmarks apart."""

    def files(folder: Path) -> dict[str, bytes]:
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and not varies(path.relative_to(folder))
        }

    one, other = files(calm), files(stormy)
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def varies(path: Path) -> bool:
    """Whether a file holds times: logs and benchmarks, and what programs on reads say of their own runs."""
    if path.parts[0] in ("logs", "benchmarks"):
        return True
    of_programs = ("fastp", "qc", "salmon", "quantification", "hisat2")
    return path.parts[0] == "reads" and bool({*path.parts} & {*of_programs}) and path.name != "quant.sf"


if __name__ == "__main__":
    main()

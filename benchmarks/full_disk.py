"""A full disk in every stage from reads to report: one clear message, nothing half-written, and it goes on with room.

    python benchmarks/full_disk.py                  as root, since it mounts a small disk; --rules: only these

The demo from reads runs once, with few passes. Then, for one job of every rule: the results are laid on a small disk
(tmpfs), the outputs of the job are deleted, and the same command is given with no room at all, with half and with nine
tenths of the room that the outputs take, and at last with plenty. Each of the first must fail with one message that
names what could not be written, how much is free and what to do; the last must give what was there before. A program
that notices nothing and leaves a short file behind would show as a success without room, or as another file.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
SHARES = (0.0, 0.5, 0.9)
PAGE = 4096  # bytes; what a file takes on such a disk is a multiple of it
# Few passes, and a model that reads chords, so that every rule has a job.
SETTINGS = {
    "passes": {"n_passes": 4, "n_permuted": 2, "n_shadow": 2},
    "stability": {"n_pairs": 1},
    "models": {"cnn_small": {}, "linear": {"chord_pixels": True}},
}
# These hold dates, times, paths or draws of a program besides what was found.
APART = ("reads/qc/", "reads/fastp/", "reads/quantification/", "reads/hybrid/salmon", "run.json")


def main() -> None:
    """Run the demo, then every rule on a full disk."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rules", nargs="+", help="only these rules")
    parser.add_argument("--folder", type=Path, default=Path("full_disk"), help="where to work; a finished run is kept")
    options = parser.parse_args()
    folder = options.folder.resolve()
    whole = folder / "whole"
    if not (whole / "results/findings/summary.html").exists():
        prepare(whole)
        if snakemake(whole).returncode:
            raise SystemExit(f"the undisturbed run failed, see {whole / 'said.txt'}")
    print("| rule | what was written | no room | half | nine tenths | with room |\n|---|---|---|---|---|---|")
    faults = []
    for rule, outputs in jobs(whole):
        if not options.rules or rule in options.rules:
            faults += row(whole, folder / "work", rule, outputs)
    print(f"{len(faults)} faults", *faults, sep="\n")
    sys.exit(bool(faults))


def prepare(folder: Path) -> None:
    """Make a work folder of the demo from reads."""
    (folder / "resources/demo").mkdir(parents=True)
    shutil.copytree(ROOT / "config", folder / "config")
    shutil.copytree(ROOT / "resources/demo/reads", folder / "resources/demo/reads")
    config = folder / "config/config.yaml"
    config.write_text(yaml.safe_dump({**yaml.safe_load(config.read_text()), **SETTINGS}))


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Give the command in a folder; what it says lies in `said.txt` there, too."""
    command = [sys.executable, "-m", "snakemake", *arguments, "--snakefile", str(ROOT / "Snakefile"), "--cores", "1"]
    # a stage is made again for its missing file, not for an edit since the run
    command += ["--workflow-profile", "none", "--notemp", "--rerun-incomplete", "--rerun-triggers", "mtime"]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    (folder / "said.txt").write_text(done.stdout)
    return done


def jobs(whole: Path) -> Iterator[tuple[str, list[str]]]:
    """One job of every rule, in the order of the files: the rule, and its outputs."""
    done = snakemake(whole, "--summary")
    lines = done.stdout[done.stdout.index("output_file\t") :].splitlines()
    outputs: dict[tuple[str, str], list[str]] = defaultdict(list)
    for line in csv.DictReader(lines, delimiter="\t"):
        outputs[line["rule"], line["log-file(s)"]].append(line["output_file"])
    first = {}
    for (rule, _), files in outputs.items():
        first.setdefault(rule, files)
    yield from first.items()
    # passes by their name: one job a seed
    for rule, kind in (("train_pass", ""), ("train_permuted_pass", "permuted/"), ("train_shadow_pass", "shadow/")):
        yield rule, [f"results/passes/linear/{kind}0.npz"]
    yield "train_half_pass", ["results/passes/linear/half/0.npz"]


def row(whole: Path, work: Path, rule: str, outputs: list[str]) -> list[str]:
    """Try one rule, print its row of the table, and say what was wrong."""
    # naming a pass would train it alone
    targets = ["passes"] if rule.startswith("train_") and len(outputs) > 1 else outputs
    faults, cells = [], []
    with small_disk(whole, work) as disk:
        taken = disk.delete(outputs)
        for share in SHARES:
            disk.leave(int(share * taken))
            began = time.monotonic()
            done = snakemake(work, *targets)
            said = [line for line in done.stdout.splitlines() if "disk is full" in line]
            other = different(whole, work, outputs)
            if not done.returncode and not other:
                # what else the job writes, its log for one, takes less room than it did
                cells.append("fits")
                taken = disk.delete(outputs)
                continue
            wrong = list(unclear(done, said, rule, disk.folder)) + left_behind(work, outputs)
            faults += [f"{rule}, room for {share:.0%}: {fault}" for fault in wrong]
            cells.append("; ".join(wrong) or f"{doing(said[0])} ({time.monotonic() - began:.0f} s)")
            if wrong:
                (work.parent / f"said_{rule}_{share:.0%}.txt").write_text(done.stdout)
        disk.give_room()
        done = snakemake(work, *targets)
        other = different(whole, work, outputs)
        wrong = [f"fails (exit status {done.returncode})"] if done.returncode else [f"{path} differs" for path in other]
        faults += [f"{rule}, with room: {fault}" for fault in wrong]
        cells.append("; ".join(wrong) or "made whole")
        if wrong:
            (work.parent / f"said_{rule}_room.txt").write_text(done.stdout)
    print(f"| `{rule}` | {taken // 1000} kB | {' | '.join(cells)} |", flush=True)
    return faults


def unclear(done: subprocess.CompletedProcess, said: list[str], rule: str, disk: Path) -> Iterator[str]:
    """What is wrong with the way in which a command failed."""
    if not done.returncode:
        yield "succeeds"
    elif len(said) != 1:
        yield f"{len(said)} messages"
    elif not said[0].startswith(f"Error in {rule}: the disk is full: no space left while "):
        yield "does not begin as expected"
    elif f"Free on {disk}: " not in said[0] or "Make room there" not in said[0]:
        yield "does not say where and what to do"
    elif "Traceback" in done.stdout:
        yield "a traceback besides"


def left_behind(work: Path, outputs: list[str]) -> list[str]:
    """Outputs that are there though the command failed, and names of what is half-written."""
    there = [f"{path} is there" for path in outputs if (work / path).exists()]
    halves = [path.name for path in (work / "results").rglob(".*") if path.name != ".snakemake_timestamp"]
    return there + [f"{name} is left" for name in halves]


def different(whole: Path, work: Path, outputs: list[str]) -> list[str]:
    """Outputs that are missing or not the same files as before."""
    wrong = []
    for output in outputs:
        files = [path.relative_to(whole) for path in everything([whole / output]) if path.is_file()]
        for file in files:
            apart = str(file.relative_to("results")).startswith(APART)
            if not (work / file).exists() or not apart and (work / file).read_bytes() != (whole / file).read_bytes():
                wrong.append(str(file))
    return wrong


def everything(paths: Iterable[Path]) -> Iterator[Path]:
    """Paths and all that lies below them."""
    for path in paths:
        yield path
        yield from path.rglob("*")


def doing(message: str) -> str:
    """What a message says that there was no room for."""
    return message.partition("no space left while ")[2].partition(". Free on")[0]


class Disk:
    """The small disk that holds the results."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1g", "tmpfs", folder], check=True)

    def delete(self, outputs: list[str]) -> int:
        """Delete outputs, and say how many bytes they took."""
        before = shutil.disk_usage(self.folder).used
        for path in (self.folder.parent / output for output in outputs):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        return before - shutil.disk_usage(self.folder).used

    def leave(self, free: int) -> None:
        """Leave so many bytes free."""
        size = shutil.disk_usage(self.folder).used + free // PAGE * PAGE
        subprocess.run(["mount", "-o", f"remount,size={size}", self.folder], check=True)

    def give_room(self) -> None:
        """Leave plenty."""
        subprocess.run(["mount", "-o", "remount,size=1g", self.folder], check=True)


@contextmanager
def small_disk(whole: Path, work: Path) -> Iterator[Disk]:
    """Copy a finished run, its results to a small disk."""
    shutil.rmtree(work, ignore_errors=True)
    (work / "results").mkdir(parents=True)
    disk = Disk(work / "results")
    try:
        subprocess.run(["cp", "-a", f"{whole}/.", work], check=True)
        yield disk
    finally:
        subprocess.run(["umount", disk.folder], check=True)


if __name__ == "__main__":
    main()

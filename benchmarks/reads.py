"""From reads to novel transcripts, measured: on real reads with withheld genes, and beside the published package.

    python benchmarks/reads.py withheld FOLDER [--genome NAME] [--cores N] [--assembler NAME] [--no-trim] [--work DIR]
    python benchmarks/reads.py hide FOLDER OUT --seed N [--genes N]
    python benchmarks/reads.py draws FOLDER [--draws N] [--genes N] [--cores N]
    python benchmarks/reads.py published --peer PYTHON [--cores N]

`withheld` runs the workflow up to its table on a folder with genome.fa, transcripts.fa, annotation.gff3, samples.tsv
and withheld_transcripts.fa (the truth), and says which of these came back, what else was kept, and what each rule cost.
With a whole genome (`--genome genome_whole.fa.gz`) the withheld genes are those that only the annotation lacks. The
counts of known transcripts are compared with those of plain Salmon on all transcripts, the withheld ones included.
`hide` makes such a folder from another: it takes other expressed genes out of its annotation and transcripts. `draws`
does so several times, and says each time what came back, what was kept where the truth is known, and the stated rate.
`published` runs `hybrid_assembly.run_hybrid_assembly` of this package and of pydeepmapper, in its own Python
environment (with biopython), on the same single-end reads of a simulated study, one after the other: wall time, peak
disk, novel transcripts recovered, false ones kept. The programs must be on PATH.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from withheld import countable_genes, hide_genes, judge_novel, recovered

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

CALL = """
import sys, json
sys.path[:0] = {path!r}
hybrid = __import__({package!r} + ".hybrid_assembly", fromlist=["x"])
table = hybrid.run_hybrid_assembly(json.loads({reads!r}), {index!r}, {transcripts!r}, {work!r})
table.to_csv({table!r}, sep="\\t")
"""


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_subparsers(dest="what", required=True)
    withheld = what.add_parser("withheld")
    withheld.add_argument("folder", type=Path)
    withheld.add_argument("--genome", default="genome.fa", help="FASTA in the folder (default: genome.fa)")
    withheld.add_argument("--work", type=Path, help="keep the work directory here")
    hide = what.add_parser("hide")
    hide.add_argument("folder", type=Path)
    hide.add_argument("out", type=Path)
    hide.add_argument("--seed", type=int, default=0)
    draws = what.add_parser("draws")
    draws.add_argument("folder", type=Path)
    draws.add_argument("--genome", default="genome_whole.fa.gz")
    draws.add_argument("--draws", type=int, default=10)
    draws.add_argument("--first-seed", type=int, default=1)
    for each in (hide, draws):
        each.add_argument("--genes", type=int, default=12)
    for each in (withheld, draws):
        each.add_argument("--assembler", default="trinity", choices=["trinity", "rnaspades"])
        each.add_argument("--no-trim", action="store_true")
    published = what.add_parser("published")
    published.add_argument("--peer", required=True, help="python of an environment with pydeepmapper and biopython")
    for each in (withheld, draws, published):
        each.add_argument("--cores", type=int, default=2)
    args = parser.parse_args()
    if args.what == "hide":
        data = args.folder.resolve()
        hide_genes(data, args.out, countable_genes(data), seed=args.seed, number=args.genes)
        return 0
    if args.what == "draws":
        measure_draws(args)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        if args.what == "withheld":
            measure_withheld(args, args.work or Path(scratch))
        else:
            measure_published(args, Path(scratch))
    return 0


def measure_withheld(args: argparse.Namespace, work: Path) -> None:
    """Run the workflow on real reads and compare its novel transcripts with the withheld ones."""
    data = args.folder.resolve()
    started = time.monotonic()
    rows = run_workflow(data, work, args, "expression")
    print(f"wall time {time.monotonic() - started:.0f} s on {args.cores} cores\n")
    results = work / "results"
    print((results / "reads/alignment.tsv").read_text())
    print("rule\tjobs\tseconds (all jobs)\tpeak MB (largest job)")
    for name, jobs, seconds, peak in costs(results / "benchmarks"):
        print(f"{name}\t{jobs}\t{seconds:.1f}\t{peak:.0f}")
    judge_novel(data, results, args.genome)
    compare_known_counts(rows, data, results, trim=not args.no_trim, threads=args.cores)


def run_workflow(data: Path, work: Path, args: argparse.Namespace, target: str) -> list[dict]:
    """Run the workflow on the study in a folder, up to a target; return its samples."""
    (work / "config").mkdir(parents=True, exist_ok=True)
    with (data / "samples.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    for row in rows:
        row |= {key: str(data / row[key]) for key in ("fq1", "fq2") if row[key]}
    config = {
        "samples": [{key: value for key, value in row.items() if value} for row in rows],
        "reference": {
            "genome": str(data / args.genome),
            "transcripts": str(data / "transcripts.fa"),
            "annotation": str(data / "annotation.gff3"),
        },
        "labels": {"column": "condition"},
        "reads": {"trim": not args.no_trim},
        "assembly": {"assembler": args.assembler},
    }
    (work / "config/config.yaml").write_text(json.dumps(config))
    subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--cores", str(args.cores)),
            *("--workflow-profile", ROOT / "workflow/profiles/default", "--quiet", "all", "--", target),
        ],
        cwd=work,
        check=True,
    )
    return rows


def measure_draws(args: argparse.Namespace) -> None:
    """Hide other genes in every draw, and say what comes back, what is false, and how much of that was stated."""
    data = args.folder.resolve()
    usable = countable_genes(data)
    for seed in range(args.first_seed, args.first_seed + args.draws):
        with tempfile.TemporaryDirectory() as scratch:
            study, work = Path(scratch, "study"), Path(scratch, "work")
            hide_genes(data, study, usable, seed=seed, number=args.genes)
            run_workflow(study, work, args, "results/reads/novelty/contigs.tsv")
            judge_novel(study, work / "results", args.genome)


def compare_known_counts(rows: list[dict], data: Path, results: Path, *, trim: bool, threads: int) -> None:
    """Say how the counts of known transcripts agree with those of Salmon on all transcripts, withheld ones included."""
    import anndata
    import numpy as np
    from scipy.stats import spearmanr

    from deepmapper.reads.expression import build_expression
    from deepmapper.reads.fasta import read_fasta, write_fasta
    from deepmapper.reads.quantification import index_salmon, quantify_sample
    from deepmapper.reads.samples import Unit
    from deepmapper.reads.trimming import trim_reads, trimmed_units

    found = anndata.read_h5ad(results / "expression.h5ad")
    with tempfile.TemporaryDirectory() as scratch, Path(scratch, "log").open("w") as log:
        folder = Path(scratch)
        known = results / "reads/reference/transcripts.fa"
        everything = [*read_fasta(known), *read_fasta(data / "withheld_transcripts.fa")]
        write_fasta(folder / "all.fa", ((record.name, record.sequence) for record in everything))
        index_salmon(folder / "all.fa", folder / "index", threads=threads, log=log)
        quants = {}
        for row in rows:
            name, units = row["sample"], [Unit("1", *(row[key] for key in ("fq1", "fq2") if row[key]))]
            if trim:
                trim_reads(units, report=folder / "report" / name, trimmed=folder / name, sample=name, log=log)
                units = trimmed_units(folder / name)
            quants[name] = folder / "quants" / name
            quantify_sample(units, index=folder / "index", folder=quants[name], sample=name, threads=threads, log=log)
        expected = build_expression(quants, samples=[{"sample": row["sample"]} for row in rows])
    names = [name for name in found.var_names if not name.startswith("DENOVO_")]
    pairs = [(found[s, names].X.toarray()[0], expected[s, names].X.toarray()[0]) for s in found.obs_names]
    correlations = [spearmanr(ours, plain)[0] for ours, plain in pairs]
    ratios = [ours.sum() / plain.sum() for ours, plain in pairs]
    novel = [1 - ours.sum() / found[s].X.sum() for s, (ours, _) in zip(found.obs_names, pairs, strict=True)]
    print(f"\ncounts of {len(names)} known transcripts against Salmon on all transcripts, over {len(pairs)} samples:")
    print(f"Spearman median {np.median(correlations):.4f}, least {min(correlations):.4f}; ", end="")
    print(f"sum of the counts median {np.median(ratios):.3f} of theirs; novel share median {np.median(novel):.3f}")


def costs(folder: Path) -> list[tuple[str, int, float, float]]:
    """Jobs, seconds and peak memory of every rule, from Snakemake's benchmark files."""
    found: dict[str, list[tuple[float, float]]] = {}
    for path in sorted(folder.rglob("*.tsv")):
        name = path.relative_to(folder).parts[0].removesuffix(".tsv")
        with path.open() as file:
            row = next(csv.DictReader(file, delimiter="\t"))
        found.setdefault(name, []).append((float(row["s"]), float(row["max_rss"]) if row["max_rss"] != "NA" else 0.0))
    return [(name, len(jobs), sum(s for s, _ in jobs), max(m for _, m in jobs)) for name, jobs in found.items()]


def measure_published(args: argparse.Namespace, scratch: Path) -> None:
    """Run both packages on the same single-end reads, one after the other."""
    from deepmapper.reads.alignment import build_hisat2_index, index_prefix
    from deepmapper.reads.fasta import read_fasta, write_fasta
    from deepmapper.reads.references import prepare_genome, prepare_transcripts
    from deepmapper.simulate.reads import make_study

    study = make_study(scratch / "study")
    prepare_genome(scratch / "genome.fa", genome=study.genome)
    prepare_transcripts(scratch / "transcripts.fa", transcripts=str(study.transcripts))
    with (scratch / "log").open("w") as log:
        build_hisat2_index(scratch / "genome.fa", scratch / "index", log=log)
    with study.sheet.open() as file:
        reads = {row["sample"]: row["fq1"] for row in csv.DictReader(file, delimiter="\t")}
    runs = {
        "pydeepmapper": (args.peer, []),
        "deepmapper": (sys.executable, [str(ROOT / "src")]),
    }
    for package, (python, path) in runs.items():
        work = scratch / package
        work.mkdir()
        call = CALL.format(
            path=path,
            package=package,
            reads=json.dumps(reads),
            index=index_prefix(scratch / "index"),
            transcripts=str(scratch / "transcripts.fa"),
            work=str(work / "work"),
            table=str(work / "table.tsv"),
        )
        seconds, disk, status = timed([python, "-c", call], work, args.cores)
        print(f"\n## {package}: {seconds:.0f} s, peak disk {disk / 1e6:.0f} MB, exit status {status}")
        if status:
            print((work / "said.txt").read_text()[-2000:])
            continue
        with (work / "table.tsv").open() as file:
            names = {line.split("\t")[0] for line in file} - {""}
        novel = {name for name in names if name.startswith("DENOVO_")}
        sequences: dict[str, str] = {}
        for path_ in [*work.rglob("*.fa"), *work.rglob("*.fasta")]:
            if path_.stat().st_size and path_.open().read(1) == ">":
                sequences |= {record.name: record.sequence for record in read_fasta(path_) if record.name in novel}
        write_fasta(work / "novel.fa", sorted(sequences.items()))
        recovered(work / "novel.fa", study.novel_fasta)


def timed(command: list[str], work: Path, cores: int) -> tuple[float, int, int]:
    """Run a command on the first `cores` cores: seconds, peak bytes below `work`, exit status."""
    peak, ended = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not ended.wait(0.2):
            peak = max(peak, size(work))

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.monotonic()
    with (work / "said.txt").open("w") as said:
        pinned = ["taskset", "-c", f"0-{cores - 1}"] if shutil.which("taskset") else []
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        done = subprocess.run(
            [*pinned, *command], cwd=work, stdout=said, stderr=subprocess.STDOUT, env=environment, check=False
        )
    seconds = time.monotonic() - started
    ended.set()
    watcher.join()
    return seconds, max(peak, size(work)), done.returncode


def size(folder: Path) -> int:
    """Bytes of all files below a folder; those that vanish meanwhile do not count."""
    total = 0
    for parent, _, files in os.walk(folder):
        for name in files:
            try:
                total += Path(parent, name).lstat().st_size
            except OSError:
                continue
    return total


if __name__ == "__main__":
    sys.exit(main())

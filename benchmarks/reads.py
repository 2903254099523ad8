"""From reads to novel transcripts, measured: on real reads with withheld genes, and beside the published package.

    python benchmarks/reads.py withheld FOLDER [--genome NAME] [--cores N] [--assembler NAME] [--no-trim] [--work DIR]
    python benchmarks/reads.py hide FOLDER OUT --seed N [--genes N]
    python benchmarks/reads.py published --peer PYTHON [--cores N]

`withheld` runs the workflow up to its table on a folder with genome.fa, transcripts.fa, annotation.gff3, samples.tsv
and withheld_transcripts.fa (the truth), and says which of these came back, what else was kept, and what each rule cost.
With a whole genome (`--genome genome_whole.fa.gz`) the withheld genes are those that only the annotation lacks. The
counts of known transcripts are compared with those of plain Salmon on all transcripts, the withheld ones included.
`hide` makes such a folder from another: it takes other expressed genes out of its annotation and transcripts.
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
from collections import Counter
from pathlib import Path

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
    withheld.add_argument("--assembler", default="trinity", choices=["trinity", "rnaspades"])
    withheld.add_argument("--no-trim", action="store_true")
    withheld.add_argument("--work", type=Path, help="keep the work directory here")
    hide = what.add_parser("hide")
    hide.add_argument("folder", type=Path)
    hide.add_argument("out", type=Path)
    hide.add_argument("--seed", type=int, default=0)
    hide.add_argument("--genes", type=int, default=12)
    published = what.add_parser("published")
    published.add_argument("--peer", required=True, help="python of an environment with pydeepmapper and biopython")
    for each in (withheld, published):
        each.add_argument("--cores", type=int, default=2)
    args = parser.parse_args()
    if args.what == "hide":
        hide_genes(args)
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
    started = time.monotonic()
    subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--cores", str(args.cores)),
            *("--workflow-profile", ROOT / "workflow/profiles/default", "--quiet", "all", "--", "expression"),
        ],
        cwd=work,
        check=True,
    )
    print(f"wall time {time.monotonic() - started:.0f} s on {args.cores} cores\n")
    results = work / "results"
    print((results / "reads/alignment.tsv").read_text())
    print("rule\tjobs\tseconds (all jobs)\tpeak MB (largest job)")
    for name, jobs, seconds, peak in costs(results / "benchmarks"):
        print(f"{name}\t{jobs}\t{seconds:.1f}\t{peak:.0f}")
    with (results / "reads/novelty/contigs.tsv").open() as file:
        contigs = list(csv.DictReader(file, delimiter="\t"))
    for kept in ("true", "false"):
        classes = Counter(row["class"] for row in contigs if row["kept"] == kept)
        print(f"\n{'kept' if kept == 'true' else 'dropped'}: {sum(classes.values())}", dict(classes))
    recovered(results / "reads/novelty/denovo.fa", data / "withheld_transcripts.fa")
    compare_known_counts(rows, data, results, trim=not args.no_trim, threads=args.cores)


def hide_genes(args: argparse.Namespace) -> None:
    """Write a study of which other genes are missing, drawn from those that Salmon counts at least 200 times."""
    import random

    from deepmapper.reads.annotation import clean_id, read_annotation, write_gtf
    from deepmapper.reads.fasta import read_fasta, write_fasta

    data, out = args.folder.resolve(), args.out
    out.mkdir(parents=True)
    records = list(read_fasta(data / "transcripts.fa"))
    annotated = read_annotation(data / "annotation.gff3")
    with (data / "samples.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    subprocess.run(
        ["salmon", "index", "-t", data / "transcripts.fa", "-i", out / "index"], check=True, capture_output=True
    )
    counts: Counter[str] = Counter()
    for row in rows:
        files = [str(data / row[key]) for key in ("fq1", "fq2") if row[key]]
        given = ["-r", files[0]] if len(files) == 1 else ["-1", files[0], "-2", files[1]]
        quant = ["salmon", "quant", "-i", out / "index", "-l", "A", *given, "-o", out / "quant"]
        subprocess.run(quant, check=True, capture_output=True)
        with (out / "quant/quant.sf").open() as file:
            for line in csv.DictReader(file, delimiter="\t"):
                counts[line["Name"]] += float(line["NumReads"])
    genes = Counter()
    for transcript in annotated:
        if transcript.chrom not in ("ChrC", "ChrM") and sum(e - s for s, e in transcript.exons) >= 300:
            genes[transcript.gene_id] += counts[transcript.id]
    usable = sorted(gene for gene, number in genes.items() if number >= 200)
    gone = set(random.Random(args.seed).sample(usable, args.genes))
    lost = {t.id for t in annotated if t.gene_id in gone}
    print(f"{len(usable)} genes could be hidden; hidden are {', '.join(sorted(gone))}")
    shutil.rmtree(out / "index")
    shutil.rmtree(out / "quant")
    write_gtf(out / "annotation.gff3", (t for t in annotated if t.id not in lost))
    for name, wanted in (("transcripts.fa", False), ("withheld_transcripts.fa", True)):
        own = ((r.name, r.sequence) for r in records if (clean_id(r.name) in lost) == wanted)
        write_fasta(out / name, own)
    for name in ("genome_whole.fa.gz", "reads"):
        (out / name).symlink_to(data / name)
    shutil.copy(data / "samples.tsv", out)


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


def recovered(contigs: Path, truth: Path) -> tuple[int, int]:
    """Say how much of each true transcript lies in one contig (minimap2), and which contigs match none.

    Returns
    -------
    tuple of int
        True genes of which a transcript lies in one contig at 90 % of its length or more, and contigs that match none.
    """
    from deepmapper.core.programs import run_tool
    from deepmapper.reads.fasta import read_fasta

    with tempfile.TemporaryDirectory() as scratch, Path(scratch, "log").open("w") as log:
        paf = Path(scratch, "hits.paf")
        run_tool(
            ["minimap2", "-c", "-x", "map-ont", "-k", "13", "-w", "5", "-p", "0.1", "-N", "50", truth, contigs],
            stdout=paf,
            log=log,
        )
        covered: dict[tuple[str, str], set[int]] = {}
        for line in paf.read_text().splitlines():
            fields = line.split("\t")
            key = (fields[5], fields[0])
            covered.setdefault(key, set()).update(range(int(fields[7]), int(fields[8])))
    lengths = {record.name: len(record.sequence) for record in read_fasta(truth)}
    best = dict.fromkeys(lengths, 0.0)
    for (name, _), positions in covered.items():
        best[name] = max(best[name], len(positions) / lengths[name])
    kept = {record.name for record in read_fasta(contigs)}
    false = kept - {contig for (name, contig), c in covered.items() if len(c) >= 100}
    genes: dict[str, float] = {}
    for name, share in best.items():
        gene = name.rsplit(".", 1)[0]
        genes[gene] = max(genes.get(gene, 0.0), share)
    at = {share: sum(value >= share for value in genes.values()) for share in (0.9, 0.75)}
    print(f"\nof {len(genes)} true genes (names up to the last dot), best transcript in one contig: ", end="")
    print(f"{at[0.9]} at >= 90 %, {at[0.75]} at >= 75 % of its length")
    print(", ".join(f"{name} {share:.3f}" for name, share in sorted(best.items())))
    print(f"{len(kept)} contigs kept, {len(false)} of them match no true transcript")
    return at[0.9], len(false)


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

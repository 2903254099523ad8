"""Genes that are withheld from a reference on purpose: which could be, how they are hidden, and what comes back."""

from __future__ import annotations

import csv
import json
import random
import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path


def countable_genes(data: Path) -> list[str]:
    """Nuclear genes longer than 300 nt that Salmon counts at least 200 times."""
    from deepmapper.reads.annotation import read_annotation

    counts: Counter[str] = Counter()
    with (data / "samples.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    with tempfile.TemporaryDirectory() as scratch:
        index, quant = Path(scratch, "index"), Path(scratch, "quant")
        subprocess.run(["salmon", "index", "-t", data / "transcripts.fa", "-i", index], check=True, capture_output=True)
        for row in rows:
            files = [str(data / row[key]) for key in ("fq1", "fq2") if row[key]]
            given = ["-r", files[0]] if len(files) == 1 else ["-1", files[0], "-2", files[1]]
            command = ["salmon", "quant", "-i", index, "-l", "A", *given, "-o", quant]
            subprocess.run(command, check=True, capture_output=True)
            with (quant / "quant.sf").open() as file:
                for line in csv.DictReader(file, delimiter="\t"):
                    counts[line["Name"]] += float(line["NumReads"])
    genes: Counter[str] = Counter()
    for transcript in read_annotation(data / "annotation.gff3"):
        if transcript.chrom not in ("ChrC", "ChrM") and sum(e - s for s, e in transcript.exons) >= 300:
            genes[transcript.gene_id] += counts[transcript.id]
    return sorted(gene for gene, number in genes.items() if number >= 200)


def hide_genes(data: Path, out: Path, usable: list[str], *, seed: int, number: int) -> None:
    """Write a study of which other genes are missing, drawn from `usable`."""
    from deepmapper.reads.annotation import clean_id, read_annotation, write_gtf
    from deepmapper.reads.fasta import read_fasta, write_fasta

    out.mkdir(parents=True)
    records = list(read_fasta(data / "transcripts.fa"))
    annotated = read_annotation(data / "annotation.gff3")
    gone = set(random.Random(seed).sample(usable, number))
    lost = {t.id for t in annotated if t.gene_id in gone}
    print(f"{len(usable)} genes could be hidden; hidden are {', '.join(sorted(gone))}")
    rrna = {t.id: {"transcript_biotype": "rRNA"} for t in annotated if t.is_rrna}
    write_gtf(out / "annotation.gff3", (t for t in annotated if t.id not in lost), attributes=rrna)
    for name, wanted in (("transcripts.fa", False), ("withheld_transcripts.fa", True)):
        own = ((r.name, r.sequence) for r in records if (clean_id(r.name) in lost) == wanted)
        write_fasta(out / name, own)
    shutil.copy(data / "withheld_transcripts.fa", out / "missing_anyway.fa")
    for name in ("genome_whole.fa.gz", "reads"):
        (out / name).symlink_to(data / name)
    shutil.copy(data / "samples.tsv", out)


def judge_novel(data: Path, results: Path, genome: str) -> None:
    """Print the classes of all contigs and models, what came back, and what may be false."""
    with (results / "reads/novelty/contigs.tsv").open() as file:
        contigs = list(csv.DictReader(file, delimiter="\t"))
    for kept in ("true", "false"):
        classes = Counter(row["class"] for row in contigs if row["kept"] == kept)
        print(f"\n{'kept' if kept == 'true' else 'dropped'}: {sum(classes.values())}", dict(classes))
    novel = results / "reads/novelty/denovo.fa"
    _, false = recovered(novel, data / "withheld_transcripts.fa")
    if (anyway := data / "missing_anyway.fa").exists():
        print("\nWhat the reference of the draw lacks anyway:", end="")
        false &= recovered(novel, anyway)[1]
    unexplained(contigs, false, data, results, genome)


def recovered(contigs: Path, truth: Path) -> tuple[int, set[str]]:
    """Say how much of each true transcript lies in one contig (minimap2), and which contigs match none.

    Returns
    -------
    tuple
        Number of true genes of which a transcript lies in one contig at 90 % of its length or more, and the names of
        the contigs that match none.
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
    return at[0.9], false


def unexplained(contigs: list[dict], false: set[str], data: Path, results: Path, genome: str) -> None:
    """Print the kept contigs that match no true transcript where the truth is known.

    That is up to the end of the last gene, annotated or withheld, of each sequence of the genome.
    """
    from deepmapper.core.programs import run_tool
    from deepmapper.reads.annotation import read_annotation

    ends: dict[str, int] = {}
    for transcript in read_annotation(data / "annotation.gff3"):
        ends[transcript.chrom] = max(ends.get(transcript.chrom, 0), transcript.exons[-1][1])
    with tempfile.TemporaryDirectory() as scratch, Path(scratch, "log").open("w") as log:
        paf, truth = Path(scratch, "hits.paf"), data / "withheld_transcripts.fa"
        run_tool(["minimap2", "-x", "splice", "--secondary=no", data / genome, truth], stdout=paf, log=log)
        for line in paf.read_text().splitlines():
            cells = line.split("\t")
            ends[cells[5]] = max(ends.get(cells[5], 0), int(cells[8]))
    rate = json.loads((results / "reads/novelty/error_rate.json").read_text())
    inside = [
        row
        for row in contigs
        if row["name"] in false
        and row["kept"] == "true"
        and (place := row["genome_locus"].rpartition(":"))[0]
        and int(place[2].split("-")[0]) <= ends.get(place[0], 0)
    ]
    print(f"{len(inside)} of these lie where the truth is known; {rate['statement']}")
    for row in inside:
        print(" ", row["contig"], row["class"], row["genome_locus"], row["supporting_reads"], row["reason"])

"""Read support of contigs: fragments of each sample, aligned with minimap2. Standard library only."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import IO

from ..core.programs import run_tool
from ..errors import InputError
from ..reads.fasta import write_fasta
from ..reads.nucleotides import without_mate

_MIN_MATCH = 0.8  # share of a read's bases that must equal the contig's, chosen by hand


def pool_samples(pool: Path) -> list[str]:
    """Samples of a pool, in its order, including those without reads."""
    path = Path(pool) / "samples.tsv"
    if not path.is_file():
        raise InputError(f"{path}: not found, expected the table of samples in the folder of pooled reads.")
    with path.open(newline="") as file:
        return [row["sample"] for row in csv.DictReader(file, delimiter="\t")]


def fragments_per_contig(
    pool: Path, contigs: Mapping[str, str], *, folder: Path, threads: int, log: IO[str]
) -> tuple[dict[str, Counter[str]], Counter[tuple[str, str]]]:
    """Count the fragments of each sample per contig; mates count once, for the contig that they match best.

    Parameters
    ----------
    pool
        Folder with ``left`` and ``right`` (mates in the same order) and ``single``, FASTA or FASTQ, plain or gzipped.
    contigs
        Sequences by name.
    folder
        Where temporary files go.

    Returns
    -------
    counts
        For every contig its fragments by sample. They do not depend on the number of threads: minimap2 writes
        alignments in the order of the reads, and breaks ties by the name of the read.
    links
        Pairs of which one mate matches one contig best, and the other mate another one; by the two names, sorted.
    """
    counts: dict[str, Counter[str]] = {name: Counter() for name in contigs}
    links: Counter[tuple[str, str]] = Counter()
    if not contigs:
        return counts, links
    target, paf = folder / "targets.fa", folder / "reads.paf"
    write_fasta(target, contigs.items())
    for kinds in (("left", "right"), ("single",)):
        files = [path for path in (_pool_file(pool, kind) for kind in kinds) if path]
        if len(files) < len(kinds):
            continue
        minimap2 = ["minimap2", "-x", "sr", "-c", "--secondary=no", "-t", str(threads), str(target), *map(str, files)]
        run_tool(minimap2, ["cut", "-f", "1,2,6,10"], stdout=paf, log=log)
        for fragment, contig, of_mates in _best_contigs(paf):
            counts[contig][fragment.partition("|")[0]] += 1
            if len(of_mates) == 2:
                links[of_mates[0], of_mates[1]] += 1
        paf.unlink()
    return counts, links


def _pool_file(pool: Path, kind: str) -> Path | None:
    """The pool's file of this name with any ending; None if it is missing or empty."""
    files = sorted(path for path in Path(pool).glob(f"{kind}.f*") if path.stat().st_size)
    if len(files) > 1:
        raise InputError(f"{pool}: {', '.join(path.name for path in files)} are all {kind} reads, expected one file.")
    return files[0] if files else None


def _best_contigs(paf: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Yield each fragment that matches, its contig, and those of its mates; the columns are those cut out above."""
    with paf.open() as file:
        lines = (line.rstrip("\n").split("\t") for line in file)
        for fragment, group in groupby(lines, key=lambda fields: without_mate(fields[0])):
            matches: Counter[str] = Counter()
            best: dict[str, tuple[int, str]] = {}
            for read, length, contig, n_equal in group:
                if int(n_equal) >= _MIN_MATCH * int(length):
                    matches[contig] += int(n_equal)
                    best[read] = min(best.get(read, (0, "")), (-int(n_equal), contig))
            if matches:
                of_mates = sorted({contig for _, contig in best.values()})
                yield fragment, min(matches, key=lambda contig: (-matches[contig], contig)), of_mates

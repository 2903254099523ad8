"""Read fragments of each sample that support each contig. Uses minimap2; standard library only."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import IO

from ..core.programs import run_tool
from ..errors import InputError
from .fasta import write_fasta
from .nucleotides import without_mate

_MIN_MATCH = 0.8  # share of a read's bases that equal the contig's


def samples_of(pool: Path) -> list[str]:
    """Samples of a pool, in its order, those without a read included."""
    path = Path(pool) / "samples.tsv"
    if not path.is_file():
        raise InputError(f"{path} does not exist, expected the table of samples in the folder of pooled reads.")
    with path.open(newline="") as file:
        return [row["sample"] for row in csv.DictReader(file, delimiter="\t")]


def fragments_per_contig(
    pool: Path, contigs: Mapping[str, str], *, folder: Path, threads: int, log: IO[str]
) -> dict[str, Counter[str]]:
    """Count fragments: the reads of one name, one or two, count once, for the contig that they match best.

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
    dict
        For every contig, fragments by sample. The same for any number of threads: minimap2 writes alignments in the
        order of the reads, and chooses among equal ones by the name of the read.
    """
    counts: dict[str, Counter[str]] = {name: Counter() for name in contigs}
    if not contigs:
        return counts
    target, paf = folder / "targets.fa", folder / "reads.paf"
    write_fasta(target, contigs.items())
    for names in (("left", "right"), ("single",)):
        files = [path for path in (_reads(pool, name) for name in names) if path]
        if len(files) < len(names):
            continue
        minimap2 = ["minimap2", "-x", "sr", "-c", "--secondary=no", "-t", str(threads), str(target), *map(str, files)]
        run_tool(minimap2, ["cut", "-f", "1,2,6,10"], stdout=paf, log=log)
        for fragment, contig in _best_contigs(paf):
            counts[contig][fragment.partition("|")[0]] += 1
        paf.unlink()
    return counts


def _reads(pool: Path, name: str) -> Path | None:
    """The pool's file of that name, whatever its ending; None where it is missing or empty."""
    found = sorted(path for path in Path(pool).glob(f"{name}.f*") if path.stat().st_size)
    if len(found) > 1:
        raise InputError(f"{pool}: {', '.join(path.name for path in found)} are all {name} reads, expected one file.")
    return found[0] if found else None


def _best_contigs(paf: Path) -> Iterator[tuple[str, str]]:
    """(fragment, contig) of each fragment that matches one, from lines of read, its length, contig and matches."""
    with paf.open() as file:
        lines = (line.rstrip("\n").split("\t") for line in file)
        for fragment, group in groupby(lines, key=lambda fields: without_mate(fields[0])):
            matches: Counter[str] = Counter()
            for _, length, contig, equal in group:
                if int(equal) >= _MIN_MATCH * int(length):
                    matches[contig] += int(equal)
            if matches:
                yield fragment, min(matches, key=lambda contig: (-matches[contig], contig))

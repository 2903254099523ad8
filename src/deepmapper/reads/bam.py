"""Reads out of BAM and SAM files, with samtools. Standard library only."""

from __future__ import annotations

import json
import shutil
from itertools import islice
from pathlib import Path
from typing import IO

from ..core.files import atomic_folder
from ..core.programs import Argument, require, run_tool
from ..errors import InputError, ToolFailed
from .fastq import count_reads

_NOT_PRIMARY = 256 | 2048  # SAM flags

_UNMAPPED, _BOTH_UNMAPPED = 4, 4 | 8

_N_RECORDS = 1000  # records at the start in which barcodes of cells are looked for, chosen by hand


def extract_reads(
    bam: str | Path, folder: Path, *, sample: str, threads: int = 1, log: IO[str] | None = None
) -> dict[str, str | int]:
    """Write the reads of a BAM file, aligned or not, as FASTQ.

    Parameters
    ----------
    bam
        BAM or SAM in any order. Secondary and supplementary alignments are left out: they are further places of reads.
    folder
        Written atomically: ``1.fastq.gz`` and ``2.fastq.gz`` for pairs, else ``single.fastq.gz``; and
        ``extracted.json``, the returned record. Reads of pairs whose mate is not in the file are left out.
    sample
        Name, for messages.

    Returns
    -------
    dict
        ``layout`` ("paired" or "single"); ``fragments`` (pairs or single reads); ``without_mate`` (reads that were left
        out).

    Raises
    ------
    BioToolUnavailable
        If samtools is missing.
    InputError
        If the file holds no reads, both pairs and single reads, alignments without the reads that do not align, or
        barcodes of cells.
    ToolFailed
        If samtools fails, or loses reads.
    """
    require("samtools")
    with atomic_folder(folder) as out:
        work = out / "work"
        work.mkdir()
        (work / "in.bam").symlink_to(Path(bam).resolve())  # samtools reads some names as addresses
        n_reads, n_paired = _check(bam, work, sample, threads, log)
        run_tool(
            ["samtools", "collate", "-u", "-O", "-@", threads, "in.bam", "collated"],
            # the names of empty files, too, must end as gzip
            ["samtools", "fastq", "-n", "-1", "1.fastq.gz", "-2", "2.fastq.gz", "-s", "half.fastq.gz"]
            + ["-0", "0.fastq.gz", "-"],
            folder=work,
            log=log,
        )
        counts = {name: _count(work / f"{name}.fastq.gz") for name in ("1", "2", "half", "0")}
        if sum(counts.values()) != n_reads or counts["1"] != counts["2"]:
            raise ToolFailed(f"samtools wrote {counts} of {n_reads} reads of sample {sample}, expected all of them.")
        paired = counts["1"] > 0
        # of some pairs one mate alone was kept in all of the file
        chosen = {"1": "1", "2": "2"} if paired else {"half" if n_paired else "0": "single"}
        for name, final in chosen.items():
            (work / f"{name}.fastq.gz").rename(out / f"{final}.fastq.gz")
        record: dict[str, str | int] = {
            "layout": "paired" if paired else "single",
            "fragments": counts["1"] if paired else n_reads,
            "without_mate": counts["half"] if paired else 0,
        }
        shutil.rmtree(work)
        (out / "extracted.json").write_text(json.dumps(record, indent=2) + "\n")
    return record


def _check(bam: str | Path, work: Path, sample: str, threads: int, log: IO[str] | None) -> tuple[int, int]:
    """Return the number of reads and how many of them are of pairs; refuse files that lack reads."""
    stats = work / "flagstat.json"
    run_tool(
        ["samtools", "flagstat", "-O", "json", "-@", threads, "in.bam"],
        folder=work,
        stdout=stats,
        log=log,
        advice=f"Is {bam} complete?",
    )
    passed, failed = json.loads(stats.read_text()).values()
    n_reads, n_mapped, n_paired = (
        passed[key] + failed[key] for key in ("primary", "primary mapped", "paired in sequencing")
    )
    if not n_reads:
        raise InputError(
            f"sample {sample}: {bam} holds no reads, expected at least one. Give the right file or remove the sample."
        )
    if 0 < n_paired < n_reads:
        raise InputError(
            f"sample {sample}: {bam} holds {n_paired} reads of pairs and {n_reads - n_paired} single reads, expected "
            f"one kind. Split it into two samples: samtools view -b -f 1 and samtools view -b -F 1."
        )
    if n_mapped:
        lost = _BOTH_UNMAPPED if n_paired else _UNMAPPED
        view: list[Argument] = ["samtools", "view", "-c", "-f", lost, "-F", _NOT_PRIMARY, "-@", threads, "in.bam"]
        run_tool(view, folder=work, stdout=work / "unmapped.txt", log=log)
        if not int((work / "unmapped.txt").read_text()):
            raise InputError(
                f"sample {sample}: {bam} holds {'pairs' if n_paired else 'reads'} that align, but none that do not, as "
                "many aligners leave these out; novel transcripts come from them. Give the FASTQ files, or align again "
                "with all reads in the file (STAR: --outSAMunmapped Within)."
            )
    run_tool(
        ["samtools", "view", "in.bam"], folder=work, log=log, reader=lambda sam: _refuse_barcodes(sam, bam, sample)
    )
    return n_reads, n_paired


def _refuse_barcodes(sam: IO[bytes], bam: str | Path, sample: str) -> None:
    """Refuse reads with barcodes of cells (Cell Ranger, STARsolo and others: the tag CB)."""
    if any(b"\tCB:Z:" in line for line in islice(sam, _N_RECORDS)):
        raise InputError(
            f"sample {sample}: {bam} holds reads of single cells (with the tag CB), and cells are not told apart here. "
            "Count the cells first, and give their matrix as matrix.path."
        )


def _count(path: Path) -> int:
    """Count the reads of a file that samtools compressed; zero if it wrote none."""
    return count_reads(path) if path.exists() and path.stat().st_size else 0

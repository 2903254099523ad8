"""Runs of the Sequence Read Archive (SRA, ENA, DDBJ), fetched with sra-tools. Standard library only."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import IO

from ..core.files import atomic_folder
from ..core.programs import Argument, require, run_tool
from ..errors import InputError
from .fastq import gzip_writer

# nt; technical reads of this length hold barcodes of cells, shorter ones the index of a sample; chosen by hand
_BARCODE_LENGTHS = range(16, 61)


def fetch_run(accession: str, folder: Path, *, threads: int = 1, log: IO[str] | None = None) -> dict[str, str | int]:
    """Download a run and write its reads as FASTQ.

    Parameters
    ----------
    accession
        SRR, ERR or DRR and a number.
    folder
        Written atomically: ``1.fastq.gz`` and ``2.fastq.gz`` if the run holds pairs, else ``single.fastq.gz``; and
        ``fetched.json``, the returned record. Reads without a mate in a run of pairs are left out.

    Returns
    -------
    dict
        ``accession``; ``layout`` ("paired" or "single"); ``fragments`` (pairs or single reads); ``without_mate`` (reads
        that were left out).

    Raises
    ------
    BioToolUnavailable
        If sra-tools are missing.
    InputError
        If the run holds barcodes of single cells, more than two reads a fragment, or none.
    ToolFailed
        If the download or the conversion fails.
    """
    require("prefetch", "fasterq-dump", "vdb-dump")
    with atomic_folder(folder) as out:
        work = out / "work"
        work.mkdir()
        run_tool(
            ["prefetch", accession, "--max-size", "u", "--output-directory", "."],
            folder=work,
            log=log,
            advice=(
                f"{accession} could not be fetched. Is the accession right, and is this machine connected to the "
                "internet? Without a connection fetch it elsewhere (prefetch, fasterq-dump) and give the files as fq1 "
                "and fq2."
            ),
        )
        run = _downloaded(work / accession, accession)
        _refuse_barcodes(run, accession, work, log)
        command: list[Argument] = [
            "fasterq-dump",
            "--split-3",
            "--threads",
            threads,
            "--temp",
            "scratch",
            "--outdir",
            "fastq",
        ]
        run_tool([*command, run.relative_to(work)], folder=work, log=log)
        record = {"accession": accession, **_pack(work / "fastq", out, accession)}
        shutil.rmtree(work)
        (out / "fetched.json").write_text(json.dumps(record, indent=2) + "\n")
    return record


def _downloaded(folder: Path, accession: str) -> Path:
    """Path of the only .sra or .sralite file that prefetch wrote."""
    files = sorted(path for path in folder.glob(f"{accession}.sra*") if path.suffix in (".sra", ".sralite"))
    if len(files) != 1:
        raise InputError(
            f"{accession}: prefetch ended without an error, but wrote {len(files)} files of this run, expected one. Is "
            "the run public?"
        )
    return files[0]


def _refuse_barcodes(run: Path, accession: str, work: Path, log: IO[str] | None) -> None:
    """Refuse a run of single cells: fasterq-dump omits technical reads, and all cells would be one sample."""
    cells = []
    for number, column in enumerate(("READ_TYPE", "READ_LEN")):
        out = work / f"column{number}.txt"
        command: list[Argument] = ["vdb-dump", "--rows", "1", "--columns", column, run.relative_to(work)]
        run_tool(command, folder=work, stdout=out, log=log)
        cells.append(re.split(r",\s*", out.read_text().partition(":")[2].strip()))
    reads = list(zip(*cells, strict=False))
    technical = [int(length) for kind, length in reads if "TECHNICAL" in kind and length.isdigit()]
    n_biological = sum("BIOLOGICAL" in kind for kind, _ in reads)
    barcodes = [length for length in technical if length in _BARCODE_LENGTHS]
    if n_biological == 1 and barcodes:
        raise InputError(
            f"{accession}: beside each read the run holds a technical one of {barcodes[0]} nt: this looks like "
            "single-cell data (10x), and cells are not told apart here. Count the cells first, as the page on reads "
            f"says; or, to count all cells as one sample, fetch the reads yourself (prefetch, fasterq-dump) and give "
            f"{accession}.fastq as fq1."
        )


def _pack(fastq: Path, out: Path, accession: str) -> dict[str, str | int]:
    """Compress what fasterq-dump wrote; return layout and counts."""
    names = {path.name for path in fastq.iterdir()}
    mates, single = [f"{accession}_1.fastq", f"{accession}_2.fastq"], f"{accession}.fastq"
    if extra := sorted(names - {*mates, single}):
        raise InputError(
            f"{accession}: its fragments have more than two reads ({', '.join(extra)}), expected one or two. Fetch it "
            "yourself (prefetch, fasterq-dump) and give the right files as fq1 and fq2."
        )
    if set(mates) <= names:
        counts = [_compress(fastq / name, out / f"{mate}.fastq.gz") for mate, name in enumerate(mates, 1)]
        without_mate = _count(fastq / single) if single in names else 0
        return {"layout": "paired", "fragments": counts[0], "without_mate": without_mate}
    if len(names) != 1:
        raise InputError(f"{accession}: the run holds no reads, expected at least one. Is it of another kind of data?")
    # a run of pairs of which only one mate was deposited has a number, too
    return {"layout": "single", "fragments": _compress(fastq / names.pop(), out / "single.fastq.gz"), "without_mate": 0}


def _compress(path: Path, out: Path) -> int:
    """Compress a FASTQ file; return the number of its reads."""
    lines = 0
    with path.open("rb") as source, gzip_writer(out) as target:
        while block := source.read(1 << 20):
            target.write(block)
            lines += block.count(b"\n")
    return lines // 4


def _count(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file) // 4

"""Read trimming and quality reports with fastp. Standard library only."""

from __future__ import annotations

import gzip
import json
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import IO

from ..core.files import atomic_folder
from ..core.programs import Argument, require, run_tool
from ..errors import DeepMapperWarning, InputError, ToolFailed
from .fastq import count_fragments, link_units
from .read_kinds import unit_caution
from .samples import Unit, unit_in

_BLOCK = 1 << 20  # bytes read at a time

_MAX_FASTP_THREADS = 16  # fastp takes no more

_FASTP_STEPS = ("adapter_trimming", "quality_filtering", "length_filtering", "trim_poly_g")


def trim_reads(
    units: Sequence[Unit],
    *,
    report: Path,
    trimmed: Path | None = None,
    sample: str,
    threads: int = 1,
    log: IO[str] | None = None,
) -> int:
    """Trim adapters and low-quality bases with fastp, or only report on the reads.

    Parameters
    ----------
    units
        The sample's lanes.
    report
        Folder for fastp's ``fastp.json`` and ``fastp.html`` of the first unit, and ``unit2.fastp.json`` and so on of
        the others; written atomically.
    trimmed
        Folder for the trimmed reads of all units in order, ``1.fastq.gz`` and ``2.fastq.gz`` or ``single.fastq.gz``
        (see `trimmed_units`); written atomically. None: nothing is trimmed.
    sample
        Name, for the report and messages.

    Returns
    -------
    int
        Fragments that are left; all of them if nothing is trimmed.

    Raises
    ------
    InputError
        For faulty reads (see `count_fragments`), or if trimming leaves none.
    ToolFailed
        If fastp fails, or does not read or write every fragment.

    Warns
    -----
    DeepMapperWarning
        If one of the mates may be barcodes of single cells (see `unit_caution`).
    """
    require("fastp")
    fragments = count_fragments(units, sample)
    for caution in filter(None, map(unit_caution, units)):
        warnings.warn(f"sample {sample}: {caution}", DeepMapperWarning, stacklevel=2)
    n_read = n_left = 0
    with (
        atomic_folder(report) as reports,
        atomic_folder(trimmed) if trimmed else nullcontext() as out,
        tempfile.TemporaryDirectory(dir=reports) as work,
    ):
        for number, unit in enumerate(link_units(units, Path(work)), 1):
            title = f"unit{number}.fastp" if number > 1 else "fastp"
            run_tool(_fastp_command(unit, title, sample, trim=out is not None, threads=threads), folder=work, log=log)
            summary = json.loads((reports / f"{title}.json").read_text())["summary"]
            n_mates = len(unit.files)
            n_read += summary["before_filtering"]["total_reads"] // n_mates
            n_passed = summary["after_filtering"]["total_reads"] // n_mates
            n_left += n_passed
            if out:
                for mate in range(1, n_mates + 1):
                    name = f"{mate}.fastq.gz" if unit.paired else "single.fastq.gz"
                    _append(Path(work, f"{mate}.fastq.gz"), out / name, n_passed, sample)
        if n_read != fragments:
            raise ToolFailed(f"fastp read {n_read} fragments of sample {sample}, expected {fragments}. Run it again.")
        if not n_left:
            raise InputError(
                f"sample {sample}: trimming left none of {fragments} fragments. Check the quality of the reads, switch "
                f"trimming off or remove the sample."
            )
    return n_left


def trimmed_units(folder: Path) -> list[Unit]:
    """Return the only unit of a folder that `trim_reads` filled."""
    return [unit_in(folder)]


def _fastp_command(unit: Unit, title: str, sample: str, *, trim: bool, threads: int) -> list[Argument]:
    command: list[Argument] = ["fastp", "--thread", min(threads, _MAX_FASTP_THREADS), "--report_title", sample]
    command += ["--json", f"../{title}.json", "--html", f"../{title}.html"]
    for mate, name in enumerate(unit.files, 1):
        command += [f"--in{mate}", name]
        if trim:
            command += [f"--out{mate}", f"{mate}.fastq.gz"]
    if not trim:
        command += [f"--disable_{step}" for step in _FASTP_STEPS]
    return command


def _append(part: Path, out: Path, n_passed: int, sample: str) -> None:
    """Append fastp's output to the reads of earlier units; gzip files may be joined end to end."""
    # on a full disk fastp leaves truncated files and reports no error
    written = _count_until_truncated(part)
    if written != n_passed:
        raise ToolFailed(f"fastp wrote {written} of {n_passed} reads of sample {sample}. Run it again.")
    with part.open("rb") as source, out.open("ab") as file:
        shutil.copyfileobj(source, file)


def _count_until_truncated(path: Path) -> int:
    """Count the reads of a gzipped FASTQ file up to where it is truncated, if it is."""
    lines = 0
    with suppress(EOFError), gzip.open(path) as file:
        while block := file.read(_BLOCK):
            lines += block.count(b"\n")
    return lines // 4

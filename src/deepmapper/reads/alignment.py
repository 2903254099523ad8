"""Alignment to the genome with HISAT2, and capture of reads that do not align. Standard library only.

The captured reads do not depend on the number of threads. By default HISAT2 learns splice sites as it goes, so which
reads align depends on those before them; that is switched off here. A pair is captured if neither mate aligns, judging
by its SAM flags; HISAT2's own ``--un-conc`` also takes discordant pairs, most of which belong to the reference.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from ..core.files import atomic_folder, atomic_write
from ..core.programs import Argument, require, run_tool
from ..errors import InputError, ToolFailed
from .fastq import SortedLines, count_fragments, link_units, sorted_lines, write_fastq
from .nucleotides import without_mate
from .samples import Unit

_INDEX_PARTS = 8  # files of an index

# SAM flags.
_PAIRED, _PROPER, _UNMAPPED, _MATE_UNMAPPED, _FIRST, _NOT_PRIMARY = 1, 2, 4, 8, 64, 256 | 2048

# HISAT2's --rna-strandness, (single, paired).
_STRANDEDNESS = {"forward": ("F", "FR"), "reverse": ("R", "RF"), "unstranded": None, "auto": None}

_COLUMNS = (
    "sample",
    "layout",
    "fragments",
    "aligned",
    "captured",
    "concordant",
    "discordant",
    "half_mapped",
    "kept_mates",
    "rate",
    "captured_rate",
)


def build_hisat2_index(genome: Path, folder: Path, *, threads: int = 1, log: IO[str] | None = None) -> None:
    """Index a genome for HISAT2.

    Parameters
    ----------
    genome
        Uncompressed FASTA.
    folder
        Receives ``genome.1.ht2`` to ``genome.8.ht2`` (``.ht2l`` for a very large genome); written atomically.

    Raises
    ------
    ToolFailed
        If hisat2-build fails.
    """
    with atomic_folder(folder) as tmp:
        link = tmp / "genome.fa"  # hisat2-build splits names at commas
        link.symlink_to(Path(genome).resolve())
        run_tool(
            ["hisat2-build", "-q", "-p", threads, "genome.fa", "genome"],
            folder=tmp,
            log=log,
            advice=f"Is {genome} a FASTA file of nucleotides?",
        )
        link.unlink()


def index_prefix(path: str | Path) -> str:
    """Find HISAT2's index prefix (its ``-x``) from a prefix, a folder that holds one index, or one of its files.

    Raises
    ------
    InputError
        If there is no index or more than one, or a part is missing.
    """
    path = Path(path)
    if path.is_dir():
        prefixes = sorted(
            {str(file).rsplit(".", 2)[0] for file in path.glob("*.ht2*") if file.suffix in (".ht2", ".ht2l")}
        )
        if len(prefixes) != 1:
            names = ", ".join(Path(prefix).name for prefix in prefixes) or "none"
            raise InputError(
                f"{path}: expected the files of one HISAT2 index (NAME.1.ht2 ...), found {names}. Give its prefix."
            )
        prefix = prefixes[0]
    else:
        prefix = str(path).rsplit(".", 2)[0] if path.suffix in (".ht2", ".ht2l") else str(path)
    missing = [str(file) for file in _index_files(prefix) if not file.is_file()]
    if len(missing) == _INDEX_PARTS:
        raise InputError(
            f"{path}: no HISAT2 index here, expected files {prefix}.1.ht2 to {prefix}.8.ht2. Give the folder or the "
            f"prefix of an index that hisat2-build wrote, or the genome instead."
        )
    if missing:
        raise InputError(f"{path}: the HISAT2 index is incomplete, {', '.join(missing)} missing. Build it again.")
    return prefix


def align_reads(
    units: Sequence[Unit],
    *,
    index: str,
    folder: Path,
    sample: str,
    strandedness: str = "auto",
    splice_sites: Path | None = None,
    spliced: bool = True,
    keep_half_mapped: bool = False,
    bam: Path | None = None,
    threads: int = 1,
    log: IO[str] | None = None,
) -> dict[str, str | int | float]:
    """Align a sample's reads and capture those that do not align.

    `folder` is written atomically. It holds the pairs of which neither mate aligns (``1.fastq.gz``, ``2.fastq.gz``) or
    the single reads that do not align (``single.fastq.gz``), sorted by name, then sequence: the same bytes with any
    number of threads; ``counts.json``, the returned counts; and ``hisat2.txt``, HISAT2's summary for MultiQC.

    Parameters
    ----------
    units
        The sample's lanes.
    index
        HISAT2's index prefix.
    sample
        Name, for the counts and messages.
    strandedness
        ``forward``, ``reverse``, ``unstranded`` or ``auto`` (here the same as unstranded).
    splice_sites
        Known splice sites in HISAT2's format; None or an empty file for none.
    spliced
        Whether a read may skip introns. False if the index is of transcripts.
    keep_half_mapped
        Whether to capture the unaligned mate of a pair whose other mate aligns too. It goes to ``single.fastq.gz``,
        named ``NAME/1`` or ``NAME/2``.
    bam
        Receives the aligned reads sorted by position, and its index (``.bai``); None to discard them.

    Returns
    -------
    dict
        ``sample``; ``layout`` ("paired" or "single"); ``fragments`` (pairs or single reads, counted from the files),
        the sum of ``aligned`` (at least one mate aligns) and ``captured`` (neither does); for pairs ``concordant``,
        ``discordant`` (both mates align, but not as a pair) and ``half_mapped`` (one mate aligns); ``kept_mates``;
        ``rate`` and ``captured_rate`` (aligned and captured share of the fragments).

    Raises
    ------
    InputError
        For faulty reads (see `count_fragments`), a missing index, or an unknown strandedness.
    ToolFailed
        If HISAT2 fails, or loses or duplicates reads.
    """
    if strandedness not in _STRANDEDNESS:
        raise InputError(f"sample {sample}: strandedness '{strandedness}', expected one of {', '.join(_STRANDEDNESS)}.")
    prefix = index_prefix(index)
    require("hisat2", *(["samtools"] if bam else []))
    fragments = count_fragments(units, sample)
    paired = units[0].paired
    with atomic_folder(folder) as tmp:
        work = tmp / "work"
        work.mkdir()
        command = _hisat2_command(work, units, prefix, strandedness, splice_sites, threads)
        command += [] if spliced else ["--no-spliced-alignment"]
        with ExitStack() as stack:
            pairs, singles = (stack.enter_context(sorted_lines(work)) for _ in range(2))
            counts: Counter[str] = Counter()

            def read_sam(sam: IO[bytes]) -> None:
                _split_sam(sam, counts, pairs, singles, keep_half_mapped)

            if bam:
                run_tool(
                    [*command, "--reorder"], ["samtools", "view", "-b", "-o", "all.bam", "-"], folder=work, log=log
                )
                run_tool(["samtools", "view", "all.bam"], folder=work, log=log, reader=read_sam)
                _sort_bam(work, Path(bam), threads, log)
            else:
                run_tool([*command, "--no-hd"], folder=work, log=log, reader=read_sam)
            if paired:
                for mate in (1, 2):
                    write_fastq(tmp / f"{mate}.fastq.gz", pairs.merged(), mate)
            if not paired or keep_half_mapped:
                write_fastq(tmp / "single.fastq.gz", singles.merged())
        (work / "hisat2.txt").rename(tmp / "hisat2.txt")
        shutil.rmtree(work)
        result = _summarise(sample, paired, fragments, counts)
        (tmp / "counts.json").write_text(json.dumps(result, indent=2) + "\n")
    return result


def tabulate_alignment(counts: Sequence[Path], out: Path) -> None:
    """Write a table with one row per sample from their ``counts.json``, in the order given."""
    with atomic_write(out) as tmp, tmp.open("w") as file:
        print(*_COLUMNS, sep="\t", file=file)
        for path in counts:
            row = json.loads(Path(path).read_text())
            print(*(row[column] for column in _COLUMNS), sep="\t", file=file)


def _index_files(prefix: str) -> list[Path]:
    large = Path(f"{prefix}.1.ht2l").exists() and not Path(f"{prefix}.1.ht2").exists()
    return [Path(f"{prefix}.{part}.{'ht2l' if large else 'ht2'}") for part in range(1, _INDEX_PARTS + 1)]


def _hisat2_command(
    work: Path, units: Sequence[Unit], prefix: str, strandedness: str, splice_sites: Path | None, threads: int
) -> list[Argument]:
    """Link all inputs into `work` under plain names, since HISAT2's wrapper passes names through a shell."""
    for part, file in enumerate(_index_files(prefix), 1):
        (work / f"index.{part}{file.suffix}").symlink_to(file.resolve())
    links = link_units(units, work)
    command: list[Argument] = ["hisat2", "-p", threads, "--no-temp-splicesite", "-x", "index"]
    command += ["--new-summary", "--summary-file", "hisat2.txt"]
    if splice_sites is not None and Path(splice_sites).stat().st_size:
        (work / "splice_sites.tsv").symlink_to(Path(splice_sites).resolve())
        command += ["--known-splicesite-infile", "splice_sites.tsv"]
    paired = links[0].paired
    if strands := _STRANDEDNESS[strandedness]:
        command += ["--rna-strandness", strands[paired]]
    first = ",".join(link.fq1 for link in links)
    if paired:
        return [*command, "-1", first, "-2", ",".join(link.fq2 for link in links)]
    return [*command, "-U", first]


def _split_sam(
    sam: IO[bytes], counts: Counter[str], pairs: SortedLines, singles: SortedLines, keep_half_mapped: bool
) -> None:
    """Count fragments by their flags; add unaligned ones to `pairs` or `singles` as name, sequences and qualities."""
    flags: Counter[int] = Counter()
    first: list[bytes] = []  # name, sequence and quality of a first mate
    for line in sam:
        flag = int(line.split(b"\t", 2)[1])
        if flag & _NOT_PRIMARY:
            continue
        flags[flag] += 1
        if not flag & _UNMAPPED:
            continue
        name, _, _, _, _, _, _, _, _, sequence, quality, *_ = line.rstrip(b"\n").split(b"\t", 11)
        if sequence == b"*":
            sequence = quality = b""
        if not flag & _PAIRED:
            singles.add(b"\t".join((without_mate(name), sequence, quality)))
        elif flag & _MATE_UNMAPPED:
            if flag & _FIRST:
                first = [name, sequence, quality]
            elif first:
                # HISAT2 writes the mates of a pair one after the other
                pairs.add(b"\t".join((_pair_name(first[0], name), *first[1:], sequence, quality)))
                counts["pairs"] += 1
                first = []
        elif keep_half_mapped:
            mate = b"/1" if flag & _FIRST else b"/2"
            singles.add(b"\t".join((name + mate, sequence, quality)))
            counts["kept_mates"] += 1
    for flag, number in flags.items():
        if not flag & _PAIRED:
            counts["captured" if flag & _UNMAPPED else "aligned"] += number
        elif flag & _FIRST:
            counts[_pair_class(flag)] += number
        else:
            counts["second"] += number


def _pair_class(flag: int) -> str:
    if flag & _UNMAPPED and flag & _MATE_UNMAPPED:
        return "captured"
    if flag & (_UNMAPPED | _MATE_UNMAPPED):
        return "half_mapped"
    return "concordant" if flag & _PROPER else "discordant"


def _pair_name(name1: bytes, name2: bytes) -> bytes:
    """Name of a pair; the names of its mates may differ in their last two characters, as in NAME.1 and NAME.2."""
    return name1 if name1 == name2 else name1[:-2]


def _summarise(sample: str, paired: bool, fragments: int, counts: Counter[str]) -> dict[str, str | int | float]:
    complete = True
    if paired:
        counts["aligned"] = counts["concordant"] + counts["discordant"] + counts["half_mapped"]
        complete = counts["second"] == fragments and counts["pairs"] == counts["captured"]
    if counts["aligned"] + counts["captured"] != fragments or not complete:
        raise ToolFailed(
            f"HISAT2 gave {counts['aligned']} aligned and {counts['captured']} captured fragments of sample {sample}, "
            f"expected {fragments} in total. It lost or duplicated reads; run it again, or use another version."
        )
    return {
        "sample": sample,
        "layout": "paired" if paired else "single",
        "fragments": fragments,
        **{
            name: counts[name]
            for name in ("aligned", "captured", "concordant", "discordant", "half_mapped", "kept_mates")
        },
        "rate": round(counts["aligned"] / fragments, 6),
        "captured_rate": round(counts["captured"] / fragments, 6),
    }


def _sort_bam(work: Path, out: Path, threads: int, log: IO[str] | None) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    index = out.with_name(f"{out.name}.bai")
    with atomic_write(out) as bam, atomic_write(index) as bai:
        # under a name of their own: samtools puts its temporary files beside its output
        run_tool(
            ["samtools", "view", "-u", "-F", "4", "all.bam"],
            ["samtools", "sort", "-@", threads - 1, "-o", "sorted.bam", "-"],
            folder=work,
            log=log,
        )
        run_tool(["samtools", "index", "sorted.bam"], folder=work, log=log)
        for name, target in (("sorted.bam", bam), ("sorted.bam.bai", bai)):
            shutil.move(work / name, target)

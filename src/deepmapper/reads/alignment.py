"""Alignment to the genome with HISAT2, and capture of reads that do not align. Standard library only.

What is captured does not depend on the number of threads: HISAT2 learns splice sites as it goes unless told not to,
and then which reads align depends on which went before. A pair is captured when neither mate aligns, by the flags of
its SAM records; HISAT2's own ``--un-conc`` takes discordant pairs as well, most of which belong to the reference.
"""

from __future__ import annotations

import gzip
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path
from typing import IO

from ..core.files import atomic_folder, atomic_write
from ..core.programs import Argument, require, run_tool
from ..errors import InputError, ToolFailed
from .fastq import SortedLines, count_fragments, link_units, sorted_lines, write_fastq
from .nucleotides import without_mate

_BLOCK = 1 << 20

_INDEX_PARTS = 8

_UNMAPPED, _MATE_UNMAPPED, _PROPER, _FIRST, _SECOND, _NOT_PRIMARY = 4, 8, 2, 64, 128, 256 | 2048

_PAIRED = 1

_MAX_FASTP_THREADS = 16

_FASTP_STEPS = ("adapter_trimming", "quality_filtering", "length_filtering", "trim_poly_g")

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


def trim_reads(
    units: Sequence[Sequence[str]],
    *,
    report: Path,
    trimmed: Path | None = None,
    sample: str,
    threads: int = 1,
    log: IO[str] | None = None,
) -> int:
    """Trim adapters and low quality with fastp, or only report on the reads.

    Parameters
    ----------
    units
        ``[fq1, fq2]`` of each lane, fq2 ``""`` for single-end reads.
    report
        Folder for fastp's ``fastp.json`` and ``fastp.html`` of the first unit, ``unit2.fastp.json`` and so on of
        the others; written whole or not at all.
    trimmed
        Folder for the trimmed reads of all units in their order, ``1.fastq.gz`` and ``2.fastq.gz`` or
        ``single.fastq.gz`` (see `trimmed_pairs`), written whole or not at all. None: nothing is trimmed.

    Returns
    -------
    int
        Fragments that are left; all of them where nothing is trimmed.

    Raises
    ------
    InputError
        For faulty reads (see `deepmapper.reads.count_fragments`), or if trimming leaves none.
    ToolFailed
        If fastp fails, or did not read, or write, every fragment.
    """
    require("fastp")
    fragments = count_fragments(units, sample)
    mates = (1, 2) if units[0][1] else (1,)
    seen = left = 0
    with (
        atomic_folder(report) as reports,
        atomic_folder(trimmed) if trimmed else nullcontext() as kept,
        tempfile.TemporaryDirectory(dir=reports) as work,
    ):
        for number, names in enumerate(link_units(units, Path(work)), 1):
            title = f"unit{number}.fastp" if number > 1 else "fastp"
            command: list[Argument] = ["fastp", "--thread", min(threads, _MAX_FASTP_THREADS), "--report_title", sample]
            command += ["--json", f"../{title}.json", "--html", f"../{title}.html"]
            for mate in mates:
                command += [f"--in{mate}", names[mate - 1], *([f"--out{mate}", f"{mate}.fastq.gz"] if kept else [])]
            if not kept:
                command += [f"--disable_{step}" for step in _FASTP_STEPS]
            run_tool(command, folder=work, log=log)
            summary = json.loads((reports / f"{title}.json").read_text())["summary"]
            seen += summary["before_filtering"]["total_reads"] // len(mates)
            passed = summary["after_filtering"]["total_reads"] // len(mates)
            left += passed
            if kept:
                for mate in mates:
                    part = Path(work, f"{mate}.fastq.gz")
                    # on a full disk fastp leaves short files and ends as if nothing were wrong
                    if (written := _reads_in(part)) != passed:
                        raise ToolFailed(f"fastp wrote {written} of {passed} reads of sample {sample}. Run it again.")
                    # gzip files may be joined end to end
                    target = kept / (f"{mate}.fastq.gz" if len(mates) == 2 else "single.fastq.gz")
                    with part.open("rb") as source, target.open("ab") as file:
                        shutil.copyfileobj(source, file)
        if seen != fragments:
            raise ToolFailed(f"fastp read {seen} fragments of sample {sample}, expected {fragments}. Run it again.")
        if not left:
            raise InputError(
                f"sample {sample}: trimming left none of {fragments} fragments. Look at the reads' quality, switch "
                f"trimming off or remove the sample."
            )
    return left


def trimmed_pairs(folder: Path) -> list[list[str]]:
    """Give the units, ``[[fq1, fq2]]``, in a folder of trimmed reads."""
    single = folder / "single.fastq.gz"
    return [[str(single), ""]] if single.exists() else [[str(folder / f"{mate}.fastq.gz") for mate in (1, 2)]]


def _reads_in(path: Path) -> int:
    """Count the reads of a gzipped FASTQ file, up to where it is cut short."""
    lines = 0
    with suppress(EOFError), gzip.open(path) as file:
        while block := file.read(_BLOCK):
            lines += block.count(b"\n")
    return lines // 4


def build_hisat2_index(genome: Path, folder: Path, *, threads: int = 1, log: IO[str] | None = None) -> None:
    """Index a genome; `folder` holds ``genome.1.ht2`` to ``genome.8.ht2`` (``.ht2l`` for a very large one) at the end.

    Parameters
    ----------
    genome
        Uncompressed FASTA.
    folder
        Written whole or not at all.
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
        If there is no index, several, or a part is missing.
    """
    path = Path(path)
    if path.is_dir():
        found = sorted(
            {str(file).rsplit(".", 2)[0] for file in path.glob("*.ht2*") if file.suffix in (".ht2", ".ht2l")}
        )
        if len(found) != 1:
            names = ", ".join(Path(prefix).name for prefix in found) or "none"
            raise InputError(
                f"{path}: expected the files of one HISAT2 index (NAME.1.ht2 ...), found {names}. Name its prefix."
            )
        prefix = found[0]
    else:
        prefix = str(path).rsplit(".", 2)[0] if path.suffix in (".ht2", ".ht2l") else str(path)
    ending = _index_ending(prefix)
    missing = [name for part in range(1, _INDEX_PARTS + 1) if not Path(name := f"{prefix}.{part}.{ending}").is_file()]
    if len(missing) == _INDEX_PARTS:
        raise InputError(
            f"{path}: no HISAT2 index here, expected files {prefix}.1.ht2 to {prefix}.8.ht2. Give the folder or the "
            f"prefix of an index that hisat2-build wrote, or the genome instead."
        )
    if missing:
        raise InputError(f"{path}: the HISAT2 index lacks {', '.join(missing)}. Build it again.")
    return prefix


def align_reads(
    units: Sequence[Sequence[str]],
    *,
    index: str,
    folder: Path,
    sample: str,
    strandedness: str = "auto",
    splice_sites: Path | None = None,
    keep_half_mapped: bool = False,
    bam: bool = False,
    threads: int = 1,
    log: IO[str] | None = None,
) -> dict[str, str | int | float]:
    """Align a sample's reads and capture those that do not align.

    Writes `folder`, whole or not at all: pairs of which neither mate aligns (``1.fastq.gz``, ``2.fastq.gz``) or single
    reads that do not align (``single.fastq.gz``), sorted by name (then sequence), the same bytes with any number of
    threads; ``counts.json`` (what is returned); ``hisat2.txt`` (HISAT2's summary, for MultiQC); with `bam` the aligned
    reads sorted by place (``aligned.bam`` and its index). With `keep_half_mapped` the unaligned mate of a pair whose
    other mate aligns goes to ``single.fastq.gz`` too, named ``NAME/1`` or ``NAME/2``.

    Parameters
    ----------
    units
        ``[fq1, fq2]`` of each lane, fq2 ``""`` for single-end reads.
    index
        HISAT2's index prefix.
    strandedness
        ``forward``, ``reverse``, ``unstranded`` or ``auto`` (as unstranded here).
    splice_sites
        Known splice sites in HISAT2's format; None or an empty file for none.

    Returns
    -------
    dict
        ``fragments`` (pairs or single reads, counted from the files), ``aligned`` (at least one mate aligns) and
        ``captured`` (none does), which add up to it; of the pairs ``concordant``, ``discordant`` (both mates align,
        but not as a pair should) and ``half_mapped`` (one mate aligns); ``kept_mates``; ``rate`` and ``captured_rate``
        (shares of the fragments); ``sample`` and ``layout`` ("paired" or "single").

    Raises
    ------
    InputError
        For faulty reads (see `deepmapper.reads.count_fragments`), a missing index, or an unknown strandedness.
    ToolFailed
        If HISAT2 fails, or lost or doubled reads.
    """
    if strandedness not in _STRANDEDNESS:
        raise InputError(f"sample {sample}: strandedness '{strandedness}', expected one of {', '.join(_STRANDEDNESS)}.")
    prefix = index_prefix(index)
    require("hisat2", *(["samtools"] if bam else []))
    fragments = count_fragments(units, sample)
    paired = bool(units[0][1])
    with atomic_folder(folder) as tmp:
        work = tmp / "work"
        work.mkdir()
        command = _hisat2_command(work, units, prefix, strandedness, splice_sites, threads)
        with ExitStack() as stack:
            pairs, singles = (stack.enter_context(sorted_lines(work)) for _ in range(2))
            counts: Counter[str] = Counter()

            def take(sam: IO[bytes]) -> None:
                _take(sam, counts, pairs, singles, keep_half_mapped)

            if bam:
                run_tool(
                    [*command, "--reorder"], ["samtools", "view", "-b", "-o", "all.bam", "-"], folder=work, log=log
                )
                run_tool(["samtools", "view", "all.bam"], folder=work, log=log, reader=take)
                _sort_bam(work, tmp / "aligned.bam", threads, log)
            else:
                run_tool([*command, "--no-hd"], folder=work, log=log, reader=take)
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
    """Write one row per sample from the ``counts.json`` of each, in the order given."""
    with atomic_write(out) as tmp, tmp.open("w") as file:
        print(*_COLUMNS, sep="\t", file=file)
        for path in counts:
            row = json.loads(Path(path).read_text())
            print(*(row[column] for column in _COLUMNS), sep="\t", file=file)


def _index_ending(prefix: str) -> str:
    return "ht2l" if Path(f"{prefix}.1.ht2l").exists() and not Path(f"{prefix}.1.ht2").exists() else "ht2"


def _hisat2_command(
    work: Path, units: Sequence[Sequence[str]], prefix: str, strandedness: str, splice_sites: Path | None, threads: int
) -> list[Argument]:
    """Link everything into `work` under clean names (HISAT2's wrapper passes names through a shell) and name it."""
    ending = _index_ending(prefix)
    for part in range(1, _INDEX_PARTS + 1):
        (work / f"index.{part}.{ending}").symlink_to(Path(f"{prefix}.{part}.{ending}").resolve())
    names = link_units(units, work)
    command: list[Argument] = ["hisat2", "-p", threads, "--no-temp-splicesite", "-x", "index"]
    command += ["--new-summary", "--summary-file", "hisat2.txt"]
    if splice_sites is not None and Path(splice_sites).stat().st_size:
        (work / "splice_sites.tsv").symlink_to(Path(splice_sites).resolve())
        command += ["--known-splicesite-infile", "splice_sites.tsv"]
    paired = bool(names[0][1])
    if strands := _STRANDEDNESS[strandedness]:
        command += ["--rna-strandness", strands[paired]]
    if paired:
        return [*command, "-1", ",".join(one for one, _ in names), "-2", ",".join(two for _, two in names)]
    return [*command, "-U", ",".join(one for one, _ in names)]


def _take(
    sam: IO[bytes], counts: Counter[str], pairs: SortedLines, singles: SortedLines, keep_half_mapped: bool
) -> None:
    """Count fragments by their flags, and spool those without a place as lines of name and (sequence, quality)."""
    flags: Counter[int] = Counter()
    waiting: list[bytes] = []
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
                waiting = [name, sequence, quality]
            elif waiting:
                # HISAT2 writes the mates of a pair one after the other
                pairs.add(b"\t".join((_common(waiting[0], name), *waiting[1:], sequence, quality)))
                counts["pairs"] += 1
                waiting = []
        elif keep_half_mapped:
            mate = b"/1" if flag & _FIRST else b"/2"
            singles.add(b"\t".join((name + mate, sequence, quality)))
            counts["kept_mates"] += 1
    for flag, number in flags.items():
        if not flag & _PAIRED:
            counts["captured" if flag & _UNMAPPED else "aligned"] += number
        elif flag & _FIRST:
            counts[_class_of_pair(flag)] += number
        else:
            counts["second"] += number


def _class_of_pair(flag: int) -> str:
    if flag & _UNMAPPED and flag & _MATE_UNMAPPED:
        return "captured"
    if flag & (_UNMAPPED | _MATE_UNMAPPED):
        return "half_mapped"
    return "concordant" if flag & _PROPER else "discordant"


def _common(one: bytes, two: bytes) -> bytes:
    """Name of a pair whose mates are told apart by their last two letters, as in NAME.1 and NAME.2."""
    return one if one == two else one[:-2]


def _summarise(sample: str, paired: bool, fragments: int, counts: Counter[str]) -> dict[str, str | int | float]:
    if paired:
        counts["aligned"] = counts["concordant"] + counts["discordant"] + counts["half_mapped"]
        whole = counts["second"] == fragments and counts["pairs"] == counts["captured"]
    else:
        whole = True
    if counts["aligned"] + counts["captured"] != fragments or not whole:
        raise ToolFailed(
            f"HISAT2 gave {counts['aligned']} aligned and {counts['captured']} captured fragments of sample {sample}, "
            f"expected {fragments} together. It lost or doubled reads; run it again, or another version."
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
    run_tool(
        ["samtools", "view", "-u", "-F", "4", "all.bam"],
        ["samtools", "sort", "-@", threads - 1, "-o", "sorted.bam", "-"],
        folder=work,
        log=log,
    )
    run_tool(["samtools", "index", "sorted.bam"], folder=work, log=log)
    for ending in ("", ".bai"):
        (work / f"sorted.bam{ending}").rename(f"{out}{ending}")

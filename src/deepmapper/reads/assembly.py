"""Pooling of captured reads, and assembly into contigs. Standard library only.

The contigs are the same in every run and with any number of threads. Trinity itself is not so. With several threads
its Inchworm makes other stretches of words each time: here the first phase gets one thread, and the second one, which
assembles each cluster of reads by itself, runs as many clusters side by side as there are threads. And its very last
step, which joins alike paths of a cluster, ends differently from run to run: here contigs are taken before it,
and the screen for novelty drops those that another one contains.
"""

from __future__ import annotations

import csv
import gzip
import re
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..core.files import atomic_folder, is_disk_full
from ..core.programs import Argument, run_tool
from ..errors import InputError, ToolFailed
from . import run_parallel
from .fasta import read_fasta, write_fasta
from .fastq import gzip_writer, read_fastq
from .nucleotides import mate_suffix, reverse_complement

ASSEMBLERS = ("trinity", "rnaspades")

_STRANDS = {"forward": "FR", "reverse": "RF"}

_PLAIN = re.compile(r"[\w./+-]+", re.ASCII)

_CLUSTER_CONTIGS = ".contigs.fa"

_SHORTEST = 25  # bases; the length of Trinity's words

# Trinity's sorting follows the language otherwise, and its Perl scripts the random order of their hashes.
_ENVIRONMENT = {"LC_ALL": "C", "PERL_HASH_SEED": "0", "PERL_PERTURB_KEYS": "0"}

_BROKEN = (
    "If neither memory nor disk ran out, Trinity is broken on this machine: install it as the set-up script does, or "
    "set the assembler to rnaspades."
)


@dataclass(frozen=True)
class _Settings:
    min_kmer_coverage: int
    min_contig_length: int
    strands: str  # as Trinity and rnaSPAdes name them: FR, RF or nothing
    max_memory_gb: int
    deadline: float
    threads: int

    def seconds_left(self) -> float:
        return max(1.0, self.deadline - time.monotonic())


def pool_unaligned(folders: Sequence[Path], out: Path) -> None:
    """Pool the captured reads of all samples.

    Parameters
    ----------
    folders
        What `deepmapper.alignment.align_reads` wrote for each sample; a folder's name is the sample's.
    out
        Folder, written whole or not at all: ``left.fa.gz`` and ``right.fa.gz`` (pairs), ``single.fa.gz`` (reads without
        a captured mate), and ``samples.tsv`` (sample, pairs, singles). Reads are named ``SAMPLE|NAME/1`` (or ``/2``),
        ordered by sample, then name. A name that a sample holds several times gets ``#2``, ``#3`` and so on. A second
        mate among the singles is turned round, so that all singles of a stranded library have one strand. The same
        bytes whatever the order of `folders`.
    """
    with atomic_folder(out) as tmp, (tmp / "samples.tsv").open("w") as table:
        print("sample", "pairs", "singles", sep="\t", file=table)
        with (
            gzip_writer(tmp / "left.fa.gz") as left,
            gzip_writer(tmp / "right.fa.gz") as right,
            gzip_writer(tmp / "single.fa.gz") as single,
        ):
            for folder in sorted(map(Path, folders), key=lambda folder: folder.name):
                pairs = singles = 0
                if (folder / "1.fastq.gz").exists():
                    mates = zip(*(_named(folder / f"{mate}.fastq.gz") for mate in (1, 2)), strict=True)
                    for (name, _, sequence1), (_, _, sequence2) in mates:
                        left.write(b">%b|%b/1\n%b\n" % (folder.name.encode(), name, sequence1))
                        right.write(b">%b|%b/2\n%b\n" % (folder.name.encode(), name, sequence2))
                        pairs += 1
                if (folder / "single.fastq.gz").exists():
                    for name, mate, sequence in _named(folder / "single.fastq.gz"):
                        if mate == b"/2":
                            sequence = reverse_complement(sequence)
                        single.write(b">%b|%b/1\n%b\n" % (folder.name.encode(), name, sequence))
                        singles += 1
                print(folder.name, pairs, singles, sep="\t", file=table)


def assemble(
    pool: Path,
    out: Path,
    *,
    assembler: str = "trinity",
    min_kmer_coverage: int = 2,
    min_contig_length: int = 300,
    strandedness: str = "unstranded",
    max_memory_gb: float = 8,
    hours: float = 48,
    threads: int = 1,
    log: IO[str] | None = None,
) -> int:
    """Assemble the pooled reads.

    Parameters
    ----------
    pool
        Folder that `pool_unaligned` wrote.
    out
        FASTA of the contigs, ``contig_1`` and so on, by falling length, then sequence; the same with any number of
        threads. Empty where there are no reads, or too few.
    assembler
        ``trinity`` or ``rnaspades``.
    min_kmer_coverage
        Trinity ignores words of 25 letters that occur less often; of rnaSPAdes' contigs, those whose mean coverage is
        less are dropped. 1 lets sequencing errors through.
    min_contig_length
        Shorter contigs are dropped; in nucleotides.
    strandedness
        ``forward`` or ``reverse`` if all samples agree on it, else ``unstranded`` or ``auto``: then a contig may be on
        either strand.
    max_memory_gb, hours
        Bounds. Each of the clusters that Trinity assembles side by side gets its share of the memory (at least 1 GB).

    Returns
    -------
    int
        Number of contigs.

    Raises
    ------
    InputError
        For an unknown assembler.
    ToolFailed
        If the assembler fails, takes too long, or ends well without saying why there is no contig.
    """
    if assembler not in ASSEMBLERS:
        raise InputError(f"assembler '{assembler}', expected one of {', '.join(ASSEMBLERS)}.")
    log = log or sys.stderr
    pairs, singles = _count(pool)
    contigs: list[str] = []
    if not _long_enough(pool):
        print(f"The pool holds no read of {_SHORTEST} or more bases: no novel transcripts.", file=log)
    else:
        settings = _Settings(
            min_kmer_coverage,
            min_contig_length,
            _STRANDS.get(strandedness, ""),
            max(1, int(max_memory_gb)),
            time.monotonic() + hours * 3600,
            threads,
        )
        run = _trinity if assembler == "trinity" else _rnaspades
        with _work_folder(out, log) as work:
            contigs = run(_link_pool(pool, work, pairs, singles), work, settings, log)
        if not contigs:
            print(f"{pairs} pairs and {singles} single reads are too few for a contig: no novel transcripts.", file=log)
    contigs = [sequence for sequence in contigs if len(sequence) >= min_contig_length]
    contigs.sort(key=lambda sequence: (-len(sequence), sequence))
    return write_fasta(out, ((f"contig_{number}", sequence) for number, sequence in enumerate(contigs, 1)))


def _named(path: Path) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield name, mate ("/1", "/2" or nothing) and sequence; lanes may share names, the pool may not."""
    before, times = b"", 1
    for name, sequence in read_fastq(path):
        mate = mate_suffix(name)
        name = name.removesuffix(mate)
        times = times + 1 if name == before else 1
        before = name
        yield name + (b"#%d" % times if times > 1 else b""), mate, sequence


def _long_enough(pool: Path) -> bool:
    """Whether there is a read that an assembler can use: Trinity stops without one, rnaSPAdes crashes."""
    for path in sorted(pool.glob("*.fa.gz")):
        with gzip.open(path) as file:
            if any(len(line) > _SHORTEST for line in file if not line.startswith(b">")):
                return True
    return False


def _count(pool: Path) -> tuple[int, int]:
    """Pairs and single reads of a pool."""
    with (pool / "samples.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return sum(int(row["pairs"]) for row in rows), sum(int(row["singles"]) for row in rows)


@contextmanager
def _work_folder(out: Path, log: IO[str]) -> Iterator[Path]:
    """Give a folder beside `out` that vanishes at the end; what a run that was killed left there goes first.

    Trinity passes names through a shell without quoting them. Where the path has letters that a shell takes apart, the
    folder is among the system's temporary ones instead.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    start = f".{out.name}.trinity."
    for left in out.parent.glob(f"{start}*"):
        shutil.rmtree(left, ignore_errors=True)
    parent = out.parent.resolve()
    if not _PLAIN.fullmatch(f"{parent}/{start}"):
        start, parent = "trinity.", Path(tempfile.gettempdir())
        print(f"The assembler works in {parent}: the path of {out} has letters that Trinity cannot bear.", file=log)
    with tempfile.TemporaryDirectory(prefix=start, dir=parent, ignore_cleanup_errors=True) as work:
        yield Path(work)


def _link_pool(pool: Path, work: Path, pairs: int, singles: int) -> dict[str, Path]:
    """Link those of the pool's files that hold reads into `work`, by what they are."""
    reads = {}
    for name in [*(["left", "right"] if pairs else []), *(["single"] if singles else [])]:
        reads[name] = work / f"{name}.fa.gz"
        reads[name].symlink_to((pool / f"{name}.fa.gz").resolve())
    return reads


def _trinity(reads: dict[str, Path], work: Path, settings: _Settings, log: IO[str]) -> list[str]:
    reads = _normalise(reads, work, settings, log)
    if not reads:
        return []
    command: list[Argument] = ["--no_normalize_reads", "--no_salmon", "--no_distributed_trinity_exec", "--CPU", 1]
    # the share of one cluster; this goes on to the commands of the second phase
    command += ["--bflyHeapSpaceMax", f"{max(1, settings.max_memory_gb // settings.threads)}G"]
    command += ["--min_contig_length", settings.min_contig_length]
    folder = work / "trinity"
    try:
        _run_trinity(command, reads, folder, settings, log)
    except ToolFailed as error:
        # a full disk may leave the same traces as reads of which nothing can be made
        if not is_disk_full(error, [folder]) and _nothing_to_assemble(folder):
            return []
        raise
    listed = folder / "recursive_trinity.cmds"
    if not listed.exists():
        if _nothing_to_assemble(folder):
            return []
        raise ToolFailed(f"Trinity ended without an error, but left nothing to go on with. {_BROKEN}")
    clusters = _largest_first(shlex.split(line) for line in listed.read_text().splitlines())
    listed.write_text("".join(f"{_assemble_cluster(command)}\n" for command in clusters))
    print(f"{len(clusters)} clusters of reads to assemble, {settings.threads} at a time.", file=log)
    run_tool(
        [sys.executable, "-I", run_parallel.__file__, listed, settings.threads],
        seconds=settings.seconds_left(),
        environment=_ENVIRONMENT,
        folder=work,
        log=log,
        advice=_BROKEN,
    )
    found = (folder / "read_partitions").rglob(f"*{_CLUSTER_CONTIGS}")
    return [record.sequence for path in found for record in read_fasta(path, "assembly")]


def _normalise(reads: dict[str, Path], work: Path, settings: _Settings, log: IO[str]) -> dict[str, Path]:
    """Thin out deep coverage. Pairs and singles go apart: given both at once, Trinity would drop the singles here."""
    thinned: dict[str, Path] = {}
    kinds: tuple[tuple[str, ...], ...] = (("left", "right"), ("single",))
    for names in kinds:
        some = {name: reads[name] for name in names if name in reads}
        if not some:
            continue
        folder = work / f"trinity_{names[0]}"
        # which reads stay does not depend on the threads: each is judged by itself, in the order of their names
        _run_trinity(["--just_normalize_reads", "--CPU", settings.threads], some, folder, settings, log)
        for name in some:
            found = folder / "insilico_read_normalization" / f"{name}.norm.fa"
            if not found.exists():
                raise ToolFailed(f"Trinity ended without an error, but wrote no normalised reads. {_BROKEN}")
            if found.stat().st_size:
                thinned[name] = found.resolve().rename(work / f"{name}.norm.fa")
        shutil.rmtree(folder)
    return thinned


def _run_trinity(
    options: list[Argument], reads: dict[str, Path], folder: Path, settings: _Settings, log: IO[str]
) -> None:
    command: list[Argument] = ["Trinity", "--seqType", "fa", "--output", folder, "--no_version_check"]
    command += ["--max_memory", f"{settings.max_memory_gb}G", "--min_kmer_cov", settings.min_kmer_coverage]
    if "left" in reads:
        # Trinity takes no singles beside pairs; its manual says to add them to the left reads
        left = [str(reads[name]) for name in ("left", "single") if name in reads]
        command += ["--left", ",".join(left), "--right", reads["right"]]
    else:
        command += ["--single", reads["single"]]
    if settings.strands:
        command += ["--SS_lib_type", settings.strands if "left" in reads else settings.strands[0]]
    run_tool(
        [*command, *options],
        seconds=settings.seconds_left(),
        environment=_ENVIRONMENT,
        folder=folder.parent,
        log=log,
        advice=_BROKEN,
    )


def _nothing_to_assemble(folder: Path) -> bool:
    """Whether Trinity stopped since no word, or no stretch of them, was long and frequent enough to go on with."""
    if not list(folder.glob("inchworm*.fa.finished")):
        return False
    stretches = [*folder.glob("inchworm*.fa"), *folder.glob("chrysalis/inchworm*.fa.min100")]
    return any(not path.stat().st_size for path in stretches)


def _cluster_reads(command: Sequence[str]) -> str:
    return command[command.index("--single") + 1]


def _largest_first(commands: Iterable[list[str]]) -> list[list[str]]:
    """So that no long one is left alone at the end."""
    return sorted(commands, key=lambda command: (-Path(_cluster_reads(command)).stat().st_size, command))


def _assemble_cluster(command: Sequence[str]) -> str:
    """One cluster's command for the shell: keep its contigs as they are before the last step, and nothing else."""
    trinity = shlex.join(argument for argument in command if argument != "--full_cleanup")
    reads = _cluster_reads(command)
    out, final, contigs = map(shlex.quote, (f"{reads}.out", f"{reads}.out.Trinity.fasta", f"{reads}{_CLUSTER_CONTIGS}"))
    return f"{trinity} && {{ [ ! -s {final} ] || mv {out}/Trinity.tmp.fasta {contigs}; }} && rm -rf {out} {final}"


def _rnaspades(reads: dict[str, Path], work: Path, settings: _Settings, log: IO[str]) -> list[str]:
    command: list[Argument] = ["rnaspades.py", "--only-assembler", "-o", "spades"]
    command += ["--threads", settings.threads, "--memory", settings.max_memory_gb]
    options = {"left": "-1", "right": "-2", "single": "-s"}
    for name, path in reads.items():
        command += [options[name], path]
    if settings.strands:
        command += ["--ss", settings.strands.lower()]
    run_tool(command, seconds=settings.seconds_left(), folder=work, log=log)
    found = work / "spades" / "transcripts.fasta"
    if not found.exists():
        return []
    return [
        record.sequence
        for record in read_fasta(found, "assembly")
        if float(record.name.split("_cov_")[1].split("_")[0]) >= settings.min_kmer_coverage
    ]

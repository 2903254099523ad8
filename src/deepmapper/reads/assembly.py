"""Pooling of captured reads, and de novo assembly into contigs. Standard library only.

The contigs are the same in every run and with any number of threads, although Trinity's own results are not. With
several threads its Inchworm assembles different k-mer contigs each time: here its first phase gets one thread, and its
second phase, which assembles each cluster of reads separately, runs as many clusters at a time as there are threads.
Trinity's last step, which merges similar paths of a cluster, varies between runs: here contigs are taken before it, and
the novelty screen drops those that another one contains.
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

# Paths that need no quotes in a shell.
_PLAIN = re.compile(r"[\w./+-]+", re.ASCII)

_CLUSTER_CONTIGS = ".contigs.fa"

_MIN_READ = 25  # bases; the length of Trinity's k-mers

# Otherwise Trinity's sorting depends on the locale, and its Perl scripts on the random order of their hashes.
_ENVIRONMENT = {"LC_ALL": "C", "PERL_HASH_SEED": "0", "PERL_PERTURB_KEYS": "0"}

_BROKEN = (
    "If memory and disk space were sufficient, Trinity does not work on this machine: install it as the setup script "
    "does, or set the assembler to rnaspades."
)


@dataclass(frozen=True)
class _Settings:
    min_kmer_coverage: int
    min_contig_length: int
    strands: str  # FR, RF or "", as Trinity and rnaSPAdes name them
    max_memory_gb: int
    deadline: float  # of time.monotonic
    threads: int

    def seconds_left(self) -> float:
        return max(1.0, self.deadline - time.monotonic())


def pool_unaligned(folders: Sequence[Path], out: Path) -> None:
    """Pool the captured reads of all samples.

    Parameters
    ----------
    folders
        Folder that `align_reads` wrote for each sample, named after the sample.
    out
        Folder, written atomically: ``left.fa.gz`` and ``right.fa.gz`` (pairs), ``single.fa.gz`` (reads without a
        captured mate), and ``samples.tsv`` (sample, pairs, singles). Reads are named ``SAMPLE|NAME/1`` (or ``/2``) and
        ordered by sample, then name. Repeated names within a sample get ``#2``, ``#3`` and so on. Second mates among
        the singles are reverse-complemented, so that all singles of a stranded library have one strand. The bytes do
        not depend on the order of `folders`.
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
                    mates = zip(*(_named_reads(folder / f"{mate}.fastq.gz") for mate in (1, 2)), strict=True)
                    for (name, _, sequence1), (_, _, sequence2) in mates:
                        left.write(b">%b|%b/1\n%b\n" % (folder.name.encode(), name, sequence1))
                        right.write(b">%b|%b/2\n%b\n" % (folder.name.encode(), name, sequence2))
                        pairs += 1
                if (folder / "single.fastq.gz").exists():
                    for name, mate, sequence in _named_reads(folder / "single.fastq.gz"):
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
        FASTA of the contigs, ``contig_1`` and so on, longest first, then by sequence; the same with any number of
        threads. Empty if there are no reads, or too few.
    assembler
        ``trinity`` or ``rnaspades``.
    min_kmer_coverage
        Trinity ignores k-mers of 25 bases that occur less often; contigs of rnaSPAdes with a lower mean coverage are
        dropped. 1 lets sequencing errors through.
    min_contig_length
        Shorter contigs are dropped; nucleotides.
    strandedness
        ``forward`` or ``reverse`` if all samples agree, else ``unstranded`` or ``auto``: then contigs may be on either
        strand.
    max_memory_gb, hours
        Limits. The clusters that Trinity assembles at the same time share the memory (at least 1 GB each).

    Returns
    -------
    int
        Number of contigs.

    Raises
    ------
    InputError
        For an unknown assembler.
    ToolFailed
        If the assembler fails, takes too long, or ends without an error but also without a result.
    """
    if assembler not in ASSEMBLERS:
        raise InputError(f"assembler '{assembler}', expected one of {', '.join(ASSEMBLERS)}.")
    log = log or sys.stderr
    pairs, singles = _count(pool)
    contigs: list[str] = []
    if not _has_usable_read(pool):
        print(f"The pool holds no reads of {_MIN_READ} or more bases: no novel transcripts.", file=log)
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
            print(f"{pairs} pairs and {singles} single reads are too few to assemble: no novel transcripts.", file=log)
    contigs = [sequence for sequence in contigs if len(sequence) >= min_contig_length]
    contigs.sort(key=lambda sequence: (-len(sequence), sequence))
    return write_fasta(out, ((f"contig_{number}", sequence) for number, sequence in enumerate(contigs, 1)))


def _named_reads(path: Path) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield name, mate ("/1", "/2" or "") and sequence of each read; names that lanes share are numbered."""
    previous, times = b"", 1
    for name, sequence in read_fastq(path):
        mate = mate_suffix(name)
        name = name.removesuffix(mate)
        times = times + 1 if name == previous else 1
        previous = name
        yield name + (b"#%d" % times if times > 1 else b""), mate, sequence


def _has_usable_read(pool: Path) -> bool:
    """Whether any read is long enough to assemble. Without one Trinity stops and rnaSPAdes crashes."""
    for path in sorted(pool.glob("*.fa.gz")):
        with gzip.open(path) as file:
            if any(len(line) > _MIN_READ for line in file if not line.startswith(b">")):
                return True
    return False


def _count(pool: Path) -> tuple[int, int]:
    """Number of pairs and single reads in a pool."""
    with (pool / "samples.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return sum(int(row["pairs"]) for row in rows), sum(int(row["singles"]) for row in rows)


@contextmanager
def _work_folder(out: Path, log: IO[str]) -> Iterator[Path]:
    """Make a working folder next to `out` that is deleted at the end, and delete those of killed runs first.

    Trinity passes paths through a shell without quoting them. If the path needs quotes, the folder is among the
    system's temporary files instead.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{out.name}.trinity."
    for leftover in out.parent.glob(f"{prefix}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    parent = out.parent.resolve()
    if not _PLAIN.fullmatch(f"{parent}/{prefix}"):
        prefix, parent = "trinity.", Path(tempfile.gettempdir())
        print(f"The assembler works in {parent}: the path of {out} has characters that break Trinity.", file=log)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=parent, ignore_cleanup_errors=True) as work:
        yield Path(work)


def _link_pool(pool: Path, work: Path, pairs: int, singles: int) -> dict[str, Path]:
    """Link the pool's files that hold reads into `work`; return them by kind: left, right, single."""
    names = []
    if pairs:
        names += ["left", "right"]
    if singles:
        names += ["single"]
    reads = {}
    for name in names:
        reads[name] = work / f"{name}.fa.gz"
        reads[name].symlink_to((pool / f"{name}.fa.gz").resolve())
    return reads


def _trinity(reads: dict[str, Path], work: Path, settings: _Settings, log: IO[str]) -> list[str]:
    reads = _normalise(reads, work, settings, log)
    if not reads:
        return []
    command: list[Argument] = ["--no_normalize_reads", "--no_salmon", "--no_distributed_trinity_exec", "--CPU", 1]
    # the share of one cluster; Trinity passes it to the commands of the second phase
    command += ["--bflyHeapSpaceMax", f"{max(1, settings.max_memory_gb // settings.threads)}G"]
    command += ["--min_contig_length", settings.min_contig_length]
    folder = work / "trinity"
    try:
        _run_trinity(command, reads, folder, settings, log)
    except ToolFailed as error:
        # a full disk can look the same as reads that cannot be assembled
        if not is_disk_full(error, [folder]) and _nothing_to_assemble(folder):
            return []
        raise
    commands = folder / "recursive_trinity.cmds"
    if not commands.exists():
        if _nothing_to_assemble(folder):
            return []
        raise ToolFailed(f"Trinity ended without an error, but wrote no clusters. {_BROKEN}")
    clusters = _largest_first(shlex.split(line) for line in commands.read_text().splitlines())
    commands.write_text("".join(f"{_assemble_cluster(command)}\n" for command in clusters))
    print(f"{len(clusters)} clusters of reads to assemble, {settings.threads} at a time.", file=log)
    run_tool(
        [sys.executable, "-I", run_parallel.__file__, commands, settings.threads],
        seconds=settings.seconds_left(),
        environment=_ENVIRONMENT,
        folder=work,
        log=log,
        advice=_BROKEN,
    )
    paths = (folder / "read_partitions").rglob(f"*{_CLUSTER_CONTIGS}")
    return [record.sequence for path in paths for record in read_fasta(path, "assembly")]


def _normalise(reads: dict[str, Path], work: Path, settings: _Settings, log: IO[str]) -> dict[str, Path]:
    """Normalise deep coverage, of pairs and singles separately: given both, Trinity would drop the singles here."""
    normalised: dict[str, Path] = {}
    kinds: tuple[tuple[str, ...], ...] = (("left", "right"), ("single",))
    for names in kinds:
        own = {name: reads[name] for name in names if name in reads}
        if not own:
            continue
        folder = work / f"trinity_{names[0]}"
        # the reads that stay do not depend on the threads: each is decided separately, in the order of their names
        _run_trinity(["--just_normalize_reads", "--CPU", settings.threads], own, folder, settings, log)
        for name in own:
            path = folder / "insilico_read_normalization" / f"{name}.norm.fa"
            if not path.exists():
                raise ToolFailed(f"Trinity ended without an error, but wrote no normalised reads. {_BROKEN}")
            if path.stat().st_size:
                normalised[name] = path.resolve().rename(work / f"{name}.norm.fa")
        shutil.rmtree(folder)
    return normalised


def _run_trinity(
    options: list[Argument], reads: dict[str, Path], folder: Path, settings: _Settings, log: IO[str]
) -> None:
    command: list[Argument] = ["Trinity", "--seqType", "fa", "--output", folder, "--no_version_check"]
    command += ["--max_memory", f"{settings.max_memory_gb}G", "--min_kmer_cov", settings.min_kmer_coverage]
    if "left" in reads:
        # Trinity takes no singles with pairs; its manual says to add them to the left reads
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
    """Whether Trinity stopped because no k-mer was frequent enough, or no k-mer contig long enough, to go on."""
    if not list(folder.glob("inchworm*.fa.finished")):
        return False
    contigs = [*folder.glob("inchworm*.fa"), *folder.glob("chrysalis/inchworm*.fa.min100")]
    return any(not path.stat().st_size for path in contigs)


def _cluster_reads(command: Sequence[str]) -> str:
    return command[command.index("--single") + 1]


def _largest_first(commands: Iterable[list[str]]) -> list[list[str]]:
    """Sort clusters so that no large one is left until the end."""
    return sorted(commands, key=lambda command: (-Path(_cluster_reads(command)).stat().st_size, command))


def _assemble_cluster(command: Sequence[str]) -> str:
    """Shell command for one cluster, which keeps its contigs from before the last step and deletes the rest."""
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
    contigs = work / "spades" / "transcripts.fasta"
    if not contigs.exists():
        return []
    return [
        record.sequence
        for record in read_fasta(contigs, "assembly")
        if float(record.name.split("_cov_")[1].split("_")[0]) >= settings.min_kmer_coverage
    ]

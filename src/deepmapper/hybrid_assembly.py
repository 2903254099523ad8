"""Novel transcripts from reads to a table: the workflow's steps as Python functions.

    reads -> align_capture_unaligned -> denovo_assemble -> build_hybrid_reference -> quantify -> build_sc_table

:func:`run_hybrid_assembly` does all of it for single-end reads. The functions on names and tables need no program; the
others need biopython and the programs they name, and raise :class:`BioToolUnavailable` without them. The workflow runs
the same code with more choices: paired reads, the genome, classes of novel transcripts.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from . import __version__
from .core.files import atomic_folder, atomic_write
from .core.programs import require
from .errors import BioToolUnavailable, InputError
from .reads import alignment, assembly, hybrid_reference, quantification, references
from .reads.denovo import PREFIX, is_denovo
from .reads.fasta import read_fasta, write_fasta
from .reads.fastq import gzip_writer, read_fastq
from .reads.novelty import screen_novelty
from .reads.samples import Unit
from .reads.sequences import canonical, names_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "BioToolUnavailable",
    "align_capture_unaligned",
    "build_hybrid_reference",
    "build_sc_table",
    "denovo_assemble",
    "denovo_fraction",
    "is_denovo",
    "merge_reference_and_denovo",
    "quantify",
    "read_quant",
    "run_hybrid_assembly",
    "tag_denovo",
]

DENOVO_PREFIX = PREFIX

# HISAT2's names of the strand, single and paired.
_STRANDS = {
    "F": "forward",
    "FR": "forward",
    "R": "reverse",
    "RF": "reverse",
    "": "unstranded",
    "unstranded": "unstranded",
}

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

_MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT])B?", re.IGNORECASE)

_GIGABYTES = {"K": 1e-6, "M": 1e-3, "G": 1.0, "T": 1e3}


def tag_denovo(transcript_ids: Sequence[str]) -> list[str]:
    """Put ``DENOVO_`` before names that lack it, so that no reference name can be equal. Twice is the same as once."""
    return [str(name) if is_denovo(name) else f"{DENOVO_PREFIX}{name}" for name in transcript_ids]


def merge_reference_and_denovo(reference_ids: Sequence[str], denovo_ids: Sequence[str]) -> list[str]:
    """Names of the hybrid reference: those of the reference as they are, then the novel ones, tagged.

    Raises
    ------
    InputError
        If a reference name starts with ``DENOVO_``, or a name occurs twice.
    """
    if wrong := [name for name in reference_ids if is_denovo(name)]:
        raise InputError(f"reference_ids: {wrong[0]} starts with {DENOVO_PREFIX}, which marks novel ones. Rename it.")
    merged = [*reference_ids, *tag_denovo(denovo_ids)]
    if len(set(merged)) < len(merged):
        seen: set[str] = set()
        twice = next(name for name in merged if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise InputError(f"{twice} occurs more than once among reference and novel transcripts. Rename one.")
    return merged


def build_sc_table(per_sample_counts: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """Make the table of transcripts × samples.

    Parameters
    ----------
    per_sample_counts
        Per sample the count of each transcript, as `read_quant` returns it.

    Returns
    -------
    DataFrame
        float64, one row per transcript in the order of first appearance, one column per sample in the order given;
        zero where a sample lacks a transcript. :func:`is_denovo` of the index tells the novel ones.
    """
    import pandas as pd

    transcripts = list(dict.fromkeys(name for counts in per_sample_counts.values() for name in counts))
    columns = {
        sample: [float(counts.get(name, 0.0)) for name in transcripts] for sample, counts in per_sample_counts.items()
    }
    return pd.DataFrame(columns, index=pd.Index(transcripts, dtype=object), dtype="float64")


def denovo_fraction(transcript_ids: Sequence[str]) -> float:
    """Share of the names that are novel; 0 for none at all."""
    names = list(transcript_ids)
    return sum(map(is_denovo, names)) / len(names) if names else 0.0


def read_quant(quant_sf: str) -> dict[str, float]:
    """Read Salmon's ``quant.sf`` into {transcript: NumReads}.

    Raises
    ------
    InputError
        If the file is not there, or is no quant.sf.
    """
    try:
        with Path(quant_sf).open() as file:
            columns = file.readline().rstrip("\n").split("\t")
            name, number = columns.index("Name"), columns.index("NumReads")
            rows = (line.rstrip("\n").split("\t") for line in file)
            return {row[name]: float(row[number]) for row in rows}
    except (OSError, ValueError, IndexError) as error:
        raise InputError(
            f"{quant_sf}: cannot be read as Salmon's quant.sf ({error}). Count this sample again."
        ) from error


def align_capture_unaligned(reads_fastq: str, hisat2_index: str, out_dir: str, strandness: str = "R") -> str:
    """Align single-end reads with HISAT2 and keep those that do not align.

    Parameters
    ----------
    reads_fastq
        FASTQ, plain or gzipped.
    hisat2_index
        Prefix of the index, or the folder that holds it.
    out_dir
        Receives ``unaligned_NAME.fasta`` and the folder ``aligned_NAME`` with HISAT2's summary and the counts; NAME is
        that of the file without its ending.
    strandness
        As HISAT2 names it: "F", "R" or "".

    Returns
    -------
    str
        Path of the FASTA with the unaligned reads, sorted by name; empty if all align.

    Raises
    ------
    InputError
        For faulty or no reads, no index, or an unknown strand.
    """
    _require("hisat2")
    if strandness not in _STRANDS:
        raise InputError(f"strandness is '{strandness}', expected F, R or '' (unstranded).")
    name = _stem(reads_fastq)
    folder = Path(out_dir, f"aligned_{name}")
    prefix = Path(alignment.index_prefix(hisat2_index))
    _align(reads_fastq, prefix, folder, name, _STRANDS[strandness], threads=_cores())
    out = Path(out_dir, f"unaligned_{name}.fasta")
    reads = read_fastq(folder / "single.fastq.gz")
    write_fasta(out, ((name.decode(), sequence.decode()) for name, sequence in reads))
    return str(out)


def denovo_assemble(pooled_unaligned_fasta: str, out_dir: str, max_memory: str = "50G", cpu: int = 16) -> str:
    """Assemble pooled single reads with Trinity.

    Parameters
    ----------
    pooled_unaligned_fasta
        FASTA, plain or gzipped; may be empty.
    out_dir
        Receives ``contigs.fa`` and ``denovo.fa``.
    max_memory
        Bound for Trinity, for example "50G".
    cpu
        Threads; the contigs do not depend on them.

    Returns
    -------
    str
        Path of ``denovo.fa``: the contigs named ``DENOVO_...`` by their sequence, not screened against any reference;
        empty where there are too few reads.
    """
    _require("Trinity")
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_folder(folder / ".pool") as pool:
        _write_pool(pool, Path(pooled_unaligned_fasta))
    try:
        assembly.assemble(folder / ".pool", folder / "contigs.fa", max_memory_gb=_gigabytes(max_memory), threads=cpu)
    finally:
        shutil.rmtree(folder / ".pool", ignore_errors=True)
    sequences = dict.fromkeys(canonical(record.sequence) for record in read_fasta(folder / "contigs.fa"))
    names = names_of(sequences)
    write_fasta(folder / "denovo.fa", ((names[sequence], sequence) for sequence in sequences))
    return str(folder / "denovo.fa")


def build_hybrid_reference(
    reference_fasta: str, denovo_fasta: str, out_fasta: str, salmon_index_dir: str, kmer: int = 15
) -> str:
    """Join reference and novel transcripts and index them for Salmon.

    Parameters
    ----------
    reference_fasta, denovo_fasta
        FASTA, plain or gzipped; the names of the second start with ``DENOVO_``.
    out_fasta
        Receives both.
    salmon_index_dir
        Receives the index.
    kmer
        Length of the index's words, odd, at most 31.

    Returns
    -------
    str
        `salmon_index_dir`.

    Raises
    ------
    InputError
        If a name occurs twice, or `kmer` is out of range.
    """
    _require("salmon")
    hybrid_reference.build_hybrid_reference(Path(reference_fasta), Path(denovo_fasta), Path(out_fasta))
    quantification.index_salmon(Path(out_fasta), Path(salmon_index_dir), k=kmer, threads=_cores())
    return salmon_index_dir


def quantify(
    reads_by_sample: Mapping[str, str], salmon_index_dir: str, out_dir: str, threads: int = 16
) -> dict[str, str]:
    """Count the single-end reads of each sample with Salmon.

    Returns
    -------
    dict
        Per sample the path of its ``quant.sf``, in `out_dir` under ``quant_SAMPLE``.

    Raises
    ------
    InputError
        For faulty or no reads, or an index of another Salmon.
    """
    _require("salmon")
    _check_names(reads_by_sample)
    folders = {sample: Path(out_dir, f"quant_{sample}") for sample in reads_by_sample}
    for sample, reads in reads_by_sample.items():
        _quantify(sample, reads, Path(salmon_index_dir), folders[sample], threads=threads)
    return {sample: str(folder / "quant.sf") for sample, folder in folders.items()}


def run_hybrid_assembly(
    reads_by_sample: Mapping[str, str], hisat2_index: str, reference_fasta: str, work_dir: str
) -> pd.DataFrame:
    """Make the table of transcripts × samples from single-end reads, novel transcripts included.

    Contigs that are copies of reference transcripts are screened out first, since they would take reads from them.
    A step that is finished is kept when the function is called again with the same inputs (by size and time of change);
    so an interrupted call resumes, and a further sample is aligned alone. ``log.txt`` in `work_dir` holds what the
    programs say.

    Parameters
    ----------
    reads_by_sample
        Per sample a FASTQ file, plain or gzipped.
    hisat2_index
        Prefix of HISAT2's index of the genome, or the folder that holds it.
    reference_fasta
        Reference transcripts, plain or gzipped.
    work_dir
        Receives a folder per step: ``aligned``, ``pool``, ``assembly``, ``novelty`` (with ``contigs.tsv``: every contig
        and why it was kept or not), ``hybrid``, ``quantified``.

    Returns
    -------
    DataFrame
        As of :func:`build_sc_table`.

    Raises
    ------
    BioToolUnavailable
        Naming all that is missing, before anything starts.
    InputError
        For faulty inputs.
    """
    _require("hisat2", "Trinity", "minimap2", "salmon")
    _check_names(reads_by_sample)
    work, threads = Path(work_dir), _cores()
    for folder in ("aligned", "assembly", "hybrid", "quantified"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    prefix = Path(alignment.index_prefix(hisat2_index))
    transcripts, pool, contigs = work / "transcripts.fa", work / "pool", work / "assembly" / "contigs.fa"
    novelty, hybrid, index = work / "novelty", work / "hybrid" / "hybrid.fa", work / "hybrid" / "salmon"
    quants = {sample: work / "quantified" / f"quant_{sample}" for sample in reads_by_sample}
    with (work / "log.txt").open("a", buffering=1) as log:
        same: dict[str, Any] = {"threads": threads, "log": log}
        aligned = {}
        for sample, reads in reads_by_sample.items():
            aligned[sample] = work / "aligned" / sample
            align = partial(_align, reads, prefix, aligned[sample], sample, "auto", **same)
            _step(aligned[sample], [reads, *prefix.parent.glob(f"{prefix.name}.*.ht2*")], align, log)
        _step(pool, aligned.values(), partial(assembly.pool_unaligned, list(aligned.values()), pool), log)
        _step(contigs, [pool], partial(assembly.assemble, pool, contigs, **same), log)
        prepare = partial(references.prepare_transcripts, transcripts, transcripts=reference_fasta, log=log)
        _step(transcripts, [reference_fasta], prepare, log)
        screen = partial(screen_novelty, contigs, transcripts=transcripts, pool=pool, folder=novelty, **same)
        _step(novelty, [contigs, transcripts, pool], screen, log)
        denovo = novelty / "denovo.fa"
        join = partial(hybrid_reference.build_hybrid_reference, transcripts, denovo, hybrid, log=log)
        _step(hybrid, [transcripts, denovo], join, log)
        _step(index, [hybrid], partial(quantification.index_salmon, hybrid, index, **same), log)
        for sample, reads in reads_by_sample.items():
            count = partial(_quantify, sample, reads, index, quants[sample], **same)
            _step(quants[sample], [reads, index], count, log)
    return build_sc_table({sample: read_quant(str(folder / "quant.sf")) for sample, folder in quants.items()})


def _step(target: Path, made_from: Iterable[str | Path], make: Callable[[], object], log: IO[str]) -> None:
    """Make a file or folder, unless it is there, made from the same inputs (by place, size and time of change)."""
    record = target.with_name(f".{target.name}.made_from.json")
    inputs = json.dumps([__version__, *(_state(Path(path)) for path in sorted(map(str, made_from)))])
    if target.exists() and record.is_file() and record.read_text() == inputs:
        print(f"# {target.name}: finished before, kept", file=log)
        return
    record.unlink(missing_ok=True)
    print(f"# {target.name}", file=log)
    make()
    with atomic_write(record) as tmp:
        tmp.write_text(inputs)


def _check_names(reads_by_sample: Mapping[str, str]) -> None:
    if not reads_by_sample:
        raise InputError("reads_by_sample is empty, expected at least one sample with its FASTQ file.")
    if bad := [name for name in reads_by_sample if not _NAME.fullmatch(name)]:
        raise InputError(
            f"sample '{bad[0]}': its name becomes that of a folder, expected letters, digits, '_', '.' and '-', a "
            f"letter or digit first. Rename it."
        )


def _state(path: Path) -> list:
    if not path.exists():
        raise InputError(f"{path}: not there, expected a file to read.")
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    return [[str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns] for file in files]


def _require(*programs: str) -> None:
    if importlib.util.find_spec("Bio") is None:
        raise BioToolUnavailable(
            "biopython: not installed, expected for this step. Get it with: pip install 'deepmapper[denovo]'."
        )
    require(*programs)


def _align(
    reads: str, prefix: Path, folder: Path, sample: str, strandedness: str, *, threads: int, log: IO[str] | None = None
) -> None:
    alignment.align_reads(
        [Unit("1", str(reads))],
        index=str(prefix),
        folder=folder,
        sample=sample,
        strandedness=strandedness,
        threads=threads,
        log=log,
    )


def _quantify(sample: str, reads: str, index: Path, folder: Path, *, threads: int, log: IO[str] | None = None) -> None:
    units = [Unit("1", str(reads))]
    quantification.quantify_sample(units, index=index, folder=folder, sample=sample, threads=threads, log=log)


def _write_pool(folder: Path, fasta: Path) -> None:
    """Lay single reads out as `deepmapper.assembly.assemble` takes them; empty FASTA files for the pairs."""
    count = 0
    with gzip_writer(folder / "single.fa.gz") as file:
        for record in read_fasta(fasta, "FASTA file of reads"):
            file.write(f">{record.name}\n{record.sequence}\n".encode())
            count += 1
    for mate in ("left", "right"):
        with gzip_writer(folder / f"{mate}.fa.gz"):
            pass
    (folder / "samples.tsv").write_text(f"sample\tpairs\tsingles\nall\t0\t{count}\n")


def _stem(path: str) -> str:
    """Name of a FASTQ file without its ending."""
    return re.sub(r"\.(fastq|fq)$", "", re.sub(r"\.gz$", "", Path(path).name))


def _gigabytes(text: str) -> float:
    found = _MEMORY.fullmatch(text.strip())
    if not found:
        raise InputError(f"max_memory is '{text}', expected a number and a unit, such as 50G.")
    return float(found[1]) * _GIGABYTES[found[2].upper()]


def _cores() -> int:
    return len(os.sched_getaffinity(0))

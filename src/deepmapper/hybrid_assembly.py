"""From reads to an expression table that includes novel transcripts: the workflow's steps as Python functions.

    reads -> align_capture_unaligned -> denovo_assemble -> build_hybrid_reference -> quantify -> build_sc_table

`run_hybrid_assembly` runs all steps on single-end reads. The functions on names and tables need no external program;
the others need biopython and the programs they name, and raise `BioToolUnavailable` without them. The workflow runs the
same code with more options: paired reads, the genome as decoy, classes of novel transcripts.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from .core.files import atomic_folder
from .core.programs import require
from .errors import BioToolUnavailable, InputError
from .novelty.screen import screen_novelty
from .reads import alignment, assembly, hybrid_reference, quantification, references
from .reads.denovo import PREFIX, is_denovo
from .reads.fasta import read_fasta, write_fasta
from .reads.fastq import gzip_writer, read_fastq
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

# HISAT2's names of the strandedness, single-end and paired-end, and ours.
_STRANDS = {
    "F": "forward",
    "FR": "forward",
    "R": "reverse",
    "RF": "reverse",
    "": "unstranded",
    "unstranded": "unstranded",
}

# Sample names become folder names.
_SAMPLE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

# Memory as Trinity takes it: "50G".
_MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT])B?", re.IGNORECASE)

_GIGABYTES = {"K": 1e-6, "M": 1e-3, "G": 1.0, "T": 1e3}


def tag_denovo(transcript_ids: Sequence[str]) -> list[str]:
    """Prefix names with ``DENOVO_`` unless they have it, so that they cannot collide with reference names."""
    return [str(name) if is_denovo(name) else f"{PREFIX}{name}" for name in transcript_ids]


def merge_reference_and_denovo(reference_ids: Sequence[str], denovo_ids: Sequence[str]) -> list[str]:
    """Return the names in the hybrid reference: reference names unchanged, then the novel ones, tagged.

    Raises
    ------
    InputError
        If a reference name starts with ``DENOVO_``, or a name occurs twice.
    """
    tagged = [name for name in reference_ids if is_denovo(name)]
    if tagged:
        raise InputError(f"reference_ids: {tagged[0]} starts with {PREFIX}, which marks novel transcripts. Rename it.")
    merged = [*reference_ids, *tag_denovo(denovo_ids)]
    repeated = [name for name, n in Counter(merged).items() if n > 1]
    if repeated:
        raise InputError(f"{repeated[0]} occurs more than once among reference and novel transcripts. Rename one.")
    return merged


def build_sc_table(per_sample_counts: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """Build the expression table, transcripts × samples.

    Parameters
    ----------
    per_sample_counts
        Transcript counts of each sample, as `read_quant` returns them.

    Returns
    -------
    DataFrame
        float64, one row per transcript in order of first appearance, one column per sample in the given order; 0 for
        a transcript that a sample does not have. `is_denovo` on the index finds the novel transcripts.
    """
    import pandas as pd

    transcripts = list(dict.fromkeys(name for counts in per_sample_counts.values() for name in counts))
    columns = {
        sample: [float(counts.get(name, 0.0)) for name in transcripts] for sample, counts in per_sample_counts.items()
    }
    return pd.DataFrame(columns, index=pd.Index(transcripts, dtype=object), dtype="float64")


def denovo_fraction(transcript_ids: Sequence[str]) -> float:
    """Fraction of the names that are novel; 0 without names."""
    names = list(transcript_ids)
    return sum(map(is_denovo, names)) / len(names) if names else 0.0


def read_quant(quant_sf: str) -> dict[str, float]:
    """Read Salmon's ``quant.sf`` into {transcript: NumReads}.

    Raises
    ------
    InputError
        If the file is missing or is not a quant.sf.
    """
    try:
        with Path(quant_sf).open() as file:
            columns = file.readline().rstrip("\n").split("\t")
            name, count = columns.index("Name"), columns.index("NumReads")
            rows = (line.rstrip("\n").split("\t") for line in file)
            return {row[name]: float(row[count]) for row in rows}
    except (OSError, ValueError, IndexError) as error:
        raise InputError(
            f"{quant_sf}: cannot be read as Salmon's quant.sf ({error}). Quantify this sample again."
        ) from error


def align_capture_unaligned(reads_fastq: str, hisat2_index: str, out_dir: str, strandness: str = "R") -> str:
    """Align single-end reads with HISAT2 and keep the reads that do not align.

    Parameters
    ----------
    reads_fastq
        FASTQ, plain or gzipped.
    hisat2_index
        Prefix of the index, or the folder that contains it.
    out_dir
        Gets ``unaligned_NAME.fasta`` and the folder ``aligned_NAME`` with HISAT2's summary and the read counts; NAME
        is the file's name without its extension.
    strandness
        In HISAT2's notation: "F", "R" or "" (unstranded).

    Returns
    -------
    str
        Path of the FASTA file of unaligned reads, sorted by name; empty if all reads align.

    Raises
    ------
    InputError
        If the reads are missing or malformed, there is no index, or the strandness is unknown.
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
        Gets ``contigs.fa`` and ``denovo.fa``.
    max_memory
        Memory limit for Trinity, for example "50G".
    cpu
        Number of threads; the contigs do not depend on it.

    Returns
    -------
    str
        Path of ``denovo.fa``: the contigs, named ``DENOVO_...`` after their sequence and not screened against any
        reference; empty if there are too few reads.
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
    """Concatenate reference and novel transcripts and build a Salmon index of them.

    Parameters
    ----------
    reference_fasta, denovo_fasta
        FASTA, plain or gzipped; names in the second start with ``DENOVO_``.
    out_fasta
        The hybrid reference to write.
    salmon_index_dir
        The index to write.
    kmer
        k-mer length of the index; odd, at most 31.

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
    """Quantify the single-end reads of each sample with Salmon.

    Returns
    -------
    dict
        Sample -> path of its ``quant.sf``, in ``quant_SAMPLE`` below `out_dir`.

    Raises
    ------
    InputError
        If reads are missing or malformed, or the index was built by another version of Salmon.
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
    """Build the expression table from single-end reads, novel transcripts included.

    Contigs that are copies of reference transcripts are screened out first, since they would take reads from them.
    Every call runs all steps and replaces earlier results; the workflow is the way to resume a run or add samples.

    Parameters
    ----------
    reads_by_sample
        Sample -> FASTQ file, plain or gzipped.
    hisat2_index
        Prefix of HISAT2's index of the genome, or the folder that contains it.
    reference_fasta
        Reference transcripts, plain or gzipped.
    work_dir
        Gets one folder per step: ``aligned``, ``pool``, ``assembly``, ``novelty`` (with ``contigs.tsv``: every contig
        and why it was kept or not), ``hybrid``, ``quantified``; and ``log.txt``, the output of the programs.

    Returns
    -------
    DataFrame
        transcripts × samples, as `build_sc_table` makes it.

    Raises
    ------
    BioToolUnavailable
        If programs are missing; all of them are named, before anything starts.
    InputError
        If an input cannot be used.
    """
    _require("hisat2", "Trinity", "minimap2", "salmon")
    _check_names(reads_by_sample)
    work = Path(work_dir)
    for name in ("aligned", "assembly", "hybrid", "quantified"):
        (work / name).mkdir(parents=True, exist_ok=True)
    prefix = Path(alignment.index_prefix(hisat2_index))
    transcripts, pool, contigs = work / "transcripts.fa", work / "pool", work / "assembly" / "contigs.fa"
    novelty, hybrid, index = work / "novelty", work / "hybrid" / "hybrid.fa", work / "hybrid" / "salmon"
    aligned = {sample: work / "aligned" / sample for sample in reads_by_sample}
    quantified = {sample: work / "quantified" / f"quant_{sample}" for sample in reads_by_sample}
    with (work / "log.txt").open("w", buffering=1) as log:
        options: dict[str, Any] = {"threads": _cores(), "log": log}
        for sample, reads in reads_by_sample.items():
            _align(reads, prefix, aligned[sample], sample, "auto", **options)
        assembly.pool_unaligned(list(aligned.values()), pool)
        assembly.assemble(pool, contigs, **options)
        references.prepare_transcripts(transcripts, transcripts=reference_fasta, log=log)
        screen_novelty(contigs, transcripts=transcripts, pool=pool, folder=novelty, **options)
        hybrid_reference.build_hybrid_reference(transcripts, novelty / "denovo.fa", hybrid, log=log)
        quantification.index_salmon(hybrid, index, **options)
        for sample, reads in reads_by_sample.items():
            _quantify(sample, reads, index, quantified[sample], **options)
    return build_sc_table({sample: read_quant(str(folder / "quant.sf")) for sample, folder in quantified.items()})


def _check_names(reads_by_sample: Mapping[str, str]) -> None:
    if not reads_by_sample:
        raise InputError("reads_by_sample is empty, expected at least one sample with its FASTQ file.")
    unusable = [name for name in reads_by_sample if not _SAMPLE_NAME.fullmatch(name)]
    if unusable:
        raise InputError(
            f"sample '{unusable[0]}': cannot be used as the name of a folder. Expected letters, digits, '_', '.' and "
            f"'-', starting with a letter or digit. Rename it."
        )


def _require(*programs: str) -> None:
    if importlib.util.find_spec("Bio") is None:
        raise BioToolUnavailable(
            "biopython: not installed, but needed for this step. Install it with: pip install 'deepmapper[denovo]'."
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
    """Write single reads as a pool that `assembly.assemble` takes, with empty FASTA files for the pairs."""
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
    """Name of a FASTQ file without its extension."""
    return re.sub(r"\.(fastq|fq)$", "", re.sub(r"\.gz$", "", Path(path).name))


def _gigabytes(text: str) -> float:
    match = _MEMORY.fullmatch(text.strip())
    if not match:
        raise InputError(f"max_memory is '{text}', expected a number and a unit, such as 50G.")
    return float(match[1]) * _GIGABYTES[match[2].upper()]


def _cores() -> int:
    return len(os.sched_getaffinity(0))

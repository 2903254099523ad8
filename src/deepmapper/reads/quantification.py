"""Transcript counts with Salmon, for reference and novel transcripts together.

Salmon learns fragment lengths and the library type while it reads, from random draws and in the order in which its
threads finish: counts of isoforms then vary by about one percent between runs, even with one thread. Here both are
measured first, on the first fragments of a sample, and given to Salmon as fixed; its optimisation starts from a uniform
guess. The same reads then give the same counts with any number of threads. The cost, on simulated pairs of 50
nucleotides from genes with many isoforms: 1.0 to 1.9 % of the fragments are assigned to a wrong isoform of their gene,
instead of 1.0 to 1.4 %.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import IO, Any

from ..core.files import atomic_folder
from ..core.programs import Argument, require, run_tool, version
from ..core.words import percent
from ..errors import DeepMapperWarning, InputError, ToolFailed
from .counted import captured_unit, split_counts
from .fasta import read_fasta
from .fastq import count_fragments, link_units, write_plain
from .samples import Unit

# Salmon's names of library types, (single, paired).
LIBRARY_TYPES = {"unstranded": ("U", "IU"), "forward": ("SF", "ISF"), "reverse": ("SR", "ISR")}

_MAX_K = 31  # Salmon's own limit

_VERSION_FILE = "deepmapper.json"

_N_MEASURED = 50_000  # fragments that are mapped to measure their length and strand, chosen by hand

_MIN_MEASURED = 100  # with fewer fragments the defaults are used, chosen by hand

_MIN_STRANDED = 0.8  # share on one strand from which a library counts as stranded, chosen by hand

_DEFAULT_LENGTH = (250, 25)  # Salmon's default mean and standard deviation of fragment lengths

_MAX_FRAGMENT = 1000  # nt; Salmon's default limit

_MATE_UNMAPPED, _REVERSE, _FIRST = 8, 16, 64  # SAM flags


@dataclass(frozen=True)
class Library:
    """Properties of a sample's library, measured on its first fragments.

    Attributes
    ----------
    fragments
        Number of fragments that mapped to one strand.
    forward
        Share of them whose first read is on the transcript's strand; None if there are none.
    length_mean, length_sd
        Fragment length in nucleotides; (250, 25) for single reads or fewer than 100 pairs.
    """

    fragments: int
    forward: float | None
    length_mean: int
    length_sd: int

    @property
    def judged(self) -> bool:
        """Whether there are enough fragments to judge the strand by: 100."""
        return self.forward is not None and self.fragments >= _MIN_MEASURED

    @property
    def strandedness(self) -> str:
        """``forward`` or ``reverse`` if 80 % are on one strand; else, or below 100 fragments, ``unstranded``."""
        if self.forward is None or not self.judged or 1 - _MIN_STRANDED < self.forward < _MIN_STRANDED:
            return "unstranded"
        return "forward" if self.forward >= _MIN_STRANDED else "reverse"


def index_salmon(
    fasta: Path, folder: Path, *, k: int = 31, decoys: Path | None = None, threads: int = 1, log: IO[str] | None = None
) -> None:
    """Index transcripts for Salmon; transcripts with equal sequences are all kept.

    Parameters
    ----------
    fasta
        As `build_hybrid_reference` wrote it.
    folder
        Written atomically; its ``deepmapper.json`` records the version of Salmon.
    k
        k-mer length, odd, at most 31. Shorter k-mers suit reads below 50 nucleotides. Transcripts of at most k bases
        get no reads.
    decoys
        ``decoys.txt``; None or an empty file for none.

    Raises
    ------
    InputError
        If k is even or out of range, or no transcript is longer than k.
    ToolFailed
        If Salmon fails.
    """
    if not 3 <= k <= _MAX_K or k % 2 == 0:
        raise InputError(
            f"k is {k}, expected an odd number from 3 to {_MAX_K}. Set quantification.k, for example to 31."
        )
    require("salmon")
    with_decoys = decoys is not None and Path(decoys).stat().st_size > 0
    if not any(len(record.sequence) > k for record in read_fasta(fasta)):
        raise InputError(f"{fasta}: no sequence is longer than k = {k}, expected transcripts. Check the reference.")
    with atomic_folder(folder) as tmp:
        command: list[Argument] = ["salmon", "--no-version-check", "index", "-t", Path(fasta).resolve(), "-i", "index"]
        command += ["-k", k, "-p", threads, "--keepDuplicates"]
        if with_decoys:
            command += ["--decoys", Path(str(decoys)).resolve()]
        run_tool(command, folder=tmp, log=log)
        for file in (tmp / "index").iterdir():
            file.rename(tmp / file.name)
        (tmp / "index").rmdir()
        record = {"salmon": _salmon_version(), "k": k, "decoys": with_decoys}
        (tmp / _VERSION_FILE).write_text(json.dumps(record, indent=2) + "\n")


def check_index(index: Path) -> None:
    """Check that this Salmon can read an index; the format differs between major versions.

    Raises
    ------
    InputError
        If `index` is not an index, or was built by another major version of Salmon.
    """
    require("salmon")
    built = _built_by(Path(index))
    installed = _salmon_version()
    if built.split(".")[0] != installed.split(".")[0]:
        raise InputError(
            f"{index}: built by Salmon {built}, but this is Salmon {installed}, which reads another format. Remove the "
            f"index and build it again, or use Salmon {built}."
        )


def quantify_sample(
    units: Sequence[Unit],
    *,
    index: Path,
    folder: Path,
    sample: str,
    captured: Path | None = None,
    strandedness: str = "auto",
    gc_bias: bool = False,
    seq_bias: bool = False,
    threads: int = 1,
    log: IO[str] | None = None,
) -> dict[str, Any]:
    """Count a sample's fragments per transcript.

    `folder` is written atomically, with Salmon's ``quant.sf``, its files for MultiQC, and ``quantification.json``, the
    returned record. If nothing maps, all counts are zero.

    Parameters
    ----------
    units
        The sample's lanes.
    index
        As `index_salmon` wrote it.
    sample
        Name, for the record and messages.
    captured
        Folder that `align_reads` wrote for the same reads, to count how many of the captured fragments count; None:
        that stays unknown.
    strandedness
        ``unstranded``, ``forward``, ``reverse``, or ``auto``, which measures it.
    gc_bias, seq_bias
        Salmon's corrections. With `gc_bias` Salmon runs on one thread, so that counts do not depend on the number of
        threads; with `seq_bias` it draws at random, so counts vary by up to a few percent between runs.

    Returns
    -------
    dict
        ``sample``, ``layout``, ``fragments``, ``mapped``, ``mapping_rate``, ``known``, ``novel``, ``detected_known``,
        ``detected_novel`` (see `counted.split_counts`), ``captured`` and ``captured_counted`` (how many fragments were
        captured, and how many of these count; None without `captured`), ``library_type`` (Salmon's name),
        ``strandedness`` (as used), ``measured`` (see `Library`), ``salmon`` (version), ``repeatable`` and ``note``
        (a warning about the counts, or "").

    Raises
    ------
    InputError
        For faulty reads (see `count_fragments`), an index of another version of Salmon, or an unknown strandedness.
    ToolFailed
        If Salmon fails, or does not read all fragments.

    Warns
    -----
    DeepMapperWarning
        If nothing maps, or the reads contradict the given strandedness.

    Notes
    -----
    Salmon: Patro et al. 2017, Nature Methods 14:417.
    """
    if strandedness not in (*LIBRARY_TYPES, "auto"):
        raise InputError(
            f"sample {sample}: strandedness '{strandedness}', expected one of auto, {', '.join(LIBRARY_TYPES)}."
        )
    check_index(index)
    fragments = count_fragments(units, sample)
    paired = units[0].paired
    with atomic_folder(folder) as tmp:
        work = tmp / "work"
        work.mkdir()
        (work / "index").symlink_to(Path(index).resolve())
        library = _measure(units, work, threads, log)
        used = library.strandedness if strandedness == "auto" else strandedness
        options = partial(_command, library_type=LIBRARY_TYPES[used][paired], fixed=_fixed(library))
        command = options(link_units(units, work), threads=1 if gc_bias else threads)
        command += ["--gcBias"] * gc_bias + ["--seqBias"] * seq_bias
        meta = _run([*command, "-o", "counts"], work, log)
        if meta["num_processed"] != fragments:
            raise ToolFailed(
                f"Salmon read {meta['num_processed']} of {fragments} fragments of sample {sample}, expected all. "
                f"Run it again, or use another version."
            )
        of_captured = _count_captured(captured, paired, partial(options, threads=threads), work, log)
        for file in (work / "counts").iterdir():
            file.rename(tmp / file.name)
        shutil.rmtree(work)
        result = {
            "sample": sample,
            "layout": "paired" if paired else "single",
            "fragments": fragments,
            "mapped": meta["num_mapped"],
            "mapping_rate": round(meta["num_mapped"] / fragments, 6),
            **split_counts(tmp / "quant.sf", meta["num_mapped"]),
            **of_captured,
            "library_type": LIBRARY_TYPES[used][paired],
            "strandedness": used,
            "measured": asdict(library) | {"strandedness": library.strandedness, "judged": library.judged},
            "salmon": meta["salmon_version"],
            "repeatable": not seq_bias,
            "note": _note(sample, strandedness, library, meta),
        }
        (tmp / "quantification.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result), file=log or sys.stderr)
    if result["note"]:
        warnings.warn(result["note"], DeepMapperWarning, stacklevel=2)
    return result


def _salmon_version() -> str:
    return version("salmon").split()[-1]


def _built_by(index: Path) -> str:
    """Version of the Salmon that built an index, from our record or from Salmon's."""
    for file, key in ((_VERSION_FILE, "salmon"), ("versionInfo.json", "salmonVersion")):
        if (index / file).is_file():
            try:
                return str(json.loads((index / file).read_text())[key])
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(
                    f"{index / file} is damaged ({error!r}). Remove the index and build it again."
                ) from error
    raise InputError(f"{index}: not a Salmon index (no versionInfo.json). Give the folder that `salmon index` wrote.")


def _command(links: Sequence[Unit], library_type: str, threads: int, fixed: Sequence[Argument] = ()) -> list[Argument]:
    command: list[Argument] = ["salmon", "--no-version-check", "quant", "-i", "index"]
    command += ["-l", library_type, "-p", threads, "--minAssignedFrags", 1, *fixed]
    first = [link.fq1 for link in links]
    if links[0].paired:
        return [*command, "-1", *first, "-2", *(link.fq2 for link in links)]
    return [*command, "-r", *first]


def _fixed(library: Library) -> list[Argument]:
    """Options that keep Salmon from learning what was measured."""
    lengths: list[Argument] = ["--fldMean", library.length_mean, "--fldSD", library.length_sd]
    return ["--initUniform", *lengths, "--numPreAuxModelSamples", 0, "--numAuxModelSamples", 0]


def _run(command: Sequence[Argument], work: Path, log: IO[str] | None, **reading: Any) -> dict[str, Any]:
    """Run Salmon and return its meta_info.json. If nothing maps, Salmon reports an error, but here it is a result."""
    out = work / str(command[-1])
    meta = out / "aux_info" / "meta_info.json"
    try:
        run_tool(command, folder=work, log=log, **reading)
    except ToolFailed:
        if not meta.is_file() or "insufficient_assigned_fragments" not in json.loads(meta.read_text())["quant_errors"]:
            raise
    return json.loads(meta.read_text())


def _count_captured(
    folder: Path | None, paired: bool, options: Callable[..., list[Argument]], work: Path, log: IO[str] | None
) -> dict[str, int | None]:
    """Map the captured fragments alone, with the same settings: how many there are, and how many count."""
    if folder is None:
        return {"captured": None, "captured_counted": None}
    unit, captured = captured_unit(Path(folder), paired)
    if not captured:  # Salmon fails on empty files
        return {"captured": 0, "captured_counted": 0}
    own = work / "captured"
    own.mkdir()
    (own / "index").symlink_to((work / "index").resolve())
    meta = _run([*options(link_units([unit], own)), "--skipQuant", "-o", "counts"], own, log)
    if meta["num_processed"] != captured:
        raise ToolFailed(
            f"Salmon read {meta['num_processed']} of the {captured} fragments in {folder}, expected all. Run it again, "
            f"or use another version."
        )
    return {"captured": captured, "captured_counted": meta["num_mapped"]}


def _measure(units: Sequence[Unit], work: Path, threads: int, log: IO[str] | None) -> Library:
    """Map the first fragments and measure what does not depend on the order in which threads finish."""
    n_reads = _N_MEASURED // len(units)
    heads = [
        Unit(
            unit.name,
            *(_head(path, work / f"head{number}_{mate}.fastq", n_reads) for mate, path in enumerate(unit.files, 1)),
        )
        for number, unit in enumerate(units, 1)
    ]
    paired = units[0].paired
    strands: Counter[bool] = Counter()
    lengths: Counter[int] = Counter()

    def read_sam(sam: Iterable[bytes]) -> None:
        count_strands_and_lengths(sam, paired, strands, lengths)

    command = [*_command(heads, LIBRARY_TYPES["unstranded"][paired], threads), "--skipQuant", "--writeMappings"]
    _run([*command, "-o", "measured"], work, log, reader=read_sam)
    shutil.rmtree(work / "measured")
    for name in (name for head in heads for name in head.files):
        (work / name).unlink()
    n = strands.total()
    mean, sd = mean_and_sd(lengths) if lengths.total() >= _MIN_MEASURED else _DEFAULT_LENGTH
    return Library(n, round(strands[False] / n, 4) if n else None, mean, sd)


def _head(path: str, out: Path, reads: int) -> str:
    write_plain(Path(path), out, reads)
    return out.name


def count_strands_and_lengths(
    sam: Iterable[bytes], paired: bool, strands: Counter[bool], lengths: Counter[int]
) -> None:
    """Count the strands of fragments' first reads (True: reverse) and their lengths, if all their alignments agree."""
    fields = (line.split(b"\t", 9) for line in sam if not line.startswith(b"@"))
    for _, records in groupby(fields, key=lambda record: record[0]):
        own_strands, own_lengths = set(), set()
        for record in records:
            flag = int(record[1])
            if paired and (not flag & _FIRST or flag & _MATE_UNMAPPED):
                continue
            own_strands.add(bool(flag & _REVERSE))
            own_lengths.add(abs(int(record[8])))
        if len(own_strands) == 1:
            strands[own_strands.pop()] += 1
        if paired and len(own_lengths) == 1:
            length = own_lengths.pop()
            if 0 < length <= _MAX_FRAGMENT:
                lengths[length] += 1


def mean_and_sd(counts: Counter[int]) -> tuple[int, int]:
    """Mean and standard deviation, rounded; from integer sums, so that the order of the counts does not matter."""
    n = counts.total()
    total = sum(length * count for length, count in counts.items())
    squares = sum(length * length * count for length, count in counts.items())
    return round(total / n), max(1, round(math.sqrt((n * squares - total * total) / (n * n))))


def _note(sample: str, strandedness: str, library: Library, meta: dict[str, Any]) -> str:
    """Warn about counts of zero and about a given strandedness that the reads contradict; "" if all is well."""
    notes = []
    if not meta["num_mapped"]:
        notes.append(
            f"sample {sample}: none of {meta['num_processed']} fragments maps to a transcript, so its counts are zero. "
            f"Check that it is from this organism."
        )
    if library.forward is not None and library.judged and strandedness not in ("auto", library.strandedness):
        notes.append(
            f"sample {sample}: its strandedness is given as {strandedness}, but {percent(library.forward, 0)} of "
            f"{library.fragments} fragments are forward, so it is {library.strandedness}. Correct it, or use auto."
        )
    return " ".join(notes)

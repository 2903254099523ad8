"""Which program wrote a table of counts: recognised by its name and content."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.words import count, listed, some
from ..errors import DeepMapperWarning, InputError
from .feature_names import special_rows
from .formats import SUFFIXES
from .text_ends import fields_of, first_bytes, separator_of, text_ends


@dataclass(frozen=True)
class Program:
    """A kind of file with counts.

    Attributes
    ----------
    title
        Name of the program.
    files
        Regular expression of the names of its files, for programs that always use the same.
    header
        First columns of its header.
    id, count, tpm, length, parent
        Columns with the name of the feature, its count, transcripts per million, length, and gene; "" if it has none.
        Without `count`, all columns that are not about the features are samples.
    """

    title: str
    files: str = ""
    header: tuple[str, ...] = ()
    id: str = ""
    count: str = ""
    tpm: str = ""
    length: str = ""
    parent: str = ""


PROGRAMS = {
    "featurecounts": Program("featureCounts"),
    "htseq": Program("HTSeq"),
    "star": Program("STAR", r"ReadsPerGene\.out\.tab"),
    "salmon": Program(
        *("Salmon", r"quant\.sf", ("Name", "Length", "EffectiveLength", "TPM", "NumReads")),
        *("Name", "NumReads", "TPM", "Length"),
    ),
    "salmon_genes": Program(
        *("Salmon", r"quant\.genes\.sf", ("Name", "Length", "EffectiveLength", "TPM", "NumReads")),
        *("Name", "NumReads", "TPM", "Length"),
    ),
    "kallisto": Program(
        *("kallisto", r"abundance\.(tsv|h5)", ("target_id", "length", "eff_length", "est_counts", "tpm")),
        *("target_id", "est_counts", "tpm", "length"),
    ),
    "rsem": Program(
        *("RSEM", r"\.genes\.results", ("gene_id", "transcript_id(s)", "length", "effective_length", "expected_count")),
        *("gene_id", "expected_count", "TPM", "length"),
    ),
    "rsem_isoforms": Program(
        *("RSEM", r"\.isoforms\.results", ("transcript_id", "gene_id", "length", "effective_length", "expected_count")),
        *("transcript_id", "expected_count", "TPM", "length", "gene_id"),
    ),
}

# Of two tables of the same samples, the one that is taken unless format names the other.
PREFERRED = {"salmon": "salmon_genes", "rsem": "rsem_isoforms"}

# Columns about the features in tables of featureCounts and in merged tables, and the name they get in `var`. Empty:
# left out.
ABOUT = {
    **dict.fromkeys(("Chr", "Start", "End", "Strand", "chr", "start", "end", "strand", "Chromosome"), ""),
    **{"Length": "length", "length": "length", "gene_name": "gene_name", "gene_symbol": "gene_name"},
    **{"gene_id": "gene_id", "gene_biotype": "gene_biotype", "gene_type": "gene_biotype"},
    **{"Additional attributes": "gene_name", "description": ""},
}

# First two columns of merged tables, such as those of nf-core/rnaseq: features in rows.
_MERGED = {
    *(("gene_id", "gene_name"), ("tx", "gene_id"), ("transcript_id", "gene_id"), ("gene_id", "gene_symbol")),
    *(("gene_id", "transcript_id(s)"), ("gene_id", "gene_biotype"), ("gene_id", "Length"), ("gene_id", "length")),
}

_TEXT = (".txt", ".tsv", ".csv", ".tab", ".count", ".counts", ".out", ".htseq", ".featurecounts", ".dat", "")
_PACKED = (".gz", ".bz2", ".xz")
# Tables beside the counts.
_BESIDE = re.compile(
    r"\.summary$|\.log$|^Log\.|SJ\.out\.tab$|\.jcounts$|\.stats?$|\.json$|\.ya?ml$|\.md$", re.IGNORECASE
)
# What Salmon and kallisto write beside their result.
_OF_A_RUN = ("cmd_info.json", "lib_format_counts.json", "libParams", "aux_info", "run_info.json")
_INTEGER = re.compile(r"\d+(\.0*)?")


def program_of(path: Path, in_folder: bool = False) -> str | None:
    """Return the key of `PROGRAMS` of a file; None for any other file.

    In a folder of files of samples, two columns with a header are counts as well; alone they may be anything.

    Raises
    ------
    InputError
        If a compressed file is damaged.
    """
    name = unpacked_name(path)
    if name.endswith(".h5"):
        return "kallisto" if re.search(r"abundance\.h5$", name) else None
    if Path(name).suffix.lower() not in (*_TEXT, ".sf", ".results") and not re.fullmatch(
        r"\.\w*\d\w*", Path(name).suffix
    ):
        return None
    try:
        head, tail = text_ends(path)
    except InputError:
        if Path(name).suffix.lower() in SUFFIXES:
            return None  # whoever reads it reports the damage
        raise
    lines = [line for line in head if not line.startswith("#")]
    if not lines:
        return None
    separator = separator_of(lines[0])
    header = fields_of(lines[0], separator)
    for key, program in PROGRAMS.items():
        if program.header and tuple(header[: len(program.header)]) == program.header:
            is_sibling = key in PREFERRED and re.search(PROGRAMS[PREFERRED[key]].files + "$", name)
            return PREFERRED[key] if is_sibling else key
    if header[0] == "Geneid" and len(header) > 1:
        return "featurecounts"
    if tuple(header[:2]) in _MERGED and len(header) > 2:
        return "featurecounts"
    if header[0] in ("N_unmapped", "N_multimapping") and len(header) == 4:
        return "star"
    return "htseq" if _is_htseq(lines, tail, separator, in_folder) else None


def _is_htseq(head: list[str], tail: list[str], separator: str, in_folder: bool) -> bool:
    """Whether names are followed by counts, with HTSeq's rows of totals, or in two columns without a header."""
    lines = head if tail[-1:] == head[-1:] else [*head, *tail]  # a short file is all head
    rows = [fields_of(line, separator) for line in lines]
    width = len(rows[-1])
    if width < 2 or any(not _INTEGER.fullmatch(row[-1]) for row in rows[1:] if row[-1:]) or len(rows) < 2:
        return False
    if len(special_rows([row[0] for row in rows])):
        return True
    return (separator == "\t" or in_folder) and all(
        len(row) == 2 and _INTEGER.fullmatch(row[1]) and not _INTEGER.fullmatch(row[0])
        for row in (rows[1:] if in_folder else rows)
    )


def find_count_files(folder: Path, format: str = "auto") -> tuple[str, list[Path]] | None:
    """Find the files of one program in a folder and its subfolders.

    Returns
    -------
    tuple of str and list of Path, or None
        Key of `PROGRAMS` and the files, one for each sample or several; None if there are none.

    Raises
    ------
    InputError
        If files of several programs are found, or one is empty.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not _is_hidden(path.relative_to(folder)))
    found: dict[str, list[Path]] = {}
    for path in files:
        for key, program in PROGRAMS.items():
            if program.files and re.search(program.files + "$", unpacked_name(path)):
                found.setdefault(key, []).append(path)
    by_name = bool(found)
    if not found:
        found, others = _by_content(folder)
    if not found:
        return None
    for key, sibling in PREFERRED.items():
        if key in found and sibling in found and format in ("auto", key):
            left_out = found.pop(sibling)
            warnings.warn(
                f"{folder}: reading {count(len(found[key]), 'file')} {found[key][0].name!r}; left out: "
                f"{len(left_out)} of {left_out[0].name!r}. To read those instead, set format to {sibling}.",
                DeepMapperWarning,
                stacklevel=2,
            )
    if format != "auto":
        found = {key: paths for key, paths in found.items() if key == format}
    if not found:
        return None
    if len(found) > 1:
        shown = listed(
            [
                f"{PROGRAMS[key].title} ({some(path.relative_to(folder) for path in paths)})"
                for key, paths in found.items()
            ]
        )
        raise InputError(
            f"{folder}: found counts of several programs: {shown}. Set format to one of {', '.join(found)}."
        )
    key, paths = next(iter(found.items()))
    if key == "kallisto":
        paths = [path for path in paths if path.suffix != ".h5" or not _has_text_beside(path)]
    for path in paths:
        if not path.stat().st_size:
            raise InputError(f"{path} is an empty file. Copy or write it again, or remove it to leave out its sample.")
    if by_name:
        _say_failed(paths, folder, PROGRAMS[key].title)
    if not by_name and others:
        warnings.warn(
            f"{folder}: reading {count(len(paths), 'file')} of {PROGRAMS[key].title}; ignored: "
            f"{some(path.name for path in others)}.",
            DeepMapperWarning,
            stacklevel=2,
        )
    return key, paths


def _say_failed(paths: Sequence[Path], folder: Path, title: str) -> None:
    """Warn about folders beside those of samples that are empty, or hold what Salmon and kallisto write first."""
    results = {path.parent for path in paths}
    beside = {path for result in results for path in result.parent.iterdir() if path.is_dir()}
    failed = sorted(
        path
        for path in beside - results
        if not any(path in result.parents for result in results)
        and not _is_hidden(Path(path.name))
        and (not any(path.iterdir()) or any((path / name).exists() for name in _OF_A_RUN))
    )
    if failed:
        warnings.warn(
            f"{folder}: left out {count(len(failed), 'folder')} without {title}'s result "
            f"({some(path.name for path in failed)}), as a failed run leaves them. Run these samples again, or remove "
            "their folders.",
            DeepMapperWarning,
            stacklevel=3,
        )


def _by_content(folder: Path) -> tuple[dict[str, list[Path]], Sequence[Path]]:
    """Recognise the text files of a folder, or of its subfolders if it has none itself; and the other files."""
    for files in (sorted(folder.glob("*")), sorted(folder.glob("*/*"))):
        found: dict[str, list[Path]] = {}
        others = []
        for path in files:
            if not path.is_file() or _is_hidden(path.relative_to(folder)) or _BESIDE.search(unpacked_name(path)):
                continue
            key = program_of(path, in_folder=len(files) > 1) if path.stat().st_size else None
            if key:
                found.setdefault(key, []).append(path)
            else:
                others.append(path)
        if found:
            endings = {Path(unpacked_name(path)).suffix for paths in found.values() for path in paths}
            for path in others:
                if not path.stat().st_size and Path(unpacked_name(path)).suffix in endings:
                    raise InputError(
                        f"{path} is an empty file. Copy or write it again, or remove it to leave out its sample."
                    )
            return found, others
    return {}, ()


def _has_text_beside(path: Path) -> bool:
    return any(path.with_name(path.name.replace(".h5", f".tsv{end}")).is_file() for end in ("", *_PACKED))


def _is_hidden(path: Path) -> bool:
    return any(part.startswith((".", "_STAR")) for part in path.parts)


def unpacked_name(path: Path) -> str:
    """Name of a file without the ending of compression."""
    return path.name.removesuffix(path.suffix) if path.suffix.lower() in _PACKED else path.name


def is_hdf5(path: Path) -> bool:
    """Whether a file starts like HDF5."""
    return first_bytes(path, 8) == b"\x89HDF\r\n\x1a\n"

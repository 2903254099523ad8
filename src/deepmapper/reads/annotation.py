"""Gene annotation: transcripts and exons from GTF or GFF3, with the ids that FASTA files use.

Standard library only.
"""

from __future__ import annotations

import gzip
import lzma
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from ..core.files import atomic_write
from ..core.match_names import strip_version
from ..errors import InputError
from .fasta import open_text

_PREFIX = re.compile(r"(transcript:|gene:|rna-(?=[NX][MR]_))")  # ids in GFF3 files of Ensembl and NCBI

_DATABASE = re.compile(r"(?:gi\|\d+\|)?(?:ref|gb|emb|dbj|lcl|gnl|tpg)\|([^|]+)", re.IGNORECASE)  # old headers of NCBI

_PARTS_OF_CODING = {"cds", "stop_codon", "utr", "5utr", "3utr", "five_prime_utr", "three_prime_utr"}

_PROTEINS = {"protein", "polypeptide"}

_GTF_RRNA = re.compile(r'(?:biotype|gene_type|transcript_type|gbkey)\s+"(?:Mt_)?rRNA"')

_GTF_ATTRIBUTE = re.compile(r'([\w.:-]+)\s+(?:"([^"]*)"|([^\s;]+))\s*(?:;|$)')


@dataclass(frozen=True)
class Transcript:
    """One transcript of an annotation.

    Attributes
    ----------
    id, gene_id, gene_name
        Cleaned by `clean_id`; the name is empty if the annotation has none.
    chrom, strand
        As annotated; strand "+", "-" or ".".
    exons
        (start, end) in the genome, 0-based and half-open, sorted, with gaps between them.
    is_rrna
        Whether the annotation calls it ribosomal RNA.
    """

    id: str
    gene_id: str
    gene_name: str
    chrom: str
    strand: str
    exons: tuple[tuple[int, int], ...]
    is_rrna: bool = field(default=False, compare=False)


@dataclass
class _Draft:
    """What has been read of a transcript so far."""

    gene_id: str = ""
    gene_name: str = ""
    is_rrna: bool = False
    exons: list[tuple[int, int]] = field(default_factory=list)
    coding: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True)
class _Line:
    """One feature of a file; its positions are 0-based and half-open."""

    number: int
    chrom: str
    type: str
    start: int
    end: int
    strand: str
    attributes: str


def clean_id(header_or_name: str, strip_versions: bool = False) -> str:
    """Return the id in a FASTA header or an entry of an annotation.

    It ends at the first space, in GENCODE's ``id|gene|...`` at the first bar. What precedes it is dropped, as in NCBI's
    ``gi|1|ref|id|`` and Ensembl's ``transcript:id``.

    Parameters
    ----------
    header_or_name
        Without the '>'.
    strip_versions
        Whether to remove the version from ids of Ensembl, GENCODE and RefSeq (ENST00000335137.4). The number at the
        end of other ids stays: in AT1G01010.1 it is the isoform.
    """
    name = (header_or_name.split(maxsplit=1) or [""])[0]
    if prefix := _PREFIX.match(name):
        name = name[prefix.end() :]
    if database := _DATABASE.match(name):
        name = database[1]
    name = name.split("|", 1)[0]
    return strip_version(name) if strip_versions else name


def read_annotation(path: str | Path) -> list[Transcript]:
    """Read the transcripts of a GTF or GFF3 file, plain or compressed; its attributes show which of the two it is.

    If a transcript has no exons, its coding sequence and untranslated regions take their place. In GFF3 a transcript
    is any feature that is the `Parent` of an exon; its gene is its topmost ancestor, which may be the transcript
    itself. A transcript with two locations is listed once for each.

    Raises
    ------
    InputError
        Naming the line, if the file is neither format, is damaged, or holds no exons.
    """
    drafts: dict[tuple[str, str, str], _Draft] = {}
    features: dict[str, dict[str, str]] = {}
    gff3 = None
    for line in _lines(Path(path)):
        if gff3 is None and line.attributes not in ("", "."):
            gff3 = bool(re.match(r"[^\s=\";]+=", line.attributes))
        part = line.type.lower()
        is_exon = part.endswith("exon")
        if is_exon or part in _PARTS_OF_CODING:
            for owner, gene_id, gene_name in _owners(line, bool(gff3), path):
                is_rrna = not gff3 and bool(_GTF_RRNA.search(line.attributes))
                draft = drafts.setdefault((owner, line.chrom, line.strand), _Draft(gene_id, gene_name, is_rrna))
                (draft.exons if is_exon else draft.coding).append((line.start, line.end))
        elif gff3:
            attributes = _gff3_attributes(line.attributes)
            if "ID" in attributes:
                features.setdefault(attributes["ID"], {**attributes, "type": part})
    transcripts = [
        _transcript(key, draft, features if gff3 else None)
        for key, draft in drafts.items()
        if features.get(key[0], {}).get("type") not in _PROTEINS
    ]
    if not transcripts:
        raise InputError(f"{path}: holds no exons, expected a GTF or GFF3 file with the exons of transcripts.")
    return transcripts


def write_gtf(
    out: str | Path,
    transcripts: Iterable[Transcript],
    source: str = "reference",
    attributes: Mapping[str, Mapping[str, str]] | None = None,
) -> int:
    """Write transcripts and their exons as GTF, by sequence and position; return their number.

    Parameters
    ----------
    out
        Written atomically.
    source
        Second column.
    attributes
        By the id of a transcript: what to add to its ids and the name of its gene; empty values are left out.
    """
    rows = sorted(transcripts, key=lambda t: (t.chrom, t.exons[0][0], t.exons[-1][1], t.id))
    with atomic_write(out) as tmp, tmp.open("w") as file:
        for transcript in rows:
            pairs = {"gene_id": transcript.gene_id or transcript.id, "transcript_id": transcript.id}
            added = {"gene_name": transcript.gene_name, **(attributes or {}).get(transcript.id, {})}
            pairs |= {key: value for key, value in added.items() if value}
            text = " ".join(f'{key} "{_quotable(value)}";' for key, value in pairs.items())
            whole = (transcript.exons[0][0], transcript.exons[-1][1])
            for kind, (start, end) in (("transcript", whole), *(("exon", exon) for exon in transcript.exons)):
                columns = (transcript.chrom, source, kind, start + 1, end, ".", transcript.strand, ".", text)
                print(*columns, sep="\t", file=file)
    return len(rows)


def _quotable(value: str) -> str:
    """A value without what would end it."""
    return value.replace('"', "'").replace("\n", " ")


def read_gtf(path: str | Path) -> list[Transcript]:
    """Read what `write_gtf` wrote, which is empty without transcripts."""
    return read_annotation(path) if Path(path).stat().st_size else []


def _transcript(key: tuple[str, str, str], draft: _Draft, features: dict[str, dict[str, str]] | None) -> Transcript:
    owner, chrom, strand = key
    gene_id, gene_name, is_rrna = draft.gene_id, draft.gene_name, draft.is_rrna
    if features is not None:
        gene_id, gene_name = _gene_of(owner, features)
        is_rrna = features.get(owner, {}).get("type") == "rrna"
    merged: list[tuple[int, int]] = []
    for start, end in sorted(draft.exons or draft.coding):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return Transcript(clean_id(owner), clean_id(gene_id), gene_name, chrom, strand, tuple(merged), is_rrna)


def _owners(line: _Line, gff3: bool, path: str | Path) -> list[tuple[str, str, str]]:
    """Return the transcripts that a feature belongs to, with gene id and name if the line has them (GTF)."""
    if gff3:
        attributes = _gff3_attributes(line.attributes)
        owners = [owner for owner in attributes.get("Parent", "").split(",") if owner] or [attributes.get("ID", "")]
        if owners != [""]:
            return [(unquote(owner), "", "") for owner in owners]
        raise InputError(
            f"{path} line {line.number}: this {line.type} has no Parent, expected the id of its transcript."
        )
    attributes = {key: quoted or plain for key, quoted, plain in _GTF_ATTRIBUTE.findall(line.attributes)}
    owner = attributes.get("transcript_id", "")
    if not owner:
        raise InputError(
            f"{path} line {line.number}: this {line.type} has no transcript_id (found '{line.attributes[:60]}'), "
            f'expected GTF (transcript_id "t1";) or GFF3 (Parent=t1).'
        )
    return [(owner, attributes.get("gene_id", ""), attributes.get("gene_name") or attributes.get("gene", ""))]


def _gff3_attributes(text: str) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in text.split(";"))
    return {
        # a Parent may be a list, so it is decoded after it is split at commas
        key.strip(): value.strip() if key.strip() == "Parent" else unquote(value.strip())
        for key, equals, value in pairs
        if equals
    }


def _gene_of(owner: str, features: dict[str, dict[str, str]]) -> tuple[str, str]:
    """Return the id and name of a transcript's gene."""
    top, seen = owner, {owner}
    while (parent := unquote(features.get(top, {}).get("Parent", "").split(",")[0])) and parent not in seen:
        seen.add(parent)
        top = parent
    own, gene = features.get(owner, {}), features.get(top, {})
    if top == owner:  # no parent: StringTie and gffread name the gene in the transcript's line
        return own.get("geneID") or own.get("gene_id") or owner, own.get("gene_name") or own.get("gene", "")
    name = gene.get("gene_name") or gene.get("gene") or gene.get("Name") or own.get("gene_name", "")
    # NCBI writes ID=gene-NAME
    return (name if top == f"gene-{name}" else top), name


def _lines(path: Path) -> Iterator[_Line]:
    """Yield the features of a file after checking the columns that are used."""
    try:
        with open_text(path) as file:
            for number, text in enumerate(file, 1):
                if text.startswith("##FASTA"):
                    return
                if text.startswith("#") or not text.strip():
                    continue
                cells = text.rstrip("\r\n").split("\t")
                if len(cells) != 9:
                    raise InputError(
                        f"{path} line {number}: has {len(cells)} columns (it starts with '{text.strip()[:40]}'), "
                        f"expected the 9 columns of GTF or GFF3, separated by tabs."
                    )
                if not (cells[3].isdecimal() and cells[4].isdecimal() and 1 <= int(cells[3]) <= int(cells[4])):
                    raise InputError(
                        f"{path} line {number}: runs from '{cells[3]}' to '{cells[4]}', expected two whole numbers "
                        f"of at least 1, the smaller one first."
                    )
                strand = cells[6] if cells[6] in ("+", "-") else "."
                yield _Line(number, cells[0], cells[2], int(cells[3]) - 1, int(cells[4]), strand, cells[8].strip())
    except (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError) as error:
        raise InputError(
            f"{path}: the compressed file is truncated or damaged ({error}). Fetch the annotation again."
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text ({error}), expected GTF or GFF3, plain or gzipped.") from error
    except OSError as error:
        raise InputError(f"{path}: the annotation cannot be read ({error.strerror or error}).") from error

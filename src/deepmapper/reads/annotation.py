"""Gene annotation: transcripts and exons from GTF or GFF3, under the ids of the FASTA files.

Standard library only.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from ..errors import InputError
from .fasta import open_text

# Ids whose last number is the version of a record. Elsewhere it tells isoforms apart (AT1G01010.1, MSTRG.5.2).
_VERSIONED = re.compile(r"(ENS[A-Z]*\d{11}|[NX][MR]_\d+)\.\d+(_PAR_Y)?")

_PREFIX = re.compile(r"(transcript:|gene:|rna-(?=[NX][MR]_))")  # of ids in the GFF3 files of Ensembl and NCBI

_DATABASE = re.compile(r"(?:gi\|\d+\|)?(?:ref|gb|emb|dbj|lcl|gnl|tpg)\|([^|]+)", re.IGNORECASE)  # NCBI's old headers

_PARTS_OF_CODING = {"cds", "stop_codon", "utr", "5utr", "3utr", "five_prime_utr", "three_prime_utr"}

_PROTEINS = {"protein", "polypeptide"}

_GTF_ATTRIBUTE = re.compile(r'([\w.:-]+)\s+(?:"([^"]*)"|([^\s;]+))\s*(?:;|$)')


@dataclass(frozen=True)
class Transcript:
    """One transcript of an annotation.

    Attributes
    ----------
    id, gene_id, gene_name
        Cleaned by `clean_id`; the name is empty where the annotation has none.
    chrom, strand
        As annotated; strand "+", "-" or ".".
    exons
        (start, end) in the genome, 0-based and half-open, sorted, not touching.
    """

    id: str
    gene_id: str
    gene_name: str
    chrom: str
    strand: str
    exons: tuple[tuple[int, int], ...]


@dataclass
class _Pieces:
    gene_id: str = ""
    gene_name: str = ""
    exons: list[tuple[int, int]] = field(default_factory=list)
    coding: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True)
class _Line:
    """One feature of a file, its place 0-based and half-open."""

    number: int
    chrom: str
    type: str
    start: int
    end: int
    strand: str
    attributes: str


def clean_id(header_or_name: str, strip_versions: bool = False) -> str:
    """Return the id of a FASTA header, or of an annotation's entry.

    The header counts up to its first space; GENCODE's ``id|gene|...`` up to its first bar; NCBI's ``gi|1|ref|id|`` and
    Ensembl's ``transcript:id`` lose what comes before the id.

    Parameters
    ----------
    header_or_name
        Without the '>'.
    strip_versions
        Whether to take the version off ids of Ensembl, GENCODE and RefSeq (ENST00000335137.4). The number behind
        any other id stays: in AT1G01010.1 it tells the isoform.
    """
    name = (header_or_name.split(maxsplit=1) or [""])[0]
    name = _PREFIX.sub("", name, count=1) if _PREFIX.match(name) else name
    if database := _DATABASE.match(name):
        name = database[1]
    name = name.split("|", 1)[0]
    return strip_version(name) if strip_versions else name


def strip_version(name: str) -> str:
    """Take the version off an id of Ensembl, GENCODE or RefSeq; any other stays as it is."""
    found = _VERSIONED.fullmatch(name)
    return found[1] + (found[2] or "") if found else name


def read_annotation(path: str | Path) -> list[Transcript]:
    """Read the transcripts of a GTF or GFF3 file, plain or gzipped; which of the two, its attributes tell.

    Parts of coding sequence and untranslated regions stand for the exons of a transcript that has none. A transcript
    of GFF3 is whatever exons have as `Parent`; its gene is the top of its parents, which may be the transcript
    itself. A transcript that lies in two places is listed for each.

    Raises
    ------
    InputError
        Naming the line, if the file is neither, is damaged, or holds no exon.
    """
    pieces: dict[tuple[str, str, str], _Pieces] = {}
    features: dict[str, dict[str, str]] = {}
    gff3 = None
    for line in _lines(Path(path)):
        if gff3 is None and line.attributes not in ("", "."):
            gff3 = bool(re.match(r"[^\s=\";]+=", line.attributes))
        part = line.type.lower()
        is_exon = part.endswith("exon")
        if is_exon or part in _PARTS_OF_CODING:
            for owner, gene_id, gene_name in _owners(line, bool(gff3), path):
                one = pieces.setdefault((owner, line.chrom, line.strand), _Pieces(gene_id, gene_name))
                (one.exons if is_exon else one.coding).append((line.start, line.end))
        elif gff3:
            attributes = _gff3_attributes(line.attributes)
            if "ID" in attributes:
                features.setdefault(attributes["ID"], {**attributes, "type": part})
    transcripts = [
        _transcript(key, one, features if gff3 else None)
        for key, one in pieces.items()
        if features.get(key[0], {}).get("type") not in _PROTEINS
    ]
    if not transcripts:
        raise InputError(f"{path}: holds no exon, expected a GTF or GFF3 file with the exons of transcripts.")
    return transcripts


def _transcript(key: tuple[str, str, str], pieces: _Pieces, features: dict[str, dict[str, str]] | None) -> Transcript:
    owner, chrom, strand = key
    gene_id, gene_name = pieces.gene_id, pieces.gene_name
    if features is not None:
        gene_id, gene_name = _gene_of(owner, features)
    merged: list[tuple[int, int]] = []
    for start, end in sorted(pieces.exons or pieces.coding):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return Transcript(clean_id(owner), clean_id(gene_id), gene_name, chrom, strand, tuple(merged))


def _owners(line: _Line, gff3: bool, path: str | Path) -> list[tuple[str, str, str]]:
    """Return the transcripts that a piece belongs to, with gene id and name where the line has them (GTF)."""
    if gff3:
        attributes = _gff3_attributes(line.attributes)
        owners = [owner for owner in attributes.get("Parent", "").split(",") if owner] or [attributes.get("ID", "")]
        if owners != [""]:
            return [(unquote(owner), "", "") for owner in owners]
        raise InputError(f"{path} line {line.number}: this {line.type} has no Parent, expected that of its transcript.")
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
        # commas of a Parent separate, so it is decoded later
        key.strip(): value.strip() if key.strip() == "Parent" else unquote(value.strip())
        for key, equals, value in pairs
        if equals
    }


def _gene_of(owner: str, features: dict[str, dict[str, str]]) -> tuple[str, str]:
    """Return id and name of a transcript's gene."""
    top, seen = owner, {owner}
    while (parent := unquote(features.get(top, {}).get("Parent", "").split(",")[0])) and parent not in seen:
        seen.add(parent)
        top = parent
    own, gene = features.get(owner, {}), features.get(top, {})
    if top == owner:  # no parent: StringTie and gffread name the gene beside the transcript
        return own.get("geneID") or own.get("gene_id") or owner, own.get("gene_name") or own.get("gene", "")
    name = gene.get("gene_name") or gene.get("gene") or gene.get("Name") or own.get("gene_name", "")
    # NCBI writes ID=gene-NAME
    return (name if top == f"gene-{name}" else top), name


def _lines(path: Path) -> Iterator[_Line]:
    """Yield the features of a file, checked as far as they are used."""
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
                        f"expected the 9 of GTF or GFF3, separated by tabs."
                    )
                if not (cells[3].isdecimal() and cells[4].isdecimal() and 1 <= int(cells[3]) <= int(cells[4])):
                    raise InputError(
                        f"{path} line {number}: is from '{cells[3]}' to '{cells[4]}', expected two whole numbers "
                        f"from 1 on, the smaller one first."
                    )
                strand = cells[6] if cells[6] in ("+", "-") else "."
                yield _Line(number, cells[0], cells[2], int(cells[3]) - 1, int(cells[4]), strand, cells[8].strip())
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"{path}: the gzip file is cut short or damaged ({error}). Fetch the annotation again."
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text ({error}), expected GTF or GFF3, plain or gzipped.") from error
    except OSError as error:
        raise InputError(f"{path}: the annotation cannot be read ({error.strerror or error}).") from error

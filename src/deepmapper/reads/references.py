"""Reference genome, transcripts and annotation: read in the usual formats, written with matching ids.

Standard library, Biopython and, to extract transcripts from a genome, gffread.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice, pairwise
from pathlib import Path
from typing import IO

from ..core.files import atomic_write
from ..core.match_names import strip_version
from ..core.programs import run_tool
from ..core.words import listed, some_names
from ..errors import DeepMapperWarning, InputError, ToolFailed
from .annotation import Transcript, clean_id, read_annotation, write_gtf
from .chromosomes import Place, place_annotation, write_places
from .denovo import PREFIX, is_denovo
from .fasta import Record, read_fasta, write_fasta
from .reference_records import genome_records, transcript_records

_HEADER_GENE = re.compile(r"(?:^|[\s\[])gene[:=]([^\s\]]+)")

_HEADER_SYMBOL = re.compile(r"\sgene_symbol:(\S+)")

_NOTABLE_SHARE = 0.1  # share of transcripts without a gene from which a warning is given; chosen by hand

_MIN_INTRON = 6  # nt; HISAT2's own script counts shorter gaps as part of the exon

_MIN_SPAN = 11  # nt in the genome; gffread writes no shorter transcripts, and they could not be counted


def prepare_genome(out: str | Path, *, genome: str | Path) -> int:
    """Write a genome as plain FASTA; each header is only the id, the first word of the original header.

    Returns
    -------
    int
        Number of sequences.

    Raises
    ------
    InputError
        If an id occurs twice, or the file is not a FASTA of nucleotides, or of transcripts.
    """
    return write_fasta(out, _unique(genome_records(genome), lambda record: record.name, genome))


def prepare_transcripts(
    out: str | Path,
    *,
    transcripts: str | Path = "",
    genome: str | Path = "",
    annotation: str | Path = "",
    chromosome_names: str | Path = "auto",
    strip_versions: bool = False,
    log: IO[str] | None = None,
) -> int:
    """Write the reference transcripts with clean ids, from a FASTA or extracted from a genome by its annotation.

    Parameters
    ----------
    out
        FASTA whose headers are only ids (see `clean_id`).
    transcripts
        FASTA, plain or gzipped. If given, `genome` and `annotation` are not used.
    genome, annotation
        FASTA, and GTF or GFF3, plain or gzipped; gffread joins the exons.
    chromosome_names
        See `place_annotation`.
    strip_versions
        See `clean_id`.
    log
        Receives counts and gffread's output; None for standard error.

    Returns
    -------
    int
        Number of transcripts. Sequences with several ids are kept, and counted in the log.

    Raises
    ------
    InputError
        If an id occurs twice or starts with ``DENOVO_``, the prefix of novel transcripts; a sequence is not
        nucleotides; no sequence of the annotation is in the genome; or neither source is given.
    BioToolUnavailable, ToolFailed
        If gffread is needed and is missing or fails.
    """
    if transcripts:
        return _write_transcripts(out, transcripts, strip_versions, log)
    if not (genome and annotation):
        raise InputError(
            "neither transcripts nor a genome with its annotation are given, expected a FASTA of transcripts, or both "
            "a FASTA of the genome and a GTF or GFF3 file."
        )
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        work = Path(folder)
        # gffread cannot read gzip, writes an index next to the genome, and fails on many other features that
        # annotations hold: it gets plain files, and only the exons
        prepare_genome(work / "genome.fa", genome=genome)
        placed = place_annotation(
            annotation, work / "genome.fa", chromosome_names=chromosome_names, origin=genome, log=log
        )
        kept = _extractable(placed.within(), annotation, log)
        _write_exons(work / "exons.gtf", kept)
        run_tool(
            ["gffread", "-w", "transcripts.fa", "-g", "genome.fa", "exons.gtf"],
            folder=work,
            log=log,
            advice=f"Check that {annotation} is GTF or GFF3 and belongs to {genome}.",
        )
        return _write_transcripts(
            out, work / "transcripts.fa", strip_versions, log, origin=annotation, expected=len(kept)
        )


def names_genes(transcripts: str | Path) -> bool:
    """Whether the headers of a FASTA name genes, judging by its first records; false if it cannot be read."""
    with suppress(InputError):
        return bool(transcripts) and any(_header_gene(record)[0] for record in islice(read_fasta(transcripts), 100))
    return False


def write_transcript_to_gene(
    out: str | Path,
    *,
    transcripts_fasta: str | Path,
    annotation: str | Path = "",
    transcripts: str | Path = "",
    strip_versions: bool = False,
    log: IO[str] | None = None,
) -> int:
    """Write the gene of each reference transcript: transcript_id, gene_id, gene_name (tab-separated, with a header).

    Parameters
    ----------
    out
        The table, in the order of `transcripts_fasta`. Transcripts without a known gene are omitted, and counted in
        the log.
    transcripts_fasta
        The prepared transcripts, whose ids the table uses.
    annotation
        GTF or GFF3 with the genes. Ids match as they are, or else without the versions of Ensembl and RefSeq.
    transcripts
        Used without an annotation: FASTA whose headers name the genes (Ensembl, GENCODE, gffread); default
        `transcripts_fasta`.
    strip_versions
        Whether to remove the versions of gene ids too.
    log
        None for standard error.

    Returns
    -------
    int
        Number of transcripts in the table.

    Raises
    ------
    InputError
        If an annotation is given and has none of the transcripts.

    Warns
    -----
    DeepMapperWarning
        If the genes of many transcripts are unknown.
    """
    genes: dict[str, tuple[str, str]] = {}
    for name, gene_id, gene_name in _known_genes(annotation, transcripts or transcripts_fasta):
        if gene_id:
            genes.setdefault(name, (gene_id, gene_name))
    versionless = {strip_version(name): gene for name, gene in reversed(genes.items())}
    rows, unknown = [], []
    for record in read_fasta(transcripts_fasta, "FASTA file of transcripts"):
        if gene := genes.get(record.name) or versionless.get(strip_version(record.name)):
            rows.append((record.name, strip_version(gene[0]) if strip_versions else gene[0], gene[1]))
        else:
            unknown.append(record.name)
    source = annotation or f"the headers of {transcripts or transcripts_fasta}"
    text = f"{source}: gene known for {len(rows)} transcripts, unknown for {len(unknown)}"
    if n_versions := sum(name not in genes for name, _, _ in rows):
        text += f"; {n_versions} matched although the version of the id differs"
    print(text, file=log or sys.stderr)
    if annotation and len(unknown) > _NOTABLE_SHARE * (len(rows) + len(unknown)):
        _judge_unknown_genes(len(rows), unknown, genes, annotation, transcripts or transcripts_fasta)
    with atomic_write(out) as tmp, tmp.open("w") as file:
        file.write("transcript_id\tgene_id\tgene_name\n")
        file.writelines("\t".join(row) + "\n" for row in rows)
    return len(rows)


def write_splice_sites(
    out: str | Path,
    *,
    annotation: str | Path = "",
    genome: str | Path = "",
    chromosome_names: str | Path = "auto",
    chromosomes: str | Path = "",
    gtf: str | Path = "",
    log: IO[str] | None = None,
) -> int:
    """Write known splice sites in HISAT2's format (``--known-splicesite-infile``).

    Parameters
    ----------
    out
        One intron per row: sequence, last base of the exon before it, first base of the exon after it (both 0-based),
        strand; sorted and unique. Empty without an annotation.
    annotation
        GTF or GFF3.
    genome
        FASTA of the annotated genome; "" skips this check.
    chromosome_names
        See `place_annotation`.
    chromosomes
        Receives the names of the sequences in the annotation and in the genome (see `write_places`); "" for none.
    gtf
        Receives the transcripts with the genome's names of sequences, without those on other sequences; "" for none.
    log
        None for standard error.

    Returns
    -------
    int
        Number of splice sites.

    Source
    ------
    ``hisat2_extract_splice_sites.py`` of HISAT2, which reads only GTF.
    """
    sites: set[tuple[str, int, int, str]] = set()
    transcripts: list[Transcript] = []
    places: list[Place] = []
    if annotation:
        if genome:
            placed = place_annotation(annotation, genome, chromosome_names=chromosome_names, log=log)
            transcripts, places = placed.within(), placed.places
        else:
            transcripts = read_annotation(annotation)
        for transcript in transcripts:
            if transcript.strand == ".":
                continue  # a splice site needs a strand
            for (_, left), (right, _) in pairwise(transcript.exons):
                if right - left >= _MIN_INTRON:
                    sites.add((transcript.chrom, left - 1, right, transcript.strand))
    with atomic_write(out) as tmp, tmp.open("w") as file:
        file.writelines(f"{chrom}\t{left}\t{right}\t{strand}\n" for chrom, left, right, strand in sorted(sites))
    if chromosomes:
        write_places(chromosomes, places)
    if gtf:
        write_gtf(gtf, transcripts)
    return len(sites)


def _write_transcripts(
    out: str | Path,
    source: str | Path,
    strip_versions: bool,
    log: IO[str] | None,
    origin: str | Path = "",
    expected: int | None = None,
) -> int:
    """Write `expected` transcripts with clean ids; `origin` is the file to name in messages."""
    origin = origin or source
    digests: list[bytes] = []

    def cleaned() -> Iterator[tuple[str, str]]:
        records = transcript_records(source)
        for name, sequence in _unique(records, lambda record: clean_id(record.header, strip_versions), origin):
            if not name or is_denovo(name):
                raise InputError(
                    f"{origin}: a transcript is called '{name}', expected an id that does not start with '{PREFIX}', "
                    f"which marks novel transcripts. Rename it."
                )
            digests.append(hashlib.blake2b(sequence.encode(), digest_size=16).digest())
            yield name, sequence.replace("U", "T")
        if not digests:
            raise InputError(f"{origin}: holds no transcripts, expected at least one.")
        if expected not in (None, len(digests)):
            raise ToolFailed(
                f"gffread wrote {len(digests)} of the {expected} transcripts of {origin}, expected all. Run it again."
            )

    count = write_fasta(out, cleaned())
    identical = count - len(set(digests))
    text = f"{origin}: {count} transcripts, {identical} of them with the sequence of an earlier one"
    print(text, file=log or sys.stderr)
    return count


def _unique(records: Iterable[Record], name_of, path: str | Path) -> Iterator[tuple[str, str]]:
    """Yield (name, sequence) of each record; raise at the end if any name occurred more than once."""
    first: dict[str, str] = {}
    repeated: dict[str, str] = {}
    for record in records:
        name = name_of(record)
        if name in first:
            repeated.setdefault(name, f"{name} ('>{first[name][:60]}' and '>{record.header[:60]}')")
            continue
        first[name] = record.header
        yield name, record.sequence
    if repeated:
        raise InputError(
            f"{path}: {len(repeated)} {'id occurs' if len(repeated) == 1 else 'ids occur'} more than once: "
            f"{listed(list(repeated.values()))}. Expected every id (the header up to the first space or bar) once. "
            f"Remove or rename one of each."
        )


def _extractable(transcripts: list[Transcript], annotation: str | Path, log: IO[str] | None) -> list[Transcript]:
    """Return the transcripts that gffread will write; every id must have one place."""
    places: dict[str, set[str]] = {}
    for transcript in transcripts:
        place = f"{transcript.chrom}:{transcript.exons[0][0] + 1} ({transcript.strand})"
        places.setdefault(transcript.id, set()).add(place)
    if repeated := [f"{name} at {' and '.join(sorted(own))}" for name, own in places.items() if len(own) > 1]:
        raise InputError(
            f"{annotation}: {len(repeated)} transcript {'id has' if len(repeated) == 1 else 'ids have'} more "
            f"than one place: {some_names(repeated)}. Expected every id once. Remove or rename one of each, or give a "
            f"FASTA of transcripts."
        )
    kept = [t for t in transcripts if t.exons[-1][1] - t.exons[0][0] >= _MIN_SPAN]
    if len(kept) < len(transcripts):
        text = f"{len(transcripts) - len(kept)} transcripts of less than {_MIN_SPAN} nt omitted"
        print(f"{annotation}: {text}", file=log or sys.stderr)
    return kept


def _write_exons(out: Path, transcripts: Iterable[Transcript]) -> None:
    with out.open("w") as file:
        for t in transcripts:
            attributes = f'transcript_id "{t.id}"; gene_id "{t.gene_id or t.id}";'
            for start, end in t.exons:
                file.write(f"{t.chrom}\t.\texon\t{start + 1}\t{end}\t.\t{t.strand}\t.\t{attributes}\n")


def _known_genes(annotation: str | Path, transcripts: str | Path) -> Iterator[tuple[str, str, str]]:
    """Yield transcript id, gene id and gene name."""
    if annotation:
        for transcript in read_annotation(annotation):
            yield transcript.id, transcript.gene_id, transcript.gene_name
    else:
        for record in read_fasta(transcripts, "FASTA file of transcripts"):
            yield (clean_id(record.header), *_header_gene(record))


def _judge_unknown_genes(
    n_found: int, unknown: Sequence[str], annotated: Iterable[str], annotation: str | Path, fasta: str | Path
) -> None:
    """Warn that an annotation lacks many of the transcripts of a FASTA; refuse one that lacks all."""
    text = (
        f"{annotation}: has no gene for {len(unknown)} of the {n_found + len(unknown)} transcripts of {fasta} "
        f"({some_names(unknown, 3)}); its own are called {some_names(annotated, 3)}."
    )
    if not n_found:
        raise InputError(
            f"{text} Give the annotation of these transcripts as reference.annotation, or leave out "
            "reference.transcripts: they are then taken from the genome."
        )
    warnings.warn(f"{text} Each of them counts as a gene of its own.", DeepMapperWarning, stacklevel=3)


def _header_gene(record: Record) -> tuple[str, str]:
    """Return the gene id and name in a header: GENCODE's ``id|gene|...|...|...|name|``, or Ensembl's ``gene:``."""
    fields = record.name.split("|")
    if len(fields) >= 6 and fields[1]:
        return fields[1], fields[5]
    gene, symbol = _HEADER_GENE.search(record.header), _HEADER_SYMBOL.search(record.header)
    return (gene[1] if gene else "", symbol[1] if symbol else "")

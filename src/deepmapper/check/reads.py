"""A sample sheet, the first reads of every file, the reference and the programs, checked before any job."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from ..core import programs
from ..core.words import count
from ..errors import InputError
from ..io.heads import text_head
from ..reads.alignment import index_prefix
from ..reads.annotation import read_annotation
from ..reads.chromosomes import place_annotation
from ..reads.fastq import check_first_reads
from ..reads.read_kinds import unit_caution
from ..reads.reference_records import genome_records, transcript_records
from ..reads.samples import Unit, load_samples, readable_units
from ..workflow.needed_programs import aligned_to, programs_by_rule
from ..workflow.sections import GENES_UNKNOWN, has_genes
from .design import check_design
from .embeddings import check_embeddings
from .outcome import Outcome

# Reference files up to this size are read as a whole, and of others this much; chosen by hand.
_SMALL = 16 * 2**20


def check_reads(outcome: Outcome, settings: dict, *, own_programs: bool = True) -> int:
    """Check everything that a run from reads starts with; return the number of samples that count, 0 if unknown.

    Parameters
    ----------
    outcome
        Receives what is found.
    settings
        The checked configuration.
    own_programs
        Whether jobs use the programs of this machine, not those of conda.
    """
    labels = settings["labels"]
    samples = outcome.attempt(
        load_samples,
        settings["sample_sheet"],
        settings["samples"],
        label_column=labels["column"],
        group_column=labels["group"],
        exclude=labels["exclude"],
        missing=labels["missing"],
        na_values=labels["na_values"],
    )
    check_reference(outcome, settings)
    if own_programs:
        needed = {name for names in programs_by_rule(settings, samples or ()).values() for name in names}
        outcome.attempt(programs.require, *sorted(needed))
    sheet = settings["sample_sheet"], settings["samples"]
    if samples is None:  # the files of a sheet that is at fault elsewhere are checked nevertheless
        _check_files(outcome, Outcome().attempt(readable_units, *sheet) or [])
        return 0
    units = [(sample.name, unit) for sample in samples for unit in sample.units]
    _check_files(outcome, [(name, unit) for name, unit in units if not (unit.sra or unit.bam)])
    if n_other := sum(bool(unit.sra or unit.bam) for _, unit in units):
        outcome.unread.append(f"the reads of {count(n_other, 'BAM file or run', 'BAM files and runs')}")
    pairs = sum(sample.paired for sample in samples)
    n_files = sum(len(unit.files) for _, unit in units if not (unit.sra or unit.bam))
    outcome.say("Samples", f"{len(samples)}, {pairs} paired, in {count(n_files, 'FASTQ file')}")
    obs = pd.DataFrame([sample.columns for sample in samples], index=[sample.name for sample in samples], dtype=object)
    labelled = check_design(outcome, obs, settings)
    check_embeddings(outcome, obs, labelled, None, settings)
    return len(labelled.kept) if labelled else 0


def _check_files(outcome: Outcome, units: list[tuple[str, Unit]]) -> None:
    """Check the first reads of FASTQ files."""
    for name, unit in units:
        n_before = len(outcome.faults)
        outcome.attempt(check_first_reads, unit, name)
        if len(outcome.faults) == n_before:
            outcome.add_cautions(filter(None, [outcome.attempt(unit_caution, unit)]))
    if units:
        outcome.unread.append("the reads after the first ones of every file")


def check_reference(outcome: Outcome, settings: dict) -> None:
    """Check the reference files: each for its kind, and the annotation against the genome if both are small."""
    reference = settings["reference"]
    genome, transcripts, annotation = (
        reference[key] if Path(reference[key]).is_file() else "" for key in ("genome", "transcripts", "annotation")
    )
    n_before = len(outcome.faults)
    for path, read in ((genome, genome_records), (transcripts, transcript_records), (annotation, read_annotation)):
        if path:
            outcome.attempt(_read_start, path, read)
    if reference["hisat2_index"]:
        outcome.attempt(index_prefix, reference["hisat2_index"])
    if genome and annotation and len(outcome.faults) == n_before:
        if all(Path(path).stat().st_size <= _SMALL for path in (genome, annotation)):
            names = reference["chromosome_names"]
            with Path(os.devnull).open("w") as log:
                outcome.attempt(place_annotation, annotation, genome, chromosome_names=names, log=log)
        else:
            outcome.unread.append("whether annotation and genome have the same names of chromosomes")
    if settings["features"]["level"] == "gene" and not has_genes(settings):
        outcome.add_faults([GENES_UNKNOWN])
    kinds = {"genome": "the genome", "transcripts": "the transcripts", "nothing": "nothing: all reads are assembled"}
    outcome.say("Reference", f"reads are aligned to {kinds[aligned_to(settings)]}")


def _read_start(path: str, read: Callable) -> None:
    """Read a reference file, or the beginning of a large one, with the function that the rules read it with."""
    if Path(path).stat().st_size <= _SMALL:
        for _ in read(path):
            pass
        return
    with tempfile.TemporaryDirectory(prefix="deepmapper-look-") as scratch:
        head = Path(scratch, Path(path).name)
        text_head(Path(path), head, _SMALL)
        try:
            for _ in read(head):
                pass
        except InputError as error:
            raise InputError(str(error).replace(str(head), path)) from error

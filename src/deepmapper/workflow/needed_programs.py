"""Which programs the rules on reads run, so that missing ones are reported before the first job."""

from __future__ import annotations

from collections.abc import Iterable

from ..novelty.homology import SEARCH_PROGRAMS
from ..reads.samples import Sample
from .sections import novelty_sources, searched_databases

_ASSEMBLERS = {"trinity": "Trinity", "rnaspades": "rnaspades.py"}


def aligned_to(settings: dict) -> str:
    """What reads are aligned to: "genome"; "transcripts" without a genome; "nothing" without any reference."""
    reference = settings["reference"]
    if reference["none"]:
        return "nothing"
    return "genome" if reference["genome"] or reference["hisat2_index"] else "transcripts"


def programs_by_rule(settings: dict, samples: Iterable[Sample]) -> dict[str, list[str]]:
    """Programs of each rule that a run from reads may need.

    Parameters
    ----------
    settings
        The checked configuration.
    samples
        The samples as they are given, with runs of the SRA and BAM files.
    """
    reference, units = settings["reference"], [unit for sample in samples for unit in sample.units]
    programs = {
        "screen_novelty": ["minimap2"],
        "search_homology": [SEARCH_PROGRAMS[kind] for kind in searched_databases(settings)],
        "index_salmon": ["salmon"],
        "quantify_sample": ["salmon"],
        "summarise_quality": ["multiqc"],
        "trim_reads": ["fastp"],
    }
    if "unaligned" in novelty_sources(settings):
        programs["assemble_denovo"] = [_ASSEMBLERS[settings["assembly"]["assembler"]]]
    if "aligned" in novelty_sources(settings):
        programs |= {"assemble_models": ["stringtie", "samtools"], "merge_models": ["stringtie"]}
    if aligned_to(settings) != "nothing":
        programs |= {
            "prepare_transcripts": [] if reference["transcripts"] else ["gffread"],
            "build_hisat2_index": [] if reference["hisat2_index"] else ["hisat2-build"],
            "align_reads": ["hisat2", "samtools"],
            "measure_coverage": ["samtools"],
        }
    if any(unit.sra for unit in units):
        programs["fetch_reads"] = ["prefetch", "fasterq-dump", "vdb-dump"]
    if any(unit.bam for unit in units):
        programs["extract_reads"] = ["samtools"]
    return programs

"""MultiQC report on the quality of reads, alignment and quantification. Standard library only."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from ..core.files import atomic_write
from ..core.programs import run_tool
from .fates import PLACES, read_fragments

# Sample names come from the file names below. MultiQC must not go online.
_SETTINGS = """\
title: DeepMapper, from reads to counts
intro_text: Quality of the reads (fastp), of their alignment (HISAT2) and of counting (Salmon).
show_analysis_paths: false
no_version_check: true
fastp:
  s_name_filenames: true
extra_fn_clean_exts:
  - .fastp
  - .hisat2
"""


def summarise_quality(
    out: str | Path,
    *,
    fastp: Mapping[str, Path],
    alignments: Mapping[str, Path],
    quantifications: Mapping[str, Path],
    fragments: str | Path | None = None,
    log: IO[str] | None = None,
) -> None:
    """Write a MultiQC report of all samples.

    Parameters
    ----------
    out
        The page, .html; written atomically.
    fastp, alignments, quantifications
        For each sample the folder that `trim_reads`, `align_reads` and `quantify_sample` wrote.
    fragments
        Table that `tabulate_fragments` wrote, for a section on where the fragments went; None for no such section.
    log
        Receives MultiQC's output.

    Raises
    ------
    BioToolUnavailable
        If MultiQC is missing.
    ToolFailed
        If it fails.
    """
    with tempfile.TemporaryDirectory() as scratch:
        reports = Path(scratch, "reports")
        reports.mkdir()
        for sample, folder in fastp.items():
            shutil.copy(folder / "fastp.json", reports / f"{sample}.fastp.json")
        for sample, folder in alignments.items():
            shutil.copy(folder / "hisat2.txt", reports / f"{sample}.hisat2.txt")
        for sample, folder in quantifications.items():
            shutil.copytree(folder, reports / sample)
        if fragments is not None:
            # MultiQC recognises sections by this ending
            (reports / "fragments_mqc.json").write_text(json.dumps(_fragments_section(fragments)))
        settings = Path(scratch, "multiqc.yaml")
        settings.write_text(_SETTINGS)
        page = ["--outdir", scratch, "--filename", "page.html", "--no-data-dir", "--force"]
        run_tool(["multiqc", *page, "--config", settings, reports], environment={"NO_COLOR": "1"}, log=log)
        with atomic_write(out) as tmp:
            shutil.copy(Path(scratch, "page.html"), tmp)


def _fragments_section(table: str | Path) -> dict:
    """MultiQC's custom content: bars of the four places of every sample's fragments."""
    return {
        "id": "deepmapper_fragments",
        "section_name": "Where the fragments went",
        "description": (
            "Fragments (read pairs or single reads) of every sample: counted on known transcripts, counted on novel "
            "transcripts, aligned to the genome but counted nowhere, or neither."
        ),
        "plot_type": "bargraph",
        "pconfig": {
            "id": "deepmapper_fragments_plot",
            "title": "DeepMapper: where the fragments went",
            "ylab": "Fragments",
        },
        "data": {
            row.sample: {text.capitalize(): getattr(row, place) for place, text in PLACES.items()}
            for row in read_fragments(table)
        },
    }

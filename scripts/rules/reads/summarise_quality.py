"""Rule summarise_quality: run MultiQC on the reports of fastp, HISAT2 and Salmon."""

import sys
from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.reads.quality import summarise_quality

    folders = {
        name: {Path(folder).name: Path(folder) for folder in snakemake.input[name]}
        for name in ("fastp", "alignments", "quantifications")
    }
    summarise_quality(
        snakemake.output[0], **folders, fragments=snakemake.input.get("fragments") or None, log=sys.stdout
    )

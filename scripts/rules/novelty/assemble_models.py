"""Rule assemble_models: assemble the aligned reads of a sample into transcript models."""

import sys
from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.novelty.models import assemble_models

    count = assemble_models(
        Path(snakemake.input.bam),
        Path(snakemake.input.annotation),
        Path(snakemake.output[0]),
        controls=Path(snakemake.input.controls),
        strandedness=snakemake.params.strandedness,
        paired=snakemake.params.paired,
        min_isoform_share=snakemake.params.min_isoform_share,
        threads=snakemake.threads,
        log=sys.stdout,
    )
    print(f"{count} models")

"""Rule merge_models: merge the transcript models of all samples, and keep those that the annotation lacks."""

import sys
from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.novelty.models import merge_models

    folders = dict(zip(snakemake.params.samples, map(Path, snakemake.input.models), strict=True))
    for gtf, annotation, out in (
        ("models.gtf", snakemake.input.annotation, snakemake.output.models),
        ("controls.gtf", snakemake.input.controls, snakemake.output.controls),
    ):
        count = merge_models(
            folders,
            Path(annotation),
            Path(snakemake.input.genome),
            Path(out),
            gtf=gtf,
            min_isoform_share=snakemake.params.min_isoform_share,
            min_length=snakemake.params.min_length,
            log=sys.stdout,
        )
        print(f"{gtf}: {count} models that the annotation lacks")

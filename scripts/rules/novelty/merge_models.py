"""Rule merge_models: merge the transcript models of all samples, and keep those that the annotation lacks."""

import sys
from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.novelty.models import merge_models

    folders = map(Path, snakemake.input.models)
    count = merge_models(
        dict(zip(snakemake.params.samples, folders, strict=True)),
        Path(snakemake.input.annotation),
        Path(snakemake.input.genome),
        Path(snakemake.output[0]),
        min_isoform_share=snakemake.params.min_isoform_share,
        min_length=snakemake.params.min_length,
        log=sys.stdout,
    )
    print(f"{count} models that the annotation lacks")

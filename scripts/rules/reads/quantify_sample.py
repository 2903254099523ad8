"""Rule quantify_sample: count a sample's reads per transcript of the hybrid reference."""

import sys
from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.reads.quantification import quantify_sample
    from deepmapper.reads.samples import Sample
    from deepmapper.reads.trimming import trimmed_units

    captured = snakemake.input.get("captured")
    sample = Sample.from_params(snakemake.params.sample)
    quantify_sample(
        trimmed_units(Path(snakemake.input.reads)) if snakemake.params.trimmed else sample.units,
        index=Path(snakemake.input.index),
        folder=Path(snakemake.output[0]),
        sample=sample.name,
        captured=Path(captured) if captured else None,
        strandedness=snakemake.params.get("strandedness", sample.strandedness),
        gc_bias=snakemake.params.gc_bias,
        seq_bias=snakemake.params.seq_bias,
        threads=snakemake.threads,
        log=sys.stdout,
    )

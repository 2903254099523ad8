"""Rule quantify_sample: count a sample's reads on the hybrid reference."""

import sys
from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.reads.alignment import trimmed_pairs
    from deepmapper.reads.quantification import quantify_sample
    from deepmapper.reads.samples import Sample

    sample = Sample.from_params(snakemake.params.sample)
    quantify_sample(
        trimmed_pairs(Path(snakemake.input.reads)) if snakemake.params.trimmed else sample.pairs,
        index=Path(snakemake.input.index),
        folder=Path(snakemake.output[0]),
        sample=sample.name,
        strandedness=sample.strandedness,
        gc_bias=snakemake.params.gc_bias,
        seq_bias=snakemake.params.seq_bias,
        threads=snakemake.threads,
        log=sys.stdout,
    )

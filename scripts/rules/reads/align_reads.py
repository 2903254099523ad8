"""Rule align_reads: align a sample and capture what does not align."""

import sys
from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.reads.alignment import align_reads, index_prefix, trimmed_pairs
    from deepmapper.reads.samples import Sample

    sample = Sample.from_params(snakemake.params.sample)
    counts = align_reads(
        trimmed_pairs(Path(snakemake.input.reads)) if snakemake.params.trimmed else sample.pairs,
        index=index_prefix(snakemake.params.index or snakemake.input.index),
        folder=Path(snakemake.output[0]),
        sample=sample.name,
        strandedness=sample.strandedness,
        splice_sites=Path(snakemake.input.splice_sites),
        keep_half_mapped=snakemake.params.keep_half_mapped,
        bam=snakemake.params.bam,
        threads=snakemake.threads,
        log=sys.stdout,
    )
    print(counts)

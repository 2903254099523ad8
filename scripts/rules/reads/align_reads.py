"""Rule align_reads: align the reads of a sample and capture those that do not align."""

import sys
from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.reads.alignment import align_reads, index_prefix
    from deepmapper.reads.samples import Sample
    from deepmapper.reads.trimming import trimmed_units

    bam = snakemake.output.get("bam")
    sample = Sample.from_params(snakemake.params.sample)
    splice_sites = snakemake.input.get("splice_sites")
    counts = align_reads(
        trimmed_units(Path(snakemake.input.reads)) if snakemake.params.trimmed else sample.units,
        index=index_prefix(snakemake.params.index or snakemake.input.index),
        folder=Path(snakemake.output.captured),
        sample=sample.name,
        strandedness=sample.strandedness,
        splice_sites=Path(splice_sites) if splice_sites else None,
        spliced=snakemake.params.get("spliced", True),
        keep_half_mapped=snakemake.params.keep_half_mapped,
        bam=Path(bam) if bam else None,
        threads=snakemake.threads,
        log=sys.stdout,
    )
    print(counts)

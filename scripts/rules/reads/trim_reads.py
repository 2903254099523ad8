"""Rule trim_reads: fastp over a sample; its report, and where asked the trimmed reads."""

import sys
from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.reads.alignment import trim_reads
    from deepmapper.reads.samples import Sample

    sample = Sample.from_params(snakemake.params.sample)
    trimmed = snakemake.output.get("trimmed")
    trim_reads(
        sample.pairs,
        report=Path(snakemake.output.report),
        trimmed=Path(trimmed) if trimmed else None,
        sample=sample.name,
        threads=snakemake.threads,
        log=sys.stdout,
    )

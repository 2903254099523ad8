"""Rule trim_reads: run fastp on a sample for its report and, if asked for, the trimmed reads."""

import sys
from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.reads.samples import Sample
    from deepmapper.reads.trimming import trim_reads

    sample = Sample.from_params(snakemake.params.sample)
    trimmed = snakemake.output.get("trimmed")
    trim_reads(
        sample.units,
        report=Path(snakemake.output.report),
        trimmed=Path(trimmed) if trimmed else None,
        sample=sample.name,
        threads=snakemake.threads,
        log=sys.stdout,
    )

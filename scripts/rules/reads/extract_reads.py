"""Rule extract_reads: write the reads of a BAM file as FASTQ."""

import sys
from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.reads.bam import extract_reads

    record = extract_reads(
        snakemake.input[0],
        Path(snakemake.output[0]),
        sample=snakemake.wildcards.sample,
        threads=snakemake.threads,
        log=sys.stdout,
    )
    print(record)

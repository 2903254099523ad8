"""Rule fetch_reads: fetch a run from the SRA."""

import sys
from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.reads.sra import fetch_run

    record = fetch_run(
        snakemake.wildcards.accession, Path(snakemake.output[0]), threads=snakemake.threads, log=sys.stdout
    )
    print(record)

"""Rule build_hisat2_index: index the genome for HISAT2."""

import sys
from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.reads.alignment import build_hisat2_index

    build_hisat2_index(Path(snakemake.input[0]), Path(snakemake.output[0]), threads=snakemake.threads, log=sys.stdout)

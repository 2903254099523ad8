"""Rule index_salmon: index the hybrid reference for Salmon."""

import sys
from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.reads.quantification import index_salmon

    index_salmon(
        Path(snakemake.input.fasta),
        Path(snakemake.output[0]),
        k=snakemake.params.k,
        decoys=Path(snakemake.input.decoys),
        threads=snakemake.threads,
        log=sys.stdout,
    )

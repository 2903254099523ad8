"""Rule pool_unaligned: the captured reads of all samples in one pool, each read under its sample's name."""

from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.reads.assembly import pool_unaligned

    pool_unaligned([Path(folder) for folder in snakemake.input], Path(snakemake.output[0]))

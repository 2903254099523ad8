"""Rule pool_unaligned: pool the captured reads of all samples; read names include the sample."""

from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.reads.assembly import pool_unaligned

    pool_unaligned([Path(folder) for folder in snakemake.input], Path(snakemake.output[0]))

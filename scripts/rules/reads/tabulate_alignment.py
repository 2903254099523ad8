"""Rule tabulate_alignment: tabulate the aligned and captured reads of every sample."""

from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.reads.alignment import tabulate_alignment

    tabulate_alignment([Path(folder, "counts.json") for folder in snakemake.input], Path(snakemake.output[0]))

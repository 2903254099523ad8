"""Rule tabulate_alignment: aligned and captured reads of every sample in one table."""

from pathlib import Path

from deepmapper.jobs import job

with job(snakemake):
    from deepmapper.alignment import tabulate_alignment

    tabulate_alignment([Path(folder, "counts.json") for folder in snakemake.input], Path(snakemake.output[0]))

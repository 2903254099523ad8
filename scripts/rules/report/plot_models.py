"""Rule plot_models: the models side by side."""

from deepmapper.jobs import job

with job(snakemake):
    from deepmapper import plots
    from deepmapper.tables import read_table

    plots.model_comparison(read_table(snakemake.input[0]), snakemake.output[0])

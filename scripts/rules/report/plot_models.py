"""Rule plot_models: the models side by side."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper import plots
    from deepmapper.core.tables import read_table

    plots.model_comparison(read_table(snakemake.input[0]), snakemake.output[0])

"""Rule plot_models: draw the models side by side."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.tables import read_table
    from deepmapper.plots.models import model_comparison

    model_comparison(read_table(snakemake.input[0]), snakemake.output[0])

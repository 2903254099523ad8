"""Rule plot_fragments: draw where the fragments of every sample went."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.tables import read_table
    from deepmapper.plots.fragments import fragment_fates

    fragment_fates(read_table(snakemake.input[0]), snakemake.output[0])

"""Rule plot_enrichment: draw the gene sets that are enriched in the lists and the rankings."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.tables import read_json, read_table
    from deepmapper.plots.enrichment import enriched_sets

    enriched_sets(
        read_table(snakemake.input.enrichment_table),
        snakemake.output[0],
        summary=read_json(snakemake.input.enrichment_summary),
    )

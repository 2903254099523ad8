"""Rule plot_perturbation: draw what perturbed features change."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.tables import read_json, read_table
    from deepmapper.plots.perturbation import perturbed_features

    perturbed_features(
        read_table(snakemake.input.table),
        snakemake.output[0],
        level=snakemake.params.level,
        summary=read_json(snakemake.input.summary),
        title=f"{snakemake.wildcards.model}: what changed features change",
    )

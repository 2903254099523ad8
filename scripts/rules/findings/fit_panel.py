"""Rule fit_panel: fit a small model on the significant features, and evaluate it on the test split."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.aliases import add_aliases, alias_of
    from deepmapper.core.tables import read_table, write_json, write_table
    from deepmapper.features.store import open_features
    from deepmapper.findings.panel import fit_run_panel

    table = read_table(snakemake.input.features_table)
    panel = fit_run_panel(
        open_features(snakemake.input.features, snakemake.input.get("kinds")),
        table,
        n_resamples=snakemake.params.resamples,
        seed=snakemake.params.split_seed,
    )
    print(panel.summary["statement"])
    write_json(panel.summary, snakemake.output.panel_summary)
    write_table(add_aliases(panel.members, alias_of(table)), snakemake.output.panel_table)

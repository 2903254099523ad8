"""Rule fit_evidence_panel: fit a panel of the top features by evidence, and test it on the test split."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.aliases import add_aliases, alias_of
    from deepmapper.core.tables import read_json, read_table, write_json, write_table
    from deepmapper.evidence.panel import fit_evidence_panel
    from deepmapper.features.store import open_features
    from deepmapper.io.expression import open_expression

    inputs, params = snakemake.input, snakemake.params
    summary, members = fit_evidence_panel(
        open_features(inputs.features, inputs.get("kinds")),
        open_expression(inputs.expression),
        read_table(inputs.evidence_table),
        read_json(inputs.evidence_summary),
        params.options,
        min_detected=params.min_detected,
        n_resamples=params.resamples,
        seed=params.seed,
        progress=lambda line: print(line, flush=True),
    )
    print(summary["statement"])
    write_json(summary, snakemake.output.panel_summary)
    write_table(add_aliases(members, alias_of(read_table(inputs.aliases))), snakemake.output.panel_table)

"""Rule fit_evidence_panel: as many of the first features by evidence as tell the classes best, on the test split."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.tables import read_json, read_table, write_json, write_table
    from deepmapper.evidence.panel import fit_evidence_panel
    from deepmapper.features.store import open_features
    from deepmapper.io.expression import open_expression

    given, params = snakemake.input, snakemake.params
    summary, members = fit_evidence_panel(
        open_features(given.features),
        open_expression(given.expression),
        read_table(given.evidence_table),
        read_json(given.evidence_summary),
        params.options,
        min_detected=params.min_detected,
        n_resamples=params.resamples,
        seed=params.seed,
        progress=lambda line: print(line, flush=True),
    )
    print(summary["statement"])
    write_json(summary, snakemake.output.panel_summary)
    write_table(members, snakemake.output.panel_table)

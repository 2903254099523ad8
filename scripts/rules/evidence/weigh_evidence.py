"""Rule weigh_evidence: between which classes each feature differs, and whether those it moves with differ likewise."""

from deepmapper.jobs import job

with job(snakemake):
    from deepmapper.evidence import weigh_run
    from deepmapper.matrix_files import open_expression
    from deepmapper.store import open_features
    from deepmapper.tables import write_json, write_table

    table, summary = weigh_run(
        open_features(snakemake.input.features),
        open_expression(snakemake.input.expression),
        snakemake.params.options,
        min_detected=snakemake.params.min_detected,
        seed=snakemake.params.seed,
        tell=lambda line: print(line, flush=True),
    )
    print(summary["statement"])
    write_table(table, snakemake.output.evidence_table)
    write_json(summary, snakemake.output.evidence_summary)

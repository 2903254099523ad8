"""Rule weigh_evidence: rank the features by their differences between classes and those of correlated features."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.aliases import add_aliases, alias_of
    from deepmapper.core.tables import read_table, write_json, write_table
    from deepmapper.evidence.rank import rank_run
    from deepmapper.features.store import open_features
    from deepmapper.io.expression import open_expression

    table, summary = rank_run(
        open_features(snakemake.input.features, snakemake.input.get("kinds")),
        open_expression(snakemake.input.expression),
        snakemake.params.options,
        min_detected=snakemake.params.min_detected,
        seed=snakemake.params.seed,
        progress=lambda line: print(line, flush=True),
    )
    print(summary["statement"])
    write_table(add_aliases(table, alias_of(read_table(snakemake.input.aliases))), snakemake.output.evidence_table)
    write_json(summary, snakemake.output.evidence_summary)

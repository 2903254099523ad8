"""Rule test_differential: test every feature between the classes, one by one."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.aliases import add_aliases, alias_of
    from deepmapper.core.tables import read_table, write_json, write_table
    from deepmapper.differential.run import run_differential
    from deepmapper.features.store import open_features
    from deepmapper.io.expression import open_expression

    found = run_differential(
        open_features(snakemake.input.features, snakemake.input.get("kinds")),
        open_expression(snakemake.input.expression),
        snakemake.params.options,
        level=snakemake.params.level,
        seed=snakemake.params.seed,
        n_threads=snakemake.threads,
        progress=lambda line: print(line, flush=True),
    )
    print(found.summary["statement"])
    aliases = alias_of(read_table(snakemake.input.aliases))
    write_table(add_aliases(found.table, aliases), snakemake.output.differential_table)
    write_table(add_aliases(found.markers, aliases), snakemake.output.markers_table)
    write_table(found.features, snakemake.output.differential_features)
    write_json(found.summary, snakemake.output.differential_summary)

"""Rule join_features: join the ranking of a model with all other findings about its features."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.aliases import ALIAS, add_aliases, alias_of
    from deepmapper.core.stage_schemas import CHORD_FEATURES
    from deepmapper.core.tables import read_json, read_table, write_json, write_table
    from deepmapper.findings.feature_join import JOINED, join_findings

    given = snakemake.input
    joined = join_findings(
        read_table(given.ranking),
        read_json(given.ranking_summary),
        significance=read_table(given.significance_table),
        stability=read_table(given.stability_table),
        evidence=read_table(given.evidence_table).drop(columns=ALIAS, errors="ignore"),
        differential=read_table(given.differential_features),
        audit=read_table(given.audit_table),
        chord_features=read_table(given.chord_features, CHORD_FEATURES),
        chords=read_table(given.chords),
        recommended=read_table(given.recommended),
        summaries={name: read_json(given[f"{name}_summary"]) for name in JOINED},
    )
    print(*joined.lines, sep="\n")
    aliases = alias_of(read_table(given.aliases))
    write_table(add_aliases(joined.features, aliases), snakemake.output.features)
    write_json(joined.summary, snakemake.output.summary)

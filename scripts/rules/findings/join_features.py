"""Rule join_features: join the ranking of a model with all other findings about its features."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.reads_schemas import NOVEL
    from deepmapper.core.stage_schemas import CHORD_FEATURES
    from deepmapper.core.tables import read_json, read_table, write_json, write_table
    from deepmapper.findings.aliases import add_aliases
    from deepmapper.findings.feature_join import JOINED, join_findings
    from deepmapper.io.expression import open_expression

    given = snakemake.input
    novel = read_table(given.novel, NOVEL).set_index("name")["alias"].to_dict() if given.get("novel") else {}
    joined = join_findings(
        read_table(given.ranking),
        read_json(given.ranking_summary),
        significance=read_table(given.significance_table),
        stability=read_table(given.stability_table),
        evidence=read_table(given.evidence_table),
        differential=read_table(given.differential_features),
        audit=read_table(given.audit_table),
        chord_features=read_table(given.chord_features, CHORD_FEATURES),
        chords=read_table(given.chords),
        recommended=read_table(given.recommended),
        summaries={name: read_json(given[f"{name}_summary"]) for name in JOINED},
    )
    print(*joined.lines, sep="\n")
    features = add_aliases(joined.features, open_expression(given.expression).var, novel)
    write_table(features, snakemake.output.features)
    write_json(joined.summary, snakemake.output.summary)

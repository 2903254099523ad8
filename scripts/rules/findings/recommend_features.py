"""Rule recommend_features: order all features by everything that ranks them, and say which to report."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.reads_schemas import NOVEL
    from deepmapper.core.tables import read_json, read_table, write_json, write_table
    from deepmapper.findings.aliases import add_aliases
    from deepmapper.findings.recommended import network_result, recommend
    from deepmapper.io.expression import open_expression

    given = snakemake.input
    novel = read_table(given.novel, NOVEL).set_index("name")["alias"].to_dict() if given.get("novel") else {}
    tables = [map(read_table, given[name]) for name in ("rankings", "significance_tables")]
    summaries = [map(read_json, given[name]) for name in ("ranking_summaries", "significance_summaries")]
    expression = open_expression(given.expression)
    found = recommend(
        [str(name) for name in expression.var.index],
        list(map(network_result, snakemake.params.models, tables[0], summaries[0], tables[1], summaries[1])),
        read_table(given.differential_features),
        read_json(given.differential_summary),
        read_table(given.evidence_table),
        snakemake.params.level,
    )
    print(found.summary["statement"], found.summary["order"], sep="\n")
    write_table(add_aliases(found.table, expression.var, novel), snakemake.output.recommended_table)
    write_json(found.summary, snakemake.output.recommended_summary)

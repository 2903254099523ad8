"""Rule recommend_features: order all features by everything that ranks them, and say which to report."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    import numpy as np

    from deepmapper.core.aliases import add_aliases, alias_of
    from deepmapper.core.tables import read_json, read_table, write_json, write_table
    from deepmapper.findings.list_convergence import assess_list
    from deepmapper.findings.recommended import network_result, recommend

    given = snakemake.input
    differential, evidence = read_table(given.differential_features), read_table(given.evidence_table)
    tables = [map(read_table, given[name]) for name in ("rankings", "significance_tables")]
    summaries = [map(read_json, given[name]) for name in ("ranking_summaries", "significance_summaries")]
    names = differential["feature"].astype(str).tolist()
    found = recommend(
        names,
        list(map(network_result, snakemake.params.models, tables[0], summaries[0], tables[1], summaries[1])),
        differential,
        read_json(given.differential_summary),
        evidence,
        snakemake.params.level,
    )
    scores = dict(zip(snakemake.params.models, map(np.load, given.pass_scores), strict=True))
    scores = {model: scores[model] for model in found.summary["models"]}
    curve, convergence = assess_list(found.table, names, scores, found.parts, snakemake.params.top_k)
    print(found.summary["statement"], found.summary["order"], convergence["statement"], sep="\n")
    write_table(curve, snakemake.output.list_convergence)
    write_table(add_aliases(found.table, alias_of(read_table(given.aliases))), snakemake.output.recommended_table)
    write_json(found.summary | {"convergence": convergence}, snakemake.output.recommended_summary)

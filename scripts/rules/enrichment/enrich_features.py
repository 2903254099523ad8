"""Rule enrich_features: test the gene sets against the list to report and the rankings."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.aliases import alias_of
    from deepmapper.core.tables import read_table, write_json, write_table
    from deepmapper.enrichment.gene_sets import read_gene_sets
    from deepmapper.enrichment.matching import match_gene_sets
    from deepmapper.enrichment.run import run_enrichment
    from deepmapper.features.store import open_features

    given, params = snakemake.input, snakemake.params
    features, aliases = open_features(given.features), alias_of(read_table(given.aliases))
    found = run_enrichment(
        features,
        [match_gene_sets(file, features.names, aliases) for file in read_gene_sets(given.gene_sets)],
        read_table(given.recommended),
        read_table(given.differential_table),
        {name: read_table(path) for name, path in zip(params.models, given.features_tables, strict=True)},
        min_size=params.min_size,
        max_size=params.max_size,
        level=params.level,
        seed=params.seed,
        progress=lambda line: print(line, flush=True),
    )
    print(found.summary["statement"])
    write_table(found.table, snakemake.output.enrichment_table)
    write_json(found.summary, snakemake.output.enrichment_summary)

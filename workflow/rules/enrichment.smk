# Gene-set enrichment of the list to report and of the rankings. Included only if gene sets are given.


# At the start of a run, so that a file of another species is refused before anything is trained.
rule match_gene_sets:
    input:
        aliases=rules.name_features.output.aliases,
        gene_sets=SETTINGS["enrichment"]["gene_sets"],
    output:
        f"{RESULTS}/findings/gene_sets.tsv",
    log:
        f"{RESULTS}/logs/match_gene_sets.log",
    benchmark:
        f"{RESULTS}/benchmarks/match_gene_sets.tsv"
    priority: 10
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        source=source_of("match_gene_sets"),
    message:
        "Finding the genes of the gene sets among the features"
    script:
        "../../scripts/rules/enrichment/match_gene_sets.py"


rule enrich_features:
    input:
        matched=rules.match_gene_sets.output[0],
        gene_sets=SETTINGS["enrichment"]["gene_sets"],
        aliases=rules.name_features.output.aliases,
        features=rules.prepare_features.output[0],
        differential_table=rules.test_differential.output.differential_table,
        recommended=rules.recommend_features.output.recommended_table,
        features_tables=expand(rules.join_features.output.features, model=MODELS),
    output:
        enrichment_table=report(
            f"{RESULTS}/findings/enrichment.tsv",
            caption="../report/enrichment_table.rst",
            category="3 Features",
            labels={"model": "all", "what": "gene sets, table"},
        ),
        enrichment_summary=f"{RESULTS}/findings/enrichment.json",
    log:
        f"{RESULTS}/logs/enrich_features.log",
    benchmark:
        f"{RESULTS}/benchmarks/enrich_features.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000, per_mb=4, max_extra=6000),
        runtime=grow(60),
    params:
        models=MODELS,
        min_size=SETTINGS["enrichment"]["min_size"],
        max_size=SETTINGS["enrichment"]["max_size"],
        level=SETTINGS["calibration"]["level"],
        seed=SETTINGS["split"]["seed"],
        source=source_of("enrich_features"),
    message:
        "Testing the gene sets"
    script:
        "../../scripts/rules/enrichment/enrich_features.py"


rule plot_enrichment:
    input:
        enrichment_table=rules.enrich_features.output.enrichment_table,
        enrichment_summary=rules.enrich_features.output.enrichment_summary,
    output:
        report(
            f"{RESULTS}/findings/enrichment.svg",
            caption="../report/enrichment.rst",
            category="3 Features",
            labels={"model": "all", "what": "enriched gene sets"},
        ),
    log:
        f"{RESULTS}/logs/plot_enrichment.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_enrichment.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        source=source_of("plot_enrichment"),
    message:
        "Drawing the enriched gene sets"
    script:
        "../../scripts/rules/report/plot_enrichment.py"

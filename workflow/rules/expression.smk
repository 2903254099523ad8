# From the expression matrix, counted or imported, to the features that every pass reads.

if not STARTS_FROM_READS:
    EXPRESSION = (
        rules.merge_shards.output.expression
        if SHARDS
        else rules.import_matrix.output[0]
    )
elif SETTINGS["features"]["level"] == "gene":
    EXPRESSION = rules.summarise_genes.output.matrix
else:
    EXPRESSION = rules.build_expression.output.matrix


# Readable names beside the ids, for all tables, pages and figures; no pass reads them.
rule name_features:
    input:
        **({"novel": rules.describe_novel.output.table} if STARTS_FROM_READS else {}),
        expression=EXPRESSION,
        table=[path for path in [symbol_table(SETTINGS)] if path],
    output:
        aliases=f"{RESULTS}/findings/aliases.tsv",
        summary=f"{RESULTS}/findings/aliases.json",
    log:
        f"{RESULTS}/logs/name_features.log",
    benchmark:
        f"{RESULTS}/benchmarks/name_features.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000, per_mb=4),
        runtime=grow(10),
    params:
        # a table is an input
        symbols="" if symbol_table(SETTINGS) else SETTINGS["features"]["symbols"],
        columns=SETTINGS["features"]["symbol_columns"],
        source=source_of("name_features"),
    message:
        "Finding the symbols of the features"
    script:
        "../../scripts/rules/features/name_features.py"


rule prepare_features:
    input:
        expression=EXPRESSION,
        signatures=[
            path
            for path in [SETTINGS["confounders"]["composition"]["signatures"]]
            if path
        ],
    output:
        directory(f"{RESULTS}/features"),
    log:
        f"{RESULTS}/logs/prepare_features.log",
    benchmark:
        f"{RESULTS}/benchmarks/prepare_features.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000, per_mb=25, max_extra=3000),
        runtime=grow(30),
    params:
        label_column=SETTINGS["labels"]["column"],
        exclude=SETTINGS["labels"]["exclude"],
        missing=SETTINGS["labels"]["missing"],
        na_values=SETTINGS["labels"]["na_values"],
        unlabelled=SETTINGS["labels"]["unlabelled"],
        group_column=SETTINGS["labels"]["group"],
        normalization=SETTINGS["features"]["normalization"],
        split_scheme=SETTINGS["split"]["scheme"],
        test_size=SETTINGS["split"]["test_size"],
        split_seed=SETTINGS["split"]["seed"],
        confounders=SETTINGS["confounders"],
        source=source_of("prepare_features"),
    message:
        "Normalising, encoding labels and setting the test split aside"
    script:
        "../../scripts/rules/features/prepare_features.py"

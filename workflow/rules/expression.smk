# From the expression matrix, counted or imported, to the features that every pass reads.

if not STARTS_FROM_READS:
    EXPRESSION = rules.import_matrix.output[0]
elif SETTINGS["features"]["level"] == "gene":
    EXPRESSION = rules.summarise_genes.output.matrix
else:
    EXPRESSION = rules.build_expression.output.matrix


rule prepare_features:
    input:
        EXPRESSION,
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

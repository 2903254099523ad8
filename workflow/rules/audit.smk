# Which features the usual filters would have discarded; independent of the models.


rule audit_filtering:
    input:
        features=rules.prepare_features.output[0],
        expression=EXPRESSION,
    output:
        audit_table=f"{RESULTS}/findings/audit_features.tsv",
        audit_notes=f"{RESULTS}/findings/audit_features.json",
    log:
        f"{RESULTS}/logs/audit_filtering.log",
    benchmark:
        f"{RESULTS}/benchmarks/audit_filtering.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000, per_mb=25, max_extra=7000),
        runtime=grow(60),
    params:
        estimated=STARTS_FROM_READS,
        source=source_of("audit_filtering"),
    message:
        "Applying the usual filters to the features"
    script:
        "../../scripts/rules/features/audit_filtering.py"

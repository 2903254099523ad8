# Differential expression: every feature tested alone, on all samples with a label. No model depends on it.


rule test_differential:
    input:
        features=rules.prepare_features.output[0],
        expression=EXPRESSION,
        aliases=rules.name_features.output.aliases,
        kinds=kinds_of,
    output:
        differential_table=f"{RESULTS}/findings/differential.tsv",
        markers_table=f"{RESULTS}/findings/markers.tsv",
        differential_features=f"{RESULTS}/findings/differential_features.tsv",
        differential_summary=f"{RESULTS}/findings/differential.json",
    log:
        f"{RESULTS}/logs/test_differential.log",
    benchmark:
        f"{RESULTS}/benchmarks/test_differential.tsv"
    conda:
        "../../envs/python.yaml"
    threads: SETTINGS["resources"]["differential_threads"]
    resources:
        mem_mb=grow(2000, per_mb=25, max_extra=14000),
        runtime=grow(240),
    params:
        options=SETTINGS["differential"],
        level=SETTINGS["calibration"]["level"],
        seed=SETTINGS["split"]["seed"],
        source=source_of("test_differential"),
    message:
        "Testing every feature between the classes"
    script:
        "../../scripts/rules/differential/test_differential.py"

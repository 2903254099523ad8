# A second ranking, from the values themselves, whatever the models.


rule weigh_evidence:
    input:
        features=rules.prepare_features.output[0],
        expression=EXPRESSION,
    output:
        table=f"{RESULTS}/findings/evidence.tsv",
        about=f"{RESULTS}/findings/evidence.json",
    log:
        f"{RESULTS}/logs/weigh_evidence.log",
    benchmark:
        f"{RESULTS}/benchmarks/weigh_evidence.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000, per_mb=25, most=7000),
        runtime=grow(60),
    params:
        options=SETTINGS["evidence"],
        min_detected=SETTINGS["calibration"]["min_detected"],
        seed=SETTINGS["split"]["seed"],
        source=source_hash("evidence", "matrix_files", "findings"),
    message:
        "Comparing every feature between the classes"
    script:
        "../../scripts/weigh_evidence.py"

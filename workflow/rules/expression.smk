# From a matrix that exists to what every pass reads.


rule import_matrix:
    input:
        matrix=[
            *filter(None, [SETTINGS["matrix"]["path"]]),
            *[p["path"] for p in SETTINGS["matrix"]["populations"]],
        ],
        table=[path for path in [SETTINGS["labels"]["table"]] if path],
    output:
        f"{RESULTS}/expression.h5ad",
    log:
        f"{RESULTS}/logs/import_matrix.log",
    benchmark:
        f"{RESULTS}/benchmarks/import_matrix.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(30),
    params:
        matrix=SETTINGS["matrix"],
        source=source_hash("io"),
    message:
        "Reading the matrix"
    script:
        "../../scripts/import_matrix.py"


rule prepare_features:
    input:
        rules.import_matrix.output[0],
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
        mem_mb=grow(4000),
        runtime=grow(30),
    params:
        label_column=SETTINGS["labels"]["column"],
        exclude=SETTINGS["labels"]["exclude"],
        missing=SETTINGS["labels"]["missing"],
        group_column=SETTINGS["labels"]["group"],
        normalization=SETTINGS["features"]["normalization"],
        test_size=SETTINGS["split"]["test_size"],
        split_seed=SETTINGS["split"]["seed"],
        source=source_hash("prepare"),
    message:
        "Normalising, coding labels and setting the test split aside"
    script:
        "../../scripts/prepare_features.py"

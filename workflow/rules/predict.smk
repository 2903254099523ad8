# `task: predict`: cells of other files, named by the model of an earlier run.

PREDICTED = []


if SETTINGS["task"] == "predict":
    PREDICTED_FROM = [
        *(SHARDS.values() or [SETTINGS["matrix"]["path"]]),
        *SETTINGS["matrix"]["new_samples"],
    ]

    rule predict_target:
        input:
            model=SETTINGS["predict"]["model"],
            embeddings=SETTINGS["predict"]["embeddings"],
            matrix=[
                str(file)
                for path in PREDICTED_FROM
                for file in files_of_prefix(path) or [path]
            ],
        output:
            target_table=f"{RESULTS}/predict/target.tsv",
            target_summary=f"{RESULTS}/predict/target.json",
            identities=f"{RESULTS}/predict/new_identities.tsv",
            genes=f"{RESULTS}/predict/target_genes.tsv",
            annotated=f"{RESULTS}/predict/target.h5ad",
        log:
            f"{RESULTS}/logs/predict_target.log",
        benchmark:
            f"{RESULTS}/benchmarks/predict_target.tsv"
        conda:
            "../../envs/python.yaml"
        threads: 1
        resources:
            mem_mb=grow(2000, per_mb=25, max_extra=6000),
            runtime=grow(60),
        params:
            paths=PREDICTED_FROM,
            matrix=import_options(SETTINGS),
            label_column=SETTINGS["labels"]["column"],
            domain_column=SETTINGS["labels"]["domain"],
            level=SETTINGS["transfer"]["level"],
            new_identities=SETTINGS["transfer"]["new_identities"],
            align=SETTINGS["transfer"]["align"],
            allowed_terms=SETTINGS["labels"]["ontology"]["allowed"],
            seed=SETTINGS["split"]["seed"],
            source=source_of("predict_target"),
        message:
            "Naming cells with the model {input.model}"
        script:
            "../../scripts/rules/target/predict_target.py"

    PREDICTED = rules.predict_target.output

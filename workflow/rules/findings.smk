# Many passes become statements.


rule accumulate_passes:
    input:
        features=rules.prepare_features.output[0],
        passes=expand(rules.train_pass.output, seed=SEEDS, allow_missing=True),
        controls=expand(
            rules.train_permuted_pass.output, seed=CONTROL_SEEDS, allow_missing=True
        ),
    output:
        features=report(
            f"{RESULTS}/findings/{{model}}/features.tsv",
            caption="../report/features_table.rst",
            category="3 Features",
            labels={"model": "{model}", "what": "table"},
        ),
        passes=report(
            f"{RESULTS}/findings/{{model}}/passes.tsv",
            caption="../report/passes_table.rst",
            category="2 Passes",
            labels={"model": "{model}", "what": "table"},
        ),
        history=f"{RESULTS}/findings/{{model}}/history.tsv",
        agreement=f"{RESULTS}/findings/{{model}}/agreement.tsv",
        summary=f"{RESULTS}/findings/{{model}}/summary.json",
    log:
        f"{RESULTS}/logs/accumulate_passes/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/accumulate_passes/{{model}}.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(60),
    params:
        top_k=SETTINGS["passes"]["top_k"],
        min_accuracy=SETTINGS["passes"]["min_accuracy"],
        source=source_hash("findings"),
    message:
        "Accumulating the passes of {wildcards.model}"
    script:
        "../../scripts/accumulate_passes.py"


rule evaluate_ensemble:
    input:
        features=rules.prepare_features.output[0],
        passes=expand(rules.train_pass.output, seed=SEEDS, allow_missing=True),
    output:
        metrics=f"{RESULTS}/findings/{{model}}/metrics.json",
        per_class=f"{RESULTS}/findings/{{model}}/per_class.tsv",
        confusion=f"{RESULTS}/findings/{{model}}/confusion.tsv",
        calibration=f"{RESULTS}/findings/{{model}}/calibration.tsv",
        predictions=f"{RESULTS}/findings/{{model}}/predictions.tsv",
        embedding=f"{RESULTS}/findings/{{model}}/embedding.npz",
    log:
        f"{RESULTS}/logs/evaluate_ensemble/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate_ensemble/{{model}}.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(60),
    params:
        min_accuracy=SETTINGS["passes"]["min_accuracy"],
        bins=SETTINGS["findings"]["ece_bins"],
        resamples=SETTINGS["findings"]["bootstrap"],
        split_seed=SETTINGS["split"]["seed"],
        source=source_hash("findings"),
    message:
        "Judging the ensemble of {wildcards.model}"
    script:
        "../../scripts/evaluate_ensemble.py"


rule fit_linear_baseline:
    input:
        features=rules.prepare_features.output[0],
    output:
        ranking=f"{RESULTS}/findings/linear_baseline/features.tsv",
        metrics=f"{RESULTS}/findings/linear_baseline/metrics.json",
        per_class=f"{RESULTS}/findings/linear_baseline/per_class.tsv",
        confusion=f"{RESULTS}/findings/linear_baseline/confusion.tsv",
        calibration=f"{RESULTS}/findings/linear_baseline/calibration.tsv",
    log:
        f"{RESULTS}/logs/fit_linear_baseline.log",
    benchmark:
        f"{RESULTS}/benchmarks/fit_linear_baseline.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(60),
    params:
        C=SETTINGS["baseline"]["C"],
        max_iter=SETTINGS["baseline"]["max_iter"],
        out_of_bag=SETTINGS["passes"]["test_size"],
        # without a test split it is judged on the draws of 30 passes, however many there are: it need not be fitted
        # again when there are more
        draws=[SETTINGS["passes"]["seed"] + i for i in range(30)],
        bins=SETTINGS["findings"]["ece_bins"],
        resamples=SETTINGS["findings"]["bootstrap"],
        split_seed=SETTINGS["split"]["seed"],
        source=source_hash("findings", "linear_baseline"),
    message:
        "Fitting logistic regression on all features"
    script:
        "../../scripts/fit_linear_baseline.py"


rule compare_models:
    input:
        summaries=expand(rules.accumulate_passes.output.summary, model=MODELS),
        metrics=expand(rules.evaluate_ensemble.output.metrics, model=MODELS),
        baseline=rules.fit_linear_baseline.output.metrics,
    output:
        report(
            f"{RESULTS}/findings/models.tsv",
            caption="../report/models_table.rst",
            category="1 Summary",
            labels={"what": "models side by side, table"},
        ),
    log:
        f"{RESULTS}/logs/compare_models.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_models.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        kinds={name: SETTINGS["models"][name]["kind"] for name in MODELS},
        source=source_hash("findings"),
    message:
        "Comparing the models"
    script:
        "../../scripts/compare_models.py"


rule annotate_expression:
    input:
        expression=EXPRESSION,
        features=rules.prepare_features.output[0],
        table=rules.accumulate_passes.output.features,
        summary=rules.accumulate_passes.output.summary,
        predictions=rules.evaluate_ensemble.output.predictions,
        embedding=rules.evaluate_ensemble.output.embedding,
        metrics=rules.evaluate_ensemble.output.metrics,
    output:
        f"{RESULTS}/findings/{{model}}/annotated.h5ad",
    log:
        f"{RESULTS}/logs/annotate_expression/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/annotate_expression/{{model}}.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(60),
    params:
        settings=lambda wildcards: deepmapper_settings.model_settings(
            SETTINGS, wildcards.model
        ),
        source=source_hash("findings"),
    message:
        "Writing the findings of {wildcards.model} into the matrix"
    script:
        "../../scripts/annotate_expression.py"

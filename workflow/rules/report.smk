# What people look at: figures, and one page that says it all in a few lines.

FIGURES = {
    "ranking": "3 Features",
    "importance_heatmap": "3 Features",
    "accuracy_references": "2 Passes",
    "learning_curves": "2 Passes",
    "agreement": "2 Passes",
    "confusion": "4 Evaluation",
    "per_class": "4 Evaluation",
    "calibration": "4 Evaluation",
    "embedding": "4 Evaluation",
}


rule plot_findings:
    input:
        features=rules.accumulate_passes.output.features,
        passes=rules.accumulate_passes.output.passes,
        history=rules.accumulate_passes.output.history,
        agreement=rules.accumulate_passes.output.agreement,
        summary=rules.accumulate_passes.output.summary,
        per_class=rules.evaluate_ensemble.output.per_class,
        confusion=rules.evaluate_ensemble.output.confusion,
        calibration=rules.evaluate_ensemble.output.calibration,
        predictions=rules.evaluate_ensemble.output.predictions,
        embedding=rules.evaluate_ensemble.output.embedding,
    output:
        **{
            name: report(
                f"{RESULTS}/findings/{{model}}/plots/{name}.svg",
                caption=f"../report/{name}.rst",
                category=category,
                labels={"model": "{model}", "what": name.replace("_", " ")},
            )
            for name, category in FIGURES.items()
        },
    log:
        f"{RESULTS}/logs/plot_findings/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_findings/{{model}}.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(30),
    params:
        top=SETTINGS["findings"]["top"],
        source=source_hash("plots", "findings"),
    message:
        "Drawing the findings of {wildcards.model}"
    script:
        "../../scripts/plot_findings.py"


rule plot_models:
    input:
        rules.compare_models.output[0],
    output:
        report(
            f"{RESULTS}/findings/models.svg",
            caption="../report/model_comparison.rst",
            category="1 Summary",
            labels={"what": "models side by side"},
        ),
    log:
        f"{RESULTS}/logs/plot_models.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_models.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        source=source_hash("plots", "findings"),
    message:
        "Drawing the models side by side"
    script:
        "../../scripts/plot_models.py"


rule write_summary:
    input:
        models=rules.compare_models.output[0],
        chart=rules.plot_models.output[0],
        features=expand(rules.accumulate_passes.output.features, model=MODELS),
        summaries=expand(rules.accumulate_passes.output.summary, model=MODELS),
        metrics=expand(rules.evaluate_ensemble.output.metrics, model=MODELS),
        baseline=rules.fit_linear_baseline.output.metrics,
    output:
        report(
            f"{RESULTS}/findings/summary.html",
            caption="../report/summary.rst",
            category="1 Summary",
            labels={"what": "in a few lines"},
        ),
    log:
        f"{RESULTS}/logs/write_summary.log",
    benchmark:
        f"{RESULTS}/benchmarks/write_summary.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        source=source_hash("report"),
        data={
            "from": DATA,
            "label": SETTINGS["labels"]["column"],
            "group": SETTINGS["labels"]["group"],
            "normalization": SETTINGS["features"]["normalization"],
        },
    message:
        "Writing the summary"
    script:
        "../../scripts/write_summary.py"

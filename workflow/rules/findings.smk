# Findings from the passes of each model, and the tables that present them.


# Whether the same number of passes again would rank the same features first.
rule judge_convergence:
    input:
        passes_of,
    output:
        convergence_table=f"{RESULTS}/findings/{{model}}/convergence.tsv",
        convergence_summary=f"{RESULTS}/findings/{{model}}/convergence.json",
    log:
        f"{RESULTS}/logs/judge_convergence/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/judge_convergence/{{model}}.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000, per_mb=4),
        runtime=grow(30),
    params:
        top_k=SETTINGS["passes"]["top_k"],
        min_accuracy=SETTINGS["passes"]["min_accuracy"],
        level=SETTINGS["passes"]["auto"]["level"],
        cap=SETTINGS["passes"]["auto"]["cap"] if SEEDS is None else None,
        source=source_of("judge_convergence"),
    message:
        "Measuring the agreement between the passes of {wildcards.model}"
    script:
        "../../scripts/rules/findings/judge_convergence.py"


# Compares every feature with shadow features, for a ranking with error rates.
rule calibrate_features:
    input:
        features=rules.prepare_features.output[0],
        passes=passes_of,
        shadows=expand(
            rules.train_shadow_pass.output, seed=SHADOW_SEEDS, allow_missing=True
        ),
    output:
        significance_table=f"{RESULTS}/findings/{{model}}/significance.tsv",
        significance_summary=f"{RESULTS}/findings/{{model}}/significance.json",
        null_table=f"{RESULTS}/findings/{{model}}/calibration_null.tsv",
        pass_scores=f"{RESULTS}/findings/{{model}}/pass_scores.npy",
    log:
        f"{RESULTS}/logs/calibrate_features/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/calibrate_features/{{model}}.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000, per_mb=4),
        runtime=grow(60),
    params:
        min_accuracy=SETTINGS["passes"]["min_accuracy"],
        level=SETTINGS["calibration"]["level"],
        min_detected=SETTINGS["calibration"]["min_detected"],
        resamples=SETTINGS["calibration"]["bootstrap"],
        seed=SETTINGS["split"]["seed"],
        source=source_of("calibrate_features"),
    message:
        "Computing error rates of the features of {wildcards.model}"
    script:
        "../../scripts/rules/findings/calibrate_features.py"


# Which features are selected on random halves of the samples again and again.
rule select_stable:
    input:
        features=rules.prepare_features.output[0],
        halves=expand(rules.train_half_pass.output, seed=HALF_SEEDS, allow_missing=True),
    output:
        stability_table=f"{RESULTS}/findings/{{model}}/stability.tsv",
        stability_summary=f"{RESULTS}/findings/{{model}}/stability.json",
    log:
        f"{RESULTS}/logs/select_stable/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/select_stable/{{model}}.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000, per_mb=4),
        runtime=grow(30),
    params:
        top_k=SETTINGS["passes"]["top_k"],
        threshold=SETTINGS["stability"]["threshold"],
        source=source_of("select_stable"),
    message:
        "Selecting stable features of {wildcards.model}"
    script:
        "../../scripts/rules/findings/select_stable.py"


# The ranking of a model from its passes alone, and whether there is signal.
rule accumulate_passes:
    input:
        features=rules.prepare_features.output[0],
        passes=passes_of,
        controls=expand(
            rules.train_permuted_pass.output, seed=CONTROL_SEEDS, allow_missing=True
        ),
        kinds=kinds_of,
    output:
        ranking=f"{RESULTS}/findings/{{model}}/ranking.tsv",
        summary=f"{RESULTS}/findings/{{model}}/ranking.json",
        passes=report(
            f"{RESULTS}/findings/{{model}}/passes.tsv",
            caption="../report/passes_table.rst",
            category="2 Passes",
            labels={"model": "{model}", "what": "table"},
        ),
        history=f"{RESULTS}/findings/{{model}}/history.tsv",
        agreement=f"{RESULTS}/findings/{{model}}/agreement.tsv",
    log:
        f"{RESULTS}/logs/accumulate_passes/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/accumulate_passes/{{model}}.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000, per_mb=4),
        runtime=grow(60),
    params:
        top_k=SETTINGS["passes"]["top_k"],
        min_accuracy=SETTINGS["passes"]["min_accuracy"],
        source=source_of("accumulate_passes"),
    message:
        "Accumulating the passes of {wildcards.model}"
    script:
        "../../scripts/rules/findings/accumulate_passes.py"


# The one list to report, from all models and the test of single features.
rule recommend_features:
    input:
        aliases=rules.name_features.output.aliases,
        rankings=expand(rules.accumulate_passes.output.ranking, model=MODELS),
        ranking_summaries=expand(rules.accumulate_passes.output.summary, model=MODELS),
        significance_tables=expand(
            rules.calibrate_features.output.significance_table, model=MODELS
        ),
        significance_summaries=expand(
            rules.calibrate_features.output.significance_summary, model=MODELS
        ),
        pass_scores=expand(rules.calibrate_features.output.pass_scores, model=MODELS),
        differential_features=rules.test_differential.output.differential_features,
        differential_summary=rules.test_differential.output.differential_summary,
        evidence_table=rules.weigh_evidence.output.evidence_table,
    output:
        recommended_table=report(
            f"{RESULTS}/findings/recommended.tsv",
            caption="../report/recommended_table.rst",
            category="1 Summary",
            labels={"model": "all", "what": "list to report, table"},
        ),
        recommended_summary=f"{RESULTS}/findings/recommended.json",
        list_convergence=f"{RESULTS}/findings/list_convergence.tsv",
    log:
        f"{RESULTS}/logs/recommend_features.log",
    benchmark:
        f"{RESULTS}/benchmarks/recommend_features.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000, per_mb=25, max_extra=3000),
        runtime=grow(10),
    params:
        models=MODELS,
        level=SETTINGS["calibration"]["level"],
        top_k=SETTINGS["passes"]["top_k"],
        source=source_of("recommend_features"),
    message:
        "Ordering the features and choosing those to report"
    script:
        "../../scripts/rules/findings/recommend_features.py"


# Joins the ranking with all other findings on the features.
rule join_features:
    input:
        recommended=rules.recommend_features.output.recommended_table,
        aliases=rules.name_features.output.aliases,
        ranking=rules.accumulate_passes.output.ranking,
        ranking_summary=rules.accumulate_passes.output.summary,
        convergence_summary=rules.judge_convergence.output.convergence_summary,
        significance_table=rules.calibrate_features.output.significance_table,
        significance_summary=rules.calibrate_features.output.significance_summary,
        stability_table=rules.select_stable.output.stability_table,
        stability_summary=rules.select_stable.output.stability_summary,
        evidence_table=rules.weigh_evidence.output.evidence_table,
        evidence_summary=rules.weigh_evidence.output.evidence_summary,
        differential_features=rules.test_differential.output.differential_features,
        differential_summary=rules.test_differential.output.differential_summary,
        audit_table=rules.audit_filtering.output.audit_table,
        chord_features=rules.screen_chords.output.chord_features,
        chords=rules.prove_chords.output.chords_table,
    output:
        features=report(
            f"{RESULTS}/findings/{{model}}/features.tsv",
            caption="../report/features_table.rst",
            category="3 Features",
            labels={"model": "{model}", "what": "table"},
        ),
        summary=f"{RESULTS}/findings/{{model}}/summary.json",
    log:
        f"{RESULTS}/logs/join_features/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/join_features/{{model}}.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000, per_mb=25, max_extra=3000),
        runtime=grow(10),
    params:
        source=source_of("join_features"),
    message:
        "Joining all findings on the features of {wildcards.model}"
    script:
        "../../scripts/rules/findings/join_features.py"


# Which findings the usual filters would have discarded.
rule audit_findings:
    input:
        features_table=rules.join_features.output.features,
        audit_table=rules.audit_filtering.output.audit_table,
        audit_notes=rules.audit_filtering.output.audit_notes,
        aliases=rules.name_features.output.aliases,
        chords=rules.prove_chords.output.chords_table,
    output:
        f"{RESULTS}/findings/{{model}}/audit.tsv",
    log:
        f"{RESULTS}/logs/audit_findings/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/audit_findings/{{model}}.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000, per_mb=25),
        runtime=grow(10),
    params:
        top=SETTINGS["passes"]["top_k"],
        source=source_of("audit_findings"),
    message:
        "Counting the findings of {wildcards.model} that filters would have lost"
    script:
        "../../scripts/rules/findings/audit_findings.py"


# Runs only for models whose passes read chords as pixels.
rule rank_chords:
    input:
        features=features_of,
        passes=passes_of,
    output:
        f"{RESULTS}/findings/{{model}}/chords.tsv",
    log:
        f"{RESULTS}/logs/rank_chords/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/rank_chords/{{model}}.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(30),
    params:
        top_k=SETTINGS["passes"]["top_k"],
        min_accuracy=SETTINGS["passes"]["min_accuracy"],
        source=source_of("rank_chords"),
    message:
        "Ranking the chords of {wildcards.model}"
    script:
        "../../scripts/rules/chords/rank_chords.py"


# Reads the test split, to evaluate a panel that is already fitted.
rule fit_panel:
    input:
        features=features_of,
        features_table=rules.join_features.output.features,
        kinds=kinds_of,
    output:
        panel_table=f"{RESULTS}/findings/{{model}}/panel.tsv",
        panel_summary=f"{RESULTS}/findings/{{model}}/panel.json",
    log:
        f"{RESULTS}/logs/fit_panel/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/fit_panel/{{model}}.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000, per_mb=25, max_extra=7000),
        runtime=grow(30),
    params:
        resamples=SETTINGS["findings"]["bootstrap"],
        split_seed=SETTINGS["split"]["seed"],
        source=source_of("fit_panel"),
    message:
        "Fitting a panel on the significant features of {wildcards.model}"
    script:
        "../../scripts/rules/findings/fit_panel.py"


# Reads the test split, to evaluate the ensemble of the passes.
rule evaluate_ensemble:
    input:
        features=features_of,
        passes=passes_of,
        kinds=kinds_of,
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
        mem_mb=grow(2000, per_mb=25, max_extra=6000),
        runtime=grow(60),
    params:
        min_accuracy=SETTINGS["passes"]["min_accuracy"],
        bins=SETTINGS["findings"]["ece_bins"],
        resamples=SETTINGS["findings"]["bootstrap"],
        split_seed=SETTINGS["split"]["seed"],
        source=source_of("evaluate_ensemble"),
    message:
        "Evaluating the ensemble of {wildcards.model}"
    script:
        "../../scripts/rules/findings/evaluate_ensemble.py"


# The reference: one exact fit on all features, evaluated on the same samples.
rule fit_linear_baseline:
    input:
        features=rules.prepare_features.output[0],
        aliases=rules.name_features.output.aliases,
        kinds=kinds_of,
    output:
        ranking=f"{RESULTS}/findings/linear_baseline/features.tsv",
        metrics=f"{RESULTS}/findings/linear_baseline/metrics.json",
        predictions=f"{RESULTS}/findings/linear_baseline/predictions.tsv",
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
        mem_mb=grow(1000, per_mb=25, max_extra=7000),
        runtime=grow(60),
    params:
        C=SETTINGS["baseline"]["C"],
        max_iter=SETTINGS["baseline"]["max_iter"],
        out_of_bag=SETTINGS["passes"]["test_size"],
        # without a test split it is evaluated out of bag on the splits of 30 passes, whatever the number of passes,
        # so that it need not be fitted again when passes are added
        draws=[SETTINGS["passes"]["seed"] + i for i in range(30)],
        bins=SETTINGS["findings"]["ece_bins"],
        resamples=SETTINGS["findings"]["bootstrap"],
        split_seed=SETTINGS["split"]["seed"],
        source=source_of("fit_linear_baseline"),
    message:
        "Fitting logistic regression on all features"
    script:
        "../../scripts/rules/findings/fit_linear_baseline.py"


# One row per model, logistic regression last.
rule compare_models:
    input:
        summaries=expand(rules.accumulate_passes.output.summary, model=MODELS),
        metrics=expand(rules.evaluate_ensemble.output.metrics, model=MODELS),
        predictions=expand(rules.evaluate_ensemble.output.predictions, model=MODELS),
        embeddings=expand(rules.evaluate_embedding.output.metrics, embedding=EMBEDDINGS),
        baseline=rules.fit_linear_baseline.output.metrics,
        baseline_predictions=rules.fit_linear_baseline.output.predictions,
        features=rules.prepare_features.output[0],
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
        source=source_of("compare_models"),
    message:
        "Comparing the models"
    script:
        "../../scripts/rules/findings/compare_models.py"


# The expression matrix with all findings, for scanpy; cells of other files that the model names are in target.h5ad.
rule annotate_expression:
    input:
        **(
            {
                "target": f"{RESULTS}/findings/{{model}}/target.tsv",
                "embedded_target": expand(EMBEDDED_TARGET, embedding=EMBEDDINGS),
            }
            if names_own_cells(SETTINGS)
            else {}
        ),
        embeddings=expand(
            rules.evaluate_embedding.output.embedding, embedding=EMBEDDINGS
        ),
        expression=EXPRESSION,
        features=rules.prepare_features.output[0],
        features_table=rules.join_features.output.features,
        summary=rules.join_features.output.summary,
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
        mem_mb=grow(1000, per_mb=25, max_extra=3000),
        runtime=grow(60),
    params:
        settings=lambda wildcards: model_settings(SETTINGS, wildcards.model),
        source=source_of("annotate_expression"),
    message:
        "Annotating the expression matrix with the findings of {wildcards.model}"
    script:
        "../../scripts/rules/findings/annotate_expression.py"

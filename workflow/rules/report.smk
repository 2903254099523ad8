# What users look at: figures, searchable tables, and a summary on one page.

from deepmapper.report import titles

# Figure of a model -> category in the report

FIGURES = {
    "ranking": "3 Features",
    "feature_maps": "3 Features",
    "pseudo_image": "3 Features",
    "importance_null": "3 Features",
    "importance_heatmap": "3 Features",
    "evidence": "3 Features",
    "audit": "3 Features",
    "accuracy_references": "2 Passes",
    "learning_curves": "2 Passes",
    "agreement": "2 Passes",
    "convergence": "2 Passes",
    "confusion": "5 Evaluation",
    "per_class": "5 Evaluation",
    "calibration": "5 Evaluation",
    "embedding": "5 Evaluation",
}


rule plot_findings:
    input:
        features=rules.prepare_features.output[0],
        passes=passes_of,
        features_table=rules.join_features.output.features,
        summary=rules.join_features.output.summary,
        passes_table=rules.accumulate_passes.output.passes,
        history_table=rules.accumulate_passes.output.history,
        agreement_table=rules.accumulate_passes.output.agreement,
        audit_table=rules.audit_findings.output[0],
        convergence_table=rules.judge_convergence.output.convergence_table,
        convergence_summary=rules.judge_convergence.output.convergence_summary,
        null_table=rules.calibrate_features.output.null_table,
        per_class_table=rules.evaluate_ensemble.output.per_class,
        confusion_table=rules.evaluate_ensemble.output.confusion,
        calibration_table=rules.evaluate_ensemble.output.calibration,
        predictions_table=rules.evaluate_ensemble.output.predictions,
        embedding=rules.evaluate_ensemble.output.embedding,
    output:
        **{
            name: report(
                f"{RESULTS}/findings/{{model}}/plots/{name}.svg",
                caption=f"../report/{name}.rst",
                category=category,
                labels={"model": "{model}", "what": titles.FIGURES[name]},
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
        source=source_of("plot_findings"),
    message:
        "Drawing the figures of {wildcards.model}"
    script:
        "../../scripts/rules/report/plot_findings.py"


rule plot_models:
    input:
        rules.compare_models.output[0],
    output:
        report(
            f"{RESULTS}/findings/models.svg",
            caption="../report/model_comparison.rst",
            category="1 Summary",
            labels={"model": "all", "what": titles.FIGURES["models"]},
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
        source=source_of("plot_models"),
    message:
        "Drawing the models side by side"
    script:
        "../../scripts/rules/report/plot_models.py"


# The figures of the data and of all models together.
rule plot_study:
    input:
        features=rules.prepare_features.output[0],
        aliases=rules.name_features.output.aliases,
        recommended=rules.recommend_features.output.recommended_table,
        features_tables=expand(rules.join_features.output.features, model=MODELS),
        differential_table=rules.test_differential.output.differential_table,
        differential_features=rules.test_differential.output.differential_features,
        differential_summary=rules.test_differential.output.differential_summary,
        markers=rules.test_differential.output.markers_table,
    output:
        **{
            name: report(
                f"{RESULTS}/findings/{name}.svg",
                caption=f"../report/{name}.rst",
                category="3 Features",
                labels={"model": "all", "what": titles.FIGURES[name]},
            )
            for name in titles.STUDY_FIGURES
        },
    log:
        f"{RESULTS}/logs/plot_study.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_study.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000, per_mb=4),
        runtime=grow(30),
    params:
        models=MODELS,
        source=source_of("plot_study"),
    message:
        "Drawing expression, tests and distances"
    script:
        "../../scripts/rules/report/plot_study.py"


rule plot_chords:
    input:
        features=rules.prepare_features.output[0],
        aliases=rules.name_features.output.aliases,
        chords=rules.prove_chords.output.chords_table,
        scores=rules.prove_chords.output.scores,
        pairs=rules.screen_chords.output.pairs,
        triplets=rules.screen_chords.output.triplets,
        screen_summary=rules.screen_chords.output.screen_summary,
    output:
        **{
            name: report(
                f"{RESULTS}/findings/{name}.svg",
                caption=f"../report/{name}.rst",
                category="4 Chords",
                labels={"model": "all", "what": titles.FIGURES[name]},
            )
            for name in titles.CHORD_FIGURES
        },
    log:
        f"{RESULTS}/logs/plot_chords.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_chords.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(10),
    params:
        source=source_of("plot_chords"),
    message:
        "Drawing the figures of the chords"
    script:
        "../../scripts/rules/report/plot_chords.py"


# Tables as pages with sorting and search.
rule write_tables:
    input:
        features=rules.join_features.output.features,
        passes=rules.accumulate_passes.output.passes,
        audit=rules.audit_findings.output[0],
    output:
        **{
            name: report(
                f"{RESULTS}/findings/{{model}}/{name}.html",
                caption=f"../report/{name}_table.rst",
                category=category,
                labels={"model": "{model}", "what": titles.TABLES[name]},
            )
            for name, category in (
                ("features", "3 Features"),
                ("passes", "2 Passes"),
                ("audit", "3 Features"),
            )
        },
    log:
        f"{RESULTS}/logs/write_tables/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/write_tables/{{model}}.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(10),
    params:
        source=source_of("write_tables"),
    message:
        "Writing the tables of {wildcards.model} as pages"
    script:
        "../../scripts/rules/report/write_tables.py"


use rule write_tables as write_shared_tables with:
    input:
        **(
            {"enrichment": rules.enrich_features.output.enrichment_table}
            if ENRICHED
            else {}
        ),
        models=rules.compare_models.output[0],
        chords=rules.prove_chords.output.chords_table,
        markers=rules.test_differential.output.markers_table,
    output:
        **{
            name: report(
                f"{RESULTS}/findings/{name}.html",
                caption=f"../report/{name}_table.rst",
                category=category,
                labels={"model": "all", "what": titles.TABLES[name]},
            )
            for name, category in (
                ("models", "1 Summary"),
                ("markers", "3 Features"),
                ("chords", "4 Chords"),
                *([("enrichment", "3 Features")] if ENRICHED else []),
            )
        },
    log:
        f"{RESULTS}/logs/write_shared_tables.log",
    benchmark:
        f"{RESULTS}/benchmarks/write_shared_tables.tsv"
    message:
        "Writing the tables of all models as pages"


# Two pages: the one to open first, and every answer with its conditions.
rule write_summary:
    input:
        **SUMMARY_INPUTS,
        **TARGET_SUMMARIES,
        **{f"{name}_figure": path for name, path in rules.plot_study.output.items()},
        **(
            {"novel_figure": expand(rules.plot_novel.output, model=MODELS)}
            if STARTS_FROM_READS
            else {}
        ),
        **PERTURBATION_RESULTS,
        **(
            {
                "enrichment_table": rules.enrich_features.output.enrichment_table,
                "enrichment_summary": rules.enrich_features.output.enrichment_summary,
                "enrichment_figure": rules.plot_enrichment.output[0],
            }
            if ENRICHED
            else {}
        ),
        features=rules.prepare_features.output[0],
        aliases=rules.name_features.output.aliases,
        symbols_summary=rules.name_features.output.summary,
        models=rules.compare_models.output[0],
        models_figure=rules.plot_models.output[0],
        chord_members_figure=rules.plot_chords.output.chord_members,
        feature_maps_figure=expand(
            rules.plot_findings.output.feature_maps, model=MODELS
        ),
        pseudo_image_figure=expand(
            rules.plot_findings.output.pseudo_image, model=MODELS
        ),
        differential_table=rules.test_differential.output.differential_table,
        features_tables=expand(rules.join_features.output.features, model=MODELS),
        summaries=expand(rules.join_features.output.summary, model=MODELS),
        metrics=expand(rules.evaluate_ensemble.output.metrics, model=MODELS),
        audit_tables=expand(rules.audit_findings.output[0], model=MODELS),
        convergence_summaries=expand(
            rules.judge_convergence.output.convergence_summary, model=MODELS
        ),
        significance_summaries=expand(
            rules.calibrate_features.output.significance_summary, model=MODELS
        ),
        stability_summaries=expand(
            rules.select_stable.output.stability_summary, model=MODELS
        ),
        panel_summaries=expand(rules.fit_panel.output.panel_summary, model=MODELS),
        baseline=rules.fit_linear_baseline.output.metrics,
        screen_summary=rules.screen_chords.output.screen_summary,
        proof_summary=rules.prove_chords.output.proof_summary,
        chords=rules.prove_chords.output.chords_table,
        evidence_panel_summary=rules.fit_evidence_panel.output.panel_summary,
        differential_summary=rules.test_differential.output.differential_summary,
        markers=rules.test_differential.output.markers_table,
        recommended=rules.recommend_features.output.recommended_table,
        recommended_summary=rules.recommend_features.output.recommended_summary,
        baseline_features=rules.fit_linear_baseline.output.ranking,
    output:
        start=report(
            f"{RESULTS}/index.html",
            caption="../report/start.rst",
            category="1 Summary",
            labels={"model": "all", "what": "first page"},
        ),
        summary=report(
            f"{RESULTS}/findings/summary.html",
            caption="../report/summary.rst",
            category="1 Summary",
            labels={"model": "all", "what": "every answer with its conditions"},
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
        **SUMMARY_PARAMS,
        source=source_of("write_summary"),
        data=escaped(
            {
                "from": DATA,
                "label": SETTINGS["labels"]["column"],
                "group": SETTINGS["labels"]["group"],
                "normalization": SETTINGS["features"]["normalization"],
            }
        ),
        reading_chords=READING_CHORDS,
        models=MODELS,
        embeddings=EMBEDDINGS,
    message:
        "Writing the summary pages"
    script:
        "../../scripts/rules/report/write_summary.py"


# No rule depends on this one. `resources` and `results` change no result, so changing them does not run it again.
rule record_run:
    input:
        expand(rules.judge_convergence.output.convergence_summary, model=MODELS),
    output:
        record=f"{RESULTS}/run.json",
        crate=f"{RESULTS}/ro-crate-metadata.json",
    log:
        f"{RESULTS}/logs/record_run.log",
    benchmark:
        f"{RESULTS}/benchmarks/record_run.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(30),
    params:
        # one parameter per section, so that Snakemake reports only those that changed
        **{
            name: value
            for name, value in SETTINGS.items()
            if name not in ("resources", "results")
        },
        seeds={
            "permuted": CONTROL_SEEDS,
            "shadow": SHADOW_SEEDS,
            "half": HALF_SEEDS,
        },
        files=named_files(SETTINGS),
        programs=sorted({name for names in PROGRAMS.values() for name in names}),
        deployment=snakemake_internals.deployment_methods(workflow),
        # what the crate lists, relative to the folder of the results
        made=[
            os.path.relpath(path, RESULTS)
            for path in [
                f"{RESULTS}/run.json",
                *rules.write_summary.output,
                rules.recommend_features.output.recommended_table,
                rules.test_differential.output.markers_table,
                rules.prove_chords.output.chords_table,
                *expand(rules.join_features.output.features, model=MODELS),
                *expand(rules.annotate_expression.output, model=MODELS),
                *(TABLES if STARTS_FROM_READS else []),
            ]
        ],
        source=source_of("record_run"),
    message:
        "Recording versions, settings and inputs of the run"
    script:
        "../../scripts/rules/report/record_run.py"

# Cells without a label, named by the models, and models for later cells.
#
# Target cells have files of their own below results/target, which no pass reads: new ones train nothing again.

from deepmapper.report import titles

ONTOLOGY = SETTINGS["labels"]["ontology"]
TERMS = []

if ONTOLOGY["path"]:

    # The terms of the classes: before the passes if it can be, since labels may have none.
    rule match_terms:
        input:
            features=rules.prepare_features.output[0],
            ontology=ONTOLOGY["path"],
        output:
            terms=f"{RESULTS}/target/ontology.json",
            kinds=f"{RESULTS}/target/kinds.json",
        log:
            f"{RESULTS}/logs/match_terms.log",
        benchmark:
            f"{RESULTS}/benchmarks/match_terms.tsv"
        priority: 1
        conda:
            "../../envs/python.yaml"
        threads: 1
        resources:
            mem_mb=grow(1000),
            runtime=grow(10),
        params:
            terms=ONTOLOGY["terms"],
            allowed=ONTOLOGY["allowed"],
            source=source_of("match_terms"),
        message:
            "Finding the labels in {input.ontology}"
        script:
            "../../scripts/rules/target/match_terms.py"

    TERMS = [rules.match_terms.output.terms]


# The passes of a model with all that naming new cells needs, in a folder that can be moved.
rule export_model:
    input:
        expression=EXPRESSION,
        features=features_of,
        passes=passes_of,
        summary=rules.accumulate_passes.output.summary,
        terms=TERMS,
        chords=lambda wildcards: (
            [rules.screen_chords.output.chords]
            if wildcards.model in READING_CHORDS
            else []
        ),
    output:
        directory(f"{RESULTS}/model/{{model}}"),
    log:
        f"{RESULTS}/logs/export_model/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/export_model/{{model}}.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(3000, per_mb=25, max_extra=6000),
        runtime=grow(60),
    params:
        min_accuracy=SETTINGS["passes"]["min_accuracy"],
        calibrate_over=SETTINGS["transfer"]["calibrate_over"],
        domain_is_group=bool(SETTINGS["labels"]["domain"])
        and SETTINGS["labels"]["domain"] == SETTINGS["labels"]["group"],
        label_column=SETTINGS["labels"]["column"],
        source=source_of("export_model"),
    message:
        "Exporting the model {wildcards.model}"
    script:
        "../../scripts/rules/target/export_model.py"


TARGET_OUTPUTS, TARGET_SUMMARIES = [], {}

if HAS_TARGET:
    NEW_SAMPLES = SETTINGS["matrix"]["new_samples"]

    wildcard_constraints:
        number=r"\d+",

    rule import_target:
        input:
            lambda wildcards: new_sample_files(SETTINGS, int(wildcards.number)),
        output:
            temp(f"{RESULTS}/target/imported/{{number}}.h5ad"),
        log:
            f"{RESULTS}/logs/import_target/{{number}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/import_target/{{number}}.tsv"
        conda:
            "../../envs/python.yaml"
        threads: 1
        resources:
            mem_mb=grow(1000, per_mb=20, max_extra=3000),
            runtime=grow(30),
        params:
            path=lambda wildcards: NEW_SAMPLES[int(wildcards.number)],
            matrix=import_options(SETTINGS),
            obs_columns=described_by(SETTINGS),
            source=source_of("import_target"),
        message:
            "Importing new samples: {params.path}"
        script:
            "../../scripts/rules/target/import_target.py"

    rule prepare_target:
        input:
            expression=EXPRESSION,
            features=rules.prepare_features.output[0],
            new=expand(
                f"{RESULTS}/target/imported/{{number}}.h5ad",
                number=range(len(NEW_SAMPLES)),
            ),
        output:
            **(
                {"domains": f"{RESULTS}/target/domains.npy"}
                if SETTINGS["labels"]["domain"]
                else {}
            ),
            features=directory(f"{RESULTS}/target/features"),
            cells=f"{RESULTS}/target/cells.tsv",
        log:
            f"{RESULTS}/logs/prepare_target.log",
        benchmark:
            f"{RESULTS}/benchmarks/prepare_target.tsv"
        conda:
            "../../envs/python.yaml"
        threads: 1
        resources:
            mem_mb=grow(1000, per_mb=25, max_extra=3000),
            runtime=grow(30),
        params:
            paths=NEW_SAMPLES,
            label_column=SETTINGS["labels"]["column"],
            exclude=SETTINGS["labels"]["exclude"],
            missing=SETTINGS["labels"]["missing"],
            na_values=SETTINGS["labels"]["na_values"],
            unlabelled=SETTINGS["labels"]["unlabelled"],
            domain_column=SETTINGS["labels"]["domain"],
            source=source_of("prepare_target"),
        message:
            "Bringing the cells without a label onto the features of the run"
        script:
            "../../scripts/rules/target/prepare_target.py"

    # The target cells in an embedding that was fitted without them.
    rule embed_target:
        input:
            expression=EXPRESSION,
            new=rules.prepare_target.input.new,
            features=rules.prepare_target.output.features,
            embedding=rules.fit_embedding.output[0],
        output:
            EMBEDDED_TARGET,
        log:
            f"{RESULTS}/logs/embed_target/{{embedding}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/embed_target/{{embedding}}.tsv"
        conda:
            "../../envs/python.yaml"
        threads: 1
        resources:
            mem_mb=grow(2000, per_mb=25, max_extra=3000),
            runtime=grow(60),
        params:
            paths=NEW_SAMPLES,
            source=source_of("embed_target"),
        message:
            "Embedding the cells without a label with {wildcards.embedding}"
        script:
            "../../scripts/rules/target/embed_target.py"

    # Whether a model gains from learning from the target cells, which it does without their labels.
    rule choose_adaptation:
        input:
            features=features_of,
            target=rules.prepare_target.output.features,
            kinds=kinds_of,
            domains=domains_of,
        output:
            f"{RESULTS}/passes/{{model}}/adapt.json",
        log:
            f"{RESULTS}/logs/choose_adaptation/{{model}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/choose_adaptation/{{model}}.tsv"
        conda:
            "../../envs/python.yaml"
        threads: SETTINGS["resources"]["threads_per_pass"]
        resources:
            **{
                name: value
                for name, value in pass_resources("train_pass", 30).items()
                if name not in ("checkpoint_seconds", "scratch")
            },
        params:
            settings=settings_of,
            seed=_PASSES["seed"],
            source=source_of("choose_adaptation"),
        message:
            "Finding out whether {wildcards.model} gains from learning from the target"
        script:
            "../../scripts/rules/target/choose_adaptation.py"

    # Names the target cells and judges how sure that is.
    rule judge_target:
        input:
            model=rules.export_model.output[0],
            features=rules.prepare_target.output.features,
            cells=rules.prepare_target.output.cells,
            embeddings=expand(EMBEDDED_TARGET, embedding=EMBEDDINGS),
            aliases=rules.name_features.output.aliases,
        output:
            target_table=report(
                f"{RESULTS}/findings/{{model}}/target.tsv",
                caption="../report/target_table.rst",
                category="6 Target",
                labels={"model": "{model}", "what": titles.FILES["target"]},
            ),
            target_summary=f"{RESULTS}/findings/{{model}}/target.json",
            identities=report(
                f"{RESULTS}/findings/{{model}}/new_identities.tsv",
                caption="../report/new_identities_table.rst",
                category="6 Target",
                labels={"model": "{model}", "what": titles.FILES["new_identities"]},
            ),
            genes=report(
                f"{RESULTS}/findings/{{model}}/target_genes.tsv",
                caption="../report/target_genes_table.rst",
                category="6 Target",
                labels={"model": "{model}", "what": titles.FILES["target_genes"]},
            ),
            calibration=f"{RESULTS}/findings/{{model}}/target_calibration.tsv",
            annotated=f"{RESULTS}/findings/{{model}}/target.h5ad",
        log:
            f"{RESULTS}/logs/judge_target/{{model}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/judge_target/{{model}}.tsv"
        conda:
            "../../envs/python.yaml"
        threads: 1
        resources:
            mem_mb=grow(2000, per_mb=25, max_extra=6000),
            runtime=grow(60),
        params:
            level=SETTINGS["transfer"]["level"],
            new_identities=SETTINGS["transfer"]["new_identities"],
            align=SETTINGS["transfer"]["align"],
            allowed_terms=ONTOLOGY["allowed"],
            seed=SETTINGS["split"]["seed"],
            source=source_of("judge_target"),
        message:
            "Naming the cells without a label with {wildcards.model}"
        script:
            "../../scripts/rules/target/judge_target.py"

    # Importances of the features for the labels that target cells got, over the passes as for labelled cells.
    rule attribute_target:
        input:
            model=rules.export_model.output[0],
            features=rules.prepare_target.output.features,
            target_table=rules.judge_target.output.target_table,
            reference=features_of,
            aliases=rules.name_features.output.aliases,
            shadows=lambda wildcards: (
                expand(
                    rules.train_shadow_pass.output,
                    model=wildcards.model,
                    seed=SHADOW_SEEDS,
                )
                if keeps_shadow_weights(SETTINGS)
                else []
            ),
        output:
            report(
                f"{RESULTS}/findings/{{model}}/target_features.tsv",
                caption="../report/target_features_table.rst",
                category="6 Target",
                labels={
                    "model": "{model}",
                    "what": titles.FILES["target_features"],
                },
            ),
        log:
            f"{RESULTS}/logs/attribute_target/{{model}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/attribute_target/{{model}}.tsv"
        conda:
            "../../envs/python.yaml"
        threads: 1
        resources:
            mem_mb=grow(2000, per_mb=25, max_extra=6000),
            runtime=grow(60),
        params:
            top_k=SETTINGS["passes"]["top_k"],
            level=SETTINGS["calibration"]["level"],
            min_detected=SETTINGS["calibration"]["min_detected"],
            source=source_of("attribute_target"),
        message:
            "Attributing the labels of {wildcards.model} to features"
        script:
            "../../scripts/rules/target/attribute_target.py"

    # Places of labelled and named cells on one map.
    rule map_target:
        input:
            model=rules.export_model.output[0],
            features=features_of,
            target_table=rules.judge_target.output.target_table,
            annotated=rules.judge_target.output.annotated,
        output:
            f"{RESULTS}/findings/{{model}}/target_map.tsv",
        log:
            f"{RESULTS}/logs/map_target/{{model}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/map_target/{{model}}.tsv"
        conda:
            "../../envs/python.yaml"
        threads: 1
        resources:
            mem_mb=grow(2000, per_mb=5, max_extra=6000),
            runtime=grow(30),
        params:
            seed=SETTINGS["split"]["seed"],
            source=source_of("map_target"),
        message:
            "Mapping labelled and named cells with {wildcards.model}"
        script:
            "../../scripts/rules/target/map_target.py"

    rule plot_target:
        input:
            map_table=rules.map_target.output[0],
            target_table=rules.judge_target.output.target_table,
            genes_table=rules.judge_target.output.genes,
            calibration_table=rules.judge_target.output.calibration,
        output:
            **{
                name: report(
                    f"{RESULTS}/findings/{{model}}/plots/{name}.svg",
                    caption=f"../report/{name}.rst",
                    category="6 Target",
                    labels={"model": "{model}", "what": titles.FIGURES[name]},
                )
                for name in titles.TARGET_FIGURES
            },
        log:
            f"{RESULTS}/logs/plot_target/{{model}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/plot_target/{{model}}.tsv"
        conda:
            "../../envs/python.yaml"
        threads: 1
        resources:
            mem_mb=grow(2000),
            runtime=grow(30),
        params:
            source=source_of("plot_target"),
        message:
            "Drawing the named cells of {wildcards.model}"
        script:
            "../../scripts/rules/target/plot_target.py"

    # What share of every class would have been found if it were new; depends on no target cell.
    rule train_withheld_pass:
        input:
            features=features_of,
            kinds=kinds_of,
        output:
            report(
                f"{RESULTS}/findings/{{model}}/withheld.tsv",
                caption="../report/withheld_table.rst",
                category="6 Target",
                labels={"model": "{model}", "what": titles.FILES["withheld"]},
            ),
        log:
            f"{RESULTS}/logs/train_withheld_pass/{{model}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/train_withheld_pass/{{model}}.tsv"
        conda:
            "../../envs/python.yaml"
        threads: SETTINGS["resources"]["threads_per_pass"]
        resources:
            **{
                name: value
                for name, value in pass_resources("train_pass", 10).items()
                if name not in ("checkpoint_seconds", "scratch")
            },
        params:
            settings=settings_of,
            seed=_PASSES["seed"],
            level=SETTINGS["transfer"]["level"],
            source=source_of("train_withheld_pass"),
        message:
            "Withholding the labels of each class in turn from {wildcards.model}"
        script:
            "../../scripts/rules/target/train_withheld_pass.py"

    TARGET_OUTPUTS = expand(
        [
            *rules.judge_target.output,
            *rules.attribute_target.output,
            *rules.plot_target.output,
        ],
        model=MODELS,
    )
    TARGET_SUMMARIES = {
        "targets": expand(rules.judge_target.output.target_summary, model=MODELS),
        **{
            f"{name}_figure": expand(rules.plot_target.output[name], model=MODELS)
            for name in ("target_map", "target_verdicts")
        },
    }
    if SETTINGS["transfer"]["withhold"]:
        TARGET_SUMMARIES["withheld"] = expand(
            rules.train_withheld_pass.output, model=MODELS
        )

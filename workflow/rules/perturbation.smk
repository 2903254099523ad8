# Perturbation in silico of the findings of each model.

from deepmapper.report import titles

PERTURBED, PERTURBATION_TABLES, PERTURBATION_RESULTS = [], [], {}

if SETTINGS["perturb"]["how"]:

    rule perturb_features:
        input:
            features=features_of,
            passes=passes_of,
            shadows=expand(
                rules.train_shadow_pass.output, seed=SHADOW_SEEDS, allow_missing=True
            ),
            features_table=rules.join_features.output.features,
            chords=rules.screen_chords.output.chords,
            aliases=rules.name_features.output.aliases,
        output:
            perturbation_table=report(
                f"{RESULTS}/findings/{{model}}/perturbation.tsv",
                caption="../report/perturbation_table.rst",
                category="3 Features",
                labels={"model": "{model}", "what": titles.FILES["perturbation"]},
            ),
            perturbation_summary=f"{RESULTS}/findings/{{model}}/perturbation.json",
        log:
            f"{RESULTS}/logs/perturb_features/{{model}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/perturb_features/{{model}}.tsv"
        conda:
            "../../envs/python.yaml"
        threads: 1
        resources:
            mem_mb=grow(2000),
            runtime=grow(120),
        params:
            perturb=SETTINGS["perturb"],
            min_accuracy=SETTINGS["passes"]["min_accuracy"],
            level=SETTINGS["calibration"]["level"],
            min_detected=SETTINGS["calibration"]["min_detected"],
            seed=SETTINGS["split"]["seed"],
            reads_chords=lambda wildcards: wildcards.model in READING_CHORDS,
            source=source_of("perturb_features"),
        message:
            "Perturbing features of {wildcards.model}"
        script:
            "../../scripts/rules/findings/perturb_features.py"

    rule plot_perturbation:
        input:
            table=rules.perturb_features.output.perturbation_table,
            summary=rules.perturb_features.output.perturbation_summary,
        output:
            report(
                f"{RESULTS}/findings/{{model}}/plots/perturbation.svg",
                caption="../report/perturbation.rst",
                category="3 Features",
                labels={"model": "{model}", "what": titles.FIGURES["perturbation"]},
            ),
        log:
            f"{RESULTS}/logs/plot_perturbation/{{model}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/plot_perturbation/{{model}}.tsv"
        conda:
            "../../envs/python.yaml"
        threads: 1
        resources:
            mem_mb=grow(1000),
            runtime=grow(10),
        params:
            level=SETTINGS["calibration"]["level"],
            source=source_of("plot_perturbation"),
        message:
            "Drawing the perturbation of {wildcards.model}"
        script:
            "../../scripts/rules/report/plot_perturbation.py"

    PERTURBED = expand(rules.plot_perturbation.output, model=MODELS)
    PERTURBATION_TABLES = expand(
        rules.perturb_features.output.perturbation_table, model=MODELS
    )
    # for the summary page
    PERTURBATION_RESULTS = {
        "perturbation_tables": PERTURBATION_TABLES,
        "perturbation_summaries": expand(
            rules.perturb_features.output.perturbation_summary, model=MODELS
        ),
    }

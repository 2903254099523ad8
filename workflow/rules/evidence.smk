# The evidence ranking, from the values themselves, whatever the models.


rule weigh_evidence:
    input:
        features=rules.prepare_features.output[0],
        expression=EXPRESSION,
        aliases=rules.name_features.output.aliases,
        kinds=kinds_of,
    output:
        evidence_table=f"{RESULTS}/findings/evidence.tsv",
        evidence_summary=f"{RESULTS}/findings/evidence.json",
    log:
        f"{RESULTS}/logs/weigh_evidence.log",
    benchmark:
        f"{RESULTS}/benchmarks/weigh_evidence.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000, per_mb=25, max_extra=7000),
        runtime=grow(60),
    params:
        options=SETTINGS["evidence"],
        min_detected=SETTINGS["calibration"]["min_detected"],
        seed=SETTINGS["split"]["seed"],
        source=source_of("weigh_evidence"),
    message:
        "Ranking the features by evidence: differences between the classes"
    script:
        "../../scripts/rules/evidence/weigh_evidence.py"


# How few features predict the classes. Reads the test split; the panel is final.
rule fit_evidence_panel:
    input:
        features=rules.prepare_features.output[0],
        expression=EXPRESSION,
        aliases=rules.name_features.output.aliases,
        evidence_table=rules.weigh_evidence.output.evidence_table,
        evidence_summary=rules.weigh_evidence.output.evidence_summary,
        kinds=kinds_of,
    output:
        panel_table=f"{RESULTS}/findings/evidence_panel.tsv",
        panel_summary=f"{RESULTS}/findings/evidence_panel.json",
    log:
        f"{RESULTS}/logs/fit_evidence_panel.log",
    benchmark:
        f"{RESULTS}/benchmarks/fit_evidence_panel.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000, per_mb=25, max_extra=7000),
        runtime=grow(60),
    params:
        options=SETTINGS["evidence"],
        min_detected=SETTINGS["calibration"]["min_detected"],
        resamples=SETTINGS["findings"]["bootstrap"],
        seed=SETTINGS["split"]["seed"],
        source=source_of("fit_evidence_panel"),
    message:
        "Fitting a panel of the first features by evidence"
    script:
        "../../scripts/rules/evidence/fit_evidence_panel.py"

# Gene chords: interaction gene sets, which predict a class only together. One screen per run, whatever the models.

# A GPU is requested in the same cases as for passes.
SCREEN_ON_GPU = SETTINGS["chords"]["enabled"] and (
    SETTINGS["chords"]["device"] == "gpu"
    or (SETTINGS["chords"]["device"] == "auto" and SETTINGS["resources"]["gpu"])
)


# Reads the development part only.
rule screen_chords:
    input:
        features=rules.prepare_features.output[0],
    output:
        pairs=f"{RESULTS}/chords/pairs.tsv",
        triplets=f"{RESULTS}/chords/triplets.tsv",
        chord_features=f"{RESULTS}/chords/features.tsv",
        chords_table=f"{RESULTS}/chords/chords.tsv",
        chords=f"{RESULTS}/chords/chords.json",
        screen_summary=f"{RESULTS}/chords/screen.json",
    log:
        f"{RESULTS}/logs/screen_chords.log",
    benchmark:
        f"{RESULTS}/benchmarks/screen_chords.tsv"
    conda:
        "../../envs/python.yaml"
    threads: SETTINGS["resources"]["screen_threads"]
    resources:
        **({"gpu": 1} if SCREEN_ON_GPU else {}),
        mem_mb=grow(
            SETTINGS["resources"]["screen_mem_mb"]
            + max(SETTINGS["chords"]["memory_mb"] - 512, 0)
        ),
        runtime=grow(SETTINGS["resources"]["screen_runtime"]),
        passes_per_gpu=SETTINGS["resources"]["passes_per_gpu"],
    params:
        options=SETTINGS["chords"],
        seed=SETTINGS["split"]["seed"],
        source=source_of("screen_chords"),
    message:
        "Screening all pairs of features for chords"
    script:
        "../../scripts/rules/chords/screen_chords.py"


# Reads the test split; the chords are final.
rule prove_chords:
    input:
        features=rules.prepare_features.output[0],
        chords=rules.screen_chords.output.chords,
        aliases=rules.name_features.output.aliases,
    output:
        chords_table=f"{RESULTS}/findings/chords.tsv",
        proof_summary=f"{RESULTS}/findings/chords.json",
        scores=f"{RESULTS}/chords/scores.tsv",
    log:
        f"{RESULTS}/logs/prove_chords.log",
    benchmark:
        f"{RESULTS}/benchmarks/prove_chords.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000, per_mb=25, max_extra=7000),
        runtime=grow(60),
    params:
        max_samples=SETTINGS["chords"]["max_samples"],
        resamples=SETTINGS["findings"]["bootstrap"],
        seed=SETTINGS["split"]["seed"],
        source=source_of("prove_chords"),
    message:
        "Testing the chords on the test split"
    script:
        "../../scripts/rules/chords/prove_chords.py"


# The features with the values of the chords appended, for networks that read both.
rule append_chords:
    input:
        features=rules.prepare_features.output[0],
        chords=rules.screen_chords.output.chords,
    output:
        directory(f"{RESULTS}/chords/appended"),
    log:
        f"{RESULTS}/logs/append_chords.log",
    benchmark:
        f"{RESULTS}/benchmarks/append_chords.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000, per_mb=25, max_extra=3000),
        runtime=grow(30),
    params:
        source=source_of("append_chords"),
    message:
        "Appending the values of the chords to the features"
    script:
        "../../scripts/rules/chords/append_chords.py"

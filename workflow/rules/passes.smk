# One job a seed: arrange, train, attribute.
#
# A pass depends on the features, its model's settings, its seed and the package's source, and on nothing else. More passes
# are more files; those that exist stay. Where their number grows by itself, the agreement of those that are finished decides
# how many there are, for every model alone.

import json

from deepmapper import growth


rule train_pass:
    input:
        features=features_of,
    output:
        f"{RESULTS}/passes/{{model}}/{{seed}}.npz",
    log:
        f"{RESULTS}/logs/passes/{{model}}/{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/passes/{{model}}/{{seed}}.tsv"
    conda:
        "../../envs/python.yaml"
    threads: SETTINGS["resources"]["threads_per_pass"]
    resources:
        mem_mb=grow(SETTINGS["resources"]["pass_mem_mb"]),
        runtime=grow(SETTINGS["resources"]["pass_runtime"]),
    params:
        settings=lambda wildcards: deepmapper_settings.model_settings(
            SETTINGS, wildcards.model
        ),
        permute_labels=False,
        source=source_hash("passes", "settings"),
    message:
        "Pass {wildcards.seed} of {wildcards.model}"
    script:
        "../../scripts/train_pass.py"


# The same pass on permuted labels: what this model reaches when there is nothing to find.
use rule train_pass as train_permuted_pass with:
    output:
        f"{RESULTS}/passes/{{model}}/permuted/{{seed}}.npz",
    log:
        f"{RESULTS}/logs/passes/{{model}}/permuted/{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/passes/{{model}}/permuted/{{seed}}.tsv"
    params:
        settings=lambda wildcards: deepmapper_settings.model_settings(
            SETTINGS, wildcards.model
        ),
        permute_labels=True,
        source=source_hash("controls", "settings"),
    message:
        "Control pass {wildcards.seed} of {wildcards.model} (permuted labels)"


# The same pass with a shadow beside every feature: what this model gives to features that tell nothing.
rule train_shadow_pass:
    input:
        features=features_of,
    output:
        f"{RESULTS}/passes/{{model}}/shadow/{{seed}}.npz",
    log:
        f"{RESULTS}/logs/passes/{{model}}/shadow/{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/passes/{{model}}/shadow/{{seed}}.tsv"
    conda:
        "../../envs/python.yaml"
    threads: SETTINGS["resources"]["threads_per_pass"]
    resources:
        mem_mb=grow(2 * SETTINGS["resources"]["pass_mem_mb"]),
        runtime=grow(2 * SETTINGS["resources"]["pass_runtime"]),
    params:
        settings=lambda wildcards: deepmapper_settings.model_settings(
            SETTINGS, wildcards.model
        ),
        source=source_hash("shadows", "settings"),
    message:
        "Pass {wildcards.seed} of {wildcards.model} with shadow features"
    script:
        "../../scripts/train_shadow_pass.py"


# The same pass on half of the samples: what it finds again elsewhere.
rule train_half_pass:
    input:
        features=features_of,
    output:
        f"{RESULTS}/passes/{{model}}/half/{{seed}}.npz",
    log:
        f"{RESULTS}/logs/passes/{{model}}/half/{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/passes/{{model}}/half/{{seed}}.tsv"
    conda:
        "../../envs/python.yaml"
    threads: SETTINGS["resources"]["threads_per_pass"]
    resources:
        mem_mb=grow(SETTINGS["resources"]["pass_mem_mb"]),
        runtime=grow(SETTINGS["resources"]["pass_runtime"]),
    params:
        settings=lambda wildcards: deepmapper_settings.model_settings(
            SETTINGS, wildcards.model
        ),
        source=source_hash("stability", "settings"),
    message:
        "Pass {wildcards.seed} of {wildcards.model} on half of the samples"
    script:
        "../../scripts/train_half_pass.py"


def seeds_of(model):
    """The seeds of a model's passes; growing, as far as finished passes tell."""
    if SEEDS is not None:
        return SEEDS

    def judged_at(n_passes):
        file = checkpoints.judge_growth.get(model=model, n_passes=n_passes).output[0]
        return json.loads(Path(file).read_text())

    n_passes = growth.grown(judged_at, **_PASSES["auto"])
    return list(range(_PASSES["seed"], _PASSES["seed"] + n_passes))


def passes_of(wildcards):
    """All passes of a model."""
    return expand(
        rules.train_pass.output, model=wildcards.model, seed=seeds_of(wildcards.model)
    )


if SEEDS is None:

    # What is judged does not hang on the level or the cap: another one asks the same files.
    checkpoint judge_growth:
        input:
            lambda wildcards: expand(
                rules.train_pass.output,
                model=wildcards.model,
                seed=[_PASSES["seed"] + i for i in range(int(wildcards.n_passes))],
            ),
        output:
            f"{RESULTS}/passes/{{model}}/growth/{{n_passes}}.json",
        log:
            f"{RESULTS}/logs/judge_growth/{{model}}/{{n_passes}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/judge_growth/{{model}}/{{n_passes}}.tsv"
        conda:
            "../../envs/python.yaml"
        threads: 1
        resources:
            mem_mb=grow(1000, per_mb=4),
            runtime=grow(30),
        params:
            top_k=_PASSES["top_k"],
            min_accuracy=_PASSES["min_accuracy"],
            source=source_hash("convergence"),
        message:
            "Agreement of the first {wildcards.n_passes} passes of {wildcards.model}"
        script:
            "../../scripts/judge_growth.py"

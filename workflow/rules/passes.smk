# One job per seed, or one for several seeds (`resources.seeds_per_job`): arrange, train, attribute.
#
# A pass depends only on the features, its model's settings, its seed and the package's source. More passes are more files;
# existing files stay. If the number of passes is not fixed, the agreement of the finished passes decides how many are trained,
# separately for every model.


rule train_pass:
    input:
        features=features_of,
        target=target_of,
        domains=domains_of,
        adaptation=adaptation_of,
        kinds=kinds_of,
    output:
        pass_file("train_pass"),
    log:
        pass_log("logs", "train_pass") + ".log",
    benchmark:
        pass_log("benchmarks", "train_pass") + ".tsv"
    conda:
        "../../envs/python.yaml"
    threads: SETTINGS["resources"]["threads_per_pass"]
    resources:
        **pass_resources("train_pass"),
    params:
        **pass_params("train_pass"),
        settings=settings_of,
    message:
        "Pass {wildcards.seed} of {wildcards.model}"
    script:
        "../../scripts/rules/passes/train_pass.py"


# The same pass on permuted labels: what this model reaches without any signal.
use rule train_pass as train_permuted_pass with:
    output:
        pass_file("train_permuted_pass"),
    log:
        pass_log("logs", "train_permuted_pass") + ".log",
    benchmark:
        pass_log("benchmarks", "train_permuted_pass") + ".tsv"
    resources:
        **pass_resources("train_permuted_pass"),
    params:
        **pass_params("train_permuted_pass"),
    message:
        "Control pass {wildcards.seed} of {wildcards.model} (permuted labels)"


# The same pass with a shadow for every feature: the importance that this model gives to uninformative features.
use rule train_pass as train_shadow_pass with:
    output:
        pass_file("train_shadow_pass"),
    log:
        pass_log("logs", "train_shadow_pass") + ".log",
    benchmark:
        pass_log("benchmarks", "train_shadow_pass") + ".tsv"
    resources:
        **pass_resources("train_shadow_pass"),
    params:
        **pass_params("train_shadow_pass"),
    message:
        "Pass {wildcards.seed} of {wildcards.model} with shadow features"


# The same pass on half of the samples: what is selected again in other samples.
use rule train_pass as train_half_pass with:
    output:
        pass_file("train_half_pass"),
    log:
        pass_log("logs", "train_half_pass") + ".log",
    benchmark:
        pass_log("benchmarks", "train_half_pass") + ".tsv"
    resources:
        **pass_resources("train_half_pass"),
    params:
        **pass_params("train_half_pass"),
    message:
        "Pass {wildcards.seed} of {wildcards.model} on half of the samples"


# One job for several seeds, with the script of the single one. Existing passes stay (`update`) if they are still valid; those
# that a failed job had finished are found among the scratch files.
for _single, _seeds in batches_of_seeds():
    _batch = f"{_seeds[0]}_{_seeds[-1]}"
    _several = f"{_single.replace('pass', 'passes')}_{_batch}"

    rule:
        name:
            _several
        input:
            features=features_of,
            target=target_of,
            domains=domains_of,
            adaptation=adaptation_of,
            kinds=kinds_of,
        output:
            [update(pass_file(_single, seed)) for seed in _seeds],
        log:
            pass_log("logs", _single, _batch) + ".log",
        benchmark:
            pass_log("benchmarks", _single, _batch) + ".tsv"
        conda:
            "../../envs/python.yaml"
        threads: SETTINGS["resources"]["threads_per_pass"]
        resources:
            **pass_resources(_single, len(_seeds)),
        params:
            **pass_params(_single),
            settings=settings_of,
        message:
            f"Passes {_seeds[0]} to {_seeds[-1]} of {{wildcards.model}} ({_single})"
        script:
            "../../scripts/rules/passes/train_pass.py"

    snakemake_internals.prefer(workflow, _several, _single, unless=trained_alone)
    snakemake_internals.run_as(
        workflow, getattr(rules, _several), getattr(rules, _single), len(_seeds)
    )


if SEEDS is None:

    # The agreement depends neither on the level asked for nor on the cap, so other values of these reuse the same files.
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
            source=source_of("judge_growth"),
        message:
            "Agreement of the first {wildcards.n_passes} passes of {wildcards.model}"
        script:
            "../../scripts/rules/passes/judge_growth.py"

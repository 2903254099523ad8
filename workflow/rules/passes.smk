# One job a seed, or one for several (`resources.seeds_per_job`): arrange, train, attribute.
#
# A pass depends on the features, its model's settings, its seed and the package's source, and on nothing else. More passes
# are more files; those that exist stay. Where their number grows by itself, the agreement of those that are finished decides
# how many there are, for every model alone.


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
        **pass_resources("train_pass"),
    params:
        **PASS_PARAMS["train_pass"],
        settings=settings_of,
    message:
        "Pass {wildcards.seed} of {wildcards.model}"
    script:
        "../../scripts/train_pass.py"


# The same pass on permuted labels: what this model reaches when there is nothing to find.
rule train_permuted_pass:
    input:
        features=features_of,
    output:
        f"{RESULTS}/passes/{{model}}/permuted/{{seed}}.npz",
    log:
        f"{RESULTS}/logs/passes/{{model}}/permuted/{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/passes/{{model}}/permuted/{{seed}}.tsv"
    conda:
        "../../envs/python.yaml"
    threads: SETTINGS["resources"]["threads_per_pass"]
    resources:
        **pass_resources("train_permuted_pass"),
    params:
        **PASS_PARAMS["train_permuted_pass"],
        settings=settings_of,
    message:
        "Control pass {wildcards.seed} of {wildcards.model} (permuted labels)"
    script:
        "../../scripts/train_pass.py"


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
        **pass_resources("train_shadow_pass"),
    params:
        **PASS_PARAMS["train_shadow_pass"],
        settings=settings_of,
    message:
        "Pass {wildcards.seed} of {wildcards.model} with shadow features"
    script:
        "../../scripts/train_pass.py"


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
        **pass_resources("train_half_pass"),
    params:
        **PASS_PARAMS["train_half_pass"],
        settings=settings_of,
    message:
        "Pass {wildcards.seed} of {wildcards.model} on half of the samples"
    script:
        "../../scripts/train_pass.py"


# One job for several seeds, by the script of the single one. Passes that are there stay (`update`), as far as they still
# hold; those that a failed job had finished are found among the scratch files.
for _single, _seeds in batches_of_seeds():
    _name = f"{_single.replace('pass', 'passes')}_{_seeds[0]}_{_seeds[-1]}"
    _files = f"passes/{{model}}/{PASS_FOLDERS[_single]}{_seeds[0]}_{_seeds[-1]}"

    rule:
        name:
            _name
        input:
            features=features_of_several,
        output:
            [
                update(f"{RESULTS}/passes/{{model}}/{PASS_FOLDERS[_single]}{seed}.npz")
                for seed in _seeds
            ],
        log:
            f"{RESULTS}/logs/{_files}.log",
        benchmark:
            f"{RESULTS}/benchmarks/{_files}.tsv"
        conda:
            "../../envs/python.yaml"
        threads: SETTINGS["resources"]["threads_per_pass"]
        resources:
            **pass_resources(_single, len(_seeds)),
        params:
            **PASS_PARAMS[_single],
            settings=settings_of,
        message:
            f"Passes {_seeds[0]} to {_seeds[-1]} of {{wildcards.model}} ({_single})"
        script:
            "../../scripts/train_pass.py"

    workflow.ruleorder(_name, _single)
    # Snakemake takes the text of the lines that name the script for the rule's code; it is the same code.
    getattr(rules, _name).rule.run_func_src = getattr(
        rules, _single
    ).rule.run_func_src
    take_over(getattr(rules, _single).rule, getattr(rules, _name).rule, len(_seeds))


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

# One job a seed: arrange, train, attribute.
#
# A pass depends on the features, its model's settings, its seed and the package's source, and on nothing else. More passes
# are more files; those that exist stay.


rule train_pass:
    input:
        features=rules.prepare_features.output[0],
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

# Which passes there are, what they read, and what their jobs ask for.

import json
import math
from functools import cache

from deepmapper.findings import growth
from deepmapper.workflow import batching
from deepmapper.workflow.batching import PASS_KINDS


def pass_params(rule_name):
    """What a pass depends on beside its settings, the same however many seeds a job trains."""
    return {
        "kind": PASS_KINDS[rule_name].name,
        "source": source_of("train_pass", unused=batching.unused_imports(rule_name)),
    }


def pass_file(rule_name, seed="{seed}"):
    """The file of a pass."""
    return f"{RESULTS}/passes/{{model}}/{PASS_KINDS[rule_name].folder}{seed}.npz"


def pass_log(folder, rule_name, name="{seed}"):
    """Where the job of a pass, or of several, writes its log or benchmark, without the suffix."""
    return f"{RESULTS}/{folder}/passes/{{model}}/{PASS_KINDS[rule_name].folder}{name}"


def settings_of(wildcards):
    """All that determines a pass of a model, its seed and its features apart."""
    return model_settings(SETTINGS, wildcards.model)


def pass_resources(rule_name, n_seeds=1):
    """What a job of so many passes asks for. Results do not depend on any of it."""
    asked = SETTINGS["resources"]
    # twice the features
    size = 2 if rule_name == "train_shadow_pass" else 1
    return {
        "mem_mb": grow(size * asked["pass_mem_mb"]),
        "runtime": grow(size * n_seeds * asked["pass_runtime"]),
        # whole numbers: Snakemake rounds
        "checkpoint_seconds": math.ceil(60 * asked["checkpoint_minutes"]),
        "passes_per_gpu": asked["passes_per_gpu"],
        "scratch": f"{RESULTS}/scratch/passes",
        **({"gpu": asked["gpu"]} if asked["gpu"] else {}),
    }


def features_of(wildcards):
    """What the passes of a model read: the features, with the chords where the model asks for them."""
    if wildcards.model in READING_CHORDS:
        return rules.append_chords.output[0]
    return rules.prepare_features.output[0]


def seeds_of(model):
    """The seeds of a model's passes; growing, as far as finished passes tell."""
    if SEEDS is not None:
        return SEEDS

    def judged_at(n_passes):
        file = checkpoints.judge_growth.get(model=model, n_passes=n_passes).output[0]
        return json.loads(Path(file).read_text())

    n_passes = growth.n_passes_needed(judged_at, **_PASSES["auto"])
    return list(range(_PASSES["seed"], _PASSES["seed"] + n_passes))


def passes_of(wildcards):
    """All passes of a model."""
    return expand(
        rules.train_pass.output, model=wildcards.model, seed=seeds_of(wildcards.model)
    )


if SEEDS is None:
    PASS_STAGES = batching.stages(
        _PASSES["seed"], *(_PASSES["auto"][key] for key in ("start", "step", "cap"))
    )
else:
    PASS_STAGES = [SEEDS]


@cache
def trained_alone():
    """Whether the command line wants passes trained alone: it names one or its rule, or trains all again.

    A job of several seeds keeps what is there already, so it is none for those that are to be trained again.
    """
    if not MAIN_PROCESS:
        return False
    named, everything = snakemake_internals.asked_for(workflow)
    # their names as they are in this workflow, which may be a module of another
    training = [
        snakemake_internals.name_of(getattr(rules, name)) for name in PASS_KINDS
    ]
    return everything or batching.names_a_pass(named, f"{RESULTS}/passes", training)


# By rule, in the stages in which they are asked for.
PASS_SEEDS = {
    "train_pass": PASS_STAGES,
    "train_permuted_pass": [CONTROL_SEEDS],
    "train_shadow_pass": [SHADOW_SEEDS],
    "train_half_pass": [HALF_SEEDS],
}


def batches_of_seeds():
    """Rule and seeds of every job that trains several seeds."""
    for rule_name in PASS_KINDS:
        for seeds in batching.batches(
            PASS_SEEDS[rule_name], SETTINGS["resources"]["seeds_per_job"]
        ):
            yield rule_name, seeds


def check_arrays():
    """Refuse arrays for which the plugin for Slurm (up to 2.8.0 at least) would wait without end and without a word.

    It submits jobs of a rule only once all that are ready have come in, and Snakemake hands over no more than `--jobs`.
    """
    arrays = snakemake_internals.array_rules(workflow)
    jobs = snakemake_internals.max_jobs(workflow)
    for rule_name, seeds in PASS_SEEDS.items():
        n = len(MODELS) * max(map(len, seeds))
        in_array = arrays & {
            snakemake_internals.name_of(getattr(rules, rule_name)),
            "all",
        }
        if (
            in_array
            and SETTINGS["resources"]["seeds_per_job"] == 1
            and jobs
            and jobs < n
        ):
            raise WorkflowError(
                f"--jobs {jobs} is less than the {n} jobs of {rule_name}, which go to Slurm as an array (slurm-array-jobs): the "
                f"plugin would wait for ever. Give --jobs {n} or more, take the rule out of slurm-array-jobs, or set "
                f"resources.seeds_per_job."
            )

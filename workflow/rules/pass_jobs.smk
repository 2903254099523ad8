# Which passes there are, what they read, and the resources of their jobs.

import json
import math
from functools import cache

from deepmapper.findings import growth
from deepmapper.workflow import batching
from deepmapper.workflow.batching import PASS_KINDS


@cache
def source_of_pass(rule_name, network, given):
    """Hash of the code behind a pass of a model with this kind of network, which reads this input."""
    unused = batching.unused_imports(rule_name, network, given)
    return source_of("train_pass", unused=unused)


def pass_params(rule_name):
    """Parameters of a pass besides its settings; they do not depend on the number of seeds per job."""
    # the other rules take over what they do not set from `train_pass`
    folds = {"folds": rule_name == "train_pass"} if shares_folds(SETTINGS) else {}
    keeps = keeps_shadow_weights(SETTINGS) and rule_name == "train_shadow_pass"
    return {
        **folds,
        **({"keep_weights": True} if keeps else {}),
        "kind": PASS_KINDS[rule_name].name,
        "source": lambda wildcards: source_of_pass(
            rule_name,
            SETTINGS["models"][wildcards.model]["kind"],
            SETTINGS["models"][wildcards.model]["input"],
        ),
    }


def pass_file(rule_name, seed="{seed}"):
    """The file of a pass."""
    return f"{RESULTS}/passes/{{model}}/{PASS_KINDS[rule_name].folder}{seed}.npz"


def pass_log(folder, rule_name, name="{seed}"):
    """Path of the log or benchmark of a job, without the suffix."""
    return f"{RESULTS}/{folder}/passes/{{model}}/{PASS_KINDS[rule_name].folder}{name}"


def settings_of(wildcards):
    """All that determines a pass of a model, apart from its seed and features."""
    return model_settings(SETTINGS, wildcards.model)


def pass_resources(rule_name, n_seeds=1):
    """Resources of a job with `n_seeds` passes. Results do not depend on them."""
    asked = SETTINGS["resources"]
    # a shadow pass has twice the features
    size = 2 if rule_name == "train_shadow_pass" else 1
    return {
        "mem_mb": grow(size * asked["pass_mem_mb"]),
        "runtime": grow(size * n_seeds * asked["pass_runtime"]),
        # Snakemake rounds to whole numbers
        "checkpoint_seconds": math.ceil(60 * asked["checkpoint_minutes"]),
        "passes_per_gpu": asked["passes_per_gpu"],
        "scratch": f"{RESULTS}/scratch/passes",
        **({"gpu": asked["gpu"]} if asked["gpu"] else {}),
    }


def features_of(wildcards):
    """Feature store that the passes of a model read, with chords if the model uses them."""
    if wildcards.model in READING_CHORDS:
        return rules.append_chords.output[0]
    return rules.prepare_features.output[0]


def target_of(wildcards):
    """Target samples that the passes of a model read; none for models that learn from labelled samples alone."""
    if reads_target(SETTINGS, wildcards.model):
        return rules.prepare_target.output.features
    return []


def domains_of(wildcards):
    """Domains of the samples that the adversary of a model tells apart; none for target and reference."""
    if reads_domains(SETTINGS, wildcards.model):
        return rules.prepare_target.output.domains
    return []


def adaptation_of(wildcards):
    """What says whether learning from them helps."""
    if chooses_adaptation(SETTINGS, wildcards.model):
        return rules.choose_adaptation.output[0]
    return []


def seeds_of(model):
    """Seeds of a model's passes; in a growing run, those known to be needed so far."""
    if SEEDS is not None:
        return SEEDS

    def agreement_at(n_passes):
        file = checkpoints.judge_growth.get(model=model, n_passes=n_passes).output[0]
        return json.loads(Path(file).read_text())

    n_passes = growth.n_passes_needed(agreement_at, **_PASSES["auto"])
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
    """Whether the command line asks for single passes: it names one or its rule, or forces all jobs.

    A job of several seeds keeps passes that exist, so it cannot train a pass again that is up to date.
    """
    if not MAIN_PROCESS:
        return False
    named, everything = snakemake_internals.requested(workflow)
    # another workflow that uses this one may have renamed the rules
    training = [
        snakemake_internals.name_of(getattr(rules, name)) for name in PASS_KINDS
    ]
    return everything or batching.names_a_pass(named, f"{RESULTS}/passes", training)


# Seeds by rule, in stages: those of one stage are asked for together.
PASS_SEEDS = {
    "train_pass": PASS_STAGES,
    "train_permuted_pass": [CONTROL_SEEDS],
    "train_shadow_pass": [SHADOW_SEEDS],
    "train_half_pass": [HALF_SEEDS],
}


def batches_of_seeds():
    """Yield the rule and the seeds of every job that trains several seeds."""
    asked = SETTINGS["resources"]
    cores = snakemake_internals.processors_here(workflow)
    n_places = cores and max(1, cores // asked["threads_per_pass"])
    for rule_name in PASS_KINDS:
        for stage in PASS_SEEDS[rule_name]:
            size = batching.seeds_in_job(
                asked["seeds_per_job"], len(stage), len(MODELS), n_places
            )
            for seeds in batching.batches([stage], size):
                yield rule_name, seeds


def check_arrays():
    """Refuse job arrays for which the Slurm plugin (at least up to 2.8.0) would wait forever.

    It submits the jobs of a rule only when it has all that are ready, and Snakemake passes on at most `--jobs` of them.
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
            and SETTINGS["resources"]["seeds_per_job"] in (1, "auto")
            and jobs
            and jobs < n
        ):
            refuse(
                f"--jobs {jobs} is less than the {n} jobs of {rule_name}, which are submitted as a Slurm array "
                f"(slurm-array-jobs): the plugin would wait forever. Give --jobs {n} or more, remove the rule from "
                f"slurm-array-jobs, or set resources.seeds_per_job."
            )

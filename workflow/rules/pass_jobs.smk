# Which passes there are, what they read, and what their jobs ask for.

import json
import math

from deepmapper import batching, growth

PASS_FOLDERS = {
    "train_pass": "",
    "train_permuted_pass": "permuted/",
    "train_shadow_pass": "shadow/",
    "train_half_pass": "half/",
}
# The same however many seeds a job trains, so that another number of them makes nothing again.
PASS_PARAMS = {
    "train_pass": {"kind": "plain", "source": source_hash("passes", "settings")},
    "train_permuted_pass": {
        "kind": "permuted",
        "source": source_hash("controls", "settings"),
    },
    "train_shadow_pass": {
        "kind": "shadow",
        "source": source_hash("shadows", "settings"),
    },
    "train_half_pass": {
        "kind": "half",
        "source": source_hash("stability", "settings"),
    },
}


def settings_of(wildcards):
    """All that determines a pass of a model, its seed and its features apart."""
    return deepmapper_settings.model_settings(SETTINGS, wildcards.model)


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


def take_over(single, several, n_seeds):
    """Let `--set-resources` and `--set-threads` for the rule of single passes hold for a job of several, with its time."""
    asked, threads = (
        getattr(workflow.resource_settings, f"overwrite_{kind}")
        for kind in ("resources", "threads")
    )
    own = asked.get(several.name, {})
    for name, resource in asked.get(single.name, {}).items():
        if name == "runtime":
            if resource.is_evaluable():
                raise WorkflowError(
                    f"--set-resources {single.name}:runtime={resource.raw}: expected the minutes of one pass, a number, "
                    "since jobs train several seeds here (resources.seeds_per_job)."
                )
            resource = n_seeds * resource.value
        if name not in own:
            several.resources[name] = resource
    if single.name in threads and several.name not in threads:
        several.resources["_cores"] = threads[single.name]


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

    n_passes = growth.grown(judged_at, **_PASSES["auto"])
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


def alone():
    """Whether the command line wants passes trained alone: it names one or its rule, or trains all again.

    A job of several seeds keeps what is there already, so it is none for those that are to be trained again.
    """
    asked = workflow.dag_settings
    named = {*asked.targets, *asked.forcerun, *asked.until, *asked.omit_from}
    # their names as they are in this workflow, which may be a module of another
    training = [getattr(rules, name).rule.name for name in PASS_FOLDERS]
    return asked.forceall or batching.names_a_pass(named, f"{RESULTS}/passes", training)


def features_of_several(wildcards):
    """What passes of a model read; a file that does not exist where passes are to be trained alone.

    What the command line says is not known before the rules are used, and a rule without its input is passed over.
    """
    if is_main_process() and alone():
        return f"{RESULTS}/features/passes are trained alone"
    return features_of(wildcards)


# By rule, in the stages in which they are asked for.
PASS_SEEDS = {
    "train_pass": PASS_STAGES,
    "train_permuted_pass": [CONTROL_SEEDS],
    "train_shadow_pass": [SHADOW_SEEDS],
    "train_half_pass": [HALF_SEEDS],
}


def batches_of_seeds():
    """Rule and seeds of every job that trains several seeds."""
    for rule_name in PASS_FOLDERS:
        for seeds in batching.batches(
            PASS_SEEDS[rule_name], SETTINGS["resources"]["seeds_per_job"]
        ):
            yield rule_name, seeds


def check_arrays():
    """Refuse arrays for which the plugin for Slurm (up to 2.8.0 at least) would wait without end and without a word.

    It submits jobs of a rule only once all that are ready have come in, and Snakemake hands over no more than `--jobs`.
    """
    named = getattr(workflow.executor_settings, "array_jobs", None) or ""
    jobs = workflow.resource_settings.nodes
    arrays = {name.strip() for name in named.split(",")}
    for rule_name, seeds in PASS_SEEDS.items():
        n = len(MODELS) * max(map(len, seeds))
        in_array = arrays & {getattr(rules, rule_name).rule.name, "all"}
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

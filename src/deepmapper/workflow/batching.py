"""Which seeds one job trains, when jobs train several. Standard library only."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple


class PassKind(NamedTuple):
    """A kind of pass: its name, its folder below that of the model, the module that trains it."""

    name: str
    folder: str
    module: str


# By rule.
PASS_KINDS = {
    "train_pass": PassKind("plain", "", "passes.train"),
    "train_permuted_pass": PassKind("permuted", "permuted/", "passes.controls"),
    "train_shadow_pass": PassKind("shadow", "shadow/", "passes.shadows"),
    "train_half_pass": PassKind("half", "half/", "passes.halves"),
}


# Module of each kind of network; "timm" stands for all networks of timm.
NETWORKS = {
    "linear": "backbones.linear",
    "mlp": "backbones.linear",
    "cnn_small": "backbones.default_cnn_small",
    "cnn": "backbones.cnn",
    "resnet18": "backbones.resnet",
    "resnet18_s": "backbones.resnet",
    "resnet34_s": "backbones.resnet",
    "resnet50_s": "backbones.resnet",
    "vit_cct": "backbones.transformer",
    "conv_vae": "backbones.autoencoder",
    "scnym": "backbones.scnym",
    "timm": "backbones.timm",
}


def unused_imports(rule_name: str, network: str | None = None, given: str | None = None) -> dict[str, list[str]]:
    """Imports that a pass never runs, for the argument `unused` of `provenance.source_of`.

    `pass_jobs` imports the training of every kind of pass, and `backbones.registry` every network; a pass needs one of
    each. So an edit of one network trains only the models with this network again, and an edit of an encoder only those
    that read its embedding.

    Parameters
    ----------
    rule_name
        Rule that trains the pass, a key of `PASS_KINDS`.
    network
        Kind of the network; None for any.
    given
        What it reads, `input` of the model; None for any.
    """
    own = {PASS_KINDS["train_pass"].module, PASS_KINDS[rule_name].module}
    unused = {"workflow.pass_jobs": sorted({kind.module for kind in PASS_KINDS.values()} - own)}
    if given in ("features", "pca"):
        unused["passes.loss"] = ["passes.encoders"]
    if network is not None:
        unused["backbones.registry"] = sorted({*NETWORKS.values()} - {NETWORKS[network.partition(":")[0]]})
    return unused


def stages(first: int, start: int, step: int, cap: int) -> list[list[int]]:
    """Seeds in the stages in which a growing run asks for them: `start` seeds, then `step` more each, up to `cap`."""
    sizes = [*range(start, cap, step), cap] if start < cap else [cap]
    ends = [first + size for size in sizes]
    return [list(range(begin, end)) for begin, end in zip([first, *ends[:-1]], ends, strict=True)]


def seeds_in_job(asked: int | str, n_seeds: int, n_models: int, n_places: int | None) -> int:
    """Return how many seeds one job trains.

    A start costs more than a second of processor time, as much as a pass on a small study. So on one machine there are
    only as many jobs as keep it busy, when all models train passes of one kind.

    Parameters
    ----------
    asked
        `resources.seeds_per_job`: a number, or "auto".
    n_seeds
        Seeds that are asked for together.
    n_models
        Models that train these seeds.
    n_places
        Passes that this machine trains at a time; None if jobs run elsewhere, where the scheduler keeps all busy.
    """
    if asked != "auto":
        return int(asked)
    if n_places is None:
        return 1
    n_jobs = math.ceil(n_places / n_models)
    return max(1, math.ceil(n_seeds / n_jobs))


def batches(stages: Sequence[Sequence[int]], size: int) -> list[list[int]]:
    """Cut each stage of seeds into batches of at most `size` seeds; single seeds are left out.

    Parameters
    ----------
    stages
        Seeds that are asked for together. No batch spans two stages, so that nothing is trained before it is needed.
    size
        Largest number of seeds per job; below 2 there are no batches.

    Returns
    -------
    list
        Seeds of each job that trains several.
    """
    if size < 2:
        return []
    cut = [list(stage[i : i + size]) for stage in stages for i in range(0, len(stage), size)]
    return [seeds for seeds in cut if len(seeds) > 1]


def names_a_pass(targets: Iterable[str], folder: str | Path, rules: Iterable[str]) -> bool:
    """Whether any target is the file of a pass below `folder`, or one of the rules that train passes."""
    rules, folder = set(rules), Path(folder).resolve()
    return any(
        target in rules or (target.endswith(".npz") and Path(target).resolve().is_relative_to(folder))
        for target in targets
    )

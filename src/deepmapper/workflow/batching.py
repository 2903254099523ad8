"""Seeds of each job when one job trains several. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple


class PassKind(NamedTuple):
    """A kind of pass: its name, its folder below those of a model, the module that trains it."""

    name: str
    folder: str
    module: str


# by the rule that trains them
PASS_KINDS = {
    "train_pass": PassKind("plain", "", "passes.train"),
    "train_permuted_pass": PassKind("permuted", "permuted/", "passes.controls"),
    "train_shadow_pass": PassKind("shadow", "shadow/", "passes.shadows"),
    "train_half_pass": PassKind("half", "half/", "passes.halves"),
}


def unused_imports(rule_name: str) -> dict[str, list[str]]:
    """Imports that a rule's passes never run: `pass_jobs` imports what trains every kind, and a job trains one.

    It is what `provenance.source_of` takes as `unused`.
    """
    own = {PASS_KINDS["train_pass"].module, PASS_KINDS[rule_name].module}
    return {"workflow.pass_jobs": sorted({kind.module for kind in PASS_KINDS.values()} - own)}


def stages(first: int, start: int, step: int, cap: int) -> list[list[int]]:
    """Seeds from `first` in the stages in which growing asks for them: `start`, then `step` at a time up to `cap`."""
    ends = [*range(start, cap, step), cap] if start < cap else [cap]
    return [
        list(range(first + begin, first + end)) for begin, end in zip([0, *ends[:-1]], ends, strict=True) if begin < end
    ]


def batches(asked: Sequence[Sequence[int]], size: int) -> list[list[int]]:
    """Cut each stage of seeds into batches of at most `size`; a batch of one seed is none.

    Parameters
    ----------
    asked
        Seeds that are asked for together, stage by stage; no batch reaches over two, so that nothing is trained before
        it is asked for.
    size
        Seeds of one job; up to 1 gives no batches.

    Returns
    -------
    list
        Seeds of each job of several.
    """
    if size < 2:
        return []
    cut = [list(stage[i : i + size]) for stage in asked for i in range(0, len(stage), size)]
    return [seeds for seeds in cut if len(seeds) > 1]


def names_a_pass(targets: Iterable[str], folder: str | Path, rules: Iterable[str]) -> bool:
    """Whether any of the targets is the file of a pass below `folder`, or one of the rules that train them."""
    rules, within = set(rules), Path(folder).resolve()
    return any(
        target in rules or (target.endswith(".npz") and Path(target).resolve().is_relative_to(within))
        for target in targets
    )

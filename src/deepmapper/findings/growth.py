"""How many passes a model trains when their number is not fixed. Standard library only.

The number grows in steps until the top features are stable or a cap is reached. What decides is read from passes that
are finished, and only ever in this order of sizes, so the same settings end at the same number, whatever came between;
a higher cap or level goes on from there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping


def n_passes_needed(judged_at: Callable[[int], Mapping], start: int, step: int, cap: int, level: float) -> int:
    """Number of passes at which growing stops.

    Parameters
    ----------
    judged_at
        Gives what `convergence.judge` says of the first n passes; asked for `start`, `start` + `step` and so on, below
        `cap`, until one of them is the last.
    start, step, cap
        First size, further passes at a time, most passes.
    level
        Agreement that counts as stable, in (0, 1).
    """
    n_passes = start
    while n_passes < cap and needs_more(judged_at(n_passes), level):
        n_passes += step
    return min(n_passes, cap)


def needs_more(judged: Mapping, level: float) -> bool:
    """Whether more passes are worth training: some were accepted, and they do not agree as well as asked for."""
    return judged["n_accepted"] > 0 and (judged["agreement"] is None or judged["agreement"] < level)


def account(judged: Mapping, cap: int, level: float) -> str:
    """Say in one sentence where growing stopped, and why."""
    at = f"Stopped at {judged['n_passes_run']} of at most {cap} passes: "
    if not judged["n_accepted"]:
        return at + "none was accepted."
    if judged["agreement"] is None:
        return at + "too few were accepted to judge their agreement."
    if needs_more(judged, level):
        return at + f"agreement {floor2(judged['agreement'])}, below {level:g}; raise `passes.auto.cap` to go on."
    return at + f"agreement {judged['agreement']:.2f}."


def floor2(share: float) -> str:
    """Write a share that is below a level so that it reads as below it."""
    return f"{math.floor(100 * share) / 100:.2f}"

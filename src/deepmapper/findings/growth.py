"""How many passes a model gets if their number is not fixed (`n_passes: auto`). Standard library only.

The number grows in steps until the top features are stable or a cap is reached. Each decision depends only on the first
n finished passes, for the same sequence of n. So the same settings always stop at the same number, even after an
interruption, and a higher cap or level continues from there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping


def n_passes_needed(agreement_at: Callable[[int], Mapping], start: int, step: int, cap: int, level: float) -> int:
    """Number of passes at which growth stops.

    Parameters
    ----------
    agreement_at
        Gives `convergence.expected_agreement` of the first n passes; called with `start`, `start` + `step` and so on,
        below `cap`, until no more passes are needed.
    start, step, cap
        First number of passes, number of passes to add at a time, maximum number of passes.
    level
        Agreement that counts as stable, in (0, 1).
    """
    n_passes = start
    while n_passes < cap and needs_more(agreement_at(n_passes), level):
        n_passes += step
    return min(n_passes, cap)


def needs_more(agreement: Mapping, level: float) -> bool:
    """Whether more passes are worth training: some were accepted, but they do not agree well enough."""
    return agreement["n_accepted"] > 0 and (agreement["agreement"] is None or agreement["agreement"] < level)


def growth_statement(agreement: Mapping, cap: int, level: float) -> str:
    """State where growth stopped, and why."""
    stopped = f"Stopped at {agreement['n_passes_run']} of at most {cap} passes:"
    if not agreement["n_accepted"]:
        return f"{stopped} none was accepted."
    if agreement["agreement"] is None:
        return f"{stopped} too few were accepted to estimate their agreement."
    if needs_more(agreement, level):
        share = floor2(agreement["agreement"])
        return f"{stopped} agreement {share}, below {level:g}; raise `passes.auto.cap` to continue."
    return f"{stopped} agreement {agreement['agreement']:.2f}."


def floor2(share: float) -> str:
    """Format a share with two digits, rounded down, so that a share below a level never reads as the level."""
    return f"{math.floor(100 * share) / 100:.2f}"

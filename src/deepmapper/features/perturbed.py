"""Features that a configuration names for perturbation in silico."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.words import count, did_you_mean, some
from ..errors import InputError


def check_perturbed(asked: str | Sequence[str], names: Sequence[str]) -> None:
    """Refuse features that are not in the matrix.

    Parameters
    ----------
    asked
        `perturb.features`: "findings", "all", or names.
    names
        Names of all features.

    Raises
    ------
    InputError
        If a name is no feature.
    """
    if isinstance(asked, str):
        return
    known = set(names)
    if unknown := [name for name in asked if name not in known]:
        which = "is no feature" if len(unknown) == 1 else "are no features"
        raise InputError(
            f"perturb.features: {some(unknown)} {which} of the matrix (it has {count(len(names), 'feature')}, such as "
            f"{names[0]!r}).{did_you_mean(unknown[0], names)} Give names as they are in features.tsv, or findings, or "
            "all."
        )

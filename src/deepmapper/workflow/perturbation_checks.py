"""Checks between the settings of perturbation in silico, for `cross_checks`."""

from __future__ import annotations

from collections.abc import Iterator

from ..core.words import nearest
from .model_checks import Fault, Settings

# Words that stand for features, of which the first is the default.
_WORDS = ("findings", "all")

_DEFAULT_MOST = 50


def perturbed_items(settings: Settings) -> Iterator[Fault]:
    """There is something to perturb, and something is done to it."""
    asked = settings["perturb"]
    features = asked["features"]
    if isinstance(features, str) and features not in _WORDS:
        meant = nearest(features, _WORDS)
        advice = f"did you mean `{meant[0]}`?" if meant else f"give names as a list: [{features}]"
        yield Fault(
            ("perturb.features",),
            f'`perturb.features`: found "{features}"; expected findings, all, or a list; {advice}',
        )
    if asked["how"] and isinstance(features, list) and not features and not asked["chords"]:
        yield Fault(
            ("perturb.features", "perturb.chords"),
            "`perturb.features` is empty and `perturb.chords` is false, so nothing would be perturbed; name features, "
            "or set `features: findings`",
        )
    if not asked["how"] and (features != _WORDS[0] or asked["most"] != _DEFAULT_MOST):
        yield Fault(
            ("perturb.how",),
            "`perturb.how` is empty, so nothing would be perturbed; give some of deletion, activation, mask, or remove "
            "the section `perturb`",
        )

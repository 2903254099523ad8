"""Checks between the settings of the models and others, for `cross_checks`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ..config import ATTENTION_KINDS, ATTENTION_METHODS, GENERAL_METHODS
from .sections import reads_target


class Fault(NamedTuple):
    """A conflict between settings: the keys concerned, and a message."""

    keys: tuple[str, ...]
    message: str


Settings = dict[str, Any]


def kinds_of_models(settings: Settings, kinds: list[str]) -> Iterator[Fault]:
    """Every model is of a kind, and its attribution suits it."""
    for name, model in settings["models"].items():
        if model["kind"] == name and name not in kinds:
            yield Fault(
                (f"models.{name}.kind",),
                f"`models.{name}.kind` is missing and `{name}` is not a kind; expected one of {', '.join(kinds)}",
            )
        elif model["attribution"] in ATTENTION_METHODS and model["kind"] not in ATTENTION_KINDS:
            yield Fault(
                (f"models.{name}.kind", f"models.{name}.attribution", "training.attribution"),
                f"`models.{name}.attribution` is {model['attribution']}, which needs a network with attention, and "
                f"{model['kind']} has none; expected one of {', '.join(GENERAL_METHODS)}, or the kind "
                f"{' or '.join(ATTENTION_KINDS)}",
            )


def chord_pixels(settings: Settings) -> Iterator[Fault]:
    """Chords that networks read are screened for."""
    for name, model in settings["models"].items():
        if model["chord_pixels"] and not settings["chords"]["enabled"]:
            yield Fault(
                (f"models.{name}.chord_pixels", "training.chord_pixels", "chords.enabled"),
                f"`models.{name}.chord_pixels` is true and `chords.enabled` is false; change one of them",
            )


def adapted_chords(settings: Settings) -> Iterator[Fault]:
    """Models that learn from target samples read no chords, which are not computed for these."""
    for name, model in settings["models"].items():
        if model["chord_pixels"] and reads_target(settings, name):
            yield Fault(
                (f"models.{name}.chord_pixels", f"models.{name}.extra"),
                f"`models.{name}` learns from the target samples, for which chords are not computed; set "
                "`chord_pixels` to false, or `extra: {adapt: none}`",
            )


def inputs(settings: Settings) -> Iterator[Fault]:
    """Components that a network reads are computed, and nothing else is read beside them."""
    for name, model in settings["models"].items():
        if model["input"] != "pca":
            continue
        if not settings["embeddings"]["pca"]["n_components"]:
            yield Fault(
                (f"models.{name}.input", "embeddings.pca.n_components"),
                f"`models.{name}.input` is pca, and `embeddings.pca.n_components` is 0; give the number of components",
            )
        if model["chord_pixels"]:
            yield Fault(
                (f"models.{name}.input", f"models.{name}.chord_pixels", "training.chord_pixels"),
                f"`models.{name}` reads principal components (`input: pca`) and chords (`chord_pixels`); choose one",
            )
        if model["attribution"] in ATTENTION_METHODS:
            yield Fault(
                (f"models.{name}.input", f"models.{name}.attribution", "training.attribution"),
                f"`models.{name}.attribution` is {model['attribution']}, whose attention is over components "
                f"(`input: pca`), not features; expected one of {', '.join(GENERAL_METHODS)}",
            )

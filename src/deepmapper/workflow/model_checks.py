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


# Embeddings that no network reads, and why.
_NO_INPUT = {
    "ppca": "its components are those of pca, and would be scaled alike; set `input: pca`",
    "geneformer": "it reads only the order of the features, through which no gradient leads back to their values, so "
    "no feature would have an importance; set `input: contrastive` or `input: pca`",
}


def inputs(settings: Settings) -> Iterator[Fault]:
    """Embeddings that a network reads can be attributed to the features, and nothing else is read beside them."""
    for name, model in settings["models"].items():
        given = model["input"]
        if given == "features":
            continue
        if given in _NO_INPUT:
            yield Fault((f"models.{name}.input",), f"`models.{name}.input` is {given}: {_NO_INPUT[given]}")
            continue
        if not settings["embeddings"][given]["n_components"]:
            what = "components" if given == "pca" else "dimensions of the embedding"
            yield Fault(
                (f"models.{name}.input", f"embeddings.{given}.n_components"),
                f"`models.{name}.input` is {given}, and `embeddings.{given}.n_components` is 0; give the number of "
                f"{what}",
            )
        if given == "scvi":
            yield from _latent_variables(settings, name)
        what = "principal components" if given == "pca" else "an embedding"
        if model["chord_pixels"]:
            yield Fault(
                (f"models.{name}.input", f"models.{name}.chord_pixels", "training.chord_pixels"),
                f"`models.{name}` reads {what} (`input: {given}`) and chords (`chord_pixels`); choose one",
            )
        if model["attribution"] in ATTENTION_METHODS:
            over = "components" if given == "pca" else "the embedding"
            yield Fault(
                (f"models.{name}.input", f"models.{name}.attribution", "training.attribution"),
                f"`models.{name}.attribution` is {model['attribution']}, whose attention is over {over} "
                f"(`input: {given}`), not features; expected one of {', '.join(GENERAL_METHODS)}",
            )


def _latent_variables(settings: Settings, name: str) -> Iterator[Fault]:
    """An encoder of counts in a pass gets them from normalised values, and is not told batches."""
    if settings["embeddings"]["scvi"]["batch"]:
        yield Fault(
            (f"models.{name}.input", "embeddings.scvi.batch"),
            f"`models.{name}.input` is scvi, and `embeddings.scvi.batch` is given, which passes do not know; leave it "
            "empty, or set `input: pca`",
        )
    normalization = settings["features"]["normalization"]
    if normalization in ("none", "log1p_tpm"):
        yield Fault(
            (f"models.{name}.input", "features.normalization"),
            f"`models.{name}.input` is scvi, and `features.normalization` is {normalization}, from which no counts can "
            "be recovered; expected log1p_median, log1p_cp10k or log1p_cpm",
        )

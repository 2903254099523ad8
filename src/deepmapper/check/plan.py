"""What a run would do: models, passes, and a rough time."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.words import count
from ..transform import image_side
from .outcome import Outcome

# CPU seconds of a pass: what it takes whatever its size, and per pixel, sample and epoch with the smallest network.
# Larger networks take a multiple. Epochs that early stopping leaves on average. All rough, from whole runs of the
# matrix demo and of pbmc3k.
_START, _PER_VALUE, _EPOCHS = 1.0, 1.5e-9, 30
_TIMES = {"linear": 0.4, "mlp": 0.5, "cnn_small": 1.0}
_OTHER_NETWORKS = 10.0

# Seconds on one core for each sample × pair of features × permutation × class of the screen for gene chords, twice
# (docs/chords.md, What it costs).
_PER_PAIR = 28e-12

# What the rest of a run takes, in seconds: start of the workflow, tables, figures and chords of a small study.
_REST = 120.0

# The screen is named if it takes more than this share of more than so many minutes; chosen by hand.
_MOST, _LONG = 0.5, 20


@dataclass(frozen=True)
class Size:
    """Size of a study, as far as it is known; 0 for what is not.

    Attributes
    ----------
    samples, features, classes
        Numbers of samples that count, of features and of classes.
    screened
        Number of features that are screened for gene chords.
    """

    samples: int = 0
    features: int = 0
    classes: int = 0
    screened: int = 0


def passes_of(settings: dict) -> dict[str, int]:
    """Number of passes of each kind that every model trains; the largest, where it grows by itself."""
    passes = settings["passes"]
    n = passes["n_passes"]
    return {
        "": passes["auto"]["cap"] if n == "auto" else n,
        "on permuted labels": passes["n_permuted"],
        "with shadow features": passes["n_shadow"],
        "on halves of the samples": 2 * settings["stability"]["n_pairs"],
    }


def describe_plan(outcome: Outcome, settings: dict, size: Size, cores: int) -> None:
    """Add what would run and, if the size is known, how long it may take."""
    models, kinds = settings["models"], passes_of(settings)
    grows = settings["passes"]["n_passes"] == "auto"
    first = f"{'up to ' if grows else ''}{count(kinds.pop(''), 'pass', 'passes')}"
    others = [f"{n} {kind}" for kind, n in kinds.items() if n]
    total = len(models) * sum(passes_of(settings).values())
    outcome.say(
        "Would run",
        f"{count(len(models), 'model')} ({', '.join(models)}): {first}{' each' * (len(models) > 1)}"
        + (f", and {', '.join(others)}; {total} in all" if others else ""),
    )
    if size.samples and size.features:
        seconds = sum(
            _TIMES.get(model["kind"], _OTHER_NETWORKS) * _training(model, size) + _START for model in models.values()
        ) * sum(passes_of(settings).values())
        minutes, chords = (seconds / cores + _REST) / 60, _chord_minutes(settings, size, cores)
        minutes += chords
        note = ""
        if chords > _MOST * minutes and minutes > _LONG:
            note = (
                f". Most of it is the screen for gene chords ({size.screened:,} features): raise chords.min_detected, "
                "or set chords.enabled to false"
            )
        outcome.say("Estimate", f"{_span(minutes / 2, 2 * minutes)} on {count(cores, 'core')}, a rough guess{note}")


def _chord_minutes(settings: dict, size: Size, cores: int) -> float:
    """Rough minutes of the screen for gene chords."""
    chords = settings["chords"]
    if not chords["enabled"]:
        return 0.0
    models = 1 if size.classes == 2 else size.classes
    samples = min(size.samples * (1 - settings["split"]["test_size"]), chords["max_samples"])
    work = samples * size.screened**2 * (chords["permutations"] + 2) * models
    return work * _PER_PAIR / 60 / min(cores, settings["resources"]["screen_threads"])


def _training(model: dict, size: Size) -> float:
    """Rough seconds of training of the smallest network."""
    epochs = min(model["epochs"], _EPOCHS) if model["early_stop"] else model["epochs"]
    return size.samples * image_side(size.features) ** 2 * epochs * _PER_VALUE


def _span(least: float, most: float) -> str:
    """Write a span of minutes: ``2 to 7 min``, ``40 min to 2.7 h``."""
    (low, unit), (high, last) = _time(least), _time(most)
    return f"{low} to {high} {last}" if unit == last else f"{low} {unit} to {high} {last}"


def _time(minutes: float) -> tuple[str, str]:
    if minutes < 60:
        return f"{max(1, round(minutes))}", "min"
    hours = minutes / 60
    return (f"{hours:.1f}", "h") if hours < 48 else (f"{hours / 24:.0f}", "days")

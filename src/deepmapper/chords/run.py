"""The chord screen of one run: from its features and options to chords and their tables.

The screen reads the development part only. Its chords are plain records (`chords.json`) from which their values can be
computed for any sample; their test reads these records and the test split, and nothing else of the screen.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..core.arrays import take_rows
from ..core.blocks import to_csc
from ..core.stage_schemas import PAIRS, TRIPLETS
from ..core.words import confounder_words, count
from ..errors import CannotScreen
from ..features.levels import draw_development_samples
from ..features.store import Features
from .contrasts import LITTLE_OPEN
from .groups import group_chords
from .screen import screen_pairs, screen_triplets
from .tables import chord_table, feature_table, pair_table, unscreened_feature_table
from .types import Chord, Screen, ScreenOptions

# Fewer samples, or fewer per class on average, make too few strata to hold strong main effects apart. Chosen by hand.
_MIN_SAMPLES, _MIN_PER_CLASS = 30, 8

# A class of fewer samples that was not screened is said to be too small, not to be predicted well. Chosen by hand.
_FEW_SAMPLES = 10

_SCREEN_KEYS = ("min_detected", "permutations", "level", "rate", "keep", "memory_mb")


@dataclass(frozen=True)
class ChordScreen:
    """Result of the screen of a run, ready to be written.

    Attributes
    ----------
    chords
        The chords, by decreasing strength.
    summary
        For screen.json; `summary["statement"]` is a sentence for the report.
    tables
        "pairs", "triplets", "chords" and "features"; those of products are empty if nothing was screened.
    """

    chords: tuple[Chord, ...]
    summary: dict
    tables: dict[str, pd.DataFrame]


def screen_features(
    features: Features,
    options: Mapping,
    *,
    seed: int = 0,
    threads: int | None = None,
    device: str = "numpy",
    folder: str | Path | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> ChordScreen:
    """Screen the development part, or a sample of it, for pairs and triplets, and group them into chords.

    Parameters
    ----------
    features
        The features of a run; its test split is not read.
    options
        The section `chords` of the configuration.
    seed
        Seed of folds and permutations.
    threads
        Threads that score blocks.
    device
        What multiplies matrices, as `devices.for_screen` returns it.
    folder
        Folder for an unnamed temporary file that holds the values by column if they take more than `memory_mb`; None
        for the system's temporary folder.
    progress
        Receives progress.

    Returns
    -------
    ChordScreen
        Without chords, and with the reason, if the screen is switched off or the samples do not allow it.
    """
    y = features.development_samples.labels
    if not options["enabled"]:
        return _not_screened(features, "it is switched off (chords.enabled)")
    if len(y) < max(_MIN_SAMPLES, _MIN_PER_CLASS * len(features.classes)):
        return _not_screened(
            features,
            f"{len(y)} samples in {len(features.classes)} classes are too few, expected at least {_MIN_SAMPLES} in all "
            f"and {_MIN_PER_CLASS} per class on average",
        )
    rows = draw_development_samples(features, options["max_samples"], seed)
    samples = features.select(rows)
    progress(f"screening {len(rows)} of {len(y)} samples of the development part")
    X = to_csc(features.X, rows, options["memory_mb"], folder or tempfile.gettempdir())
    chosen = {key: options[key] for key in _SCREEN_KEYS}
    try:
        pairs = screen_pairs(
            X,
            samples.labels,
            ScreenOptions(**chosen, seed=seed, threads=threads, device=device),
            names=features.names,
            classes=features.classes,
            confounders=take_rows(features.design, rows),
            groups=samples.group_codes,
            progress=progress,
        )
    except CannotScreen as error:
        return _not_screened(features, str(error).rstrip("."))
    triplets = None
    if options["triplets"]:
        triplets = screen_triplets(X, pairs, max_triplet_features=options["max_triplet_features"], progress=progress)
    chords = group_chords(X, pairs, triplets)
    tables = {
        "pairs": pair_table(pairs),
        "triplets": _empty(TRIPLETS) if triplets is None else pair_table(triplets, 3),
        "chords": chord_table(chords),
        "features": feature_table(pairs, chords),
    }
    return ChordScreen(chords, _summary(features, pairs, triplets, chords), tables)


def _not_screened(features: Features, reason: str) -> ChordScreen:
    summary = {
        "ran": False,
        "statement": f"No screen for chords: {reason}.",
        "n_samples": len(features.development),
        "n_development": len(features.development),
        "n_pairs": 0,
        "n_triplets": 0,
        "n_chords": 0,
    }
    tables = {
        "pairs": _empty(PAIRS),
        "triplets": _empty(TRIPLETS),
        "chords": chord_table(()),
        "features": unscreened_feature_table(features.names),
    }
    return ChordScreen((), summary, tables)


def _empty(schema) -> pd.DataFrame:
    """Table of products without rows."""
    return pd.DataFrame(columns=schema.names())


def _summary(features: Features, pairs: Screen, triplets: Screen | None, chords: Sequence[Chord]) -> dict:
    options, effects = pairs.options, pairs.main_effects
    return {
        "ran": True,
        "statement": _statement(features, pairs, triplets, chords),
        "level": options.level,
        "rate": options.rate,
        "permutations": len(pairs.null_largest),
        "n_samples": len(pairs.rows),
        "n_development": len(features.development),
        "n_features": len(pairs.features),
        "confounders": list(features.design_names),
        "left_open": dict(pairs.left_open),
        "main_effects": {name: getattr(effects, name) for name in ("features", "log_loss", "base_log_loss")},
        "n_pairs": len(pairs.found),
        "n_triplets": 0 if triplets is None else len(triplets.found),
        "n_chords": len(chords),
        "pairs": _numbers(pairs),
        "triplets": None if triplets is None else _numbers(triplets),
    }


def _statement(features: Features, pairs: Screen, triplets: Screen | None, chords: Sequence[Chord]) -> str:
    """State the result in a sentence or two."""
    products = count(len(pairs.found), "significant pair", zero="no")
    if triplets is not None:
        products += f" and {count(len(triplets.found), 'significant triplet', zero='no')}"
    n, n_development = len(pairs.rows), len(features.development)
    samples = f"{n:,} samples"
    if n < n_development:
        samples += f", drawn from the {n_development:,} of the development part"
    rate = "family-wise error rate" if pairs.options.rate == "family" else "false discovery rate"
    statement = (
        f"{count(len(chords), 'chord', zero='no').capitalize()}: {products} among {len(pairs.features):,} features of "
        f"{samples}, at a {rate} of {pairs.options.level:g}"
    )
    if features.design_names:
        statement += f", adjusted for {', '.join(map(confounder_words, features.design_names))}"
    statement += "."
    explained, few = without_room(pairs.left_open, np.bincount(features.y[pairs.rows], minlength=len(features.classes)))
    if explained:
        statement += (
            f" Single features predict {', '.join(explained)} so well that products have next to nothing to add."
        )
    if few:
        statement += f" There are too few samples of {', '.join(few)} to look for products."
    return statement


def without_room(left_open: Sequence[tuple[str, float]], sizes: np.ndarray) -> tuple[list[str], list[str]]:
    """Name the classes that were not screened: those that single features predict, and those of too few samples.

    Parameters
    ----------
    left_open
        For each class its name, and the share of its labels that single features leave open.
    sizes
        (n_classes,) number of screened samples of each.
    """
    closed = [i for i, (_, share) in enumerate(left_open) if share < LITTLE_OPEN]
    is_few = np.minimum(sizes, sizes.sum() - sizes) < _FEW_SAMPLES
    few = [left_open[i][0] for i in closed if sizes[i] < _FEW_SAMPLES]
    return [left_open[i][0] for i in closed if not is_few[i]], few


def _numbers(screen: Screen) -> dict:
    return {
        "n_features": len(screen.features),
        "tests": screen.tests,
        "threshold": screen.threshold,
        "largest": screen.largest,
        "null_largest": screen.null_largest.tolist(),
    }

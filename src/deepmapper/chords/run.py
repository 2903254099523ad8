"""The chord screen of one run: input, options, chords and their tables.

The screen reads the development part alone. What it hands on are plain records of the chords (`chords.json`), from
which their values follow for any sample; the proof reads these and the test split, and nothing else of the screen.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..core.blocks import to_csc
from ..core.stage_schemas import PAIRS, TRIPLETS
from ..core.words import count
from ..errors import CannotScreen
from ..features.levels import draw_samples
from ..features.splits import SMALL, SMALL_PER_CLASS, is_small
from ..features.store import Features
from . import groups
from . import screen as chords_screen
from . import tables as chords_tables
from .types import Chord, Screen

_LITTLE = 0.05  # of what could be said of a class: what features say one by one leaves so little open


@dataclass(frozen=True)
class ChordScreen:
    """What the screen of a run found, ready to be written.

    Attributes
    ----------
    chords
        The chords, by falling strength.
    about
        For screen.json; `about["statement"]` says it in a sentence.
    tables
        "pairs", "triplets", "chords" and "features"; those of products empty where nothing was screened.
    """

    chords: tuple[Chord, ...]
    about: dict
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
    """Screen the development part, or samples drawn from it, for pairs and triplets, and group them into chords.

    Parameters
    ----------
    features
        The features of a run; its test split is not read.
    options
        The section `chords` of the settings.
    seed
        Seed of folds and permutations.
    threads
        Threads of the matrix products.
    device
        What multiplies, as `devices.for_screen` gives it.
    folder
        Where the values lie by columns meanwhile, in a file without a name, if they take more than `memory_mb`; None
        for the system's folder for temporary files.
    progress
        Receives progress.

    Returns
    -------
    ChordScreen
        Without chords, and with the reason, where it is switched off or the samples do not allow it.
    """
    y = features.development_samples.labels
    if not options["enabled"]:
        return _not_screened(features, "the configuration asks for none (chords.enabled)")
    if is_small(y):
        return _not_screened(
            features,
            f"{len(y)} samples in {len(features.classes)} classes are too few, expected at least {SMALL} in all and "
            f"{SMALL_PER_CLASS} a class on average",
        )
    rows = draw_samples(features, options["max_samples"], seed)
    drawn = features.select(rows)
    progress(f"{len(rows)} of {len(y)} samples of the development part are screened")
    X = to_csc(features.X, rows, options["memory_mb"], folder or tempfile.gettempdir())
    try:
        screen = chords_screen.screen_pairs(
            X,
            drawn.labels,
            names=features.names,
            classes=features.classes,
            confounders=None if features.design is None else features.design[rows],
            groups=drawn.group_codes,
            seed=seed,
            threads=threads,
            device=device,
            progress=progress,
            **{key: options[key] for key in ("min_detected", "permutations", "level", "rate", "keep", "memory_mb")},
        )
    except CannotScreen as error:
        return _not_screened(features, str(error).rstrip("."))
    triplets = None
    if options["triplets"]:
        triplets = chords_screen.screen_triplets(
            X,
            screen,
            max_triplet_features=options["max_triplet_features"],
            keep=options["keep"],
            threads=threads,
            device=device,
            progress=progress,
        )
    found = groups.group_chords(X, screen, triplets)
    tables = {
        "pairs": chords_tables.pair_table(screen),
        "triplets": _no_products("c") if triplets is None else chords_tables.pair_table(triplets),
        "chords": chords_tables.chord_table(found),
        "features": chords_tables.feature_table(screen, found),
    }
    return ChordScreen(found, _about(features, screen, triplets, found), tables)


def _not_screened(features: Features, why: str) -> ChordScreen:
    about = {
        "ran": False,
        "statement": f"No screen for chords: {why}.",
        "n_samples": len(features.development),
        "n_development": len(features.development),
        "n_pairs": 0,
        "n_triplets": 0,
        "n_chords": 0,
    }
    blank = pd.DataFrame(
        {
            "feature": list(features.names),
            "screened": False,
            "z_pair": np.nan,
            "partner": "",
            "chord": "",
            "z_chord": np.nan,
        }
    )
    tables = {
        "pairs": _no_products("b"),
        "triplets": _no_products("c"),
        "chords": chords_tables.chord_table(()),
        "features": blank,
    }
    return ChordScreen((), about, tables)


def _no_products(last: str) -> pd.DataFrame:
    return pd.DataFrame(columns=(PAIRS if last == "b" else TRIPLETS).names())


def _about(features: Features, screen: Screen, triplets: Screen | None, found: Sequence[Chord]) -> dict:
    effects = screen.main_effects
    what = "any false product among all" if screen.rate == "family" else "false products among those named"
    counted = count(len(screen.found), "significant pair", zero="no")
    if triplets is not None:
        counted += f" and {count(len(triplets.found), 'significant triplet', zero='no')}"
    n, of = len(screen.rows), len(features.development)
    drawn = f", drawn from the {of} of the development part" if n < of else ""
    statement = (
        f"{count(len(found), 'chord', zero='no').capitalize()}: {counted} among {len(screen.features)} features of "
        f"{n} samples{drawn}, at a rate of {screen.level:g} of {what}"
        + (f", adjusted for {', '.join(features.design_names)}." if features.design_names else ".")
    )
    settled = [name for name, share in screen.left_open if share < _LITTLE]
    if settled:
        statement += (
            f" Features tell {', '.join(settled)} so well one by one that next to nothing is left for products to add."
        )
    return {
        "ran": True,
        "statement": statement,
        "level": screen.level,
        "rate": screen.rate,
        "permutations": len(screen.null_largest),
        "n_samples": n,
        "n_development": of,
        "n_features": len(screen.features),
        "confounders": list(features.design_names),
        "left_open": dict(screen.left_open),
        "main_effects": {name: getattr(effects, name) for name in ("features", "log_loss", "base_log_loss")},
        "n_pairs": len(screen.found),
        "n_triplets": 0 if triplets is None else len(triplets.found),
        "n_chords": len(found),
        "pairs": _numbers(screen),
        "triplets": None if triplets is None else _numbers(triplets),
    }


def _numbers(screen: Screen) -> dict:
    return {
        "n_features": len(screen.features),
        "tests": screen.tests,
        "threshold": screen.threshold,
        "largest": screen.largest,
        "null_largest": screen.null_largest.tolist(),
    }

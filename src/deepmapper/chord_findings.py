"""One screen for gene chords a run: what is screened, what is handed on, what is proved, and the tables of all of it.

The screen reads the development part alone. What it hands on are plain records of the chords (`chords.json`), from
which their values follow for any sample; the proof reads these and the test split, and nothing else of the screen.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from . import accumulate, chords
from .blocks import by_columns, thinned
from .chords import Chord, Screen
from .draws import Draw, stream
from .errors import CannotScreen, InputError
from .pass_result import PassResult
from .splits import FEW, FEW_A_CLASS, few_samples
from .stage_schemas import MODEL_CHORDS, PAIRS, TRIPLETS
from .store import Features, whole_file, with_chords
from .words import count

PROOF = (
    *("n_test", "auc_chord", "auc_chord_low", "auc_chord_high", "best_member", "auc_best_member", "auc_additive"),
    *("synergy", "synergy_low", "synergy_high", "macro_auc", "macro_auc_additive", "accuracy", "accuracy_additive"),
)
# Of a chord's pixel; features have about 1 or less, and thousands of them drown a single one of their size.
PIXEL_DEVIATION = 10.0
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
    tell: Callable[[str], None] = lambda line: None,
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
    tell
        Receives progress.

    Returns
    -------
    ChordScreen
        Without chords, and with the reason, where it is switched off or the samples do not allow it.
    """
    y = features.development_samples.labels
    if not options["enabled"]:
        return _not_screened(features, "the configuration asks for none (chords.enabled)")
    if few_samples(y):
        return _not_screened(
            features,
            f"{len(y)} samples in {len(features.classes)} classes are too few, expected at least {FEW} in all and "
            f"{FEW_A_CLASS} a class on average",
        )
    rows = drawn_samples(features, options["most_samples"], seed)
    drawn = features.select(rows)
    tell(f"{len(rows)} of {len(y)} samples of the development part are screened")
    X = by_columns(features.X, rows, options["memory_mb"], folder or tempfile.gettempdir())
    try:
        screen = chords.screen_pairs(
            X,
            drawn.labels,
            names=features.names,
            classes=features.classes,
            confounders=None if features.design is None else features.design[rows],
            groups=drawn.group_codes,
            seed=seed,
            threads=threads,
            device=device,
            tell=tell,
            **{key: options[key] for key in ("min_detected", "permutations", "level", "rate", "keep", "memory_mb")},
        )
    except CannotScreen as error:
        return _not_screened(features, str(error).rstrip("."))
    triplets = None
    if options["triplets"]:
        triplets = chords.screen_triplets(
            X,
            screen,
            most_variable=options["most_variable"],
            keep=options["keep"],
            threads=threads,
            device=device,
            tell=tell,
        )
    found = chords.group_chords(X, screen, triplets)
    tables = {
        "pairs": chords.pair_table(screen),
        "triplets": _no_products("c") if triplets is None else chords.pair_table(triplets),
        "chords": chords.chord_table(found),
        "features": chords.feature_table(screen, found),
    }
    return ChordScreen(found, _about(features, screen, triplets, found), tables)


def drawn_samples(features: Features, most: int, seed: int) -> np.ndarray:
    """Draw the samples of the development part that are screened: all, or `most` of them.

    Half of the places are dealt evenly to the classes, so that a rare one keeps its samples; the others follow the
    classes' sizes.
    """
    rows = features.development
    if len(rows) <= most:
        return rows
    y = features.y[rows]
    sizes = np.bincount(y, minlength=len(features.classes))
    dealt = np.minimum(sizes, most // (2 * len(sizes)))
    dealt += ((sizes - dealt) * ((most - dealt.sum()) / (sizes - dealt).sum())).astype(np.int64)
    largest = int(np.argmax(sizes - dealt))
    dealt[largest] = min(sizes[largest], dealt[largest] + most - dealt.sum())  # what rounding left over
    rng = stream(seed, Draw.SCREENED_SAMPLES)
    drawn = [rng.choice(rows[y == code], size, replace=False) for code, size in enumerate(dealt)]
    return np.sort(np.concatenate(drawn))


def prove(
    features: Features, found: Sequence[Chord], *, most_samples: int = 20_000, draws: int = 1000, seed: int = 0
) -> tuple[pd.DataFrame, dict]:
    """Judge chords on the test split: the table of chords with the columns of the proof, and what can be said of it.

    The models that are compared learn from the samples that were screened: `most_samples` as there. Without a test
    split the columns are empty: nothing is proved, and the statement says so.
    """
    table = chords.chord_table(found)
    by_class = [f"{what}[{name}]" for name in features.classes for what in ("auc", "synergy")]
    judged, told = len(found) > 0 and len(features.test) > 0, {}
    if judged:
        learnt_from = drawn_samples(features, most_samples, seed)
        rows = np.sort(np.concatenate([learnt_from, features.test]))
        compared = features.select(rows)
        proofs = chords.prove_chords(
            _of_members(features.X, found, rows),
            compared.labels,
            found,
            development=np.searchsorted(rows, learnt_from),
            test=np.searchsorted(rows, features.test),
            classes=features.classes,
            confounders=None if features.design is None else features.design[rows],
            groups=compared.group_codes,
            draws=draws,
            seed=seed,
        )
        table = chords.chord_table(found, proofs)
        adding = [proof for proof in proofs if proof.synergy_low > 0]
        told = {"n_adding": len(adding)}
        of_all = count(len(found), "chord tells", "chords tell", zero="no")
        statement = (
            f"{len(adding)} of {of_all} more than the "
            f"members one by one on {len(features.test)} samples that the screen never saw (the 95 % interval of the "
            f"synergy lies above 0)."
        )
    elif found:
        statement = (
            "No test split was set aside, so no chord was judged on samples that the screen had not seen: nothing is "
            "proved."
        )
    else:
        statement = "There is no chord to prove."
    return table.reindex(columns=[*chords.chord_table(()).columns, *PROOF, *by_class]), {
        "proved": judged,
        **told,
        "statement": statement,
    }


@dataclass(frozen=True)
class ProvenChords:
    """The chords of a run, judged on its test split.

    Attributes
    ----------
    table
        One row per chord, with the columns of the proof.
    summary
        For findings/chords.json; `summary["statement"]` says it in a sentence.
    scores
        One row per chord and sample: the value of the chord (`score_table`).
    """

    table: pd.DataFrame
    summary: dict
    scores: pd.DataFrame


def prove_run(
    features: Features, found: Sequence[Chord], *, most_samples: int = 20_000, draws: int = 1000, seed: int = 0
) -> ProvenChords:
    """Judge the chords of a run (`prove`), and compute their values in every sample."""
    table, summary = prove(features, found, most_samples=most_samples, draws=draws, seed=seed)
    return ProvenChords(table, summary, score_table(features, found))


def score_table(features: Features, found: Sequence[Chord]) -> pd.DataFrame:
    """Value of every chord in every sample that has a label, one row each."""
    rows = features.labelled
    values = chords.chord_features(_of_members(features.X, found), found)[rows]
    n = len(rows)
    split = np.where(np.isin(rows, features.test), "test", "development").astype(object)
    cells = np.array(features.samples or range(len(features.y)), dtype=object)[rows]
    parts = {
        "cell": np.tile(cells, len(found)),
        "split": np.tile(split, len(found)),
        "label": np.tile(np.array(features.classes, dtype=object)[features.y[rows]], len(found)),
        "chord": np.repeat(np.array([chord.name for chord in found], dtype=object), n),
        "score": values.T.ravel(),
    }
    return pd.DataFrame(parts)


def append_chords(features: Features, found: Sequence[Chord]) -> Features:
    """Put the values of chords behind the features, as pixels that a network can find among thousands of others.

    The matrix is a source of `blocks`, which need not be in memory to be written.
    """
    values = chords.chord_features(_of_members(features.X, found), found) * np.float32(PIXEL_DEVIATION)
    return with_chords(features, values, [chord.name for chord in found])


def rank_chords(results: Sequence[PassResult], names: Sequence[str], top_k: int, min_accuracy: float) -> pd.DataFrame:
    """One row a chord: what the accepted passes that read it as a pixel make of it, among features and chords.

    Parameters
    ----------
    results
        Passes of one model; their weights are not needed.
    names
        The chords that they read.
    top_k
        Head of each pass's ranking that counts as selected.
    min_accuracy
        Passes below are left out.
    """
    columns = MODEL_CHORDS.names()
    kept = accumulate.accepted_passes(results, min_accuracy)
    if not kept or not names:
        return pd.DataFrame(columns=columns)
    of_chords = [r.chords.importance for r in kept if r.chords is not None]
    if len(of_chords) < len(kept):
        raise InputError(
            f"{len(kept) - len(of_chords)} of {len(kept)} passes read no gene chords, {len(names)} were expected: "
            f"train the passes of this model on the features with chords"
        )
    both = [np.concatenate([r.importance, chord]).tolist() for r, chord in zip(kept, of_chords, strict=True)]
    place = slice(len(both[0]) - len(names), None)
    share = accumulate.selection_frequency([accumulate.top_k_set(i, top_k) for i in both], len(both[0]))[place]
    intervals = np.array([accumulate.wilson_interval(one, len(kept)) for one in share])
    quartiles = np.quantile(of_chords, [0.25, 0.5, 0.75], axis=0)
    ranks = accumulate.mean_rank([accumulate.ranks_from_importances(i) for i in both])[place]
    found = (list(names), share, *intervals.T, quartiles[1], quartiles[0], quartiles[2], ranks)
    return pd.DataFrame(dict(zip(columns, found, strict=True)))


def write_chords(found: Sequence[Chord], path: str | Path) -> None:
    """Write chords with all their numbers as JSON, whole."""
    with whole_file(path) as tmp:
        tmp.write_text(json.dumps([asdict(chord) for chord in found], indent=1) + "\n")


def read_chords(path: str | Path) -> tuple[Chord, ...]:
    """Read what `write_chords` wrote; the same chords, to the last digit."""
    return tuple(
        Chord(**{key: _tuples(value) for key, value in one.items()}) for one in json.loads(Path(path).read_text())
    )


def _tuples(value):
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _of_members(X, found: Sequence[Chord], rows: np.ndarray | None = None):
    """Give rows of a matrix, which may be mapped and larger than memory, without all but the members of chords."""
    if isinstance(X, np.ndarray) and (rows is None or len(rows) == len(X)):
        return X  # of which columns are read as they are asked for
    members = sorted({position for chord in found for position in chord.positions})
    return thinned(X, np.array(members, dtype=np.int64), rows)


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
        "chords": chords.chord_table(()),
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

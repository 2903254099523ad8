"""Test of chords on the test split: how well each predicts its class in samples that the screen did not use."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from ..core.arrays import dense, take_rows
from ..core.auc import auc, resamples
from ..core.draws import Draw, integer_seed, stream
from ..core.logistic import Folds, fit_ridge_logistic
from ..errors import InputError
from ..features.composition import explained_by_composition
from ..features.levels import draw_development_samples
from ..features.splits import assign_folds
from ..features.store import Features
from .tables import chord_table
from .types import Chord, ChordProof
from .values import chord_features, keep_members, squash

# Columns that the test adds to the table of chords, besides those of each class.
PROOF = (
    *("n_test", "auc_chord", "auc_chord_low", "auc_chord_high", "best_member", "auc_best_member", "auc_additive"),
    *("synergy", "synergy_low", "synergy_high", "macro_auc", "macro_auc_additive", "accuracy", "accuracy_additive"),
)

# Inverse strengths (C) of the ridge penalty to choose from: a few columns, so every decade from strong to almost none.
_PENALTIES = (0.001, 0.01, 0.1, 1.0, 10.0)

# Members of each side whose products enter the model one by one, by number of sides: 16 or 8 products at most.
_STRONGEST = {2: 4, 3: 2}


@dataclass(frozen=True)
class ProvenChords:
    """The chords of a run, tested on its test split.

    Attributes
    ----------
    table
        One row per chord, with the columns of the test.
    summary
        For findings/chords.json; `summary["statement"]` is a sentence for the report.
    scores
        One row per chord and sample: the value of the chord (`score_table`).
    """

    table: pd.DataFrame
    summary: dict
    scores: pd.DataFrame


def prove_run(
    features: Features, chords: Sequence[Chord], *, max_samples: int = 20_000, draws: int = 1000, seed: int = 0
) -> ProvenChords:
    """Test the chords of a run (`prove`), and compute their values and what the composition explains of them."""
    table, summary = prove(features, chords, max_samples=max_samples, draws=draws, seed=seed)
    explained = composition_of(features, chords)
    if explained is not None:
        table["composition_r2"] = table["chord"].map(explained)
    return ProvenChords(table, summary, score_table(features, chords))


def composition_of(features: Features, chords: Sequence[Chord]) -> dict[str, float] | None:
    """Share of the variance of each chord's value that the composition of the samples explains; None if not named."""
    rows = features.development
    values = chord_features(keep_members(features.X, chords), chords)[rows] if chords else np.zeros((len(rows), 0))
    explained = explained_by_composition(values, take_rows(features.design, rows), features.design_names)
    return None if explained is None else dict(zip([chord.name for chord in chords], explained.tolist(), strict=True))


def prove(
    features: Features, chords: Sequence[Chord], *, max_samples: int = 20_000, draws: int = 1000, seed: int = 0
) -> tuple[pd.DataFrame, dict]:
    """Test chords on the test split: the table of chords with the columns of the test, and a summary.

    The models are trained on the samples that were screened; `max_samples` must be that of the screen. Without a test
    split the columns are empty and no chord is tested; the statement reports this.
    """
    table = chord_table(chords)
    by_class = [f"{what}[{name}]" for name in features.classes for what in ("auc", "synergy")]
    columns = [*table.columns, *PROOF, *by_class]
    summary: dict = {"proved": len(chords) > 0 and len(features.test) > 0}
    if summary["proved"]:
        screened = draw_development_samples(features, max_samples, seed)
        rows = np.sort(np.concatenate([screened, features.test]))
        samples = features.select(rows)
        proofs = prove_chords(
            keep_members(features.X, chords, rows),
            samples.labels,
            chords,
            development=np.searchsorted(rows, screened),
            test=np.searchsorted(rows, features.test),
            classes=features.classes,
            confounders=take_rows(features.design, rows),
            groups=samples.group_codes,
            draws=draws,
            seed=seed,
        )
        table = chord_table(chords, proofs)
        n_adding = sum(proof.synergy_low > 0 for proof in proofs)
        summary["n_adding"] = n_adding
        which = f"{n_adding} of {len(chords)} chords predict" if len(chords) > 1 else "The chord predicts"
        if len(chords) == 1 and not n_adding:
            which = "The chord does not clearly predict"
        summary["statement"] = (
            f"{which} the class better than the members one by one, on {len(features.test)} samples that the screen "
            f"never saw (the 95 % interval of the synergy {'is above' if n_adding or len(chords) > 1 else 'includes'} "
            f"0)."
        )
    elif chords:
        summary["statement"] = (
            "No test split was set aside, so no chord was tested on samples that the screen had not seen: nothing is "
            "proved."
        )
    else:
        summary["statement"] = "There is no chord to prove."
    return table.reindex(columns=columns), summary


def score_table(features: Features, chords: Sequence[Chord]) -> pd.DataFrame:
    """Value of every chord in every labelled sample, one row each."""
    rows = features.labelled
    values = chord_features(keep_members(features.X, chords), chords)[rows]
    split = np.where(np.isin(rows, features.test), "test", "development").astype(object)
    cells = np.array(features.samples or range(len(features.y)), dtype=object)[rows]
    columns = {
        "cell": np.tile(cells, len(chords)),
        "split": np.tile(split, len(chords)),
        "label": np.tile(np.array(features.classes, dtype=object)[features.y[rows]], len(chords)),
        "chord": np.repeat(np.array([chord.name for chord in chords], dtype=object), len(rows)),
        "score": values.T.ravel(),
    }
    return pd.DataFrame(columns)


def prove_chords(
    X,
    y: np.ndarray,
    chords: Sequence[Chord],
    *,
    development: np.ndarray,
    test: np.ndarray,
    classes: Sequence[str] | None = None,
    confounders: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[ChordProof, ...]:
    """Test every chord on test rows, with small models trained on development rows.

    Three ridge logistic regressions are compared: on the single member that is best on the development part; on all
    members; on all members and their products (of the sides' scores, and of the strongest members). Penalties are
    chosen by cross-validation on the development part.

    Parameters
    ----------
    X
        (n, p) CSR or dense, as it was screened.
    y
        (n,) class codes.
    chords
        What `group_chords` returned on the development rows.
    development, test
        Rows that were screened, and rows that were not.
    classes
        Names of the classes; None takes their codes.
    confounders
        (n, q); in every model, so that no comparison depends on them.
    groups
        (n,) codes: folds keep groups whole, and intervals resample groups.
    draws
        Resamples of the test rows.
    seed
        Seed of folds and resamples.

    Raises
    ------
    InputError
        If there are no test rows, either part lacks a class, or a row is in both.
    """
    y, development, test = np.asarray(y), np.asarray(development), np.asarray(test)
    n_classes = int(y.max()) + 1
    classes = tuple(map(str, range(n_classes))) if classes is None else tuple(classes)
    _check_rows(y, development, test, n_classes)
    extra = np.zeros((len(y), 0)) if confounders is None else np.asarray(confounders)
    groups = None if groups is None else np.asarray(groups)
    test_groups = take_rows(groups, test)
    fold = assign_folds(y[development], take_rows(groups, development), integer_seed(seed, Draw.CHORD_FOLDS))
    folds = [(np.flatnonzero(fold != code), np.flatnonzero(fold == code)) for code in np.unique(fold)]
    fit = partial(_test_probability, y=y, development=development, test=test, folds=folds)
    proofs = []
    for chord in chords:
        members = np.hstack([_members(X, chord), extra])
        focus = classes.index(chord.class_name)
        additive = fit(members)
        full = fit(np.hstack([members, _products(X, chord)]))
        best = _best_single(members[development], y[development], len(chord.features), focus)
        single = fit(np.hstack([members[:, [best]], extra]))
        rng = stream(seed, Draw.CHORD_RESAMPLES)  # restarted, so that every chord gets the same resamples
        resampled = resamples(len(test), test_groups, draws, rng)
        models = full, additive, single
        proofs.append(_compare_models(chord, y[test], models, chord.features[best], classes, resampled))
    return tuple(proofs)


def _check_rows(y: np.ndarray, development: np.ndarray, test: np.ndarray, n_classes: int) -> None:
    if len(np.intersect1d(development, test)):
        raise InputError("development and test share rows: a chord must be tested on samples the screen never saw")
    if len(np.unique(y[test])) < n_classes or len(np.unique(y[development])) < n_classes:
        raise InputError(
            f"{len(test)} test rows and {len(development)} development rows: expected every one of {n_classes} classes "
            f"in both. A chord can only be proved on samples that the screen never saw: set a test split aside."
        )


def _test_probability(
    values: np.ndarray, *, y: np.ndarray, development: np.ndarray, test: np.ndarray, folds: Folds
) -> np.ndarray:
    """Predict the test rows with a model of the development rows: (n, classes) probabilities."""
    model = fit_ridge_logistic(
        values[development],
        y[development],
        penalties=_PENALTIES,
        folds=folds,
        n_classes=int(y.max()) + 1,
        max_iter=500,
    )
    return model.probabilities(values[test])


def _members(X, chord: Chord) -> np.ndarray:
    """Standardised values of the members, side after side: (n, members)."""
    mean, scale = np.concatenate(chord.mean), np.concatenate(chord.scale)
    return (dense(X[:, list(chord.positions)]) - mean) / scale


def _products(X, chord: Chord) -> np.ndarray:
    """Product of the sides, and products of their strongest members, each squashed: (n, at most 1 + 16)."""
    products = [chord_features(X, [chord])[:, 0]]
    if len(chord.positions) > chord.order:
        ends = np.cumsum([len(side) for side in chord.sides])
        sides = np.split(squash(_members(X, chord)), ends[:-1], axis=1)
        strongest = [side[:, : _STRONGEST[chord.order]].T for side in sides]
        products += [np.multiply.reduce(members) for members in itertools.product(*strongest)]
    return np.column_stack(products)


def _best_single(members: np.ndarray, y: np.ndarray, n_members: int, focus: int) -> int:
    """Position of the member that alone predicts the class of code `focus` best."""
    return int(np.argmax([abs(auc(members[:, j], y == focus) - 0.5) for j in range(n_members)]))


def _compare_models(chord: Chord, y: np.ndarray, models, single: str, classes, resampled) -> ChordProof:
    """Compare the test probabilities of the full, the additive and the single-member model."""
    full, additive, _ = models
    focus = classes.index(chord.class_name)
    by_class = [(name, *(auc(model[:, code], y == code) for model in models)) for code, name in enumerate(classes)]
    drawn = np.array([[auc(model[rows, focus], y[rows] == focus) for model in models] for rows in resampled])
    drawn = drawn.reshape(-1, 3)
    drawn = drawn[np.isfinite(drawn).all(1)]  # a resample without the class has no AUC
    synergy = drawn[:, 0] - np.maximum(drawn[:, 1:].max(1), 0.5)
    auc_full, auc_additive, auc_single = by_class[focus][1:]
    return ChordProof(
        chord=chord.name,
        class_name=chord.class_name,
        n_test=len(y),
        auc=auc_full,
        auc_low=_quantile(drawn[:, 0], 0.025),
        auc_high=_quantile(drawn[:, 0], 0.975),
        single=single,
        auc_single=auc_single,
        auc_additive=auc_additive,
        synergy=auc_full - max(auc_additive, auc_single, 0.5),
        synergy_low=_quantile(synergy, 0.025),
        synergy_high=_quantile(synergy, 0.975),
        macro_auc=float(np.mean([row[1] for row in by_class])),
        macro_auc_additive=float(np.mean([row[2] for row in by_class])),
        accuracy=float((full.argmax(1) == y).mean()),
        accuracy_additive=float((additive.argmax(1) == y).mean()),
        auc_by_class=tuple(by_class),
    )


def _quantile(values: np.ndarray, share: float) -> float:
    return float(np.quantile(values, share)) if len(values) else float("nan")

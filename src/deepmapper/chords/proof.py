"""The value of a chord in any sample, and its test on samples the screen did not use."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial

import numpy as np
import scipy.sparse as sp

from ..core.auc import auc, resamples
from ..core.draws import Draw, integer_seed, stream
from ..core.logistic import Folds, fit_ridge_logistic
from ..errors import InputError
from ..features.strata import assign_folds
from .groups import bend
from .types import Chord, ChordProof

_PENALTIES = (0.001, 0.01, 0.1, 1.0, 10.0)

_STRONGEST = {2: 4, 3: 2}  # members of each side whose products are given singly, by number of sides


def side_scores(X, chord: Chord) -> np.ndarray:
    """Scores of the sides of a chord for all rows of `X`, bent towards 1 and -1: (n, sides) float64."""
    columns = []
    for side, weight, mean, scale, spread in zip(
        chord.sides, chord.weights, chord.mean, chord.scale, chord.side_scale, strict=True
    ):
        values = (_dense(X[:, list(side)]) - np.array(mean)) / np.array(scale)
        columns.append(bend(values @ np.array(weight) / spread))
    return np.column_stack(columns)


def chord_features(X, chords: Sequence[Chord]) -> np.ndarray:
    """Value of every chord for every row of `X`: the product of its sides' scores, standardised.

    Parameters
    ----------
    X
        (n, p) CSR or dense, the columns that were screened; any rows.
    chords
        What `group_chords` returned.

    Returns
    -------
    numpy.ndarray
        (n, chords) float32. Mean 0 and deviation 1 on the rows that were screened.
    """
    made = np.empty((X.shape[0], len(chords)), dtype=np.float32)
    for i, chord in enumerate(chords):
        made[:, i] = (side_scores(X, chord).prod(1) - chord.product_mean) / chord.product_scale
    return made


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
    """Judge every chord on test rows, by small models that were trained on development rows.

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
        (n, q); in every model, so that no comparison rests on them.
    groups
        (n,) codes: folds keep groups whole, and intervals resample groups.
    draws
        Resamples of the test rows.
    seed
        Seed of folds and resamples.

    Raises
    ------
    InputError
        If there are no test rows, they lack a class, or the same row is on both sides.
    """
    y, development, test = np.asarray(y), np.asarray(development), np.asarray(test)
    n_classes = int(y.max()) + 1
    classes = tuple(map(str, range(n_classes))) if classes is None else tuple(classes)
    if len(np.intersect1d(development, test)):
        raise InputError("a row is in development and test: expected none, or the proof would judge what it has seen")
    if len(np.unique(y[test])) < n_classes or len(np.unique(y[development])) < n_classes:
        raise InputError(
            f"{len(test)} test rows and {len(development)} development rows: expected every one of {n_classes} classes "
            f"on both sides. A chord can only be proved on samples that the screen never saw: set a test split aside."
        )
    extra = np.zeros((len(y), 0)) if confounders is None else np.asarray(confounders)
    groups = None if groups is None else np.asarray(groups)
    of_test = None if groups is None else groups[test]
    fold = assign_folds(
        y[development], None if groups is None else groups[development], integer_seed(seed, Draw.CHORD_FOLDS)
    )
    folds = [(np.flatnonzero(fold != code), np.flatnonzero(fold == code)) for code in np.unique(fold)]
    fit = partial(_test_probability, y=y, development=development, test=test, folds=folds)
    proofs = []
    for chord in chords:
        members = np.hstack([_members(X, chord), extra])
        products = _products(X, chord)
        focus = classes.index(chord.class_name)
        additive = fit(members)
        full = fit(np.hstack([members, products]))
        best = _best_single(members[development], y[development], len(chord.features), focus)
        single = fit(np.hstack([members[:, [best]], extra]))
        rng = stream(seed, Draw.CHORD_RESAMPLES)  # anew: the same resamples for every chord, held one at a time
        drawn = resamples(len(test), of_test, draws, rng)
        proofs.append(_judged(chord, y[test], full, additive, single, chord.features[best], classes, drawn))
    return tuple(proofs)


def _test_probability(
    values: np.ndarray, *, y: np.ndarray, development: np.ndarray, test: np.ndarray, folds: Folds
) -> np.ndarray:
    """Probabilities of the test rows by a model of the development rows, penalty by cross-validation: (n, classes)."""
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
    mean, scale = np.concatenate(chord.mean), np.concatenate(chord.scale)
    return (_dense(X[:, list(chord.positions)]) - mean) / scale


def _products(X, chord: Chord) -> np.ndarray:
    """Product of the sides, and of the strongest members across sides, each bent: (n, at most 1 + 16)."""
    made = [chord_features(X, [chord])[:, 0]]
    if len(chord.positions) > chord.order:
        ends = np.cumsum([len(side) for side in chord.sides])
        bent = np.split(bend(_members(X, chord)), ends[:-1], axis=1)
        strong = [side[:, : _STRONGEST[chord.order]].T for side in bent]
        made += [np.multiply.reduce(values) for values in itertools.product(*strong)]
    return np.column_stack(made)


def _best_single(members: np.ndarray, y: np.ndarray, count: int, focus: int) -> int:
    return int(np.argmax([abs(auc(members[:, j], y == focus) - 0.5) for j in range(count)]))


def _judged(chord, y, full, additive, single, name: str, classes, rows_drawn) -> ChordProof:
    focus = classes.index(chord.class_name)
    by_class = [
        (label, *(auc(model[:, code], y == code) for model in (full, additive, single)))
        for code, label in enumerate(classes)
    ]
    drawn = np.array(
        [[auc(model[rows, focus], y[rows] == focus) for model in (full, additive, single)] for rows in rows_drawn]
    ).reshape(-1, 3)
    drawn = drawn[np.isfinite(drawn).all(1)]
    gain = drawn[:, 0] - np.maximum(drawn[:, 1:].max(1), 0.5)
    value, plain, alone = by_class[focus][1:]
    return ChordProof(
        chord=chord.name,
        class_name=chord.class_name,
        n_test=len(y),
        auc=value,
        auc_low=_quantile(drawn[:, 0], 0.025),
        auc_high=_quantile(drawn[:, 0], 0.975),
        single=name,
        auc_single=alone,
        auc_additive=plain,
        synergy=value - max(plain, alone, 0.5),
        synergy_low=_quantile(gain, 0.025),
        synergy_high=_quantile(gain, 0.975),
        macro_auc=float(np.mean([row[1] for row in by_class])),
        macro_auc_additive=float(np.mean([row[2] for row in by_class])),
        accuracy=float((full.argmax(1) == y).mean()),
        accuracy_additive=float((additive.argmax(1) == y).mean()),
        auc_by_class=tuple(by_class),
    )


def _quantile(values: np.ndarray, share: float) -> float:
    return float(np.quantile(values, share)) if len(values) else float("nan")


def _dense(X) -> np.ndarray:
    return X.toarray() if sp.issparse(X) else np.asarray(X)

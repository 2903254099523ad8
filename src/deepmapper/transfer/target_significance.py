"""Error rates of the features behind the labels of target samples, against shadow features of the same samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..core.draws import Draw, stream
from ..errors import InputError
from ..features.label_permutations import permute_within
from ..features.levels import feature_levels, min_detected_share
from ..findings.q_values import Calibration, calibrate, significance_table
from ..passes.attributed import attribute_classes
from ..passes.restore import image_maker, restore_model
from ..passes.result import PassFile, PassResult, ShadowPart
from ..passes.train import choose_over_classes
from .values import NewValues

_MOST_READ = 20_000  # samples of which the means of the features are taken; chosen by hand


@dataclass(frozen=True)
class SignificanceOptions:
    """How the features of target samples are tested; the names are those of the configuration.

    Attributes
    ----------
    level
        False discovery rate up to which a feature is significant (calibration.level).
    min_detected
        Share of the samples in which a feature has to be detected to be tested (calibration.min_detected).
    n_permutations
        Possible permutations of the labels of the reference, from which the shadows come.
    """

    level: float
    min_detected: float
    n_permutations: int


@dataclass(frozen=True, eq=False)
class _Attributed:
    """What `findings.q_values.calibrate` reads of a pass."""

    seed: int
    class_gradient: np.ndarray
    shadows: ShadowPart | None = None


def target_significance(
    values: NewValues,
    codes: np.ndarray,
    within: np.ndarray,
    gradients: Sequence[np.ndarray],
    shadow_passes: Sequence[PassResult | PassFile],
    test: SignificanceOptions,
    device: Any = "cpu",
) -> pd.DataFrame | None:
    """Return z, p and q of every feature for the labels of target samples, as significance.tsv has them.

    Passes with shadows attribute the same samples with the same labels. The shadows of a sample are the values of
    another one of the same file and domain that has a label, too.

    Parameters
    ----------
    values
        Values of the n target samples.
    codes
        (n,) class of every sample whose label is attributed, -1 for others.
    within
        (n,) codes of file and domain.
    gradients
        (C, p) gradients of the classes by the features, one for each pass without shadows.
    shadow_passes
        Passes with shadows that kept their weights.
    test
        How features are tested.
    device
        To compute on.

    Returns
    -------
    pandas.DataFrame
        One row per feature; z, p and q of classes that no sample was given are left out. None without shadow passes or
        with fewer than two labels: gradients are compared between classes.
    """
    model, rows = values.model, np.flatnonzero(codes >= 0)
    given = np.unique(codes[rows])
    if not shadow_passes or len(given) < 2:
        return None
    step = max(1, -(-len(rows) // _MOST_READ))
    mean, detected = feature_levels(_Taken(values), rows[::step], len(model.features))
    tested = detected >= min_detected_share(test.min_detected, codes[rows])
    if not tested.any():
        return None
    plain = [_Attributed(i, gradient[given]) for i, gradient in enumerate(gradients)]
    shadowed = [_shadowed(result, values, codes, within, given, device) for result in shadow_passes]
    found: Calibration = calibrate(plain, shadowed, mean, tested, test.level, test.n_permutations)  # type: ignore[arg-type]
    return significance_table(found, model.features, [model.classes[code] for code in given])


@dataclass(frozen=True)
class _Taken:
    """Values as networks read them, a few ascending rows at a time."""

    values: NewValues

    def __getitem__(self, rows: np.ndarray) -> Any:
        return self.values.take(rows)


def _shadowed(
    result: PassResult | PassFile,
    values: NewValues,
    codes: np.ndarray,
    within: np.ndarray,
    given: np.ndarray,
    device: Any,
) -> _Attributed:
    """Gradients of a pass with shadows, by the features and by their shadows, in the classes that were given."""
    if result.shadows is None or not result.weights:
        raise InputError(
            f"pass {result.seed} with shadow features has no weights: train it again with `transfer.folds` auto or "
            "always, so that it keeps them."
        )
    model, rows = values.model, np.flatnonzero(codes >= 0)
    p, n_chords, config = len(model.features), len(model.chords), result.config
    options = config.attribution_options()
    chosen = choose_over_classes(rows, codes, options.n_samples, stream(result.seed, Draw.ATTRIBUTED_TARGET))
    source = deal_shadows(rows, within, result.shadows.draw)[chosen]
    own, (places, back) = values.take(chosen), np.unique(source, return_inverse=True)
    parts = [own[:, :p], values.take(places)[back][:, :p], own[:, p:]]
    wide = sp.hstack(parts, format="csr") if sp.issparse(own) else np.hstack(parts)
    network = restore_model(result, 2 * p + n_chords, device)
    images = image_maker(wide, config, result.seed, next(network.parameters()).device)
    baseline = None
    if options.baseline == "mean":
        mean = np.asarray(model.with_chords(model.mean[None]))[0]
        baseline = images.scatter(np.concatenate([mean[:p], mean])).expand(images.channels, -1, -1)
    share = np.bincount(codes[rows], minlength=len(model.classes)) / len(rows)
    found = attribute_classes(network, images, np.arange(len(chosen)), codes[chosen], share, baseline, options)
    gradient = found["class_gradient"][given]
    return _Attributed(result.seed, gradient[:, :p], ShadowPart(gradient[:, p : 2 * p], result.shadows.draw))


def deal_shadows(rows: np.ndarray, within: np.ndarray, draw: int) -> np.ndarray:
    """Return the sample from which each sample takes its shadows, (n,): some rows are permuted within codes.

    Parameters
    ----------
    rows
        Samples that take part; others keep their own.
    within
        (n,) codes.
    draw
        Number of the draw, its seed.
    """
    source = np.arange(len(within))
    source[rows] = permute_within(rows, within[rows], stream(draw, Draw.SHADOWS, 2))
    return source

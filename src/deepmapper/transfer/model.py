"""A model: the accepted passes of a run with all that naming new samples needs, independent of the run's folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..accumulate import accepted_passes
from ..chords.types import Chord
from ..chords.values import PIXEL_DEVIATION, chord_features
from ..core.blocks import blocks
from ..core.moments import Moments
from ..errors import InputError
from ..features.store import Features
from ..findings.evaluation import out_of_bag_probability
from ..findings.intervals import calibration_table
from ..io.align import Scale
from ..passes.result import PassFile, PassResult
from .calibration import apply_temperature, fit_temperature
from .members import Member, make_member
from .neighbours import Averaging, choose_averaging
from .own_cells import fingerprints, kept_rows
from .terms import ClassTerms

# A rate over domains needs at least this many of them; chosen by hand.
MIN_DOMAINS = 4

_N_BINS = 10  # of the confidence; the default of the evaluation


@dataclass(frozen=True, eq=False)
class Model:
    """A trained model.

    Attributes
    ----------
    classes, features
        Names of the C classes, and of the p features.
    ids
        Further names of the features (gene ids, or else symbols), or None.
    scale
        How values were normalised.
    temperature
        By which the averaged probabilities are calibrated.
    neighbours
        How the probabilities of a sample are averaged with those of the most similar new samples, where the new samples
        differ from the labelled ones.
    reliability
        Confidence and accuracy of the calibrated probabilities in ten bins, of labelled samples each predicted by the
        passes that did not train on it: rows of `findings.intervals.calibration_table`.
    importance
        (p,) mean importance of every feature over the passes.
    class_importance
        (C, p) float32 the same for every class; NaN for a class of which no pass had samples out of bag.
    class_mean
        (C, p) float32 mean of the normalised values in every class.
    sizes
        Number of labelled samples of every class.
    over
        "cells" or "domain": what is left out together, and so what the error rate of verdicts is about.
    signal
        Whether the passes are better than passes on permuted labels; None if that is not known.
    members
        The passes.
    chords
        Gene chords that the networks read behind the features.
    terms
        Terms of the classes in an ontology; None without one.
    about
        Further facts for people: label column, name of the model, versions.
    own
        Fingerprints of labelled samples (`own_cells.fingerprints`); None in models that were made without them.
    """

    classes: tuple[str, ...]
    features: tuple[str, ...]
    ids: tuple[str, ...] | None
    scale: Scale
    temperature: float
    neighbours: Averaging
    reliability: tuple[dict[str, Any], ...]
    importance: np.ndarray
    class_importance: np.ndarray
    class_mean: np.ndarray
    sizes: dict[str, int]
    over: str
    signal: bool | None
    members: tuple[Member, ...]
    chords: tuple[Chord, ...] = ()
    terms: ClassTerms | None = None
    about: dict[str, Any] = field(default_factory=dict)
    own: np.ndarray | None = None

    @property
    def shares(self) -> np.ndarray:
        """(C,) shares of the classes among the labelled samples."""
        weights = np.array([self.sizes[name] for name in self.classes], dtype=np.float64)
        return weights / weights.sum()

    @property
    def is_leaf(self) -> np.ndarray:
        """(C,) whether no other class is a kind of the class."""
        return np.ones(len(self.classes), dtype=bool) if self.terms is None else self.terms.is_leaf

    def to_leaves(self, probability: np.ndarray) -> np.ndarray:
        """Give the probability of every class with kinds among the classes to these, see `ClassTerms.to_leaves`."""
        return probability if self.terms is None else self.terms.to_leaves(probability)

    @property
    def leaf_shares(self) -> np.ndarray:
        """(C,) shares of the classes without kinds, to which those of the others are given."""
        return self.to_leaves(self.shares[None])[0]

    @property
    def mean(self) -> np.ndarray:
        """(p,) mean of the normalised values of the labelled samples."""
        return (np.nan_to_num(self.class_mean).T @ self.shares).astype(np.float32)

    def with_chords(self, X: np.ndarray | sp.csr_matrix) -> np.ndarray | sp.csr_matrix:
        """Append the values of the chords, if the networks read any, to (n, p) values."""
        if not self.chords:
            return X
        values = chord_features(X, self.chords) * np.float32(PIXEL_DEVIATION)
        return sp.hstack([X, sp.csr_matrix(values)], "csr") if sp.issparse(X) else np.hstack([X, values])


def fit_model(
    features: Features,
    passes: Sequence[PassResult | PassFile],
    scale: Scale,
    *,
    min_accuracy: float = 0.0,
    calibrate_over: str = "auto",
    domain_is_group: bool = False,
    ids: Sequence[str] | None = None,
    signal: bool | None = None,
    chords: Sequence[Chord] = (),
    terms: ClassTerms | None = None,
    about: Mapping[str, Any] | None = None,
) -> Model:
    """Make a model of the passes of a run.

    Parameters
    ----------
    features
        Features that the passes read.
    passes
        All passes.
    scale
        How the features were normalised.
    min_accuracy
        Passes with a lower accuracy are left out.
    calibrate_over
        "cells", "domain", or "auto": over domains if there are at least four, and groups are domains.
    domain_is_group
        Whether the groups, which no split divides, are the domains.
    ids
        Further names of the features (`io.shared_features.other_names`).
    signal
        Verdict on the passes.
    chords
        What the last columns of the features hold.
    terms
        Terms of the classes in an ontology.
    about
        Further facts.

    Raises
    ------
    InputError
        If no pass was accepted, or there are too few domains to calibrate over them.
    """
    accepted = accepted_passes(passes, min_accuracy)
    if not accepted:
        raise InputError(
            f"none of {len(passes)} passes has an out-of-bag accuracy of {min_accuracy:g} or more (passes."
            "min_accuracy): there is nothing to name new samples with. Lower it, or train other models."
        )
    samples, rows = features.development_samples, features.development
    over = calibrated_over(calibrate_over, samples.group_codes if domain_is_group else None)
    probability = out_of_bag_probability(accepted, len(samples), len(features.classes))
    if terms is not None:
        probability = terms.to_leaves(probability)
        probability[~terms.is_leaf[samples.labels]] = np.nan  # which kind they are is not known
    moments = Moments(features.X.shape[1], keep=(), n_groups=len(features.classes))
    for place, block in blocks(features.X, rows):
        moments.update(block, samples.labels[place])
    values = RowsOf(features.X, rows)
    p = features.n_features
    temperature = fit_temperature(probability, samples.labels)
    sizes = np.bincount(samples.labels, minlength=len(features.classes))
    return Model(
        classes=tuple(features.classes),
        features=tuple(features.names),
        ids=None if ids is None else tuple(map(str, ids)),
        scale=scale,
        temperature=temperature,
        neighbours=choose_averaging(probability, samples.labels, values, accepted[0].seed),
        reliability=_reliability(probability, temperature, samples.labels),
        class_importance=_over_passes([result.class_importance[:, :p] for result in accepted]),
        importance=np.mean([np.asarray(result.importance, dtype=np.float64) for result in accepted], axis=0),
        class_mean=moments.group_mean[:, :p].astype(np.float32),
        sizes=dict(zip(features.classes, sizes.tolist(), strict=True)),
        over=over,
        signal=signal,
        members=tuple(
            make_member(result, values, samples.labels, samples.group_codes, features.X.shape[1]) for result in accepted
        ),
        chords=tuple(chords),
        terms=terms,
        about=dict(about or {}),
        own=fingerprints((block for _, block in blocks(features.X, rows[kept_rows(len(rows))])), scale.share),
    )


def _reliability(probability: np.ndarray, temperature: float, labels: np.ndarray) -> tuple[dict[str, Any], ...]:
    known = ~np.isnan(probability[:, 0])
    if not known.any():
        return ()
    rows, _ = calibration_table(labels[known], apply_temperature(probability[known], temperature), _N_BINS)
    return tuple(rows)


def _over_passes(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Mean of (C, p) arrays where they have values, float32; NaN where none has."""
    total, n = np.zeros(parts[0].shape), np.zeros(parts[0].shape)
    for part in parts:
        known = ~np.isnan(part)
        total += np.where(known, part, 0)
        n += known
    return np.divide(total, n, out=np.full_like(total, np.nan), where=n > 0).astype(np.float32)


@dataclass(frozen=True, eq=False)
class RowsOf:
    """Some rows of a matrix, read by their positions among them."""

    X: Any
    rows: np.ndarray

    def __getitem__(self, positions: np.ndarray) -> Any:
        return self.X[self.rows[positions]]


def calibrated_over(asked: str, domains: np.ndarray | None) -> str:
    """Return what an error rate is about, "cells" or "domain".

    Parameters
    ----------
    asked
        "cells", "domain" or "auto".
    domains
        Codes of the domains of the labelled samples, which no split divides; None if there are none.

    Raises
    ------
    InputError
        If "domain" is asked for, and there are too few of them.
    """
    n = 0 if domains is None else len(np.unique(domains))
    if asked == "domain" and n < MIN_DOMAINS:
        none = "labels.group is not the same column, or every sample is a group of its own"
        found = none if domains is None else f"there are {n}"
        raise InputError(
            f"transfer.calibrate_over is domain, which needs labels.domain with at least {MIN_DOMAINS} domains, the "
            f"same column as labels.group, so that whole domains are left out: {found}. Set it to cells."
        )
    return "domain" if asked != "cells" and n >= MIN_DOMAINS else "cells"

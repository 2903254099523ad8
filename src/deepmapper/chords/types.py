"""Records of the chord screen and of the test of its chords."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .contrasts import Contrast
from .main_effects import MainEffects


@dataclass(frozen=True)
class Pair:
    """Two features whose product tells a class beyond what they say one by one.

    Attributes
    ----------
    features, positions
        Their names, and their columns in the matrix.
    class_name
        The class with the largest size of z.
    z
        Score of the product for that class in deviations: above 0, the product is larger in the class.
    p_family
        Share of null draws, the labels as they are counted in, in which any product of any class reaches this size.
    q
        Share of false ones expected among all products of this size or more.
    z_by_class
        (class, z) of every class that was screened.
    """

    features: tuple[str, ...]
    positions: tuple[int, ...]
    class_name: str
    z: float
    p_family: float
    q: float
    z_by_class: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Triplet(Pair):
    """Three features whose product tells a class beyond main effects; attributes as of `Pair`."""


@dataclass(frozen=True, eq=False)
class Screen:
    """What a screen of pairs or triplets found.

    Attributes
    ----------
    found
        Significant products by falling size of z.
    candidates
        The strongest products, significant or not, by falling size of z.
    threshold
        Size of z from which a product is significant; infinite where none could be.
    level, rate
        The error rate held, and which: "family" (any false product at all) or "discovery" (share of false ones).
    largest, null_largest
        The largest size of z, and that of each null draw.
    tests
        Products × classes tested.
    features
        (m,) columns that were screened.
    best, partner
        (p,) for each column of the matrix the largest size of z of any of its products, and the other feature (-1: not
        screened; of triplets, one of the two).
    main_effects
        The additive model that was adjusted for.
    names, classes
        Of features and classes.
    rows
        (n,) rows of the matrix that were used.
    contrasts
        Residuals and their null draws, positions counted within `rows`.
    clip
        Limit of standardised values.
    left_open
        (class, share) of every class: how much of what could be said of it the additive model leaves open, from 1
        (nothing known) to 0 (all known: no product can add to it, and it is not screened).
    """

    features: np.ndarray
    level: float
    rate: str
    null_largest: np.ndarray
    best: np.ndarray
    partner: np.ndarray
    main_effects: MainEffects
    names: tuple[str, ...]
    classes: tuple[str, ...]
    rows: np.ndarray
    contrasts: tuple[Contrast, ...]
    clip: float
    found: tuple[Pair, ...] = ()
    candidates: tuple[Pair, ...] = ()
    threshold: float = float("inf")
    largest: float = 0.0
    tests: int = 0
    left_open: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Chord:
    """Features in two or three sides, the product of whose scores tells a class.

    A side's score is the weighted sum of its standardised members, itself standardised and bent towards 1 and -1, so
    that it reads as a state; the chord's value is the product of its sides' scores, standardised. All numbers were
    learnt on the rows that were screened.

    Attributes
    ----------
    name
        "chord_1", ... by falling strength.
    order
        Number of sides: 2 or 3.
    class_name
        The class that its strongest product tells.
    z
        Of its strongest product.
    n_products
        Significant products among its members.
    sides
        Positions of the members of each side, the strongest first.
    side_features
        Their names.
    weights, mean, scale
        For each member of each side: weight in the side's score, mean and deviation of its values.
    side_scale
        Deviation of each side's weighted sum.
    product_mean, product_scale
        Of the product of the sides.
    joined
        Members that came in by their product with the other side's score, having no significant pair of their own.
    member_z
        For each member, sides one after the other, z of its product with the score of the other sides.
    """

    name: str
    order: int
    class_name: str
    z: float
    n_products: int
    sides: tuple[tuple[int, ...], ...]
    side_features: tuple[tuple[str, ...], ...]
    weights: tuple[tuple[float, ...], ...]
    mean: tuple[tuple[float, ...], ...]
    scale: tuple[tuple[float, ...], ...]
    side_scale: tuple[float, ...]
    product_mean: float
    product_scale: float
    joined: tuple[str, ...]
    member_z: tuple[float, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """Names of all members, side after side."""
        return tuple(name for side in self.side_features for name in side)

    @property
    def positions(self) -> tuple[int, ...]:
        """Columns of all members, side after side."""
        return tuple(position for side in self.sides for position in side)

    def side_names(self, side: int) -> tuple[str, ...]:
        """Names of the members of a side; none where there is no such side."""
        return self.side_features[side] if side < self.order else ()


# Columns of tables whose names say more than those of the fields.
PROOF_NAMES = {
    "auc": "auc_chord",
    "auc_low": "auc_chord_low",
    "auc_high": "auc_chord_high",
    "single": "best_member",
    "auc_single": "auc_best_member",
}


@dataclass(frozen=True)
class ChordProof:
    """How well a chord tells classes of samples that the screen never saw.

    Intervals are 95 % bootstrap intervals over those samples, or over their groups.

    Attributes
    ----------
    chord, class_name
        Name of the chord, and the class of which `auc` ... `synergy` speak, against the rest.
    n_test
        Samples judged.
    auc, auc_low, auc_high
        Area under the ROC curve of a small model on members and products.
    single, auc_single
        The member that tells the class best alone on the development part, and its AUC.
    auc_additive
        AUC of the same model without products.
    synergy, synergy_low, synergy_high
        `auc` minus the best of `auc_single`, `auc_additive` and 0.5, what no knowledge reaches.
    macro_auc, macro_auc_additive
        Means over classes, each against the rest.
    accuracy, accuracy_additive
        Share of samples whose class the model with and without products names.
    auc_by_class
        (class, auc, auc_additive, auc_single) of every class.
    """

    chord: str
    class_name: str
    n_test: int
    auc: float
    auc_low: float
    auc_high: float
    single: str
    auc_single: float
    auc_additive: float
    synergy: float
    synergy_low: float
    synergy_high: float
    macro_auc: float
    macro_auc_additive: float
    accuracy: float
    accuracy_additive: float
    auc_by_class: tuple[tuple[str, float, float, float], ...]

    def record(self) -> dict[str, float | str]:
        """Return the numbers as a flat record, named as in tables; those by class ``auc[C]`` and ``synergy[C]``."""
        beside = ("chord", "class_name", "auc_by_class")
        flat = {PROOF_NAMES.get(k, k): v for k, v in self.__dict__.items() if k not in beside}
        for name, auc, additive, single in self.auc_by_class:
            flat |= {f"auc[{name}]": auc, f"synergy[{name}]": auc - max(additive, single, 0.5)}
        return flat

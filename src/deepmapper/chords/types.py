"""Records of the chord screen and of the test of its chords."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .contrasts import Contrast
from .main_effects import MainEffects

RATES = ("family", "discovery")


@dataclass(frozen=True)
class ScreenOptions:
    """Settings of a screen.

    Attributes
    ----------
    min_detected
        Features that are not zero in a smaller share of the samples are not screened.
    permutations
        Permutations of the labels; the smallest p is 1 / (1 + permutations).
    level, rate
        Error rate to control: the probability of any false product ("family") or the share of false products among
        those named ("discovery").
    keep
        How many of the strongest products are kept as candidates; only these can be significant.
    clip
        Standardised values are clipped to this size, so that a few cells cannot make a product large.
    seed
        Seed of the folds and of the permutations.
    block, memory_mb
        Features per block, fewer where scoring would take more than `memory_mb`; a standardised matrix that takes more
        is not cached but recomputed block by block.
    threads
        Threads that score blocks; None leaves it to the libraries how many work on one block.
    device
        What multiplies matrices: "numpy", or a torch device such as "cuda".

    Raises
    ------
    InputError
        If the rate is unknown, the level is not between 0 and 1, or permutations are too few for the level.

    Notes
    -----
    The number of threads does not change the result; `block`, `memory_mb` and `device` change it by rounding only.
    """

    min_detected: float = 0.05
    permutations: int = 39
    level: float = 0.05
    rate: str = "family"
    keep: int = 1000
    clip: float = 3.0
    seed: int = 0
    block: int = 512
    memory_mb: float = 256
    threads: int | None = None
    device: str = "numpy"

    def __post_init__(self):
        if self.rate not in RATES:
            raise InputError(f"rate={self.rate!r}: expected one of {', '.join(RATES)}")
        if not 0 < self.level < 1:
            raise InputError(f"level={self.level!r}: expected a share between 0 and 1")
        if self.rate == "family" and self.level * (1 + self.permutations) < 1 - 1e-9:
            needed = int(np.ceil(1 / self.level - 1e-9)) - 1
            raise InputError(
                f"permutations={self.permutations}: the smallest p they can give is "
                f"{1 / (1 + self.permutations):.3g}, above level={self.level:g}. Take at least {needed}."
            )

    @property
    def workers(self) -> int:
        """Blocks that are scored at once."""
        return self.threads if self.threads is not None and self.device == "numpy" else 1


@dataclass(frozen=True)
class Pair:
    """Two features whose product predicts a class beyond their main effects.

    Attributes
    ----------
    features, positions
        Their names, and their columns in the matrix.
    class_name
        The class with the largest |z|.
    z
        Standardised score of the product for that class: above 0, the product is larger in the class.
    p_family
        Share of permutations, the observed labels counted as one, in which any product of any class has such a |z|.
    q
        Expected share of false products among all with this |z| or more.
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
    """Three features whose product predicts a class beyond their main effects; attributes as in `Pair`."""


@dataclass(frozen=True, eq=False)
class Screen:
    """Result of a screen of pairs or triplets.

    Attributes
    ----------
    options
        Settings of the screen.
    names, classes
        Names of features and classes.
    rows
        (n,) rows of the matrix that were screened.
    features
        (m,) columns of the matrix that were screened.
    main_effects
        The additive model that was adjusted for.
    contrasts
        Residuals of each class and their permutations; their rows are positions within `rows`.
    left_open
        (class, share) for every class: how much of its variance the additive model leaves unexplained, from 1 (all) to
        0 (nothing: no product can add to it, and the class is not screened).
    best, partner
        (p,) for each column of the matrix the largest |z| of any of its products, and the other feature (-1: not
        screened; for triplets, one of the two others).
    null_largest
        (permutations,) the largest |z| of each permutation.
    largest
        The largest |z| of the observed labels.
    tests
        Number of products × classes tested.
    threshold
        The |z| that makes a product significant; infinite if none could be.
    candidates
        The strongest products, significant or not, by decreasing |z|.
    found
        The significant ones among them.
    """

    options: ScreenOptions
    names: tuple[str, ...]
    classes: tuple[str, ...]
    rows: np.ndarray
    features: np.ndarray
    main_effects: MainEffects
    contrasts: tuple[Contrast, ...]
    left_open: tuple[tuple[str, float], ...]
    best: np.ndarray
    partner: np.ndarray
    null_largest: np.ndarray
    largest: float = 0.0
    tests: int = 0
    threshold: float = float("inf")
    candidates: tuple[Pair, ...] = ()
    found: tuple[Pair, ...] = ()


@dataclass(frozen=True)
class Chord:
    """An interaction gene set: features in two or three sides, the product of whose scores predicts a class.

    A side's score is the weighted sum of its standardised members, itself standardised and squashed into (-1, 1), so
    that it reads as an on/off state; the chord's value is the product of its sides' scores, standardised. All numbers
    were estimated on the rows that were screened.

    Attributes
    ----------
    name
        "chord_1", ... by decreasing strength.
    order
        Number of sides: 2 or 3.
    class_name
        The class that its strongest product predicts.
    z
        z of its strongest product.
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
        Mean and deviation of the product of the sides.
    joined
        Members without a significant product of their own, added by their product with the other sides' score.
    member_z
        For each member, side after side, z of its product with the score of the other sides.
    core
        Names of the fewest members of each side that keep nearly all of the |z| of the chord's value, in the order of
        what they add (`core_members`).
    core_share
        The share of that |z| that they keep.
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
    core: tuple[tuple[str, ...], ...]
    core_share: float

    @property
    def features(self) -> tuple[str, ...]:
        """Names of all members, side after side."""
        return tuple(name for side in self.side_features for name in side)

    @property
    def positions(self) -> tuple[int, ...]:
        """Columns of all members, side after side."""
        return tuple(position for side in self.sides for position in side)

    def side_names(self, side: int) -> tuple[str, ...]:
        """Names of the members of a side; empty if there is no such side."""
        return self.side_features[side] if side < self.order else ()


# Columns that are named more explicitly than the fields of `ChordProof`.
_COLUMN_NAMES = {
    "auc": "auc_chord",
    "auc_low": "auc_chord_low",
    "auc_high": "auc_chord_high",
    "single": "best_member",
    "auc_single": "auc_best_member",
}


@dataclass(frozen=True)
class ChordProof:
    """How well a chord predicts the classes of samples that the screen did not use.

    Intervals are 95 % bootstrap intervals over those samples, or over their groups.

    Attributes
    ----------
    chord, class_name
        Name of the chord, and the class that `auc` to `synergy_high` are about, against the rest.
    n_test
        Number of test samples.
    auc, auc_low, auc_high
        Area under the ROC curve of a small model on members and products, and its interval.
    single, auc_single
        The member that best predicts the class by itself on the development part, and its AUC.
    auc_additive
        AUC of the same model without products.
    synergy, synergy_low, synergy_high
        `auc` minus the largest of `auc_single`, `auc_additive` and 0.5 (chance), and its interval.
    macro_auc, macro_auc_additive
        Means over classes, each against the rest, with and without products.
    accuracy, accuracy_additive
        Accuracy of the model with and without products.
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
        """Return the numbers by column name; those of each class are ``auc[C]`` and ``synergy[C]``."""
        left_out = ("chord", "class_name", "auc_by_class")
        flat = {_COLUMN_NAMES.get(key, key): value for key, value in self.__dict__.items() if key not in left_out}
        for name, auc, additive, single in self.auc_by_class:
            flat |= {f"auc[{name}]": auc, f"synergy[{name}]": auc - max(additive, single, 0.5)}
        return flat

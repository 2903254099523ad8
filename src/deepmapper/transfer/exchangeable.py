"""Whether target and reference are alike where no sample is in question: if not, no error rate holds for the target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.auc import auc
from ..core.draws import Draw, integer_seed, stream
from .conformal import n_at_least
from .members import Views, strangeness
from .model import Model

# From this AUC on, with its whole interval, target and reference differ. Chosen by hand, as are the probability from
# which a sample is not in question, the numbers of samples per class and in all, and the folds.
DIFFERENT = 0.6
_SURE, _MIN_PER_CLASS, _MIN_IN_ALL, _MOST, _N_FOLDS = 0.9, 10, 20, 1000, 5


@dataclass(frozen=True)
class Comparison:
    """How well a classifier tells samples of the target from those of the reference.

    Attributes
    ----------
    n
        Number of samples of each that were compared; 0 if there were too few.
    auc, low, high
        Its area under the curve by cross-validation, with a 95 % interval; NaN if there were too few.
    classes
        Names of the classes of these samples.
    """

    n: int
    auc: float
    low: float
    high: float
    classes: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether the two differ, so that rates do not hold."""
        return self.n > 0 and self.low > DIFFERENT

    @property
    def known(self) -> bool:
        """Whether there were enough samples to say."""
        return self.n > 0


def compare(model: Model, first: Views, level: float, seed: int = 0) -> Comparison:
    """Compare the target with the out-of-bag samples of the first pass, in its space.

    Only samples whose class is not in question are compared, in both by the same rule (probability of .9 or more, p
    above the level), and as many of each class from both: different shares of the classes make no difference.

    Parameters
    ----------
    model
        The model.
    first
        What its first pass says about the target.
    level
        Level of the verdicts.
    seed
        Of the samples that are drawn, and of the folds.
    """
    member = model.members[0]
    known, rng = member.strange, stream(seed, Draw.DOMAIN_SAMPLES)
    threshold = level * (1 + len(known)) - 1
    sides = []
    for probability, scores in ((member.probability, member.scores), (first.probability, first.scores)):
        typical = n_at_least(known, strangeness(scores, member.scores)) > threshold
        of_leaves = model.to_leaves(probability)
        sides.append(np.where(typical & (of_leaves.max(1) >= _SURE), of_leaves.argmax(1), -1))
    reference, target, codes = [], [], []
    for code in range(len(model.classes)):
        rows = [np.flatnonzero(side == code) for side in sides]
        n = min(map(len, rows))
        if n >= _MIN_PER_CLASS:
            codes.append(code)
            reference.append(rng.permutation(rows[0])[:n])
            target.append(rng.permutation(rows[1])[:n])
    n = sum(map(len, target))
    if n < _MIN_IN_ALL:
        return Comparison(0, float("nan"), float("nan"), float("nan"), ())
    kept = [rng.permutation(np.concatenate(rows))[:_MOST] for rows in (reference, target)]
    values = np.vstack([member.coordinates[kept[0]], first.coordinates[kept[1]]])
    is_target = np.repeat([False, True], [len(kept[0]), len(kept[1])])
    found = auc(_out_of_fold(values, is_target, integer_seed(seed, Draw.DOMAIN_SAMPLES)), is_target)
    half = 1.96 * _standard_error(found, len(kept[0]), len(kept[1]))
    names = tuple(model.classes[code] for code in codes)
    return Comparison(len(kept[1]), found, max(0.0, found - half), min(1.0, found + half), names)


def _out_of_fold(values: np.ndarray, is_target: np.ndarray, seed: int) -> np.ndarray:
    """Probability of being of the target by logistic regression on the other folds."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    scaled = values / values.std(0).clip(1e-12)
    score = np.empty(len(values))
    folds = StratifiedKFold(_N_FOLDS, shuffle=True, random_state=seed)
    for train, held in folds.split(scaled, is_target):
        fitted = LogisticRegression(max_iter=1000).fit(scaled[train], is_target[train])
        score[held] = fitted.decision_function(scaled[held])
    return score


def _standard_error(area: float, n_negative: int, n_positive: int) -> float:
    """Standard error of an area under the curve (Hanley and McNeil 1982, doi 10.1148/radiology.143.1.7063747)."""
    one, two = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (n_positive - 1) * (one - area**2) + (n_negative - 1) * (two - area**2)
    return float(np.sqrt(variance / (n_negative * n_positive)))

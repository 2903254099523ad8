"""New samples named by a model: probabilities, sets of labels, p- and q-values, verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from .calibration import apply_temperature
from .conformal import Pooled, describe_set, label_sets, n_at_least, q_of_new, smallest_number
from .exchangeable import Comparison, compare
from .members import Member, Views, view
from .model import Model
from .neighbours import smooth
from .shares import estimate_shares, halfway, with_shares
from .shift import OTHER_SHARES, SPREAD, align_to_reference, can_align
from .strange import strange_parts
from .values import NewValues

# Words of the column `verdict`; no label is given with "empty" (no counts) and "none" (the model has no signal).
ASSIGNED, AMBIGUOUS, NEW, EMPTY, NONE = "assigned", "ambiguous", "new", "empty", "none"

# Share of the importance that files may lack before that conditions the rates. Chosen by hand.
LITTLE = 0.05


@dataclass(frozen=True, eq=False)
class Named:
    """What a model says about n new samples.

    Attributes
    ----------
    probability
        (n, C) calibrated probabilities, float64; NaN for empty samples.
    p, q
        (n,) p-value of being like the labelled samples, and its q-value; NaN for empty samples.
    inside
        (n, C) which labels are in the set of each sample.
    votes
        (n,) number of passes that predict the label of the averaged probability.
    verdict
        (n,) words.
    marginal
        Names of classes with too few samples for a coverage of their own: theirs is that over all classes.
    shares
        (C,) shares of the classes: of the labelled samples, or, where the new ones differ from these, estimated.
    comparison
        How much the new samples differ from the labelled ones, in the values as they came.
    coordinates
        (n, k) places of the samples in the space of the first pass.
    term
        (n,) id of the lowest term that the labels in the set have in common; "" for none, and without an ontology.
    term_probability
        (n,) probability of this term: that of all labels that are of it; NaN for none.
    aligned
        What the samples were named by, if factors of features were removed; else None.
    spreads
        Standard deviation of the natural logarithms of the factors of every file, NaN if that cannot be told; empty if
        they were not looked for.
    min_p
        Smallest p that a sample can have, by the number of labelled samples.
    lost
        Largest share of the importance that a file lacks.
    """

    probability: np.ndarray
    p: np.ndarray
    q: np.ndarray
    inside: np.ndarray
    votes: np.ndarray
    verdict: np.ndarray
    marginal: tuple[str, ...]
    shares: np.ndarray
    comparison: Comparison
    coordinates: np.ndarray
    term: np.ndarray
    term_probability: np.ndarray
    aligned: Aligned | None = None
    spreads: tuple[float, ...] = ()
    min_p: float = 0.0
    lost: float = 0.0

    @property
    def complete(self) -> bool:
        """Whether all files have the features that matter; the rates are those of samples that have them."""
        return self.lost <= LITTLE


def name_samples(
    values: NewValues,
    level: float,
    seed: int = 0,
    device: Any = "cpu",
    usable: np.ndarray | None = None,
    align: bool = True,
) -> Named:
    """Name new samples.

    Parameters
    ----------
    values
        Values of the samples, and the model.
    level
        Error rate of the verdict "new" and of the sets of labels.
    seed
        Of the parts in which neighbours are looked for.
    device
        To compute on.
    usable
        (C,) which classes can be the answer; None for all.
    align
        Whether factors of features are undone where they are large (`shift.align_to_reference`).
    """
    model = values.model
    answers = model.is_leaf if usable is None else model.is_leaf & usable
    asked = _ask(values, level, seed, device, answers)
    empty = _is_empty(values.X)
    as_came = compare(model, asked.first, level, seed)
    aligned, spreads = _aligned(values, asked, as_came, ~empty, level, seed, device, answers) if align else (None, ())
    asked, comparison = (asked, as_came) if aligned is None else (aligned.asked, aligned.comparison)
    p = asked.p.copy()
    p[empty] = np.nan
    # p tells how many samples are new only if the others are known to be like the labelled cells
    alike = as_came.known and not as_came.differs and values.lost <= LITTLE
    q = q_of_new(p, alike and model.over == "cells")
    probability, shares = asked.probability, model.leaf_shares
    if comparison.differs:
        # factors that are large and could not be removed
        biased = aligned is None and any(spread >= SPREAD for spread in spreads)
        probability, shares = _as_elsewhere(probability, values, empty, seed, biased)
    probability = _of_answers(apply_temperature(probability, model.temperature), answers)
    probability[empty] = np.nan
    predicted = np.nan_to_num(probability).argmax(1)
    inside = label_sets(asked.p_label, predicted, level)
    verdict = np.where(inside.sum(1) > 1, AMBIGUOUS, ASSIGNED).astype(object)
    verdict[q <= level] = NEW
    if model.signal is False:
        verdict[:] = NONE
    verdict[empty] = EMPTY
    marginal = tuple(name for name, few in zip(model.classes, asked.small & answers, strict=True) if few)
    term = np.full(len(p), "", dtype=object) if model.terms is None else model.terms.lowest(inside)
    return Named(
        probability,
        p,
        q,
        inside,
        asked.votes[np.arange(len(p)), predicted],
        verdict,
        marginal,
        shares,
        as_came,
        asked.first.coordinates,
        term,
        np.full(len(p), np.nan) if model.terms is None else model.terms.probability_of(term, probability),
        aligned,
        spreads,
        asked.min_p,
        values.lost,
    )


@dataclass(frozen=True, eq=False)
class _Asked:
    """What all passes say about n samples; `min_p` is the smallest p that there is, `first` is of the first pass."""

    probability: np.ndarray
    votes: np.ndarray
    p: np.ndarray
    min_p: float
    p_label: np.ndarray
    small: np.ndarray
    first: Views


def _ask(values: NewValues, level: float, seed: int, device: Any, answers: np.ndarray) -> _Asked:
    """Let every pass name the samples, and count the out-of-bag samples that are as strange."""
    model = values.model
    n, n_classes = values.X.shape[0], len(model.classes)
    total, votes = np.zeros((n, n_classes)), np.zeros((n, n_classes), dtype=np.int64)
    # the last is as strange as nothing that is labelled: the smallest p there is
    over_cells, over_domains = Pooled((n + 1,)), _OverDomains(n + 1)
    by_class, over_all = Pooled((n, n_classes)), Pooled((n, n_classes))
    first: Views | None = None
    for member in model.members:
        seen = view(member, values.blocks(), values.n_columns, device)
        first = first or seen
        of_classes = model.to_leaves(seen.probability)
        total += of_classes
        votes[np.arange(n), np.where(answers, of_classes, -1).argmax(1)] += 1
        groups = member.groups if model.over == "domain" else np.zeros(len(member.labels), dtype=np.int64)
        counts = {group: np.zeros(n + 1) for group in np.unique(groups).tolist()}
        for rows, strange, known in strange_parts(member, seen, seed):
            for group, count in counts.items():
                count[rows] = n_at_least(known[groups == group], strange)
        numbers = dict(zip(*np.unique(groups, return_counts=True), strict=True))
        if model.over == "domain":
            over_domains.add(counts, numbers)
        else:
            over_cells.add(counts[0], numbers[0])
        _add_sets(by_class, over_all, member, model, 1 - of_classes)
    assert first is not None  # `fit_model` refuses models without passes
    small = np.array([_in_a_round(model, code) < smallest_number(level) for code in range(n_classes)])
    p_label = np.where(answers, np.where(small, over_all.p(), by_class.p()), 0)
    p = over_domains.p() if model.over == "domain" else over_cells.p()
    return _Asked(total / len(model.members), votes, p[:-1], float(p[-1]), p_label, small, first)


@dataclass(frozen=True, eq=False)
class Aligned:
    """What the passes say about values from which factors of features were removed.

    Attributes
    ----------
    values
        These values.
    comparison
        How much they differ from those of the reference.
    """

    values: NewValues
    comparison: Comparison
    asked: _Asked


def _aligned(
    values: NewValues,
    asked: _Asked,
    as_came: Comparison,
    counted: np.ndarray,
    level: float,
    seed: int,
    device: Any,
    answers: np.ndarray,
) -> tuple[Aligned | None, tuple[float, ...]]:
    """Remove large factors of features, if neither target and reference nor their shares differ then."""
    model = values.model
    if not can_align(values):
        return None, ()

    def calibrated(averages: np.ndarray) -> np.ndarray:
        return _of_answers(apply_temperature(averages, model.temperature), answers)

    def predict(others: NewValues) -> np.ndarray:
        views = [view(member, others.blocks(), others.n_columns, device) for member in model.members]
        return calibrated(np.mean([model.to_leaves(seen.probability) for seen in views], axis=0))

    changed, spreads = align_to_reference(values, calibrated(asked.probability), predict)
    if not changed.shifts:
        return None, spreads
    again = _ask(changed, level, seed, device, answers)
    comparison = compare(model, again.first, level, seed)
    shares = calibrated(again.probability[counted]).mean(0)
    usual = _of_answers(model.leaf_shares[None], answers)[0]
    if np.abs(shares - usual).sum() / 2 > OTHER_SHARES:
        return None, spreads  # factors and shares cannot be told apart well enough
    if comparison.differs or (comparison.known and as_came.known and comparison.auc >= as_came.auc):
        return None, spreads  # factors are not what the difference is about
    return Aligned(changed, comparison, again), spreads


def verdict_table(named: Named, model: Model, cells: pd.DataFrame, identity: Sequence[str]) -> pd.DataFrame:
    """Return `target.tsv`: one row per sample.

    Parameters
    ----------
    named
        Result of `name_samples`.
    model
        The model.
    cells
        Columns that describe the samples: "cell", "source", "domain", "given", "depth", "detected".
    identity
        (n,) name of the new identity of every sample, "" for others.
    """
    named_at_all = ~np.isin(named.verdict, [EMPTY, NONE])
    nearest = np.array(model.classes, dtype=object)[np.nan_to_num(named.probability).argmax(1)]
    # where no rate holds, being new is no reason to withhold the nearest class
    is_new = (named.verdict == NEW) & (not named.comparison.differs)
    label = np.where(is_new, [name or NEW for name in identity], nearest)
    sets = [describe_set(*pair, model.classes) for pair in zip(named.inside, named.probability, strict=True)]
    has_term = named_at_all & ~is_new & (named.term != "")
    terms = (
        {}
        if model.terms is None
        else {
            "term": _unless(has_term, named.term),
            "term_name": _unless(has_term, np.array([model.terms.name_of(term) for term in named.term], dtype=object)),
            "term_probability": np.where(has_term, named.term_probability, np.nan),
        }
    )
    return pd.DataFrame(
        {
            "cell": cells["cell"],
            "label": _unless(named_at_all, label),
            "probability": np.where(named_at_all, named.probability.max(1), np.nan),
            "verdict": named.verdict,
            "set": _unless(named_at_all, np.array(sets, dtype=object)),
            **terms,
            "p": named.p,
            "q": named.q,
            "nearest": _unless(named_at_all, nearest),
            "identity": _unless(
                np.array([bool(name) for name in identity], dtype=bool), np.array(identity, dtype=object)
            ),
            "passes_agree": np.where(named_at_all, named.votes, 0),
            "passes": len(model.members),
            "source": cells["source"],
            "domain": cells["domain"],
            "given": cells["given"],
            "depth": cells["depth"],
            "detected": cells["detected"],
        }
    )


def _unless(known: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """Return the texts where they are known, and None elsewhere."""
    found = np.full(len(known), None, dtype=object)
    found[known] = texts[known]
    return found


def _as_elsewhere(
    probability: np.ndarray, values: NewValues, empty: np.ndarray, seed: int, biased: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Allow for other shares of the classes, and average over neighbours: (n, C), and the shares, (C,)."""
    model, rows = values.model, np.flatnonzero(~empty)
    before = model.leaf_shares
    shares = estimate_shares(probability[rows], before)
    if biased:
        shares = halfway(before, shares)
    found = probability.copy()
    X = values.X if len(rows) == len(probability) else values.X[rows]
    found[rows] = smooth(with_shares(probability[rows], before, shares), X, model.neighbours, seed)
    return found, shares


@dataclass
class _OverDomains:
    """p-values that average those of whole domains, each from passes that had none of the domain in the bag."""

    n: int

    def __post_init__(self) -> None:
        self.counts: dict[int, np.ndarray] = {}
        self.numbers: dict[int, int] = {}

    def add(self, counts: Mapping[int, np.ndarray], numbers: Mapping[int, int]) -> None:
        for domain, count in counts.items():
            self.counts[domain] = self.counts.get(domain, 0) + count
            self.numbers[domain] = self.numbers.get(domain, 0) + int(numbers[domain])

    def p(self) -> np.ndarray:
        parts = [(1 + self.counts[domain]) / (1 + self.numbers[domain]) for domain in self.counts]
        return np.mean(parts, axis=0) if parts else np.ones(self.n)


def _add_sets(by_class: Pooled, over_all: Pooled, member: Member, model: Model, strange: np.ndarray) -> None:
    """Count the out-of-bag samples that fit their class as badly as each sample would."""
    rows = np.flatnonzero(model.is_leaf[member.labels])  # of the others it is not known which kind they are
    labels = member.labels[rows]
    known = 1 - model.to_leaves(member.probability[rows])[np.arange(len(rows)), labels]
    counts = np.stack([n_at_least(known[labels == code], strange[:, code]) for code in range(strange.shape[1])], axis=1)
    by_class.add(counts, np.bincount(labels, minlength=strange.shape[1])[None, :])
    over_all.add(n_at_least(known, strange), len(known))


def _of_answers(probability: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Leave the probability to the classes that can be the answer; (n, C), rows sum to 1 again."""
    if answers.all():
        return probability
    kept = np.where(answers, probability, 0.0)
    return kept / kept.sum(1, keepdims=True)


def _in_a_round(model: Model, code: int) -> float:
    """Out-of-bag samples of a class in a round of passes, on average: all that are labelled, or fewer."""
    per_pass = np.mean([(member.labels == code).sum() for member in model.members])
    return min(len(model.members), 5) * float(per_pass)


def _is_empty(X) -> np.ndarray:
    """Whether every sample has no value other than 0."""
    if sp.issparse(X):
        return np.asarray(np.abs(X).sum(1)).ravel() == 0
    return np.asarray(X != 0).sum(1) == 0

"""Classes as terms of an ontology: labels of different depth, and answers as deep as the data allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..core.ontology import Ontology, propagate
from ..core.records import refuse_damage
from ..core.tables import read_json
from ..core.words import listed
from ..errors import InputError
from ..features.kinds import to_lowest


@dataclass(frozen=True, eq=False)
class ClassTerms:
    """The terms of C classes.

    Attributes
    ----------
    ontology
        The ontology.
    ids
        Id of the term of every class.
    """

    ontology: Ontology
    ids: tuple[str, ...]

    @cached_property
    def below(self) -> np.ndarray:
        """(C, C) whether the column's class is a kind of the row's class, and another term."""
        same = np.array(self.ids)[:, None] == np.array(self.ids)[None, :]
        return self.ontology.descendants(self.ids) & ~same

    @property
    def is_leaf(self) -> np.ndarray:
        """(C,) whether no other class is a kind of the class."""
        return ~np.any(self.below, axis=1)

    @property
    def kinds(self) -> np.ndarray | None:
        """(C, C) `features.samples.Samples.kinds`; None if no class is a kind of another."""
        leaves = self.is_leaf
        return None if leaves.all() else (self.below | np.eye(len(leaves), dtype=bool)) & leaves

    def to_leaves(self, probability: np.ndarray) -> np.ndarray:
        """Give the probability of every class with kinds among the classes to these.

        A cell with the label T cell beside cells with the labels CD4 T cell and CD8 T cell is one of these, of which is
        not said. So the probability of T cell is theirs, in proportion to their own: that of the kinds if it does not
        depend on the kind how often only T cell is said.

        Parameters
        ----------
        probability
            (n, C) probabilities.

        Returns
        -------
        numpy.ndarray
            (n, C), 0 for classes with kinds.
        """
        return to_lowest(probability, self.kinds)

    def usable(self, allowed: Sequence[str]) -> np.ndarray:
        """Return which classes can be the answer: those that are an allowed term, a kind of one, or above one.

        Parameters
        ----------
        allowed
            Terms by id, name or exact synonym; none for all.

        Returns
        -------
        numpy.ndarray
            (C,) mask.

        Raises
        ------
        InputError
            If a term is not found, or no class is left.
        """
        if not allowed:
            return np.ones(len(self.ids), dtype=bool)
        terms = set(self.ontology.find(allowed, "labels.ontology.allowed", "Name terms of it.").values())
        is_a = self.ontology.is_a
        mask = np.array([any(is_a(own, term) or is_a(term, own) for term in terms) for own in self.ids])
        if not (mask & self.is_leaf).any():
            raise InputError(
                f"labels.ontology.allowed: none of the classes is one of the allowed terms "
                f"({listed(list(map(self.ontology.describe, sorted(terms))))}) or a kind of one; the classes are "
                f"{listed(list(map(self.ontology.describe, self.ids)))}. Allow terms of which some of these are kinds."
            )
        return mask

    def lowest(self, inside: np.ndarray) -> np.ndarray:
        """Return the lowest common term of the classes in each of n sets.

        Parameters
        ----------
        inside
            (n, C) which classes are in each set.

        Returns
        -------
        numpy.ndarray
            (n,) ids; "" for empty sets, and for classes that have no term in common.
        """
        patterns, which = np.unique(inside, axis=0, return_inverse=True)
        ids = [[self.ids[code] for code in np.flatnonzero(pattern)] for pattern in patterns]
        terms = [(self.ontology.common(one) or "") if one else "" for one in ids]
        return np.array(terms, dtype=object)[which.ravel()]

    def name_of(self, term: str) -> str:
        """Name of a term; "" for none."""
        return self.ontology.terms[term].name if term else ""

    def probability_of(self, terms: np.ndarray, probability: np.ndarray) -> np.ndarray:
        """Sum the probabilities of the classes that are of the term of each sample.

        Parameters
        ----------
        terms
            (n,) ids; "" for none.
        probability
            (n, C) probabilities.

        Returns
        -------
        numpy.ndarray
            (n,); NaN without a term.
        """
        rows = sorted({term for term in terms if term})
        found = np.full(len(terms), np.nan)
        if rows:
            summed = propagate(probability, self.ontology.descendants(rows, self.ids).astype(np.float64))
            at = np.array([bool(term) for term in terms], dtype=bool)
            place = {term: i for i, term in enumerate(rows)}
            found[at] = summed[at, [place[term] for term in terms[at]]]
        return found

    def as_record(self) -> dict[str, Any]:
        """The terms as content of a JSON file."""
        return {"classes": list(self.ids), "ontology": self.ontology.as_record()}

    @classmethod
    def from_record(cls, content: Mapping[str, Any]) -> ClassTerms:
        """Read what `as_record` returned."""
        return cls(Ontology.from_record(content["ontology"]), tuple(content["classes"]))


def read_terms(path: str | Path) -> ClassTerms:
    """Read terms from a JSON file with `ClassTerms.as_record`."""
    with refuse_damage(path, "ontology of a model"):
        return ClassTerms.from_record(read_json(path))

"""Ontologies of cell types, and probabilities summed over what lies below a term.

Only "is a" relations count: what is part of something, or develops from it, is not a kind of it.
"""

from __future__ import annotations

import logging
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from .words import count, listed, nearest, some

# Names that are suggested for one that is not found; chosen by hand.
_N_NEAR = 3

_SYNONYM = re.compile(r'"((?:[^"\\]|\\.)*)" EXACT\b')


@dataclass(frozen=True)
class Term:
    """A term of an ontology.

    Attributes
    ----------
    id, name
        Its id, such as CL:0000084, and its name.
    parents
        Ids of the terms of which it is a kind.
    synonyms
        Its exact synonyms.
    """

    id: str
    name: str
    parents: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ontology:
    """Terms, each of which may be a kind of several others.

    Attributes
    ----------
    terms
        The terms, by id and in the order of ids.
    source
        Name of the file that they are from.
    """

    terms: Mapping[str, Term]
    source: str = ""

    @cached_property
    def _above(self) -> dict[str, frozenset[str]]:
        found: dict[str, frozenset[str]] = {}
        for start in self.terms:
            stack = [start]
            while stack:
                parents = self.terms[stack[-1]].parents
                if waiting := [parent for parent in parents if parent not in found]:
                    stack += waiting
                    continue
                term = stack.pop()
                found[term] = frozenset({term}).union(*(found[parent] for parent in parents))
        return found

    def above(self, term: str) -> frozenset[str]:
        """Ids of a term and of all of which it is a kind."""
        return self._above[term]

    def is_a(self, term: str, other: str) -> bool:
        """Whether a term is the other one or a kind of it."""
        return other in self.above(term)

    def descendants(self, rows: Sequence[str], columns: Sequence[str] | None = None) -> np.ndarray:
        """Return which terms lie below which.

        Parameters
        ----------
        rows, columns
            Ids of terms; the columns are the rows by default.

        Returns
        -------
        numpy.ndarray
            (rows, columns) True where the column's term is the row's term or a kind of it.

        Raises
        ------
        InputError
            If a term is not in the ontology.
        """
        columns = rows if columns is None else columns
        if unknown := [term for term in dict.fromkeys([*rows, *columns]) if term not in self.terms]:
            raise InputError(
                f"{some(unknown)} not among the {len(self.terms)} terms of {self.source or 'the ontology'}: expected "
                "ids, such as CL:0000084; `find` returns the id of a name."
            )
        return np.array([[row in self._above[column] for column in columns] for row in rows], dtype=bool)

    def common(self, terms: Iterable[str]) -> str | None:
        """Find the lowest term that some terms have in common.

        Of several lowest ones it is the one with the fewest kinds, then with the smaller id, since a term may have
        several parents.

        Parameters
        ----------
        terms
            Ids of terms.

        Returns
        -------
        str or None
            Id of the term; None if they have none in common.
        """
        shared = frozenset.intersection(*(self._above[term] for term in terms))
        return min(shared, key=lambda term: (self._n_kinds[term], -len(self._above[term]), term), default=None)

    @cached_property
    def _n_kinds(self) -> dict[str, int]:
        found = dict.fromkeys(self.terms, 0)
        for above in self._above.values():
            for term in above:
                found[term] += 1
        return found

    def find(self, names: Iterable[str], where: str, advice: str) -> dict[str, str]:
        """Find terms by id, name or exact synonym, in this order; case counts only if it has to.

        Parameters
        ----------
        names
            Names to look for.
        where
            What gives the names, for the message.
        advice
            What to do, for the message.

        Returns
        -------
        dict
            Id of the term of every name.

        Raises
        ------
        InputError
            If names are not found, or mean several terms: one message for all of them, with near names.
        """
        found, faults = {}, []
        for name in names:
            ids = next(
                (ids for table in self._tables for key in (name, name.casefold()) if (ids := table.get(key))), []
            )
            if len(ids) == 1:
                found[name] = ids[0]
            elif ids:
                faults.append(f"{name!r} may be any of {', '.join(map(self.describe, ids))}")
            else:
                faults.append(self._not_found(name))
        if faults:
            raise InputError(
                f"{where}: {count(len(faults), 'name')} not matched to one term of {self.source} by id, name or exact "
                f"synonym: {'; '.join(faults)}. {advice}"
            )
        return found

    def find_classes(self, classes: Sequence[str], given: Mapping[str, str]) -> tuple[str, ...]:
        """Find the terms of classes.

        Parameters
        ----------
        classes
            Names of the classes: ids, names or exact synonyms of terms.
        given
            Term (id, name or exact synonym) of classes with other names.

        Returns
        -------
        tuple of str
            Id of the term of every class.

        Raises
        ------
        InputError
            If classes are not found, terms are given for labels that are no classes, or all classes but one are above
            it, which would be the answer for every sample.
        """
        given = {str(label): str(term) for label, term in given.items()}
        if unknown := sorted(set(given) - set(classes)):
            raise InputError(
                f"labels.ontology.terms: no class is called {listed(unknown)}; the classes are "
                f"{listed(list(classes), n=20)}."
            )
        wanted = [given.get(name, name) for name in classes]
        advice = "Give the term of each of these labels, by its id, in labels.ontology.terms."
        found = self.find(dict.fromkeys(wanted), "labels.ontology", advice)
        ids = tuple(found[name] for name in wanted)
        lowest = [one for one in ids if not any(self.is_a(other, one) for other in ids if other != one)]
        if len(lowest) == 1 < len(ids):
            raise InputError(
                f"labels.ontology: all other labels are above {self.describe(lowest[0])}, the answer for every sample. "
                f"Expected at least two labels without kinds among the labels: exclude the upper ones "
                f"(labels.exclude), or leave the ontology out."
            )
        return ids

    def describe(self, term: str) -> str:
        """Name and id of a term."""
        return f"{self.terms[term].name} ({term})"

    @cached_property
    def _tables(self) -> tuple[dict[str, list[str]], ...]:
        """Ids by what they are found by: the term's id, its name, its synonyms; and by these in lower case."""
        exact: list[dict[str, list[str]]] = [{}, {}, {}]
        for term in self.terms.values():
            for table, keys in zip(exact, ([term.id], [term.name], term.synonyms), strict=True):
                for key in keys:
                    table.setdefault(key, []).append(term.id)
        lower: list[dict[str, list[str]]] = []
        for table in exact:
            lower.append({})
            for key, ids in table.items():
                known = lower[-1].setdefault(key.casefold(), [])
                known += [one for one in ids if one not in known]
        return (*exact, *lower)

    def _not_found(self, name: str) -> str:
        keys = {key: ids[0] for table in reversed(self._tables[3:]) for key, ids in table.items()}
        near = dict.fromkeys(keys[key] for key in nearest(name.casefold(), keys, _N_NEAR))
        return f"{name!r}" + (f" (near: {', '.join(map(self.describe, near))})" if near else "")

    def as_record(self) -> dict[str, Any]:
        """The ontology as content of a JSON file."""
        terms = {
            term.id: {"name": term.name, "parents": list(term.parents), "synonyms": list(term.synonyms)}
            for term in self.terms.values()
        }
        return {"source": self.source, "terms": terms}

    @classmethod
    def from_record(cls, content: Mapping[str, Any]) -> Ontology:
        """Read what `as_record` returned."""
        terms = {
            key: Term(key, about["name"], tuple(about["parents"]), tuple(about["synonyms"]))
            for key, about in content["terms"].items()
        }
        return cls(terms, content["source"])


def read_ontology(path: str | Path) -> Ontology:
    """Read an ontology from an .obo file, without obsolete terms.

    Parameters
    ----------
    path
        The file, such as cl-basic.obo of the Cell Ontology; may be compressed.

    Raises
    ------
    InputError
        If it is no such file, or a term is a kind of itself.
    """
    import networkx as nx

    try:
        import obonet
    except ImportError as error:
        raise InputError(f"labels.ontology needs obonet ({error}): pip install 'deepmapper[ontology]'.") from error
    path = Path(path)
    try:
        with _unlogged():
            graph = obonet.read_obo(path)
    except KeyError as error:
        raise InputError(f"{path} has a term without {error}: expected a file in the OBO format.") from error
    except (OSError, ValueError, EOFError, zlib.error) as error:
        raise InputError(
            f"{path} cannot be read as an ontology ({error}): expected a file in the OBO format."
        ) from error
    kinds = nx.DiGraph((child, parent) for child, parent, kind in graph.edges(keys=True) if kind == "is_a")
    if not nx.is_directed_acyclic_graph(kinds):
        cycle = [child for child, _ in nx.find_cycle(kinds)]
        raise InputError(f"{path}: {' is a '.join([*cycle, cycle[0]])}; expected an ontology without such cycles.")
    terms = {}
    for key, about in sorted(graph.nodes(data=True)):
        if "name" not in about:
            continue  # named by other terms alone, as terms of other ontologies are
        parents = sorted(parent for parent in about.get("is_a", []) if "name" in graph.nodes[parent])
        synonyms = [match[1] for text in about.get("synonym", []) if (match := _SYNONYM.match(text))]
        terms[key] = Term(key, about["name"], tuple(parents), tuple(dict.fromkeys(synonyms)))
    if not terms:
        raise InputError(f"{path} has no term with a name: expected an ontology in the OBO format.")
    return Ontology(terms, path.name)


@contextmanager
def _unlogged() -> Iterator[None]:
    """Keep what obonet says of a header without a name, which is of no use here, from the screen."""
    silent = logging.NullHandler()  # without a handler, logging would set one up that writes to the screen
    logging.getLogger().addHandler(silent)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(silent)


def propagate(probability: Any, descendants: Any) -> Any:
    """Sum probabilities over what lies below each term.

    Parameters
    ----------
    probability
        (n, columns) probabilities: arrays of numpy or tensors of torch.
    descendants
        (rows, columns) 1 where the column's term is the row's term or a kind of it, of the same type.

    Returns
    -------
    numpy.ndarray or torch.Tensor
        (n, rows) probabilities.
    """
    return probability @ descendants.T

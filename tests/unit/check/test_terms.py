"""Labels that are no terms of the ontology are found before any job."""

import pytest

from deepmapper.check.matrix import check_terms
from deepmapper.check.outcome import Outcome

pytest.importorskip("obonet")


def checked(path, classes, terms=None, allowed=()):
    outcome = Outcome()
    check_terms(outcome, classes, {"path": str(path), "terms": terms or {}, "allowed": list(allowed)})
    return outcome


def test_labels_and_allowed_terms_are_looked_up(toy_obo):
    fine = checked(toy_obo, ["B cell", "mono"], {"mono": "monocyte"}, ["leukocyte"])
    assert fine.faults == []
    assert fine.lines == [("Ontology", "toy.obo: the classes are B cell (CL:0000236), monocyte (CL:0000576)")]
    wrong = checked(toy_obo, ["B cell", "mono"], allowed=["leukozyte"])
    assert len(wrong.faults) == 2
    assert "'mono'" in wrong.faults[0] and "labels.ontology.terms" in wrong.faults[0]
    assert "'leukozyte' (near: leukocyte" in wrong.faults[1]


def test_without_a_file_there_is_nothing_to_look_up(tmp_path):
    """A file that does not exist has a fault of its own."""
    for path in ("", tmp_path / "none.obo"):
        assert checked(path, ["B cell"]).faults == []

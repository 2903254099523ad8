"""Labels of different depth: answers as deep as the data allow, and true as often as the level says."""

from dataclasses import replace

import numpy as np
import pytest

from deepmapper.core.ontology import read_ontology
from deepmapper.errors import InputError
from deepmapper.transfer import model_folder
from deepmapper.transfer.conformal import label_sets, n_at_least
from deepmapper.transfer.model import fit_model
from deepmapper.transfer.predict import predict
from deepmapper.transfer.terms import ClassTerms

pytest.importorskip("obonet")


def match_classes(ontology, classes, given):
    return ClassTerms(ontology, ontology.find_classes(classes, given))


@pytest.fixture(scope="module")
def ontology(toy_obo):
    return read_ontology(toy_obo)


@pytest.fixture(scope="module")
def terms(ontology):
    """Four kinds, and cells of which only T cell is said."""
    names = ["B cell", "CD4-positive T cell", "CD8-positive T cell", "T cell", "monocyte"]
    return match_classes(ontology, names, {})


def test_the_probability_of_an_inner_class_is_that_of_its_kinds(terms):
    np.testing.assert_array_equal(terms.is_leaf, [True, True, True, False, True])
    found = terms.to_leaves(np.array([[0.1, 0.3, 0.1, 0.4, 0.1], [0, 0, 0, 1, 0]]))
    np.testing.assert_allclose(found, [[0.1, 0.6, 0.2, 0, 0.1], [0, 0.5, 0.5, 0, 0]])


def test_the_kinds_of_a_class_are_those_below_it_that_have_none(terms, ontology):
    assert [np.flatnonzero(row).tolist() for row in terms.kinds] == [[0], [1], [2], [1, 2], [4]]
    assert match_classes(ontology, ["B cell", "monocyte"], {}).kinds is None


def test_classes_of_the_same_term_are_no_kinds_of_one_another(ontology):
    same = match_classes(ontology, ["NK", "NK cell"], {})
    assert same.is_leaf.all() and same.lowest(np.array([[True, True]]))[0] == "CL:0000623"


def test_a_set_is_answered_by_the_lowest_common_term(terms):
    inside = np.array([[1, 0, 0, 0, 0], [0, 1, 1, 0, 0], [1, 1, 0, 0, 0], [1, 0, 0, 0, 1], [0, 0, 0, 0, 0]], dtype=bool)
    found = terms.lowest(inside)
    assert [terms.name_of(term) for term in found] == ["B cell", "T cell", "lymphocyte", "leukocyte", ""]
    probability = np.tile([0.1, 0.5, 0.2, 0.0, 0.2], (5, 1))
    np.testing.assert_allclose(terms.probability_of(found, probability), [0.1, 0.7, 0.8, 1.0, np.nan])


@pytest.mark.parametrize("sharpness", [0.3, 1.0, 3.0])
def test_the_term_holds_as_often_as_the_level_says_in_every_class(ontology, sharpness):
    """Labels drawn from the probabilities themselves; a third is said more coarsely, whatever the kind."""
    rng, level = np.random.default_rng(0), 0.1
    names = ["CD4-positive T cell", "CD8-positive T cell", "NK cell", "B cell", "monocyte", "T cell"]
    terms = match_classes(ontology, names, {})
    true = rng.dirichlet(np.full(5, 1 / sharpness), 12_000)
    leaf = (true.cumsum(1) > rng.random((12_000, 1))).argmax(1)
    coarse = (leaf < 2) & (rng.random(12_000) < 1 / 3)
    said = np.where(coarse, 5, leaf)
    # what a model of these labels learns
    flat = np.column_stack([true * np.where(np.arange(5) < 2, 2 / 3, 1), true[:, :2].sum(1) / 3])
    probability = terms.to_leaves(flat)
    np.testing.assert_allclose(probability[:, :5], true)
    known, new = np.arange(12_000) < 6000, np.arange(12_000) >= 6000
    p = np.zeros((6000, 6))
    for code in range(5):
        held = 1 - probability[known & (said == code), code]
        p[:, code] = (1 + n_at_least(held, 1 - probability[new, code])) / (1 + len(held))
    p[:, 5] = 0
    answers = terms.lowest(label_sets(p, probability[new].argmax(1), level))
    right = np.array([ontology.is_a(terms.ids[code], term) for code, term in zip(leaf[new], answers, strict=True)])
    for code in range(5):
        of_class = leaf[new] == code
        assert right[of_class].mean() >= 1 - level - 3 * np.sqrt(level * (1 - level) / of_class.sum()), names[code]


@pytest.fixture(scope="module")
def with_terms(study, toy_obo):
    """The model of the study, whose classes are terms."""
    terms = match_classes(read_ontology(toy_obo), study.features.classes, {"B": "B cell", "T": "CL:0000084"})
    return fit_model(study.features, study.passes, study.scale, terms=terms, about={"model": "linear"})


def test_the_table_has_terms_and_is_else_the_same(model, with_terms, newcomers):
    usual, table = predict(model, newcomers), predict(with_terms, newcomers)
    assert "term" not in usual and usual.equals(table[list(usual.columns)])
    assigned = table["verdict"] == "assigned"
    names = {"B": "B cell", "NK": "NK cell", "T": "T cell"}
    assert (table["term_name"] == table["label"].map(names))[assigned].all()
    assert table["term"].isna().equals(table["verdict"].isin(["new", "empty"]))
    assert (table["term_probability"] >= table["probability"] - 1e-12)[assigned].all()


def test_answers_are_restricted_to_allowed_terms(with_terms, newcomers):
    for allowed, answers in ((["T-lymphocyte", "NK"], {"NK", "T"}), (["CL:0000624"], {"T"}), (["lymphocyte"], None)):
        table = predict(with_terms, newcomers, allowed_terms=allowed)
        assert set(table["nearest"]) <= (answers or {"B", "NK", "T"})
        if answers:
            assert set(",".join(table["set"].dropna()).split(",")) <= answers
    with pytest.raises(InputError, match="none of the classes is one of the allowed terms .monocyte"):
        predict(with_terms, newcomers, allowed_terms=["monocyte"])
    with pytest.raises(InputError, match="'monozyte' .near: monocyte"):
        predict(with_terms, newcomers, allowed_terms=["monozyte"])


def test_terms_are_asked_of_a_model_that_has_some(model, newcomers):
    with pytest.raises(InputError, match="the model has no ontology"):
        predict(model, newcomers, allowed_terms=["T cell"])


def test_the_folder_has_them(with_terms, newcomers, tmp_path):
    model_folder.save(with_terms, tmp_path / "m")
    again = predict(tmp_path / "m", newcomers, allowed_terms=["lymphocyte"])
    assert again.equals(predict(with_terms, newcomers, allowed_terms=["lymphocyte"]))


def test_inner_labels_of_the_reference_do_not_hide_their_kinds(study, toy_obo, newcomers):
    """NK, taken here for cells of which is said only that they are lymphocytes."""
    given = {"B": "B cell", "T": "T cell", "NK": "lymphocyte"}
    terms = match_classes(read_ontology(toy_obo), study.features.classes, given)
    table = predict(fit_model(study.features, study.passes, study.scale, terms=terms), newcomers)
    assert set(table["nearest"]) == {"B", "T"}
    assert not table["set"].dropna().str.contains("NK").any()


def test_the_record_is_json(terms):
    again = ClassTerms.from_record(terms.as_record())
    assert again.ids == terms.ids and again.ontology == terms.ontology
    assert replace(again, ids=again.ids[:1]).is_leaf.all()

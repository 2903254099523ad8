"""Terms are found by what people call them, and probabilities are summed over the kinds of a term."""

import gzip
import subprocess
import sys

import numpy as np
import pytest

from deepmapper.core.ontology import Ontology, propagate, read_ontology
from deepmapper.errors import InputError

pytest.importorskip("obonet")


@pytest.fixture(scope="module")
def ontology(toy_obo):
    return read_ontology(toy_obo)


def test_terms_are_found_by_id_name_or_exact_synonym(ontology):
    found = ontology.find(["CL:0000084", "B cell", "T-lymphocyte", "NK", "monocytes", "nk CELL"], "here", "Do that.")
    assert list(found.values()) == [
        *("CL:0000084", "CL:0000236", "CL:0000084", "CL:0000623", "CL:0000576", "CL:0000623"),
    ]


def test_names_that_are_not_found_give_one_message_with_near_names(ontology):
    with pytest.raises(InputError) as raised:
        ontology.find(["B cell", "monocite", "Zzz", "killer"], "here", "Do that.")
    text = str(raised.value)
    assert text.startswith("here: 3 names not matched to one term of toy.obo")
    assert "'monocite' (near: monocyte (CL:0000576)" in text and "'Zzz';" in text
    assert "B cell" not in text.split("near")[0] and text.endswith("Do that.")


def test_a_synonym_of_several_terms_is_refused(ontology):
    with pytest.raises(InputError, match="'helper' may be any of"):
        ontology.find(["helper"], "here", "Do that.")


def test_related_synonyms_and_obsolete_terms_do_not_count(ontology):
    for name in ("thymocyte-derived", "old cell"):
        with pytest.raises(InputError):
            ontology.find([name], "here", "Do that.")


def test_only_kinds_lie_below_a_term(ontology):
    names = [ontology.terms[term].name for term in sorted(ontology.above("CL:0000624"))]
    assert names == ["cell", "T cell", "lymphocyte", "CD4-positive T cell", "leukocyte"]
    # a T cell develops from a stem cell, and is none
    assert not ontology.is_a("CL:0000084", "CL:0000034")


def test_the_lowest_common_term(ontology):
    name = {term.name: term.id for term in ontology.terms.values()}
    for given, expected in (
        (["CD4-positive T cell"], "CD4-positive T cell"),
        (["CD4-positive T cell", "CD8-positive T cell"], "T cell"),
        (["CD4-positive T cell", "T cell"], "T cell"),
        (["CD4-positive T cell", "NK cell"], "lymphocyte"),
        (["B cell", "monocyte"], "leukocyte"),
        # two parents: of leukocytes, and of antigen-presenting cells
        (["dendritic cell", "B cell"], "antigen-presenting cell"),
        (["B cell", "stem cell"], "cell"),
    ):
        assert ontology.terms[ontology.common([name[one] for one in given])].name == expected
    assert ontology.common([name["B cell"], name["blood"]]) is None


def test_probabilities_are_summed_over_kinds(ontology):
    columns = ["CL:0000624", "CL:0000625", "CL:0000084", "CL:0000576"]
    rows = ["CL:0000084", "CL:0000738", "CL:0000624"]
    descendants = ontology.descendants(rows, columns)
    np.testing.assert_array_equal(descendants, [[1, 1, 1, 0], [1, 1, 1, 1], [1, 0, 0, 0]])
    summed = propagate(np.array([[0.4, 0.3, 0.2, 0.1]]), descendants)
    np.testing.assert_allclose(summed, [[0.9, 1.0, 0.4]])


def test_it_survives_json(ontology):
    again = Ontology.from_record(ontology.as_record())
    assert again == ontology and again.above("CL:0000624") == ontology.above("CL:0000624")


def test_what_is_no_ontology_is_refused(tmp_path):
    for name, content, message in (
        ("a.obo", "not an ontology", "a.obo"),
        (
            "b.obo",
            "format-version: 1.2\n\n[Term]\nid: A\nname: a\nis_a: B\n\n[Term]\nid: B\nname: b\nis_a: A\n",
            "is a",
        ),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(InputError, match=message):
            read_ontology(tmp_path / name)
    with pytest.raises(InputError, match="cannot be read"):
        read_ontology(tmp_path / "none.obo")


def test_terms_of_classes(ontology):
    assert ontology.find_classes(["B cell", "mine"], {"mine": "NK"}) == ("CL:0000236", "CL:0000623")
    with pytest.raises(InputError, match=r"2 names not matched .*'Monocytez' \(near: monocyte.*labels.ontology.terms"):
        ontology.find_classes(["B cell", "Monocytez", "q"], {})
    with pytest.raises(InputError, match="labels.ontology.terms: no class is called C"):
        ontology.find_classes(["B cell"], {"C": "B cell"})
    with pytest.raises(InputError, match=r"all other labels are above B cell \(CL:0000236\).*labels.exclude"):
        ontology.find_classes(["B cell", "lymphocyte", "leukocyte"], {})


def test_damaged_files_are_refused_in_words(tmp_path):
    term = "[Term]\nid: A\nname: a\n\n"
    (tmp_path / "short.obo.gz").write_bytes(gzip.compress(term.encode() * 100)[:40])
    (tmp_path / "noid.obo").write_text(f"{term}[Term]\nname: b\n")
    for name, message in (("short.obo.gz", "cannot be read as an ontology"), ("noid.obo", "has a term without 'id'")):
        with pytest.raises(InputError, match=message):
            read_ontology(tmp_path / name)


def test_a_header_without_a_name_is_no_matter(tmp_path):
    (tmp_path / "a.obo").write_text("format-version: 1.2\n\n[Term]\nid: A\nname: a\n")
    code = f"from deepmapper.core.ontology import read_ontology as r; r({str(tmp_path / 'a.obo')!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == done.stderr == ""

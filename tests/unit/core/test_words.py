"""Wording that messages share: lists, counts, suggestions and natural order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepmapper.core.words import (
    at_most_about,
    count,
    did_you_mean,
    listed,
    natural_order,
    nearest,
    some,
    some_names,
)


def test_the_first_values_are_quoted_in_their_order():
    assert some(["b", "a"]) == "'b', 'a'"
    assert some([3, 2, 1, 0]) == "'3', '2', '1', ..."
    assert some((name for name in "abcd"), 4) == "'a', 'b', 'c', 'd'"
    assert some([]) == ""


def test_distinct_names_are_listed_alphabetically_with_the_number_of_others():
    assert some_names(["chr2", "chr1", "chr2"]) == "chr1, chr2"
    assert some_names("gfedcba") == "a, b, c, d, e and 2 more"
    assert some_names("dcba", 3, ", ...") == "a, b, c, ..."
    assert listed(["b", "a", "c"], 2) == "b, a and 1 more"


def test_counts_agree_with_their_nouns():
    assert [count(n, "pass", "passes") for n in (0, 1, 2)] == ["0 passes", "1 pass", "2 passes"]
    assert count(0, "chord", zero="no") == "no chords"
    assert count(1, "chord", zero="no") == "1 chord"
    assert count(12_000, "feature") == "12000 features"
    assert count(12_000, "feature", separator=",") == "12,000 features"
    assert count(0, "feature", separator=",") == "0 features"


def test_expected_numbers_are_whole():
    said = [at_most_about(expected) for expected in (0.2, 1, 1.5, 3.1, 1234.4)]
    assert said == [
        "less than one is",
        "at most about 1 of them is",
        "at most about 2 of them are",
        "at most about 3 of them are",
        "at most about 1,234 of them are",
    ]
    assert at_most_about(3.1, "the 31") == "at most about 3 of the 31 are"


def test_a_misspelling_finds_the_known_word_in_any_case():
    assert nearest("epoch", ["epochs", "batch_size", "lr"]) == ["epochs"]
    assert nearest("EPOCHS", ["Epochs"]) == ["Epochs"]
    assert nearest("resnet", ["resnet18", "resnet34", "vit"], n=3) == ["resnet34", "resnet18"]
    assert nearest("epoch", ["epochs"], cutoff=0.99) == []
    assert did_you_mean("Cell_type", ["cell_type", "donor"]) == " Did you mean 'cell_type'?"
    assert did_you_mean("x", ["cell_type", "donor"]) == ""


@pytest.mark.parametrize(
    ("names", "order"),
    [
        ({"c10", "c2", "c1"}, ["c1", "c2", "c10"]),
        ({"10", "2", "-1", "0.5"}, ["-1", "0.5", "2", "10"]),
        ({"B cell", "10", "T cell 2", "T cell 10"}, ["10", "B cell", "T cell 2", "T cell 10"]),
    ],
)
def test_numbers_are_ordered_by_value(names, order):
    assert natural_order(names) == order


@given(st.sets(st.text()))
def test_the_natural_order_does_not_depend_on_the_input_order(names):
    assert natural_order(names) == natural_order(sorted(names, reverse=True))
    assert set(natural_order(names)) == names

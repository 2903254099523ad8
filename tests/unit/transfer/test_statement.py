"""The sentence about a target, for one cell and for many, with and without a rate."""

from types import SimpleNamespace

import numpy as np
import pytest

from deepmapper.core.false_discovery import benjamini_hochberg
from deepmapper.transfer import statement
from deepmapper.transfer.exchangeable import Comparison
from deepmapper.transfer.statement import sentence, too_few_stranger

ALIKE, DIFFERENT = Comparison(100, 0.52, 0.45, 0.6, ("B",)), Comparison(100, 0.9, 0.85, 0.95, ("B",))
UNKNOWN = Comparison(0, float("nan"), float("nan"), float("nan"), ())


def said(one, several, new, empty=0, comparison=ALIKE, aligned=False, signal=True):
    verdicts = {"assigned": one, "ambiguous": several, "new": new, "empty": empty}
    return sentence(verdicts, signal, comparison, aligned, 0.05)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            said(1, 0, 0),
            "Of 1 unlabelled cell, 1 has one label, 0 several that cannot be told apart, and 0 are new.",
        ),
        (
            said(1200, 30, 1, empty=1),
            "Of 1,232 unlabelled cells (1 without counts is not named), 1,200 have one label, 30 several that cannot "
            "be told apart, and 1 is new. At most 5 % of the new ones are expected to be cells of a known class.",
        ),
    ],
)
def test_numbers_and_verbs_agree(found, expected):
    assert found == expected


def test_a_rate_is_given_only_where_it_holds():
    assert "provided that target and reference do not differ" in said(5, 0, 3, comparison=UNKNOWN)
    assert "provided" not in said(5, 0, 0, comparison=UNKNOWN)
    withheld = said(5, 0, 3, comparison=DIFFERENT)
    assert withheld.endswith(
        "3 are new; how many of the new ones are false is not known, because target and reference differ in cells of "
        "the same class (AUC 0.90)."
    )
    assert "how many of the known ones would be called new is not known" in said(5, 0, 0, comparison=DIFFERENT)
    assert "the target had to be aligned first" in said(5, 0, 3, comparison=DIFFERENT, aligned=True)
    assert said(0, 0, 0, signal=False).startswith("No signal")


@pytest.mark.parametrize(
    ("n_strange", "n", "said"), [(50, 1000, True), (10, 1000, False), (0, 9, False), (200, 1000, False), (4, 30, True)]
)
def test_it_is_said_if_strange_cells_are_too_few_to_be_new(n_strange, n, said):
    p = np.r_[np.full(n_strange, 0.01), np.full(n - n_strange, 0.5), np.nan]
    found = too_few_stranger(SimpleNamespace(p=p, q=benjamini_hochberg(p), min_p=0.01), 0.05)
    assert bool(found) == said
    if n == 1000 and said:
        assert found[0].startswith("50 cells of 1,000 are stranger than all labelled cells")
        assert "p cannot be below 0.01 with so few labelled cells, so at least 200" in found[0]


def test_classes_with_few_cells_have_the_coverage_of_all():
    sure = "contains the true one with a probability of about 99.9 %"
    assert statement._coverage(SimpleNamespace(marginal=()), 0.001).endswith(f"{sure}.")
    one, two = (statement._coverage(SimpleNamespace(marginal=names), 0.001) for names in (("B",), ("B", "T")))
    assert one.endswith("; B has too few cells for a coverage of its own, and has that of all classes together.")
    assert two.endswith("; B, T have too few cells for a coverage of their own, and have that of all classes together.")


def test_small_levels_are_not_rounded_to_nothing():
    verdicts = {"assigned": 1, "ambiguous": 1, "new": 1200, "empty": 1}
    assert "At most 0.5 % of the new ones" in sentence(verdicts, True, ALIKE, False, 0.005)
    named, model = SimpleNamespace(comparison=ALIKE, aligned=None), SimpleNamespace(over="cells")
    assert "0.5 %" in statement._rate(model, named, 0.005)

"""The sentence about a target, for one cell and for many, with and without a rate."""

from types import SimpleNamespace

import numpy as np
import pytest

from deepmapper.core.false_discovery import benjamini_hochberg
from deepmapper.transfer import statement
from deepmapper.transfer.exchangeable import Comparison
from deepmapper.transfer.statement import nearly_new, sentence

ALIKE, DIFFERENT = Comparison(100, 0.52, 0.45, 0.6, ("B",)), Comparison(100, 0.9, 0.85, 0.95, ("B",))
UNKNOWN = Comparison(0, float("nan"), float("nan"), float("nan"), ())


def said(one, several, new, empty=0, comparison=ALIKE, aligned=False, signal=True, complete=True):
    verdicts = {"assigned": one, "ambiguous": several, "new": new, "empty": empty}
    return sentence(verdicts, signal, comparison, aligned, 0.05, complete)


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
    assert "normalised in another way, all of them may be of known" in said(2, 0, 30, comparison=UNKNOWN)
    withheld = said(5, 0, 3, comparison=DIFFERENT)
    assert withheld.endswith(
        "3 are new; how many of the new ones are false is not known, because target and reference differ in cells of "
        "the same class (AUC 0.90)."
    )
    assert "how many of the known ones would be called new is not known" in said(5, 0, 0, comparison=DIFFERENT)
    assert "the target had to be aligned first" in said(5, 0, 3, comparison=DIFFERENT, aligned=True)
    assert said(0, 0, 0, signal=False).startswith("No signal")
    assert said(5, 0, 3, complete=False).endswith("class, provided that the missing features make no difference.")


def nearly(p, min_p, over="cells"):
    return nearly_new(SimpleNamespace(p=p, q=benjamini_hochberg(p), min_p=min_p), over, 0.05)


@pytest.mark.parametrize(
    ("n_strange", "n", "said"), [(50, 1000, True), (10, 1000, False), (0, 9, False), (200, 1000, False), (4, 30, True)]
)
def test_it_is_said_if_strange_cells_are_too_few_to_be_new(n_strange, n, said):
    found = nearly(np.r_[np.full(n_strange, 0.01), np.full(n - n_strange, 0.5), np.nan], 0.01)
    assert bool(found) == said
    if n == 1000 and said:
        assert found == [
            "No cell is new at this level, but 50 cells of 1,000 are nearly so (q ≤ 0.2 and p ≤ 0.01): they are "
            "stranger than all labelled cells, but p cannot be smaller with 99 of these. To be new, at least 200 cells "
            "would have to be as strange, or 399 cells be labelled, none of them as strange. Look at q, and at their "
            "genes."
        ]


def test_it_is_said_if_a_few_labelled_cells_are_as_strange():
    p = np.r_[np.full(23, 4 / 479), np.full(277, 0.5)]
    found = nearly(p, 1 / 479)[0]
    assert found.startswith("No cell is new at this level, but 23 cells of 300 are nearly so (q ≤ 0.11 and p ≤ 0.0084)")
    assert "about 3 of 478 labelled cells are as strange. To be new, at least 51 cells" in found
    assert benjamini_hochberg(np.r_[np.full(51, 4 / 479), np.full(249, 0.5)]).min() <= 0.05
    assert benjamini_hochberg(np.r_[np.full(50, 4 / 479), np.full(250, 0.5)]).min() > 0.05
    assert "labelled cells" not in nearly(p, 1 / 479, "domain")[0]


@pytest.mark.parametrize("p", [np.full(30, np.nan), np.array([]), np.full(100, 0.06), np.linspace(0.01, 1, 100)])
def test_nothing_is_said_of_cells_that_are_not_strange(p):
    assert nearly(p, 0.01) == []


def test_classes_with_few_cells_have_the_coverage_of_all():
    sure = "contains the true one with a probability of about 99.9 %"
    assert statement._coverage(SimpleNamespace(marginal=()), 0.001).endswith(f"{sure}.")
    one, two = (statement._coverage(SimpleNamespace(marginal=names), 0.001) for names in (("B",), ("B", "T")))
    assert one.endswith(
        "; the class B has too few cells for a coverage of its own, and has that of all classes together."
    )
    assert two.endswith(
        "; the classes B, T have too few cells for a coverage of their own, and have that of all classes together."
    )


def test_small_levels_are_not_rounded_to_nothing():
    verdicts = {"assigned": 1, "ambiguous": 1, "new": 1200, "empty": 1}
    assert "At most 0.5 % of the new ones" in sentence(verdicts, True, ALIKE, False, 0.005)
    named, model = SimpleNamespace(comparison=ALIKE, aligned=None, complete=True), SimpleNamespace(over="cells")
    assert "0.5 %" in statement._rate(model, named, 0.005)


def test_the_rate_says_if_a_file_lacks_features():
    lacks = SimpleNamespace(comparison=ALIKE, aligned=None, complete=False, lost=0.234)
    found = statement._rate(SimpleNamespace(over="cells"), lacks, 0.05)
    assert "features with 23 % of the importance that a file lacks, so more of its cells than that may" in found

"""What is said about target samples: numbers, rates, and their conditions in plain sentences."""

from types import SimpleNamespace

import pytest

from deepmapper.transfer import statement
from deepmapper.transfer.exchangeable import Comparison

ALIKE = Comparison(100, 0.52, 0.45, 0.59, ("B",))
UNKNOWN = Comparison(0, float("nan"), float("nan"), float("nan"), ())
DIFFERENT = Comparison(100, 0.9, 0.85, 0.95, ("B",))
MODEL = SimpleNamespace(signal=True, over="cells")


@pytest.mark.parametrize(
    ("comparison", "end"),
    [
        (ALIKE, "of which at most 0.5% are expected to be of a known class."),
        (
            UNKNOWN,
            "to be of a known class, provided that target and reference do not differ: too few cells could tell.",
        ),
        (DIFFERENT, "because target and reference differ even in cells of the same class (AUC 0.90)."),
    ],
)
def test_numbers_are_in_sentences_and_small_levels_are_not_rounded_to_nothing(comparison, end):
    verdicts = {"assigned": 1, "ambiguous": 1, "new": 1200, "empty": 1}
    named = SimpleNamespace(comparison=comparison, aligned=None)
    text = statement._statement(verdicts, MODEL, named, 0.005, 1203)
    start = "Of 1,203 unlabelled cells, 1 has one label, 1 has several that cannot be told apart, and 1,200 are new"
    assert text.startswith(f"{start} (1 without counts is not named)") and text.endswith(end)
    assert "0.5%" in statement._rate(MODEL, named, 0.005)


def test_classes_with_few_cells_have_the_coverage_of_all():
    sure = "contains the true one with a probability of about 99.9%"
    assert statement._coverage(SimpleNamespace(marginal=()), 0.001).endswith(f"{sure}.")
    one, two = (statement._coverage(SimpleNamespace(marginal=names), 0.001) for names in (("B",), ("B", "T")))
    assert one.endswith("; B has too few cells for a coverage of its own, and has that of all classes together.")
    assert two.endswith("; B, T have too few cells for a coverage of their own, and have that of all classes together.")

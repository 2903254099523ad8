"""Names that probably mean the same are found; different names are not."""

import unicodedata

import pytest

from deepmapper.core.look_alikes import look_alikes


@pytest.mark.parametrize(
    ("names", "difference"),
    [
        (["Ctrl", "ctrl"], "case or spaces"),
        (["T  cell", "T cell", "t cell "], "case or spaces"),
        (["A", "\u0410"], "look the same"),
        (["\u00e9t", unicodedata.normalize("NFD", "\u00e9t")], "look the same"),
        (["A", "A\u200b"], "cannot be seen"),
        (["T-cell", "T\u2013cell"], "look the same"),
        (["\u00b5M", "\u03bcM"], "look the same"),
        (["1", "1.0"], "the way a number is written"),
    ],
)
def test_names_that_look_the_same(names, difference):
    [(group, found)] = look_alikes([*names, "other"])
    assert group == names
    assert difference in found


def test_different_names_are_no_look_alikes():
    names = ["1.1", "1.10", "007", "7", "1E2", "100", "g_1", "g-1", "\u03b1", "\u03b2", "a", "CD4+", "CD4-", "CD4"]
    assert look_alikes(names) == []

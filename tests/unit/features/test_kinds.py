"""Classes that are kinds of others: who can be judged, and what becomes of the probability of the upper ones."""

import json

import numpy as np
import pytest

from deepmapper.errors import InputError
from deepmapper.features.kinds import has_lowest_label, left_out_note, may_be_same, overlaps, read_kinds, to_lowest

# c is above a and b; d has nothing to do with them
KINDS = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 1]], dtype=bool)


def test_kinds_are_read_from_what_the_rule_writes(tmp_path):
    path = tmp_path / "kinds.json"
    path.write_text(json.dumps({"classes": list("abcd"), "kinds": [[0], [1], [0, 1], [3]]}))
    np.testing.assert_array_equal(read_kinds(path), KINDS)
    path.write_text(json.dumps({"classes": list("ab"), "kinds": None}))
    assert read_kinds(path) is None
    path.write_text("{")
    with pytest.raises(InputError, match="kinds.json"):
        read_kinds(path)


def test_samples_with_a_label_above_others_cannot_be_judged():
    np.testing.assert_array_equal(has_lowest_label(np.array([0, 2, 3, 2]), KINDS), [True, False, True, False])
    assert has_lowest_label(np.array([0, 2]), None).all()
    assert "1 of 4 samples" in left_out_note(1, 4)


def test_the_probability_of_an_upper_label_goes_to_its_kinds_in_proportion():
    probability = np.array([[0.3, 0.1, 0.4, 0.2], [0, 0, 1, 0]])
    np.testing.assert_allclose(to_lowest(probability, KINDS), [[0.6, 0.2, 0, 0.2], [0.5, 0.5, 0, 0]])
    assert to_lowest(probability, None) is probability


def test_classes_overlap_if_their_samples_can_be_of_the_same_kind():
    """Also two upper labels that share a kind, neither of which is above the other."""
    assert overlaps("abcd", KINDS) == {"a": {"c"}, "b": {"c"}, "c": {"a", "b"}}
    crossed = np.array(
        [[1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [1, 1, 0, 0, 0], [0, 1, 1, 0, 0]], dtype=bool
    )
    assert overlaps("abcde", crossed)["d"] == {"a", "b", "e"}
    np.testing.assert_array_equal(may_be_same(None, 3), np.eye(3, dtype=bool))
    assert overlaps("abcd", None) == {}

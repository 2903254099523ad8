"""The evaluation of averaged predictions, on a test split or out of bag."""

import numpy as np
import pytest

from deepmapper.errors import InputError
from deepmapper.findings.evaluation import evaluate_ensemble, evaluate_out_of_bag, left_out_lines


def test_an_average_can_be_right_where_each_pass_is_wrong():
    """Three passes, each wrong about one of three samples; their average about none. And the numbers by hand."""
    truth = np.array([0, 1, 1])
    passes = []
    for wrong in range(3):
        right = np.where(np.arange(3) == wrong, 0.4, 0.8)
        passes.append(np.where(np.arange(2) == truth[:, None], right[:, None], 1 - right[:, None]))
    judged = evaluate_ensemble(passes, truth, np.array([0, 0, 1]), ("a", "b"))
    assert judged.per_pass_acc == pytest.approx([2 / 3] * 3)
    assert (judged.accuracy, judged.macro_f1, judged.balanced_accuracy) == (1.0, 1.0, 1.0)
    np.testing.assert_allclose(np.array(judged.y_proba).max(1), 2 / 3)
    assert judged.majority_accuracy == pytest.approx(1 / 3)  # the largest class of development is a


def test_scores_of_an_imperfect_ensemble_by_hand():
    """Four of a and two of b, one of each taken for the other."""
    truth, predicted = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 1, 0])
    judged = evaluate_ensemble([np.eye(2)[predicted]], truth, truth, ("a", "b"))
    assert judged.accuracy == pytest.approx(4 / 6)
    assert judged.balanced_accuracy == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert judged.macro_f1 == pytest.approx((3 / 4 + 1 / 2) / 2)  # precision and recall of either class are the same
    assert judged.report["a"] == {"precision": 0.75, "recall": 0.75, "f1-score": 0.75, "support": 4}


def test_without_passes_there_are_no_predictions():
    judged = evaluate_ensemble([], np.array([0, 1]), np.array([0, 1, 1]), ("a", "b"))
    assert (judged.y_pred, judged.y_proba, judged.n_passes) == ([], [], 0)
    assert np.isnan(judged.accuracy)
    assert np.isnan(judged.macro_f1)
    assert judged.majority_accuracy == 0.5


def test_judged_once_by_hand(hand_made):
    passes = [
        hand_made(0, out_of_bag_rows=np.array([0, 1]), out_of_bag_probability=np.array([[0.9, 0.1], [0.6, 0.4]])),
        hand_made(1, out_of_bag_rows=np.array([1, 3]), out_of_bag_probability=np.array([[0.2, 0.8], [0.7, 0.3]])),
    ]
    judged = evaluate_out_of_bag(passes, np.array([0, 1, 0, 1]), ("a", "b"), np.array([5, 6, 7, 8]), "because")
    assert (judged.rows, judged.not_judged, judged.groups, judged.why) == ([0, 1, 3], [2], [5, 6, 8], "because")
    np.testing.assert_allclose(judged.y_proba, [[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]])
    assert judged.accuracy == pytest.approx(2 / 3)
    assert judged.majority_accuracy == pytest.approx(2 / 3)  # the largest class of those judged is b


# c is above a and b
KINDS = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0]], dtype=bool)


def test_samples_with_a_label_above_others_are_left_out_and_lowest_labels_alone_are_predicted():
    """A model that learnt c as a class of its own is judged by what it says of a and b."""
    probability = np.array([[0.3, 0.1, 0.6], [0.1, 0.2, 0.7], [0.9, 0.1, 0], [0.6, 0.4, 0]])
    judged = evaluate_ensemble(
        [probability], np.array([0, 1, 2, 1]), np.array([2, 2, 2, 0, 0, 1]), ("a", "b", "c"), kinds=KINDS
    )
    assert (judged.classes, judged.upper) == (["a", "b"], [2])
    assert (judged.y_true, judged.y_pred) == ([0, 1, 1], [0, 1, 0])
    np.testing.assert_allclose(judged.y_proba, [[0.75, 0.25], [1 / 3, 2 / 3], [0.6, 0.4]])
    assert judged.accuracy == judged.per_pass_acc[0] == pytest.approx(2 / 3)
    assert judged.macro_f1 == pytest.approx(2 / 3)  # no class without samples counts
    assert judged.majority_accuracy == pytest.approx(1 / 3)  # the largest lowest class of development is a
    assert left_out_lines(judged)[0].startswith("1 of 4 samples have a label of which others are kinds")


def test_out_of_bag_rows_are_those_of_all_samples(hand_made):
    made = hand_made(
        out_of_bag_rows=np.array([0, 1, 3]),
        out_of_bag_probability=np.array([[0, 0, 1.0], [0.2, 0.8, 0], [0.3, 0.7, 0]]),
    )
    y, groups = np.array([2, 1, 0, 0]), np.array([5, 6, 7, 8])
    judged = evaluate_out_of_bag([made], y, ("a", "b", "c"), groups, kinds=KINDS)
    assert (judged.rows, judged.not_judged, judged.upper, judged.groups) == ([1, 3], [2], [0], [6, 8])
    assert judged.accuracy == 0.5
    assert "1 of 4" in left_out_lines(judged)[0]


def test_samples_none_of_which_can_be_judged_are_refused():
    with pytest.raises(InputError, match=r"labels\.ontology: all 2 samples .* split\.seed"):
        evaluate_ensemble([np.eye(3)[:2]], np.array([2, 2]), np.array([0, 1]), ("a", "b", "c"), kinds=KINDS)
    assert left_out_lines(evaluate_ensemble([np.eye(2)], np.array([0, 1]), np.array([0, 1]), ("a", "b"))) == []

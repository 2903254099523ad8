"""The evaluation of averaged predictions, on a test split or out of bag."""

import numpy as np
import pytest

from deepmapper.findings.evaluation import evaluate_ensemble, evaluate_out_of_bag


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

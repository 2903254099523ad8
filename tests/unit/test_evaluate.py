"""The final evaluation: an average of passes, judged on samples that none of them has seen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support

from deepmapper import evaluate as evaluate_module
from deepmapper.accumulate import wilson_interval
from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.evaluate import evaluate
from deepmapper.features.samples import Samples
from deepmapper.features.splits import split_off_test
from deepmapper.findings import ensemble
from deepmapper.findings.ensemble import embed, embed_ensemble, map_embedding, predict
from deepmapper.findings.evaluation import evaluate_ensemble, evaluate_out_of_bag, out_of_bag_probability
from deepmapper.findings.intervals import (
    bootstrap_intervals,
    calibration_table,
    effective_share,
    per_class_intervals,
    per_class_scores,
    wilson_intervals,
)
from deepmapper.passes.restore import softmax
from deepmapper.passes.train import train_pass

pytestmark = pytest.mark.filterwarnings("error::deepmapper.errors.DeepMapperWarning")


@pytest.fixture
def watched(monkeypatch):
    """Collect the passes that `evaluate` trains."""
    seen = []

    def train(*args, **kwargs):
        seen.append(train_pass(*args, **kwargs))
        return seen[-1]

    monkeypatch.setattr(evaluate_module, "train_pass", train)
    return seen


def test_the_ensemble_is_the_mean_of_the_passes_probabilities(planted, quick, watched):
    result = evaluate(planted.X, planted.y, quick("mlp"), class_names=planted.classes, seed=4)
    _, test = split_off_test(planted.y, 0.25, 4)
    alone = [predict(member, planted.X, test) for member in watched]
    np.testing.assert_array_equal(result.y_true, planted.y[test])
    np.testing.assert_allclose(result.y_proba, np.mean(alone, axis=0), atol=1e-12)
    np.testing.assert_allclose(np.sum(result.y_proba, axis=1), 1, atol=1e-12)
    np.testing.assert_array_equal(result.y_pred, np.argmax(result.y_proba, axis=1))
    assert result.per_pass_acc == [(p.argmax(1) == planted.y[test]).mean() for p in alone]
    assert (result.n_passes, result.classes) == (3, ["B", "NK", "T"])


def test_planted_classes_are_told_apart(planted, quick):
    result = evaluate(planted.sparse, planted.y, quick("mlp"), class_names=planted.classes)
    assert result.accuracy > 0.9
    assert result.majority_accuracy == pytest.approx(1 / 3)
    assert result.accuracy == np.mean(np.array(result.y_true) == result.y_pred)
    assert set(planted.classes) <= set(result.report)
    assert result.report["macro avg"]["f1-score"] == pytest.approx(result.macro_f1)
    assert result.report["accuracy"] == pytest.approx(result.accuracy)
    assert result.report["macro avg"]["recall"] == pytest.approx(result.balanced_accuracy)
    assert sum(result.report[name]["support"] for name in planted.classes) == 30


def test_no_pass_learns_from_the_test_samples(planted, quick, watched):
    """Poison: whatever stands in the rows of the test samples, every pass comes out with the same weights."""
    config = quick("mlp", n_passes=2, epochs=3, early_stop=True, min_epochs=1, patience=1)
    clean = evaluate(planted.X, planted.y, config, seed=1)
    _, test = split_off_test(planted.y, 0.25, 1)
    poisoned = planted.X.copy()
    poisoned[test] = np.random.default_rng(1).normal(size=(len(test), 30)) * 1e3
    dirty = evaluate(poisoned, planted.y, config, seed=1)
    assert dirty.y_proba != clean.y_proba  # the poison was there
    for one, other in zip(watched[:2], watched[2:], strict=True):
        assert all(np.array_equal(one.weights[name], other.weights[name]) for name in one.weights)
        np.testing.assert_array_equal(one.importance, other.importance)
        assert (one.accuracy, one.stop_epoch) == (other.accuracy, other.stop_epoch)


def test_no_pass_sees_the_labels_of_the_test_samples(planted, quick, watched):
    """Two test samples of different classes change labels: the split stays, and so do the passes."""
    _, test = split_off_test(planted.y, 0.25, 1)
    y = planted.y.copy()
    a, b = test[0], test[planted.y[test] != planted.y[test[0]]][0]
    y[[a, b]] = y[[b, a]]
    development = np.setdiff1d(np.arange(120), test)
    config = quick("linear", epochs=2)
    one, other = (
        train_pass(Samples(planted.X, labels, planted.classes, rows=development), config, 1)
        for labels in (planted.y, y)
    )
    np.testing.assert_array_equal(one.weights["head.weight"], other.weights["head.weight"])


def test_the_split_is_that_of_its_seed_and_size(planted, quick):
    config = quick("linear", n_passes=1, epochs=1)
    results = [evaluate(planted.X, planted.y, config, seed=seed, test_size=0.1) for seed in (1, 1, 2)]
    assert results[0].y_proba == results[1].y_proba
    assert results[0].y_proba != results[2].y_proba
    assert np.bincount(results[0].y_true).tolist() == [4, 4, 4]


def test_groups_stay_out_of_the_test_split(planted, quick, watched):
    groups = np.arange(120) // 5
    evaluate(planted.X, planted.y, quick("linear", n_passes=1, epochs=1), groups=groups, seed=2)
    development, test = split_off_test(planted.y, 0.25, 2, groups)
    assert not set(groups[development]) & set(groups[test])
    assert len(watched[0].train_rows) + len(watched[0].out_of_bag_rows) == len(development)


def test_rejected_passes_are_not_averaged_and_that_is_said(planted, quick, watched, monkeypatch):
    accuracies = iter([0.9, 0.1, 0.8])

    def scripted(*args, **kwargs):
        result = train_pass(*args, **kwargs)
        object.__setattr__(result, "accuracy", next(accuracies))
        watched.append(result)
        return result

    monkeypatch.setattr(evaluate_module, "train_pass", scripted)
    config = quick("linear", n_passes=2, max_tries=5, epochs=2, min_accuracy=0.5, seed=3)
    with pytest.warns(DeepMapperWarning, match=r"1 of 3 passes were rejected.*min_accuracy=0\.5; 2 were averaged"):
        result = evaluate(planted.X, planted.y, config)
    assert [member.seed for member in watched] == [3, 4, 5]
    assert (result.n_passes, len(result.per_pass_acc)) == (2, 2)
    _, test = split_off_test(planted.y, 0.25, 0)
    alone = [predict(watched[i], planted.X, test) for i in (0, 2)]
    np.testing.assert_allclose(result.y_proba, np.mean(alone, axis=0), atol=1e-12)


def test_when_no_pass_is_good_enough_there_is_no_answer(planted, quick):
    with pytest.raises(InputError, match="none of 2 passes reached min_accuracy=1: there is nothing to average"):
        evaluate(planted.X, planted.y, quick("mlp", n_passes=2, epochs=1, lr=1e-9, min_accuracy=1.0))


def test_settings_that_cannot_act_are_said_here_too(planted, quick):
    with pytest.warns(DeepMapperWarning, match="early stopping never acts"):
        evaluate(planted.X, planted.y, quick("linear", n_passes=1, epochs=1, early_stop=True))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"class_names": ["a", "b"]}, "class_names holds 2 names, y holds 3 classes"),
        ({"class_names": ["a", "b", "b"]}, r"class_names=\['a', 'b', 'b'\]: expected all different"),
        ({"test_size": 0}, "test_size=0: expected a share between 0 and 1"),
        ({"test_size": 1.0}, r"test_size=1\.0: expected a share between 0 and 1"),
        ({"seed": -1}, "seed=-1: expected a whole number of 0 or more"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(planted, quick, settings, message):
    with pytest.raises(InputError, match=message):
        evaluate(planted.X, planted.y, quick("linear"), **settings)


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


# ---- numbers --------------------------------------------------------------------------------------------------------


@st.composite
def judged_samples(draw):
    n_classes, n = draw(st.integers(2, 5)), draw(st.integers(10, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    truth = rng.integers(0, n_classes, n)
    truth[:n_classes] = np.arange(n_classes)  # none is missing
    return truth, rng.dirichlet(np.ones(n_classes) * draw(st.sampled_from([0.3, 1.0])), n)


def confusion_of(truth, probability):
    counts = np.zeros((probability.shape[1],) * 2, dtype=int)
    np.add.at(counts, (truth, probability.argmax(1)), 1)
    return counts


@given(judged_samples())
def test_scores_of_a_class_are_scikit_learns(drawn):
    truth, probability = drawn
    scores = per_class_scores(confusion_of(truth, probability))
    labels = np.arange(probability.shape[1])
    expected = precision_recall_fscore_support(truth, probability.argmax(1), labels=labels, zero_division=0)
    for name, values in zip(("precision", "recall", "f1"), expected, strict=False):
        np.testing.assert_allclose(scores[name], values, atol=1e-12)


def test_scores_of_a_class_that_is_neither_there_nor_named_are_zero():
    scores = per_class_scores(np.array([[3, 0, 0], [0, 2, 0], [0, 0, 0]]))
    assert scores["f1"].tolist() == [1.0, 1.0, 0.0]


@given(judged_samples())
def test_bootstrap_intervals_hold_what_they_are_intervals_of(drawn):
    truth, probability = drawn
    intervals = bootstrap_intervals(truth, probability, n_resamples=400)
    predicted = probability.argmax(1)
    scores = per_class_scores(confusion_of(truth, probability))
    estimates = {
        "accuracy": (predicted == truth).mean(),
        "balanced_accuracy": scores["recall"].mean(),
        "macro_f1": scores["f1"].mean(),
    }
    assert intervals.keys() == estimates.keys()
    for name, estimate in estimates.items():
        low, high = intervals[name]
        assert (low <= np.asarray(estimate) + 0.03).all(), name  # F1 and precision are not linear: a little bias
        assert (high >= np.asarray(estimate) - 0.03).all(), name
        assert (np.asarray(low) >= 0).all()
        assert (np.asarray(high) <= 1).all()


def test_the_interval_of_an_accuracy_is_as_wide_as_the_binomial_says():
    """200 samples at 0.8: 1.96 × sqrt(0.8 × 0.2 / 200) either side."""
    truth = np.repeat([0, 1], 100)
    probability = np.eye(2)[np.where(np.arange(200) % 5 == 0, 1 - truth, truth)]
    low, high = bootstrap_intervals(truth, probability, n_resamples=4000)["accuracy"]
    half = 1.96 * np.sqrt(0.8 * 0.2 / 200)
    np.testing.assert_allclose([low, high], [0.8 - half, 0.8 + half], atol=0.01)


@given(judged_samples())
def test_intervals_of_a_class_hold_its_scores_and_keep_a_width(drawn):
    truth, probability = drawn
    counts = confusion_of(truth, probability)
    for name, (low, high) in per_class_intervals(counts).items():
        scores = per_class_scores(counts)[name]
        assert (low - 1e-9 <= scores).all(), name
        assert (scores <= high + 1e-9).all(), name
        assert (high - low > 0).all(), name


def test_intervals_of_a_class_by_hand():
    """Recall 4 of 4: Wilson's lower end is 4 / (4 + 1.96²)."""
    low, high = per_class_intervals(np.array([[4, 0], [0, 9]]))["recall"]
    assert low[0] == pytest.approx(4 / (4 + 1.96**2), abs=1e-3)
    assert high[0] == 1


def test_intervals_follow_their_seed_and_their_confidence():
    rng = np.random.default_rng(0)
    truth, probability = rng.integers(0, 3, 80), rng.dirichlet(np.ones(3), 80)
    one, same, other = (bootstrap_intervals(truth, probability, 200, seed)["accuracy"] for seed in (1, 1, 2))
    assert one == same != other
    wide, narrow = (bootstrap_intervals(truth, probability, 200, 1, c)["accuracy"] for c in (0.99, 0.5))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_calibration_by_hand():
    """Two bins: three samples at confidence 0.6 (two right), one at 0.9 (right)."""
    probability = np.array([[0.6, 0.4], [0.6, 0.4], [0.4, 0.6], [0.1, 0.9]])
    rows, error = calibration_table(np.array([0, 1, 1, 1]), probability, bins=4)
    assert [row["n"] for row in rows] == [0, 0, 3, 1]
    assert [row["bin"] for row in rows] == [1, 2, 3, 4]
    assert (rows[2]["confidence_low"], rows[2]["confidence_high"]) == (0.5, 0.75)
    assert rows[2]["mean_confidence"] == pytest.approx(0.6)
    assert rows[2]["accuracy"] == pytest.approx(2 / 3)
    assert np.isnan(rows[0]["accuracy"])
    assert error == pytest.approx(3 / 4 * abs(0.6 - 2 / 3) + 1 / 4 * abs(0.9 - 1.0))


def test_complete_confidence_falls_into_the_last_bin():
    rows, error = calibration_table(np.array([0, 1]), np.eye(2), bins=10)
    assert rows[-1]["n"] == 2
    assert error == 0


@given(judged_samples(), st.integers(1, 20))
def test_every_sample_is_in_one_bin_that_holds_its_confidence(drawn, bins):
    truth, probability = drawn
    rows, error = calibration_table(truth, probability, bins)
    assert sum(row["n"] for row in rows) == len(truth)
    assert 0 <= error <= 1
    for row in rows:
        if row["n"]:
            assert row["confidence_low"] - 1e-9 <= row["mean_confidence"] <= row["confidence_high"] + 1e-9


# ---- embedding ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def members(planted, quick):
    return [train_pass(planted.samples, quick("mlp"), seed) for seed in range(3)]


def test_the_embedding_keeps_classes_together(members, planted):
    """The nearest neighbour of a sample in the ensemble's embedding is of its class."""
    points = embed_ensemble(members, planted.X, np.arange(120), n_components=8)
    assert points.shape == (120, 8)
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (planted.y[distance.argmin(1)] == planted.y).mean() > 0.9
    variance = points.var(axis=0)
    assert (np.diff(variance) <= 1e-6).all()


def test_the_embedding_is_the_same_every_time_and_from_sparse_data(members, planted):
    one = embed_ensemble(members, planted.X, np.arange(120))
    np.testing.assert_array_equal(one, embed_ensemble(members, planted.X, np.arange(120)))
    np.testing.assert_array_equal(one, embed_ensemble(members, planted.sparse, np.arange(120)))


def test_every_pass_counts_the_same_in_the_embedding(members, planted, monkeypatch):
    """One pass's embedding a thousand times larger is the same embedding: scale is no importance."""
    plain = embed_ensemble(members, planted.X, np.arange(120), 4)
    monkeypatch.setattr(ensemble, "embed", lambda result, *given: embed(result, *given) * 1000 ** (result.seed == 1))
    scaled = embed_ensemble(members, planted.X, np.arange(120), 4)
    np.testing.assert_allclose(np.abs(scaled), np.abs(plain), rtol=1e-2, atol=1e-3)


def test_no_pass_no_embedding(planted):
    assert embed_ensemble([], planted.X, np.arange(7)).shape == (7, 0)


def test_the_embedding_of_one_pass_is_what_its_last_layer_reads(members, planted):
    """Its last layer makes of it the scores that the pass predicts by."""
    weight, bias = (members[0].weights[f"head.{name}"] for name in ("weight", "bias"))
    scores = embed(members[0], planted.X, np.arange(5)) @ weight.T + bias
    np.testing.assert_allclose(softmax(scores), predict(members[0], planted.X, np.arange(5)), atol=1e-6)


@pytest.mark.parametrize("shape", [(5, 8), (20, 2), (20, 1), (20, 0)])
def test_too_little_for_a_map_is_shown_as_it_is(shape):
    points = np.random.default_rng(0).normal(size=shape)
    map_, basis = map_embedding(points)
    assert basis == "PCA"
    assert map_.shape == (shape[0], 2)
    np.testing.assert_allclose(map_[:, : shape[1]], points[:, :2], rtol=1e-6)
    assert not map_[:, shape[1] :].any()


# ---- without a test split -------------------------------------------------------------------------------------------


def test_few_samples_are_judged_by_the_passes_that_did_not_train_on_them(planted, quick, watched):
    rows = np.sort(np.concatenate([np.flatnonzero(planted.y == code)[:4] for code in range(3)]))
    X, y = planted.X[rows], planted.y[rows]
    with pytest.warns(DeepMapperWarning, match="No test split was set aside: 12 samples are too few"):
        result = evaluate(X, y, quick("linear", n_passes=24), class_names=planted.classes)
    assert (result.scheme, result.n_passes, result.not_judged, len(watched)) == ("repeated", 24, [], 24)
    assert result.rows == list(range(12))
    assert result.y_true == y.tolist()
    for row in range(12):
        of_it = [p.out_of_bag_probability[p.out_of_bag_rows == row] for p in watched]
        expected = np.concatenate(of_it).mean(0)
        np.testing.assert_allclose(result.y_proba[row], expected, atol=1e-12)
        assert all(row not in p.train_rows for p in watched if row in p.out_of_bag_rows)
    assert result.per_pass_acc == [p.accuracy for p in watched]
    assert result.accuracy > 0.7


def test_rejected_passes_judge_too_where_they_are_judged_by_the_same_samples(planted, quick, watched, monkeypatch):
    """To average only the passes that were right out of bag would be to look up the answers."""
    accuracies = iter([0.9, 0.1, 0.8])

    def scripted(*args, **kwargs):
        result = train_pass(*args, **kwargs)
        object.__setattr__(result, "accuracy", next(accuracies))
        watched.append(result)
        return result

    monkeypatch.setattr(evaluate_module, "train_pass", scripted)
    config = quick("linear", n_passes=2, max_tries=5, epochs=2, min_accuracy=0.5)
    with pytest.warns(DeepMapperWarning, match="are not judged"):
        result = evaluate(planted.X, planted.y, config, scheme="repeated")
    assert result.n_passes == len(watched) == 3
    expected = out_of_bag_probability(watched, 120, 3)
    np.testing.assert_array_equal(result.y_proba, expected[result.rows])


def test_samples_that_were_never_out_of_bag_are_listed(planted, quick):
    with pytest.warns(DeepMapperWarning, match=r"90 sample\(s\) were out of bag in none of 1 passes.*: 0, "):
        result = evaluate(planted.X, planted.y, quick("linear", n_passes=1, epochs=1), scheme="repeated")
    assert len(result.not_judged) == 90
    assert sorted(result.rows + result.not_judged) == list(range(120))
    assert len(result.y_true) == len(result.y_pred) == 30


def test_groups_are_left_out_whole_and_counted(planted, quick, watched):
    groups = np.arange(120) // 30
    result = evaluate(
        planted.X, planted.y, quick("linear", n_passes=16, epochs=3), groups=groups, scheme="repeated", test_size=0.3
    )
    assert result.groups == groups.tolist()
    assert all(len(np.unique(groups[p.out_of_bag_rows])) == 1 for p in watched)


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


@pytest.mark.parametrize(("n", "low"), [(8, 0.676), (6, 0.610), (4, 0.510)])
def test_all_right_of_few_is_still_uncertain(n, low):
    truth = np.arange(n) % 2
    found = wilson_intervals(truth, np.eye(2)[truth])
    assert found["accuracy"] == pytest.approx((low, 1), abs=1e-3)
    for name in ("balanced_accuracy", "macro_f1"):
        assert found[name][0] < 0.7
        assert found[name][1] == 1
    assert bootstrap_intervals(truth, np.eye(2)[truth], 50)["accuracy"] == (1, 1)


@given(judged_samples())
def test_wilson_intervals_hold_their_scores(drawn):
    truth, probability = drawn
    found, predicted = wilson_intervals(truth, probability), probability.argmax(1)
    judged = evaluate_ensemble([probability], truth, truth, [str(i) for i in range(probability.shape[1])])
    for name, (low, high) in found.items():
        assert 0 <= low <= getattr(judged, name) + 1e-12
        assert getattr(judged, name) <= high + 1e-12 <= 1 + 1e-9
    assert found["accuracy"] == wilson_interval(float((predicted == truth).mean()), len(truth))


def test_balanced_accuracy_of_equal_classes_is_about_as_sure_as_accuracy():
    rng = np.random.default_rng(0)
    truth = np.arange(200) % 2
    probability = np.eye(2)[np.where(rng.random(200) < 0.8, truth, 1 - truth)]
    found = wilson_intervals(truth, probability)
    np.testing.assert_allclose(found["balanced_accuracy"], found["accuracy"], atol=0.01)


def test_groups_that_are_right_together_count_as_one():
    groups = np.repeat(np.arange(10), 20)
    together, apart = np.repeat(np.arange(10) % 5 > 0, 20), np.arange(200) % 5 > 0
    assert effective_share(together, None) == 1
    assert effective_share(together, groups) * 200 == pytest.approx(10, rel=0.2)
    assert effective_share(apart, groups) == 1
    assert effective_share(np.ones(200, dtype=bool), groups) * 200 == pytest.approx(10)
    assert effective_share(np.ones(5, dtype=bool), np.zeros(5)) == pytest.approx(1 / 5)


def test_in_blocks_the_embedding_is_the_same(planted, quick, monkeypatch):
    results = [train_pass(planted.samples, quick("mlp"), seed) for seed in range(2)]
    rows = np.arange(0, len(planted.y), 2)
    whole = ensemble.embed_ensemble(results, planted.X, rows, 5)
    monkeypatch.setattr(ensemble, "_AT_ONCE", 8 * 256 * 17)
    parts = ensemble.embed_ensemble(results, planted.X, rows, 5)
    assert parts.dtype == np.float32 and parts.shape == whole.shape
    np.testing.assert_allclose(parts, whole, atol=2e-4)

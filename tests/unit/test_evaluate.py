"""`evaluate`: the average of the passes, tested on samples that no pass was trained on."""

import numpy as np
import pytest

from deepmapper import evaluate as evaluate_module
from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.evaluate import evaluate
from deepmapper.features.samples import Samples
from deepmapper.features.splits import split_off_test
from deepmapper.findings.ensemble import predict
from deepmapper.findings.evaluation import out_of_bag_probability
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
        ({"class_names": ["a", "b"]}, "class_names has 2 names, y has 3 classes"),
        ({"class_names": ["a", "b", "b"]}, r"class_names=\['a', 'b', 'b'\]: expected unique names"),
        ({"test_size": 0}, "test_size=0: expected a share between 0 and 1"),
        ({"test_size": 1.0}, r"test_size=1\.0: expected a share between 0 and 1"),
        ({"seed": -1}, "seed=-1: expected a whole number of 0 or more"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(planted, quick, settings, message):
    with pytest.raises(InputError, match=message):
        evaluate(planted.X, planted.y, quick("linear"), **settings)


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
    with pytest.warns(DeepMapperWarning, match="are not evaluated"):
        result = evaluate(planted.X, planted.y, config, scheme="repeated")
    assert result.n_passes == len(watched) == 3
    expected = out_of_bag_probability(watched, 120, 3)
    np.testing.assert_array_equal(result.y_proba, expected[result.rows])


def test_samples_that_were_never_out_of_bag_are_listed(planted, quick):
    with pytest.warns(DeepMapperWarning, match=r"90 sample\(s\) were not out of bag in any of 1 passes.*: 0, "):
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

"""`run`: which passes are accumulated, what is reported, and whether the planted features are found."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from deepmapper import runner
from deepmapper.config import AugmentConfig, DeepMapperConfig
from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.passes import train
from deepmapper.passes.result import PassResult
from deepmapper.runner import run

pytestmark = pytest.mark.filterwarnings("error::deepmapper.errors.DeepMapperWarning")
KINDS = ["linear", "mlp", "cnn_small"]


@pytest.mark.parametrize("kind", KINDS)
def test_planted_features_lead_the_ranking(found, planted, kind):
    head = [name for name, _, _ in found(kind).ranking(6)]
    assert {int(name.removeprefix("gene")) for name in head} <= planted.signal
    frequency = np.array(found(kind).selection_frequency)
    others = [i for i in range(30) if i not in planted.signal]
    assert frequency[sorted(planted.signal)].mean() > 0.85
    assert frequency[others].mean() < 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_directions_are_those_that_were_planted(found, planted, kind):
    direction = np.array(found(kind).class_direction)
    for code, features in planted.up.items():
        for feature in features:
            assert direction[code, feature] == 1, (code, feature)
            assert max(np.delete(direction[:, feature], code)) <= 0, (code, feature)
    for code, features in planted.down.items():
        for feature in features:
            assert direction[code, feature] == -1, (code, feature)
    assert set(np.unique(direction)) <= {-1, 0, 1}


@pytest.mark.parametrize("kind", KINDS)
def test_a_feature_matters_most_to_its_own_class(found, planted, kind):
    importance = np.array(found(kind).class_importance)
    for code, features in planted.up.items():
        assert importance[:, list(features)].sum(1).argmax() == code


@pytest.mark.parametrize("kind", KINDS)
def test_real_signal_stands_above_its_references(found, kind):
    findings = found(kind)
    assert min(findings.accuracies) > 0.85
    assert max(findings.permutation_p) <= 0.002
    assert max(findings.permuted_accuracies) < 0.5
    assert findings.majority_accuracies == [1 / 3] * 3
    assert max(findings.completeness_errors) < 0.05


def test_every_documented_list_is_filled(found):
    findings = found("linear")
    assert (findings.n_features, findings.n_passes_run, findings.n_accepted) == (30, 3, 3)
    assert (findings.seeds, findings.accepted) == ([0, 1, 2], [True] * 3)
    assert [len(findings.accuracies), len(findings.stop_epochs), len(findings.balanced_accuracies)] == [3, 3, 3]
    for values in (findings.median_importance, findings.mean_rank, findings.selection_frequency):
        assert len(values) == 30
    assert findings.stop_epochs == [30] * 3
    assert findings.classes == ["0", "1", "2"]
    assert sum(findings.selection_frequency) == pytest.approx(7)
    assert sum(findings.mean_rank) == pytest.approx(30 * 31 / 2)
    low, high = findings.importance_quartiles
    assert all(a <= m <= b for a, m, b in zip(low, findings.median_importance, high, strict=True))


def as_plain(findings):
    return {**vars(findings), "notes": []}


def test_the_same_seed_gives_the_same_findings_and_another_does_not(found, planted, quick, leaves_no_trace):
    expected = found("linear")
    with leaves_no_trace():  # and whoever calls keeps their own random numbers
        again = run(planted.X, planted.y, quick("linear"), planted.names)
    assert as_plain(again) == as_plain(expected)
    other = run(planted.X, planted.y, quick("linear", seed=50), planted.names)
    assert other.seeds == [50, 51, 52]
    assert other.median_importance != again.median_importance


@pytest.mark.parametrize(
    "matrix",
    [
        lambda p: p.sparse,
        lambda p: p.sparse.tocsc(),
        lambda p: sp.csr_array(p.X),
        lambda p: p.X.astype(np.float64),
        lambda p: p.X.tolist(),
        lambda p: pd.DataFrame(p.X, columns=p.names),
    ],
    ids=["csr", "csc", "csr array", "float64", "lists", "data frame"],
)
def test_any_kind_of_matrix_gives_the_same_findings(found, planted, quick, matrix):
    assert as_plain(run(matrix(planted), planted.y, quick("linear"), planted.names)) == as_plain(found("linear"))


def test_a_data_frame_brings_its_names(planted, quick):
    frame = pd.DataFrame(planted.X, columns=planted.names)
    assert run(frame, planted.y, quick("linear", n_passes=1, epochs=1)).feature_names == planted.names


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (lambda y: y + 1, ["1", "2", "3"]),
        (lambda y: y * 10.0, ["0", "10", "20"]),
        (lambda y: np.array(["a", "b", "c"])[y], ["a", "b", "c"]),
        (lambda y: pd.Categorical.from_codes(y, ["a", "b", "c", "unused"]), ["a", "b", "c"]),
        (lambda y: pd.Series(y, index=np.arange(120)[::-1], dtype="Int64"), ["0", "1", "2"]),
        (lambda y: np.array(["c2", "c10", "c100"])[y].tolist(), ["c2", "c10", "c100"]),
    ],
    ids=["from one", "whole floats", "strings", "categories", "series", "numbered names"],
)
def test_labels_in_any_coding_are_the_same_classes(found, planted, quick, labels, classes):
    """No class that nobody has: labels 1..3 are three classes, and so is a category with an unused level."""
    findings = run(planted.X, labels(planted.y), quick("linear"), planted.names)
    assert findings.classes == classes
    assert findings.median_importance == found("linear").median_importance


@pytest.fixture
def scripted(monkeypatch, hand_made):
    """Give a function that lets passes have the accuracies it is told, by seed, and notes which were trained."""

    def script(accuracies):
        trained = []

        def train_pass(samples, config, seed, **_):
            trained.append(seed)
            return hand_made(seed, accuracies[seed], np.arange(samples.n_features), classes=samples.classes)

        monkeypatch.setattr(runner, "train_pass", train_pass)
        return trained

    return script


def small_run(**settings):
    X, y = np.ones((12, 4)), np.arange(12) % 2
    return run(X, y, DeepMapperConfig(**{"epochs": 100, "top_k": 2, "n_passes": 3, **settings}))


def test_a_rejected_pass_is_replaced_by_the_next_seed(scripted):
    trained = scripted({5: 0.9, 6: 0.4, 7: 0.8, 8: 0.3, 9: 0.7, 10: 1.0})
    with pytest.warns(DeepMapperWarning, match=r"2 of 5 passes were rejected.*min_accuracy=0.5: seed 6 \(0\.400\), 8"):
        findings = small_run(seed=5, min_accuracy=0.5, max_tries=10)
    assert trained == [5, 6, 7, 8, 9]
    assert (findings.n_passes_run, findings.n_accepted) == (5, 3)
    assert findings.accuracies == [0.9, 0.4, 0.8, 0.3, 0.7]
    assert findings.accepted == [True, False, True, False, True]
    assert any("3 were accumulated" in note for note in findings.notes)


def test_max_tries_caps_the_passes(scripted):
    trained = scripted({0: 0.9, 1: 0.4, 2: 0.4, 3: 0.4, 4: 0.9})
    with pytest.warns(DeepMapperWarning, match="3 of 4 passes were rejected"):
        findings = small_run(min_accuracy=0.5, max_tries=4)
    assert trained == [0, 1, 2, 3]
    assert (findings.n_passes_run, findings.n_accepted) == (4, 1)


def test_without_max_tries_as_many_are_trained_as_asked_for(scripted):
    trained = scripted({0: 0.9, 1: 0.4, 2: 0.9, 3: 0.9})
    with pytest.warns(DeepMapperWarning, match="1 of 3 passes were rejected"):
        findings = small_run(min_accuracy=0.5)
    assert trained == [0, 1, 2]
    assert findings.n_accepted == 2


def test_training_stops_when_enough_are_accepted(scripted):
    trained = scripted(dict.fromkeys(range(10), 0.9))
    assert small_run(max_tries=10).n_accepted == 3
    assert trained == [0, 1, 2]


def test_a_pass_at_the_threshold_is_accepted(scripted):
    scripted({0: 0.5, 1: 0.5, 2: 0.5})
    assert small_run(min_accuracy=0.5).n_accepted == 3


def test_when_every_pass_is_rejected_the_ranking_is_empty_and_that_is_said(scripted):
    scripted(dict.fromkeys(range(3), 0.2))
    with pytest.warns(DeepMapperWarning) as said:
        findings = small_run(min_accuracy=0.99)
    assert any("No pass was accepted: the ranking is empty" in str(w.message) for w in said)
    assert findings.ranking() == []
    assert (findings.n_accepted, findings.n_passes_run) == (0, 3)
    assert findings.accuracies == [0.2] * 3
    assert findings.selection_frequency == findings.median_importance == findings.mean_rank == []


def test_a_real_run_in_which_some_passes_fail(planted, quick):
    """One epoch at a tiny learning rate: accuracies scatter, and the run goes on to the first that is good enough."""
    barely = {"epochs": 1, "lr": 1e-4}
    seen = run(planted.X, planted.y, quick("mlp", n_passes=6, **barely)).accuracies
    start = int(np.argmin(seen[:5]))
    best = max(seen[start:])
    config = quick("mlp", n_passes=1, max_tries=6, seed=start, min_accuracy=best, **barely)
    with pytest.warns(DeepMapperWarning, match="passes were rejected"):
        findings = run(planted.X, planted.y, config)
    assert findings.accuracies == seen[start : seen.index(best, start) + 1]
    assert findings.accepted == [False] * (findings.n_passes_run - 1) + [True]
    assert len(findings.ranking(5)) == 5


def notes_of(planted, config):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", DeepMapperWarning)
        findings = run(planted.X, planted.y, config)
    aloud = [str(w.message) for w in said if issubclass(w.category, DeepMapperWarning)]
    assert sorted(aloud) == sorted(findings.notes)
    assert all(
        w.filename == __file__ for w in said if issubclass(w.category, DeepMapperWarning)
    )  # points at the caller
    return findings, aloud


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"early_stop": True, "epochs": 2}, r"early stopping never acts: epochs=2 < min_epochs=40"),
        ({"early_stop": True, "epochs": 3, "min_epochs": 2}, "early stopping cannot end a pass early"),
        ({"top_k": 30}, r"top_k=30 selects all 30 features: every selection frequency is 1"),
        ({"top_k": 200}, r"top_k=200 selects all 30 features"),
        ({"augment": AugmentConfig(True, 0.0)}, r"augment\.enabled=True does nothing"),
        ({"n_passes": 5, "max_tries": 1}, r"n_passes=5 cannot be reached: max_tries=1"),
    ],
)
def test_a_setting_that_cannot_act_is_said_once(planted, quick, settings, said):
    _, aloud = notes_of(planted, quick("linear", **{"n_passes": 1, "epochs": 2, **settings}))
    assert len(aloud) == 1
    assert re.search(said, aloud[0])


def test_the_documented_defaults_say_nothing(planted):
    _, aloud = notes_of(planted, DeepMapperConfig(n_passes=1))
    assert aloud == []


def test_a_run_in_which_all_is_well_says_nothing(planted, quick):
    findings, aloud = notes_of(planted, quick("linear", n_passes=1, epochs=20))
    assert aloud == findings.notes == []


def test_too_coarse_an_integral_is_said_with_its_error(planted, quick):
    findings, aloud = notes_of(planted, quick("cnn", n_passes=1, ig_steps=1))
    assert findings.completeness_errors[0] > 0.05
    assert len(aloud) == 1
    assert "Integrated gradients of 1 of 1 passes miss the change in score by more than 5 %" in aloud[0]
    assert "raise ig_steps" in aloud[0]


@pytest.mark.parametrize("method", ["saliency", "input_x_gradient", "occlusion"])
def test_every_method_finds_the_planted_features(planted, quick, method):
    findings = run(planted.X, planted.y, quick("mlp", n_passes=1, attribution=method), planted.names)
    head = {int(name.removeprefix("gene")) for name, _, _ in findings.ranking(5)}
    assert head <= planted.signal
    assert np.isnan(findings.completeness_errors).all()


def test_groups_are_kept_whole(planted, quick, monkeypatch):
    groups, seen = [f"donor{i // 5}" for i in range(120)], []
    train_pass = train.train_pass

    def watched(*args, **kwargs) -> PassResult:
        seen.append(train_pass(*args, **kwargs))
        return seen[-1]

    monkeypatch.setattr(runner, "train_pass", watched)
    run(planted.X, planted.y, quick("linear", n_passes=2, epochs=1), groups=groups)
    for result in seen:
        held = {groups[i] for i in result.out_of_bag_rows}
        assert not held & {groups[i] for i in result.train_rows}


def test_few_samples_train_without_validation_and_that_is_said(planted, quick):
    rows = np.sort(np.concatenate([np.flatnonzero(planted.y == code)[:4] for code in range(3)]))
    config = quick("mlp", early_stop=True, epochs=70)
    with pytest.warns(DeepMapperWarning, match="12 samples are too few to hold any back for early stopping"):
        findings = run(planted.X[rows], planted.y[rows], config)
    assert findings.stop_epochs == [70] * 3
    assert np.isfinite(findings.median_importance).all()


@pytest.mark.parametrize("kind", ["linear", "mlp", "cnn_small"])
def test_two_samples_a_class_train_and_attribute(planted, quick, kind):
    """One to train on and one to judge on: nothing varies within a class."""
    rows = [0, 1, 3, 4]
    findings = run(planted.X[rows], planted.y[rows], quick(kind, epochs=3))
    assert np.isfinite(findings.median_importance).all()
    assert np.isfinite(findings.accuracies).all()


@pytest.fixture
def adata(planted):
    import anndata

    obs = pd.DataFrame({"type": np.array(planted.classes)[planted.y], "donor": np.arange(120) // 3 % 6})
    obs.index = obs.index.astype(str)
    return anndata.AnnData(sp.csr_matrix(planted.X), obs, pd.DataFrame(index=planted.names))


def test_an_anndata_with_the_name_of_its_label_column(found, planted, quick, adata):
    labelled = run(adata, "type", quick("linear"))
    assert labelled.ranking(30) == found("linear").ranking(30)
    assert labelled.classes == list(planted.classes)
    grouped = run(adata, "type", quick("linear", n_passes=1, epochs=2), groups="donor")
    assert grouped.n_passes_run == 1
    with pytest.raises(InputError, match=r"y is 'typ', which is not a column of obs\. Did you mean 'type'\?"):
        run(adata, "typ", quick("linear"))
    with pytest.raises(InputError, match="groups is 'mouse', which is not a column of obs"):
        run(adata, "type", quick("linear"), groups="mouse")


def test_the_label_column_of_an_anndata_as_label_key(found, quick, adata):
    assert run(adata, label_key="type", config=quick("linear")).ranking(30) == found("linear").ranking(30)


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({}, "there are no labels: give y, or with an AnnData label_key"),
        ({"y": "type", "label_key": "type"}, "y and label_key='type' are both given"),
        (
            {"label_key": "typ"},
            r"label_key is 'typ', which .* Did you mean 'type'\? Expected one of 'type', 'donor'\.$",
        ),
        ({"label_key": ["a", "b"] * 60}, "label_key is of type list: expected the name of a column of obs"),
        (
            {"X": np.ones((4, 2)), "label_key": "type"},
            "label_key='type' names a column of obs, but X is not an AnnData",
        ),
    ],
)
def test_labels_are_given_once_and_in_one_form(adata, quick, arguments, fault):
    with pytest.raises(InputError, match=fault):
        run(**{"X": adata, "config": quick("linear"), **arguments})


@pytest.mark.parametrize(
    ("labels", "groups", "fault"),
    [
        (
            np.arange(120) + 0.0,
            None,
            r"y: it holds 120 different numbers in 120 samples .* it looks like a measurement",
        ),
        ([f"cell{i}" for i in range(120)], None, "y: it holds 120 different labels in 120 samples, 120 of them once"),
        (["a"] * 60 + ["b"] * 59 + ["c"], None, r"too few samples in class 'c' \(1\)"),
        (
            ["a"] * 60 + ["b"] * 60,
            ["d1"] * 60 + ["d2"] * 60,
            r"groups: class 'a', 'b' lies in a single group of `groups` \(a: d1, b: d2\)",
        ),
        (["a", "b"] * 60, ["d1"] * 120, r"groups: `groups` has the same value in all 120 samples \(d1\)"),
    ],
)
def test_a_design_that_cannot_be_judged_is_refused_before_any_pass(planted, quick, monkeypatch, labels, groups, fault):
    monkeypatch.setattr(runner, "train_pass", None)
    with pytest.raises(InputError, match=fault):
        run(planted.X, labels, quick("linear"), groups=groups)


@pytest.mark.parametrize(("progress", "shown"), [(None, False), (False, False), (True, True)])
def test_a_progress_bar_is_shown_where_it_is_asked_for(planted, quick, capsys, progress, shown):
    run(planted.X, planted.y, quick("linear", n_passes=1, epochs=1), progress=progress)
    said = capsys.readouterr()
    assert said.out == ""
    assert ("passes: 100%" in said.err) == shown
    assert ("accuracy=" in said.err) == shown

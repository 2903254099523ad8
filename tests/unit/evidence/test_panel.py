"""The panel by evidence: as many features as serve, settled without the test split, and reasons where there is none."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from deepmapper.evidence import panel as evidence_panel
from deepmapper.evidence.panel import SIZES, fit_evidence_panel
from deepmapper.evidence.rank import rank_run
from deepmapper.features.prepare import prepare_features
from deepmapper.findings import panel as findings_panel
from deepmapper.io.expression import Expression
from deepmapper.simulate import counts as simulate_counts

OPTIONS = {"enabled": True, "draws": 2, "max_samples": 20_000}


def made(counts, labels, names, **options):
    """The matrix of a run, and its features."""
    obs = pd.DataFrame({"state": labels}, index=[f"cell{i}" for i in range(len(labels))])
    expression = Expression(sp.csr_matrix(counts, dtype=np.float32), obs, pd.DataFrame(index=list(names)))
    return expression, prepare_features(expression, label_column="state", **{"split_scheme": "fixed", **options})


def panel(expression, features, **options):
    weighed, about = rank_run(features, expression, OPTIONS)
    return fit_evidence_panel(features, expression, weighed, about, OPTIONS, n_resamples=200, **options)


@pytest.fixture(scope="module")
def small():
    """600 cells × 300 genes, two states that 12 genes tell apart."""
    data = simulate_counts.plant("small", 1)
    y, classes = data.codes("module")
    return made(data.counts, np.array(classes)[y], data.names)


def test_it_takes_as_many_features_as_serve_and_is_right_where_it_has_not_looked(small):
    lines = []
    about, members = panel(*small, progress=lines.append)
    assert [row["n_features"] for row in about["curve"]] == list(SIZES)
    best = max(row["accuracy"] for row in about["curve"])
    assert about["n_features"] == len(members) and about["n_features"] in SIZES
    assert about["accuracy"] > about["majority_accuracy"] + 0.1
    assert abs(about["accuracy"] - best) < 0.1  # what the folds say is not optimistic
    assert f"by evidence ({best:.3f} in cross-validation, the best of 10, 20, 40, 80, 160)" in about["statement"]
    assert len(lines) == 5 and lines[0].startswith("fold 1 of 5, accuracy by number of features: 10: 0.")


def test_the_test_split_shapes_nothing(small):
    expression, features = small
    counts = expression.X.copy().tolil()
    counts[features.test] = 50
    spoiled = Expression(counts.tocsr(), expression.obs, expression.var)
    one, other = panel(expression, features), panel(spoiled, features)
    pd.testing.assert_frame_equal(one[1], other[1])
    assert one[0]["curve"] == other[0]["curve"] and one[0]["accuracy"] != other[0]["accuracy"]


def test_folds_of_shuffled_labels_promise_nothing(small):
    expression, features = small
    shuffled = np.random.default_rng(0).permutation(expression.obs["state"].to_numpy())
    about, _ = panel(*made(expression.X, shuffled, expression.var_names))
    # features ranked on the samples that judge would promise 0.7 and more
    assert max(row["accuracy"] for row in about["curve"]) < 0.58
    assert "not clearly better than always naming the largest class" in about["statement"]


def test_values_that_are_no_counts_groups_and_fewer_features_than_sizes():
    rng = np.random.default_rng(1)
    y = np.arange(240) % 3
    values = rng.normal(size=(240, 30)).astype(np.float32)
    values[:, 0] += 2 * (y == 1)
    values[:, 1] += 2 * (y == 2)
    obs = pd.DataFrame({"state": np.array(list("abc"))[y], "donor": [f"d{i // 12}" for i in range(240)]})
    obs.index = [f"s{i}" for i in range(240)]
    expression = Expression(sp.csr_matrix(values), obs, pd.DataFrame(index=[f"g{i}" for i in range(30)]))
    features = prepare_features(
        expression, label_column="state", group_column="donor", normalization="none", split_scheme="fixed"
    )
    about, members = panel(expression, features)
    assert [row["n_features"] for row in about["curve"]] == [10, 20, 30]
    assert {"g0", "g1"} <= set(members["feature"]) and about["accuracy"] > 0.6
    assert {"coefficient[a]", "coefficient[b]", "coefficient[c]"} <= set(members.columns)


@pytest.mark.parametrize("missing", ["evidence", "test split"])
def test_there_is_none_without_evidence_or_a_test_split(small, missing):
    expression, features = small
    if missing == "test split":
        _, features = made(
            expression.X, expression.obs["state"].to_numpy(), expression.var_names, split_scheme="repeated"
        )
    options = {**OPTIONS, "enabled": missing != "evidence"}
    weighed, about = rank_run(features, expression, options)
    told, members = fit_evidence_panel(features, expression, weighed, about, options)
    assert told["accuracy"] is None and members.empty and told["curve"] == []
    expected = {"evidence": "no feature has evidence", "test split": "there is no test split that could judge it"}
    assert told["statement"] == f"No panel by evidence: {expected[missing]}."


def test_a_class_too_small_for_folds_is_said(small, monkeypatch):
    monkeypatch.setattr(evidence_panel, "draw_folds", lambda *given: [])
    about, _ = panel(*small)
    assert about["statement"] == "No panel by evidence: a class has too few samples for folds."


def test_a_fold_that_leaves_a_class_a_single_sample_is_left_out(small, monkeypatch):
    real, lines = findings_panel.draw_folds, []

    def lopsided(y, groups, seed):
        folds = real(y, groups, seed)
        known, held = folds[0]
        folds[0] = known[(y[known] == 0) | (known == known[y[known] == 1][0])], held
        return folds

    monkeypatch.setattr(evidence_panel, "draw_folds", lopsided)
    about, _ = panel(*small, progress=lines.append)
    assert lines[0].startswith(
        "fold 1 of 5: No evidence beside the networks: fewer than two classes have more than one"
    )
    assert about["accuracy"] > about["majority_accuracy"]

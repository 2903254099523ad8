"""The panel by evidence: its size is chosen without the test split, and if there is none, the reason is given."""

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


def make_run(counts, labels, names, **options):
    """The matrix of a run, and its features."""
    obs = pd.DataFrame({"state": labels}, index=[f"cell{i}" for i in range(len(labels))])
    expression = Expression(sp.csr_matrix(counts, dtype=np.float32), obs, pd.DataFrame(index=list(names)))
    return expression, prepare_features(expression, label_column="state", **{"split_scheme": "fixed", **options})


def panel(expression, features, **options):
    table, summary = rank_run(features, expression, OPTIONS)
    return fit_evidence_panel(features, expression, table, summary, OPTIONS, n_resamples=200, **options)


@pytest.fixture(scope="module")
def small():
    """600 cells × 300 genes, two states between which 12 genes differ."""
    data = simulate_counts.plant("small", 1)
    y, classes = data.codes("module")
    return make_run(data.counts, np.array(classes)[y], data.names)


def test_its_size_is_the_best_of_cross_validation_whose_accuracy_holds_on_the_test_split(small):
    lines = []
    summary, members = panel(*small, progress=lines.append)
    assert [row["n_features"] for row in summary["curve"]] == list(SIZES)
    best = max(row["accuracy"] for row in summary["curve"])
    assert summary["n_features"] == len(members) and summary["n_features"] in SIZES
    assert summary["accuracy"] > summary["majority_accuracy"] + 0.1
    assert abs(summary["accuracy"] - best) < 0.1  # cross-validation is not optimistic
    assert f"{best:.3f} in cross-validation, the best of 10, 20, 40, 80, 160 features" in summary["statement"]
    assert len(lines) == 5 and lines[0].startswith("fold 1 of 5, accuracy by number of features: 10: 0.")


def test_the_test_split_changes_nothing_but_the_accuracy(small):
    expression, features = small
    counts = expression.X.copy().tolil()
    counts[features.test] = 50
    spoiled = Expression(counts.tocsr(), expression.obs, expression.var)
    one, other = panel(expression, features), panel(spoiled, features)
    pd.testing.assert_frame_equal(one[1], other[1])
    assert one[0]["curve"] == other[0]["curve"] and one[0]["accuracy"] != other[0]["accuracy"]


def test_cross_validation_of_shuffled_labels_is_at_chance(small):
    expression, features = small
    shuffled = np.random.default_rng(0).permutation(expression.obs["state"].to_numpy())
    summary, _ = panel(*make_run(expression.X, shuffled, expression.var_names))
    # features ranked on the validation samples too would reach 0.7 and more
    assert max(row["accuracy"] for row in summary["curve"]) < 0.58
    assert "not clearly better than" in summary["statement"]


def test_values_without_counts_groups_and_few_features():
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
    summary, members = panel(expression, features)
    assert [row["n_features"] for row in summary["curve"]] == [10, 20, 30]
    assert {"g0", "g1"} <= set(members["feature"]) and summary["accuracy"] > 0.6
    assert {"coefficient[a]", "coefficient[b]", "coefficient[c]"} <= set(members.columns)


@pytest.mark.parametrize("missing", ["evidence", "test split"])
def test_there_is_none_without_evidence_or_a_test_split(small, missing):
    expression, features = small
    if missing == "test split":
        _, features = make_run(
            expression.X, expression.obs["state"].to_numpy(), expression.var_names, split_scheme="repeated"
        )
    options = {**OPTIONS, "enabled": missing != "evidence"}
    table, ranking_summary = rank_run(features, expression, options)
    summary, members = fit_evidence_panel(features, expression, table, ranking_summary, options)
    assert summary["accuracy"] is None and members.empty and summary["curve"] == []
    assert summary["statement"].startswith("No panel by evidence: ") and missing in summary["statement"]


def test_a_class_too_small_for_folds_is_the_reason(small, monkeypatch):
    monkeypatch.setattr(evidence_panel, "draw_folds", lambda *given: [])
    summary, _ = panel(*small)
    assert "too few samples for folds" in summary["statement"]


def test_a_fold_that_leaves_a_class_a_single_sample_is_left_out(small, monkeypatch):
    draw_folds, lines = findings_panel.draw_folds, []

    def lopsided(y, groups, seed):
        folds = draw_folds(y, groups, seed)
        train, validation = folds[0]
        folds[0] = train[(y[train] == 0) | (train == train[y[train] == 1][0])], validation
        return folds

    monkeypatch.setattr(evidence_panel, "draw_folds", lopsided)
    summary, _ = panel(*small, progress=lines.append)
    assert lines[0].startswith("fold 1 of 5: No evidence ranking: fewer than two classes")
    assert summary["accuracy"] > summary["majority_accuracy"]

"""The panel: what it reads, how it is evaluated, and when there is none."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from deepmapper.features.store import Features
from deepmapper.findings.panel import MAX_FEATURES, fit_panel, fit_run_panel


@pytest.fixture
def cells():
    rng = np.random.default_rng(0)
    y = np.arange(300) % 2
    X = rng.normal(size=(300, 250)).astype(np.float32)
    X[:, :5] += 0.9 * y[:, None]
    rows = rng.permutation(300)
    return X, y, [f"g{i}" for i in range(250)], np.sort(rows[:220]), np.sort(rows[220:])


@pytest.mark.parametrize("sparse", [False, True])
def test_a_panel_of_the_right_features_predicts_samples_it_has_not_seen(cells, sparse):
    X, y, names, development, test = cells
    panel = fit_panel(sp.csr_matrix(X) if sparse else X, y, ("a", "b"), names, np.arange(5), development, test)
    about, table = panel.summary, panel.members
    assert about["accuracy"] > 0.75
    assert about["accuracy_low"] <= about["accuracy"] <= about["accuracy_high"]
    assert "better than always predicting the largest class" in about["statement"]
    assert table["feature"].tolist() == names[:5]
    assert (table["coefficient[b]"] > 0).all()


def test_the_test_split_does_not_shape_the_panel(cells):
    X, y, names, development, test = cells
    spoiled, labels = X.copy(), y.copy()
    spoiled[test], labels[test] = 7, 1 - y[test]
    one = fit_panel(X, y, ("a", "b"), names, np.arange(5), development, test).members
    other = fit_panel(spoiled, labels, ("a", "b"), names, np.arange(5), development, test).members
    np.testing.assert_array_equal(one["coefficient[b]"], other["coefficient[b]"])


def test_uninformative_features_are_not_clearly_better_than_the_largest_class(cells):
    X, y, names, development, test = cells
    about = fit_panel(X, y, ("a", "b"), names, np.arange(20, 25), development, test).summary
    assert "not clearly better than always predicting the largest class" in about["statement"]


def test_products_of_chords_can_carry_the_panel_and_are_named():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 4)).astype(np.float32)
    y = (X[:, 0] * X[:, 1] > 0).astype(np.int64)
    rows = np.arange(400)
    given = (X, y, ("a", "b"), list("pqrs"), np.array([0, 1]), rows[:300], rows[300:])
    without = fit_panel(*given)
    panel = fit_panel(*given, products=X[:, :1] * X[:, 1:2], product_names=["chord1"])
    table = panel.members
    assert without.summary["accuracy"] < 0.65 < 0.85 < panel.summary["accuracy"]
    assert table["what"].tolist() == ["feature", "feature", "chord"]
    assert table["feature"].tolist() == ["p", "q", "chord1"]


def test_more_classes_have_a_coefficient_each(cells):
    X, _, names, development, test = cells
    y = np.arange(300) % 3
    X = X.copy()
    X[:, 7] += 2 * (y == 2)
    table = fit_panel(X, y, ("a", "b", "c"), names, np.array([7, 8]), development, test).members
    assert table.loc[0, "coefficient[c]"] > table.loc[0, ["coefficient[a]", "coefficient[b]"]].max()


def test_nothing_significant_no_test_split_and_too_many_are_stated(cells):
    X, y, names, development, test = cells
    panel = fit_panel(X, y, ("a", "b"), names, np.arange(0), development, test)
    about, table = panel.summary, panel.members
    assert about["statement"] == "No panel: no feature is significant."
    assert about["accuracy"] is None
    assert not len(table)
    untested = fit_panel(X, y, ("a", "b"), names, np.arange(5), np.arange(300), test[:0])
    assert "no test split" in untested.summary["statement"]
    panel = fit_panel(X, y, ("a", "b"), names, np.arange(230), development, test)
    about, table = panel.summary, panel.members
    assert (len(table), about["n_left_out"]) == (MAX_FEATURES, 30)
    assert "30 were left out" in about["statement"]


def test_groups_are_kept_whole_and_the_seed_fixes_everything(cells):
    X, y, names, development, test = cells
    groups = np.arange(300) // 6
    one, other = (
        fit_panel(X, y, ("a", "b"), names, np.arange(5), development, test, groups=groups, seed=3) for _ in range(2)
    )
    assert one.summary == other.summary
    np.testing.assert_array_equal(one.members, other.members)


@pytest.mark.parametrize("sparse", [False, True])
def test_a_run_gives_its_significant_features_in_their_order_and_its_chords(cells, sparse):
    X, y, names, development, test = cells
    split = np.zeros(300, dtype=np.uint8)
    split[test] = 1
    both = np.hstack([X, X[:, :1] * X[:, 1:2]])
    features = Features(
        sp.csr_matrix(both) if sparse else both, y, ("a", "b"), tuple(names), (), split, chords=("chord_1",)
    )
    # the order is that of the model, which has not seen the test split, not that of the rows
    table = pd.DataFrame({"feature": ["g0", "g9", "g3"], "model_rank": [3, 2, 1], "significant": [True, False, True]})
    panel = fit_run_panel(features, table, n_resamples=100, seed=2)
    expected = fit_panel(
        X, y, ("a", "b"), names, np.array([3, 0]), development, test,
        products=both[:, -1:], product_names=["chord_1"], n_resamples=100, seed=2,
    )  # fmt: skip
    assert panel.summary == expected.summary
    pd.testing.assert_frame_equal(panel.members, expected.members)
    assert panel.members["feature"].tolist() == ["g3", "g0", "chord_1"]


def test_a_run_without_error_rates_has_no_panel(cells):
    X, y, names, _, test = cells
    split = np.zeros(300, dtype=np.uint8)
    split[test] = 1
    panel = fit_run_panel(Features(X, y, ("a", "b"), tuple(names), (), split), pd.DataFrame({"feature": names}))
    assert panel.summary["statement"] == "No panel: no feature is significant."
    assert len(panel.members) == 0


def test_a_panel_is_judged_on_samples_with_a_lowest_label(nested):
    table = pd.DataFrame({"feature": nested.names, "significant": True, "model_rank": np.arange(30)})
    summary = fit_run_panel(nested, table, n_resamples=100).summary
    judged = nested.with_lowest_label(nested.test)
    assert summary["n_test"] == len(judged) < len(nested.test)
    assert summary["accuracy_low"] <= summary["accuracy"] <= summary["accuracy_high"]
    assert summary["accuracy"] > 0.8

"""What people read: the columns they are promised, the numbers behind them, and the matrix they open in scanpy."""

import json

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.stats import spearmanr

from deepmapper.accumulate import wilson_interval
from deepmapper.core.table_schemas import AGREEMENT, FEATURES, MODELS, PASSES, PREDICTIONS
from deepmapper.features.store import Features
from deepmapper.findings import annotate, feature_table, metrics, model_table, pass_table, signal_test
from deepmapper.findings import predictions as findings_predictions
from deepmapper.findings import summary as findings_summary
from deepmapper.findings.evaluation import evaluate_ensemble, evaluate_out_of_bag
from deepmapper.findings.intervals import bootstrap_intervals, per_class_intervals, wilson_intervals
from deepmapper.findings.ranking import accumulate_passes
from deepmapper.io.expression import Expression

_ALL = FEATURES.names(("a", "b"))
FEATURE_COLUMNS = _ALL[: _ALL.index("is_denovo") + 1]  # the others are joined to them later
NAMES = ["g0", "g1", "g2", "g3"]


@pytest.fixture
def passes(hand_made):
    """Four passes over four features; the last is below a gate of 0.5."""
    return [
        hand_made(0, 0.9, [3, 2, 1, 0]),
        hand_made(1, 0.8, [2, 3, 1, 0]),
        hand_made(2, 0.7, [3, 1, 2, 0]),
        hand_made(3, 0.4, [0, 0, 0, 9]),
    ]


@pytest.fixture
def accumulated(passes):
    return accumulate_passes(passes, top_k=2, min_accuracy=0.5, feature_names=NAMES)


def test_the_table_of_features_by_hand(accumulated):
    table = feature_table.feature_table(accumulated)
    assert table.columns.tolist() == FEATURE_COLUMNS
    assert table["rank"].tolist() == [1, 2, 3, 4]
    assert table["feature"].tolist() == ["g0", "g1", "g2", "g3"]
    assert table["selection_frequency"].tolist() == pytest.approx([1, 2 / 3, 1 / 3, 0])
    assert table["median_importance"].tolist() == [3, 2, 1, 0]
    assert table["importance_q25"].tolist() == [2.5, 1.5, 1, 0]
    assert table["importance_q75"].tolist() == [3, 2.5, 1.5, 0]
    assert table["mean_rank"].tolist() == pytest.approx([4 / 3, 2, 8 / 3, 4])
    assert table["direction[a]"].tolist() == ["up"] * 4
    assert table["direction[b]"].tolist() == ["down"] * 4
    assert table["is_denovo"].tolist() == [False] * 4


def test_assembled_transcripts_are_told_by_their_tag(passes):
    named = accumulate_passes(passes, 2, 0.5, ["DENOVO_g0", "g1_DENOVO_", "g2", "g3"])
    assert feature_table.feature_table(named)["is_denovo"].tolist() == [True, False, False, False]


def test_every_frequency_carries_its_wilson_interval_over_accepted_passes(accumulated):
    table = feature_table.feature_table(accumulated)
    for row in table.itertuples():
        expected = wilson_interval(row.selection_frequency, 3)
        assert (row.selection_frequency_low, row.selection_frequency_high) == expected
        assert row.selection_frequency_low <= row.selection_frequency <= row.selection_frequency_high


def test_the_table_follows_the_ranking_of_a_real_run(found, planted):
    table = feature_table.feature_table(found("mlp"))
    ranking = found("mlp").ranking(30)
    assert table["feature"].tolist() == [name for name, _, _ in ranking]
    assert table["median_importance"].tolist() == [importance for _, _, importance in ranking]
    assert set(table["feature"].head(5)) <= {f"gene{i}" for i in planted.signal}
    own = table.set_index("feature")
    assert own.loc["gene3", "direction[0]"] == "up"
    assert own.loc["gene24", "direction[0]"] == "down"


def test_without_names_features_are_called_by_their_position(passes):
    assert feature_table.feature_table(accumulate_passes(passes, 2, 0.5))["feature"].tolist() == ["0", "1", "2", "3"]


def test_without_an_accepted_pass_the_table_is_empty_and_has_its_columns(passes):
    table = feature_table.feature_table(accumulate_passes(passes, 2, 0.95, NAMES))
    assert table.columns.tolist() == FEATURE_COLUMNS
    assert len(table) == 0


def test_every_pass_is_listed_with_the_reason_why_it_does_not_count(passes, hand_made):
    table = pass_table.pass_table(passes, [hand_made(1000, 0.45, permuted=True)], min_accuracy=0.5)
    assert table.columns.tolist() == PASSES.names()
    assert table["seed"].tolist() == [0, 1, 2, 3, 1000]
    assert table["accepted"].tolist() == [True, True, True, False, False]
    assert table["control"].tolist() == [False] * 4 + [True]
    reasons = ["", "", "", "accuracy 0.4000 below min_accuracy 0.5", "control: trained on permuted labels"]
    assert table["reason"].tolist() == reasons
    first = table.iloc[0]
    assert (first["epochs_run"], first["stop_epoch"], first["val_loss"]) == (3, 2, 0.6)  # of the epoch that was kept
    assert (first["n_train"], first["n_val"], first["n_oob"]) == (6, 2, 4)


def test_a_control_is_never_accepted_however_good_it_looks(hand_made):
    assert not pass_table.pass_table([], [hand_made(5, 1.0, permuted=True)], 0.0)["accepted"].any()


def test_every_epoch_of_every_pass_is_in_the_history(passes, hand_made):
    history = pass_table.history_table([*passes[:2], hand_made(9, permuted=True)])
    assert history.columns.tolist() == ["seed", "control", "epoch", "train_loss", "val_loss", "val_accuracy"]
    assert history["epoch"].tolist() == [1, 2, 3] * 3
    assert history["seed"].tolist() == [0] * 3 + [1] * 3 + [9] * 3
    assert history["control"].tolist() == [False] * 6 + [True] * 3
    assert history["train_loss"].tolist() == [0.7, 0.5, 0.4] * 3


def test_passes_that_say_the_same_agree_completely(hand_made):
    table = pass_table.agreement_table([hand_made(0), hand_made(1), hand_made(2)], top_k=2)
    assert table.columns.tolist() == AGREEMENT.names()
    assert list(zip(table["seed_a"], table["seed_b"], strict=True)) == [(0, 1), (0, 2), (1, 2)]
    assert table["top_k_overlap"].tolist() == [1.0] * 3
    assert table["spearman"].tolist() == pytest.approx([1.0] * 3)


def test_agreement_is_the_shared_head_and_spearmans_correlation(hand_made):
    rng = np.random.default_rng(0)
    results = [hand_made(seed, importance=rng.random(40).round(1)) for seed in range(4)]  # rounded: ties
    table = pass_table.agreement_table(results, top_k=10)
    assert len(table) == 6
    for row in table.itertuples():
        a, b = (results[int(seed)].importance for seed in (row.seed_a, row.seed_b))
        heads = [set(np.argsort(-values, kind="stable")[:10]) for values in (a, b)]
        assert row.top_k_overlap == pytest.approx(len(heads[0] & heads[1]) / 10)
        assert row.spearman == pytest.approx(spearmanr(a, b).statistic)


def test_opposite_and_constant_importances(hand_made):
    results = [
        hand_made(0, importance=[3, 2, 1, 0]),
        hand_made(1, importance=[0, 1, 2, 3]),
        hand_made(2, importance=[1] * 4),
    ]
    table = pass_table.agreement_table(results, top_k=2)
    assert table["top_k_overlap"].tolist() == [0.0, 1.0, 0.0]
    assert table["spearman"][0] == pytest.approx(-1)
    assert table["spearman"][1:].isna().all()


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_passes_agree_with_nobody(hand_made, n):
    table = pass_table.agreement_table([hand_made(i) for i in range(n)], 2)
    assert table.columns.tolist() == AGREEMENT.names()
    assert len(table) == 0


def summary_of(passes, controls=(), min_accuracy=0.5):
    found = accumulate_passes(passes, 2, min_accuracy, NAMES)
    kept = [p for p, good in zip(passes, found.accepted, strict=True) if good]
    told = signal_test.compare_with_controls(found, controls)
    return findings_summary.summarise("cnn_small", found, told, len(controls), pass_table.agreement_table(kept, 2), 2)


def test_the_summary_counts_and_averages_the_accepted(passes, hand_made):
    controls = [hand_made(1000 + i, accuracy, permuted=True) for i, accuracy in enumerate([0.4, 0.5, 0.5, 0.6])]
    summary = summary_of(passes, controls)
    assert summary["rejected_seeds"] == [3]
    assert (summary["n_passes_run"], summary["n_accepted"], summary["n_controls"]) == (4, 3, 4)
    assert summary["accuracy_mean"] == pytest.approx(0.8)
    assert summary["accuracy_sd"] == pytest.approx(0.1)
    assert summary["control_accuracy_mean"] == pytest.approx(0.5)
    assert summary["control_accuracy_max"] == 0.6
    assert summary["mean_top_k_overlap"] == pytest.approx(2 / 3)
    assert summary["signal"] is True
    assert summary["statement"].startswith("Signal: the median out-of-bag accuracy of 4 passes, 0.750")
    json.dumps(summary, allow_nan=False)


@pytest.mark.parametrize(
    ("accuracy", "controls", "signal"),
    [(0.51, [], True), (0.5, [], False), (0.6, [0.6], False), (0.61, [0.6], True), (0.3, [], False)],
)
def test_there_is_signal_only_above_every_reference(hand_made, accuracy, controls, signal):
    """Of the largest class 0.5, shuffled labels 0.5, and each of the controls."""
    made = [hand_made(1000 + i, value, permuted=True) for i, value in enumerate(controls)]
    summary = summary_of([hand_made(i, accuracy) for i in range(3)], made, min_accuracy=0.0)
    assert summary["signal"] is signal
    assert ("No signal" in summary["statement"]) is not signal
    assert ("not to be read" in summary["statement"]) is not signal


def test_a_summary_of_no_accepted_pass_says_so(passes):
    summary = summary_of(passes, min_accuracy=0.99)
    assert summary["statement"] == "No pass of 4 was accepted; there is no ranking."
    assert summary["signal"] is False
    assert summary["accuracy_mean"] is summary["accuracy_sd"] is summary["mean_top_k_overlap"] is None
    json.dumps(summary, allow_nan=False)


# ---- predictions and metrics ----------------------------------------------------------------------------------------


@pytest.fixture
def judged(hand_made):
    """Ten samples of two classes, four of them in the test split; two passes that each had two out of bag."""
    split = np.array([0, 0, 1, 0, 1, 0, 0, 1, 0, 1], dtype=np.uint8)
    features = Features(
        np.eye(10, 4, dtype=np.float32),
        np.arange(10) % 2,
        ("a", "b"),
        tuple(NAMES),
        tuple(f"cell{i}" for i in range(10)),
        split,
    )
    passes = [
        # rows count within the development samples 0, 1, 3, 5, 6, 8
        hand_made(0, out_of_bag_rows=np.array([0, 2]), out_of_bag_probability=np.array([[0.8, 0.2], [0.4, 0.6]])),
        hand_made(1, out_of_bag_rows=np.array([2, 5]), out_of_bag_probability=np.array([[0.2, 0.8], [0.45, 0.55]])),
    ]
    test_probability = np.array([[0.9, 0.1], [0.7, 0.3], [0.4, 0.6], [0.8, 0.2]])
    return features, passes, test_probability


def test_predictions_are_of_passes_that_had_not_trained_on_the_sample(judged):
    features, passes, test_probability = judged
    table, probability = findings_predictions.prediction_table(features, passes, test_probability)
    assert table.columns.tolist() == PREDICTIONS.names()
    assert table["cell"].tolist() == list(features.samples)
    expected = ["out_of_bag", "none", "test", "out_of_bag", "test", "none", "none", "test", "out_of_bag", "test"]
    assert table["split"].tolist() == expected
    np.testing.assert_allclose(probability[[0, 3, 8]], [[0.8, 0.2], [0.3, 0.7], [0.45, 0.55]])
    np.testing.assert_array_equal(probability[features.test], test_probability)
    assert np.isnan(probability[[1, 5, 6]]).all()
    assert table["prediction"].tolist() == ["a", None, "a", "b", "a", None, None, "b", "b", "a"]
    assert table["confidence"][3] == pytest.approx(0.7)
    assert table["label"].tolist() == ["a", "b"] * 5


def test_without_passes_nothing_is_predicted(judged):
    features, _, _ = judged
    table, probability = findings_predictions.prediction_table(features, [], np.zeros((0, 2)))
    assert table["prediction"].isna().all()
    assert np.isnan(probability).all()
    assert set(table["split"]) == {"test", "none"}


def test_metrics_by_hand(judged):
    features, _, test_probability = judged
    truth = features.y[features.test]  # a, a, b, b; the last is taken for a
    result = evaluate_ensemble([test_probability], truth, features.y[features.development], features.classes)
    made = metrics.metrics(result, bins=5, n_resamples=200, seed=0)
    numbers = made.numbers
    assert (numbers["n_test"], numbers["n_passes"], numbers["accuracy"]) == (4, 1, 0.75)
    assert numbers["balanced_accuracy"] == 0.75
    assert numbers["macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2)
    assert numbers["log_loss"] == pytest.approx(-np.log([0.9, 0.7, 0.6, 0.2]).mean())
    assert numbers["brier"] == pytest.approx((2 * np.array([0.1, 0.3, 0.4, 0.8]) ** 2).mean())
    assert numbers["majority_accuracy"] == 0.5
    assert numbers["classes"] == ["a", "b"]
    assert made.confusion.values.tolist() == [["a", 2, 0], ["b", 1, 1]]
    assert made.confusion.columns.tolist() == ["true_class", "a", "b"]
    assert made.per_class["precision"].tolist() == pytest.approx([2 / 3, 1])
    assert made.per_class["recall"].tolist() == [1, 0.5]
    assert made.per_class["support"].tolist() == [2, 2]
    calibration = ["bin", "confidence_low", "confidence_high", "n", "mean_confidence", "accuracy"]
    assert made.calibration.columns.tolist() == calibration
    assert made.calibration["n"].sum() == 4
    # every score carries its interval
    intervals = bootstrap_intervals(truth, test_probability, 200, 0)
    for name in ("accuracy", "balanced_accuracy", "macro_f1"):
        assert numbers[f"{name}_low"] <= numbers[name] <= numbers[f"{name}_high"]
        assert (numbers[f"{name}_low"], numbers[f"{name}_high"]) == intervals[name]
    for name in ("precision", "recall", "f1"):
        assert {name, f"{name}_low", f"{name}_high"} <= set(made.per_class)
        assert (made.per_class[f"{name}_low"] <= made.per_class[name]).all()
        assert (made.per_class[f"{name}_high"] >= made.per_class[name]).all()


def test_metrics_out_of_bag_say_how_few_were_judged(judged):
    features, passes, _ = judged
    y = features.y[features.development]  # a, b, b, b, a, a
    result = evaluate_out_of_bag(passes, y, features.classes, np.arange(6) // 2, "because")
    made = metrics.metrics(result, 5, 50, 0, samples=[f"s{i}" for i in range(6)])
    numbers = made.numbers
    assert (numbers["scheme"], numbers["why"], numbers["n_test"], numbers["n_passes"]) == ("repeated", "because", 3, 2)
    assert numbers["not_judged"] == ["s1", "s3", "s4"]
    assert made.per_class["support"].tolist() == [2, 1]
    # two of three right, in two groups: one of them right, one half right
    expected = wilson_intervals(np.array(result.y_true), np.array(result.y_proba), np.array(result.groups))
    for name, limits in expected.items():
        assert (numbers[f"{name}_low"], numbers[f"{name}_high"]) == limits
    assert numbers["accuracy_low"] < 0.25
    of_samples = per_class_intervals(made.confusion[["a", "b"]].to_numpy())
    assert (made.per_class["recall_low"] <= of_samples["recall"][0]).all()


def test_metrics_of_no_pass_are_there_and_empty(judged):
    features, _, test_probability = judged
    truth, rest = features.y[features.test], features.y[features.development]
    full = metrics.metrics(evaluate_ensemble([test_probability], truth, rest, features.classes), 5, 50, 0)
    empty = metrics.metrics(evaluate_ensemble([], truth, rest, features.classes), 5, 50, 0)
    assert empty.numbers.keys() == full.numbers.keys()
    assert (empty.numbers["n_test"], empty.numbers["n_passes"], empty.numbers["accuracy"]) == (4, 0, None)
    for name in ("per_class", "confusion", "calibration"):
        assert set(getattr(empty, name).columns) == set(getattr(full, name).columns)
        assert len(getattr(empty, name)) == 0


def test_models_stand_side_by_side_with_logistic_regression_last(passes, judged):
    features, _, probability = judged
    result = evaluate_ensemble([probability], features.y[features.test], features.y[features.development], ("a", "b"))
    numbers = metrics.metrics(result, 5, 50, 0).numbers
    table = model_table.model_table([summary_of(passes)], [numbers], numbers, {"cnn_small": "cnn"})
    assert table["model"].tolist() == ["cnn_small", "linear_baseline"]
    assert table["kind"].tolist() == ["cnn", "logistic regression"]
    assert table.columns.tolist() == MODELS.names()
    assert table["accuracy"].tolist() == [0.75, 0.75]


# ---- the annotated matrix -------------------------------------------------------------------------------------------


@pytest.fixture
def annotated(judged, hand_made):
    """A matrix with two more samples than were analysed, in another order."""
    features, passes, test_probability = judged
    predictions, _ = findings_predictions.prediction_table(features, passes, test_probability)
    names = ["left out", *features.samples[::-1], "and this"]
    adata = anndata.AnnData(np.arange(48, dtype=np.float32).reshape(12, 4))
    adata.obs_names, adata.var_names = names, NAMES
    adata.obs["donor"] = "d"
    embedding = np.arange(30, dtype=np.float32).reshape(10, 3)
    slots = {"embedding": embedding, "map": embedding[:, :2], "basis": np.array("UMAP")}
    about = {"version": "1", "settings": {"lr": 0.1}, "classes": ["a", "b"]}
    importance = [1, 3, 0, 2]  # the ranking is not the order of the matrix
    table = feature_table.feature_table(accumulate_passes([hand_made(importance=importance)], 2, 0.5, NAMES))
    return annotate.annotate(adata, features, table, predictions, slots, about), features, predictions, embedding, table


def test_a_scanpy_user_finds_everything_where_they_look(annotated):
    adata, features, predictions, embedding, table = annotated
    assert adata.obs_names.tolist() == list(features.samples)
    np.testing.assert_array_equal(adata.X[0], np.arange(40, 44))  # cell0 was the eleventh row
    assert adata.obs["donor"].tolist() == ["d"] * 10
    for column in ("rank", "selection_frequency", "median_importance", "mean_rank"):
        assert adata.var[f"deepmapper_{column}"].tolist() == table.set_index("feature").loc[NAMES, column].tolist()
    assert adata.var["deepmapper_rank"].tolist() == [3, 1, 4, 2]
    assert adata.varm["deepmapper_importance"].columns.tolist() == ["a", "b"]
    assert adata.varm["deepmapper_importance"]["b"].tolist() == [1, 3, 0, 2]
    assert adata.varm["deepmapper_importance"].shape == adata.varm["deepmapper_direction"].shape == (4, 2)
    assert adata.varm["deepmapper_direction"]["a"].tolist() == [1] * 4
    assert adata.varm["deepmapper_direction"]["b"].tolist() == [-1] * 4
    assert adata.obs["deepmapper_prediction"].astype(object).where(lambda v: v.notna(), None).tolist() == (
        predictions["prediction"].tolist()
    )
    assert adata.obs["deepmapper_label"].cat.categories.tolist() == ["a", "b"]
    assert adata.obs["deepmapper_split"].tolist() == predictions["split"].tolist()
    np.testing.assert_array_equal(adata.obsm["X_deepmapper"], embedding)
    assert adata.obsm["X_deepmapper_umap"].shape == (10, 2)
    assert json.loads(adata.uns["deepmapper"]["settings"]) == {"lr": 0.1}


def test_the_annotated_matrix_is_written_and_read_back(annotated, tmp_path):
    adata = annotated[0]
    adata.write_h5ad(tmp_path / "annotated.h5ad")
    read = anndata.read_h5ad(tmp_path / "annotated.h5ad")
    pd.testing.assert_frame_equal(read.obs, adata.obs)
    pd.testing.assert_frame_equal(read.var, adata.var)
    for slot in ("deepmapper_importance", "deepmapper_direction"):
        pd.testing.assert_frame_equal(read.varm[slot], adata.varm[slot])
    np.testing.assert_array_equal(read.obsm["X_deepmapper"], adata.obsm["X_deepmapper"])
    assert read.uns["deepmapper"]["version"] == "1"


def test_the_matrix_is_written_with_the_findings_in_it(annotated, judged, tmp_path):
    """In blocks, from a file in another order, without the samples that were left out."""
    expected, features, predictions, embedding, table = annotated
    samples = ["left out", *features.samples[::-1], "and this"]
    matrix = sp.csr_matrix(np.arange(48, dtype=np.float32).reshape(12, 4))
    expression = Expression(
        matrix, pd.DataFrame({"donor": "d"}, index=samples), pd.DataFrame(index=NAMES), {"tpm": matrix * 2}, {"x": "y"}
    )
    annotate.write_annotated(
        tmp_path / "annotated.h5ad",
        expression,
        features,
        table,
        predictions,
        {"embedding": embedding, "map": embedding[:, :2], "basis": np.array("UMAP")},
        version="1",
        settings={"lr": 0.1},
        summary={"signal": True},
        metrics={"accuracy": 0.5},
    )
    read = anndata.read_h5ad(tmp_path / "annotated.h5ad")
    pd.testing.assert_frame_equal(read.obs.astype({"donor": object}), expected.obs)
    pd.testing.assert_frame_equal(read.var, expected.var)
    np.testing.assert_array_equal(read.X.toarray(), expected.X)
    np.testing.assert_array_equal(read.layers["tpm"].toarray(), 2 * expected.X)
    about = read.uns["deepmapper"]
    assert set(about) == {"version", "settings", "features", "summary", "metrics"}
    assert json.loads(about["summary"]) == {"signal": True}
    assert read.uns["x"] == "y"


def test_without_an_accepted_pass_there_are_no_statistics_and_the_rest_is_there(judged, passes):
    features, _, test_probability = judged
    predictions, _ = findings_predictions.prediction_table(features, [], np.zeros((0, 2)))
    table = feature_table.feature_table(accumulate_passes(passes, 2, 0.99, NAMES))
    adata = anndata.AnnData(np.zeros((10, 4), dtype=np.float32))
    adata.obs_names, adata.var_names = list(features.samples), NAMES
    slots = {"embedding": np.zeros((10, 0)), "map": np.zeros((10, 2)), "basis": np.array("PCA")}
    made = annotate.annotate(adata, features, table, predictions, slots, {})
    assert not len(made.varm)
    assert made.obs["deepmapper_prediction"].isna().all()
    assert made.obsm["X_deepmapper_pca"].shape == (10, 2)

"""Samples without a label lie in the store, and neither passes nor the evaluation ever see them."""

from dataclasses import replace

import numpy as np
import pytest

from deepmapper import linear_baseline
from deepmapper.errors import InputError
from deepmapper.features.prepare import prepare_features
from deepmapper.features.store import DEVELOPMENT, TEST, UNLABELLED, Features, open_features, write_features
from deepmapper.findings import ensemble, evaluation, predictions
from deepmapper.io.labels import encode_labels
from deepmapper.passes.controls import train_control
from deepmapper.workflow.pass_jobs import TRAIN

EXTRA = 15  # samples without a label


def make(planted, kind, with_unlabelled):
    """The planted samples, every fourth in the test split; with samples of NaN between them, or without."""
    split = np.where(np.arange(120) % 4, DEVELOPMENT, TEST).astype(np.uint8)
    features = Features(
        planted.X,
        planted.y,
        planted.classes,
        tuple(planted.names),
        tuple(f"cell{i}" for i in range(120)),
        split,
        groups=np.arange(120) // 3 % 20,
        strata=np.where(split == DEVELOPMENT, np.arange(120) % 2, -1),
        metadata={"normalization": "none"},
    )
    if with_unlabelled:
        places = np.sort(np.random.default_rng(0).integers(0, 121, EXTRA))
        features = replace(
            features,
            X=np.insert(planted.X, places, np.nan, axis=0),
            y=np.insert(planted.y, places, -1),
            samples=tuple(np.insert(np.array(features.samples, dtype=object), places, "unknown")),
            split=np.insert(split, places, UNLABELLED),
            groups=np.insert(features.groups, places, 99),
            strata=np.insert(features.strata, places, -1),
        )
    if kind == "sparse":
        import scipy.sparse as sp

        features = replace(features, X=sp.csr_matrix(features.X))
    return features


@pytest.fixture(params=["dense", "sparse"])
def stores(planted, tmp_path, request):
    """The same study as it is read from its store: with samples without a label, and without them."""
    read = []
    for name, with_unlabelled in (("with", True), ("without", False)):
        write_features(tmp_path / name, make(planted, request.param, with_unlabelled))
        read.append(open_features(tmp_path / name))
    return read


def test_a_store_holds_them_apart_from_development_and_test(stores):
    features, labelled = stores
    assert len(features.y) == 120 + EXTRA
    assert len(features.unlabelled) == EXTRA and not len(labelled.unlabelled)
    assert (features.y[features.unlabelled] == -1).all()
    assert set(features.names_of(features.unlabelled)) == {"unknown"}
    for part in ("development", "test", "labelled"):
        assert features.names_of(getattr(features, part)) == labelled.names_of(getattr(labelled, part))
    with pytest.raises(InputError, match="Leave samples without a label out of rows"):
        features.select(np.arange(len(features.y)))


def test_a_store_without_them_has_the_digest_it_always_had(tmp_path, planted):
    write_features(tmp_path / "features", make(planted, "sparse", False))
    assert open_features(tmp_path / "features").digest == "62b54e1316e7f75e622b068dbbbd77da"


@pytest.mark.parametrize("kind", TRAIN)
def test_no_pass_sees_them(stores, quick, kind):
    """Their values are NaN, which would spread into everything that reads them."""
    features, labelled = stores
    config = quick("linear", epochs=3, early_stop=True, min_epochs=1)
    one, other = (TRAIN[kind](each.development_samples, config, 2) for each in stores)
    np.testing.assert_array_equal(one.importance, other.importance)
    assert np.isfinite(one.importance).all()
    assert one.accuracy == other.accuracy
    if kind != "half":
        np.testing.assert_array_equal(one.out_of_bag_rows, other.out_of_bag_rows)
        np.testing.assert_array_equal(one.out_of_bag_probability, other.out_of_bag_probability)
        for name in one.weights:
            np.testing.assert_array_equal(one.weights[name], other.weights[name])


def test_further_labelings_of_a_small_control_are_of_the_others(planted, quick):
    controls = []
    for with_unlabelled in (True, False):
        features = make(planted, "dense", with_unlabelled)
        few = features.select(features.development[:24])
        controls.append(train_control(few, quick("linear", epochs=2), 1).control)
    np.testing.assert_array_equal(controls[0].labels, controls[1].labels)
    np.testing.assert_array_equal(controls[0].accuracy, controls[1].accuracy)


def test_the_evaluation_and_its_tables_leave_them_out(stores, quick):
    tables = []
    for features in stores:
        results = [TRAIN["plain"](features.development_samples, quick("linear", epochs=3), seed) for seed in (0, 1)]
        probabilities = [ensemble.predict(result, features.X, features.test) for result in results]
        y = features.y
        judged = evaluation.evaluate_ensemble(
            probabilities, y[features.test], y[features.development], features.classes
        )
        table, probability = predictions.prediction_table(features, results, np.array(judged.y_proba))
        assert len(probability) == len(y) and np.isnan(probability[features.unlabelled]).all()
        embedding = ensemble.embed_ensemble(results, features.X, features.labelled)
        assert len(embedding) == len(table) == 120
        baseline = linear_baseline.out_of_bag(features.development_samples, 0.25, range(2))
        tables.append((judged, table, embedding, baseline))
    (judged, table, embedding, baseline), (judged_without, table_without, *arrays) = tables
    assert judged == judged_without
    assert table.equals(table_without)
    np.testing.assert_array_equal(embedding, arrays[0])
    np.testing.assert_array_equal(baseline, arrays[1])


def test_labels_that_are_missing_can_be_kept_apart_from_those_to_drop():
    labels = ["T", None, "B", "", "doublet", "T"]
    codes, classes = encode_labels(labels, exclude=["doublet"], missing="keep")
    assert classes == ["B", "T"]
    assert codes.tolist() == [1, -1, 0, -1, -2, 1]
    codes, _ = encode_labels(labels, exclude=["doublet"], missing="drop")
    assert codes.tolist() == [1, -1, 0, -1, -1, 1]


def test_preparation_leaves_them_to_the_store_of_the_target():
    with pytest.raises(InputError, match="labels.missing is 'keep': expected 'refuse', 'drop' or 'unlabelled'"):
        prepare_features(None, label_column="type", missing="keep")

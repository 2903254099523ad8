"""The annotated matrix: the slots that a scanpy user looks at."""

import json

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from deepmapper.findings import annotate
from deepmapper.findings.feature_table import feature_table
from deepmapper.findings.predictions import prediction_table
from deepmapper.findings.ranking import accumulate_passes
from deepmapper.io.expression import Expression, open_expression, write_expression

NAMES = ["g0", "g1", "g2", "g3"]


@pytest.fixture
def annotated(evaluated, hand_made):
    """A matrix with two more samples than were analysed, in another order."""
    features, passes, test_probability = evaluated
    predictions, _ = prediction_table(features, passes, test_probability)
    names = ["left out", *features.samples[::-1], "and this"]
    adata = anndata.AnnData(np.arange(48, dtype=np.float32).reshape(12, 4))
    adata.obs_names, adata.var_names = names, NAMES
    adata.obs["donor"] = "d"
    embedding = np.arange(30, dtype=np.float32).reshape(10, 3)
    slots = {"embedding": embedding, "map": embedding[:, :2], "basis": np.array("UMAP")}
    about = {"version": "1", "settings": {"lr": 0.1}, "classes": ["a", "b"]}
    importance = [1, 3, 0, 2]  # the ranking is not the order of the matrix
    table = feature_table(accumulate_passes([hand_made(importance=importance)], 2, 0.5, NAMES))
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
    predicted = adata.obs["deepmapper_prediction"].astype(object).where(lambda v: v.notna(), None)
    assert predicted.tolist() == predictions["prediction"].astype(object).where(lambda v: v.notna(), None).tolist()
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


def test_the_matrix_is_written_with_the_findings_in_it(annotated, evaluated, tmp_path):
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
    pd.testing.assert_frame_equal(read.obs.astype({"donor": object}), expected.obs.astype({"donor": object}))
    pd.testing.assert_frame_equal(read.var, expected.var)
    np.testing.assert_array_equal(read.X.toarray(), expected.X)
    np.testing.assert_array_equal(read.layers["tpm"].toarray(), 2 * expected.X)
    about = read.uns["deepmapper"]
    assert set(about) == {"version", "settings", "features", "summary", "metrics"}
    assert json.loads(about["summary"]) == {"signal": True}
    assert read.uns["x"] == "y"


def test_named_cells_between_labelled_ones_are_written_with_their_values(evaluated, hand_made, tmp_path):
    """From a file, whose rows are read in ascending order; the target cells follow the labelled ones all the same."""
    features, passes, test_probability = evaluated
    predictions, _ = prediction_table(features, passes, test_probability)
    samples = [*features.samples[:3], "named1", *features.samples[3:8], "named2", *features.samples[8:]]
    given = pd.DataFrame(np.arange(48, dtype=np.float32).reshape(12, 4), samples, NAMES)
    write_expression(
        tmp_path / "expression.h5ad", anndata.AnnData(obs=given[[]], var=given.T[[]]), {"X": given.to_numpy()}
    )
    embedding = np.ones((10, 3), dtype=np.float32)
    names = ["named1", "named2"]
    target = pd.DataFrame({"cell": names, "source": "reference", "label": "a", "verdict": "assigned"})
    annotate.write_annotated(
        tmp_path / "annotated.h5ad",
        open_expression(tmp_path / "expression.h5ad"),
        features,
        feature_table(accumulate_passes([hand_made()], 2, 0.5, NAMES)),
        predictions,
        {"embedding": embedding, "map": embedding[:, :2], "basis": np.array("UMAP")},
        version="1",
        settings={},
        summary={},
        metrics={},
        target=target.assign(probability=0.9, q=0.5),
    )
    read = anndata.read_h5ad(tmp_path / "annotated.h5ad").to_df()
    pd.testing.assert_frame_equal(read, given.loc[[*features.samples, *names]], check_names=False)


def test_without_an_accepted_pass_there_are_no_statistics_and_the_rest_is_there(evaluated, passes):
    features, _, test_probability = evaluated
    predictions, _ = prediction_table(features, [], np.zeros((0, 2)))
    table = feature_table(accumulate_passes(passes, 2, 0.99, NAMES))
    adata = anndata.AnnData(np.zeros((10, 4), dtype=np.float32))
    adata.obs_names, adata.var_names = list(features.samples), NAMES
    slots = {"embedding": np.zeros((10, 0)), "map": np.zeros((10, 2)), "basis": np.array("PCA")}
    made = annotate.annotate(adata, features, table, predictions, slots, {})
    assert not len(made.varm)
    assert made.obs["deepmapper_prediction"].isna().all()
    assert made.obsm["X_deepmapper_pca"].shape == (10, 2)


def test_named_cells_of_the_matrix_follow_the_labelled_ones(evaluated, hand_made):
    features, passes, test_probability = evaluated
    predictions, _ = prediction_table(features, passes, test_probability)
    adata = anndata.AnnData(np.arange(48, dtype=np.float32).reshape(12, 4))
    adata.obs_names, adata.var_names = [*features.samples, "unknown", "and this"], NAMES
    embedding = np.ones((10, 3), dtype=np.float32)
    slots = {"embedding": embedding, "map": embedding[:, :2], "basis": np.array("UMAP")}
    target = pd.DataFrame(
        {
            "cell": ["unknown", "elsewhere"],
            "source": ["reference", "new"],
            "label": ["new_1", "a"],
            "probability": [0.5, 0.9],
            "q": [0.01, 0.5],
            "verdict": ["new", "assigned"],
        }
    )
    table = feature_table(accumulate_passes([hand_made()], 2, 0.5, NAMES))
    places = np.arange(20.0).reshape(10, 2), np.array([[-1.0, -2.0], [-3.0, -4.0]])
    found = annotate.annotate(adata, features, table, predictions, slots, {}, target, {"pca": places})
    np.testing.assert_array_equal(found.obsm["X_pca"], [*places[0], [-1, -2]])
    alone = annotate.annotate(adata, features, table, predictions, slots, {}, embeddings={"pca": places[:1]})
    np.testing.assert_array_equal(alone.obsm["X_pca"], places[0])
    assert found.obs_names.tolist() == [*features.samples, "unknown"]
    last = found.obs.iloc[-1]
    assert last["deepmapper_label"] == "new_1" and last["deepmapper_verdict"] == "new"
    assert last["deepmapper_probability"] == 0.5 and last["deepmapper_q"] == 0.01
    assert found.obs["deepmapper_verdict"].isna().tolist() == [True] * 10 + [False]
    assert np.isnan(found.obsm["X_deepmapper"][-1]).all() and np.isfinite(found.obsm["X_deepmapper"][:10]).all()

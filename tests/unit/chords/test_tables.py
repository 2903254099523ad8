"""Tables of products, features and chords, and how they join those of models."""

import json

import anndata
import numpy as np
import pandas as pd

from deepmapper.chords.groups import group_chords
from deepmapper.chords.proof import prove, prove_chords
from deepmapper.chords.tables import chord_table, pair_table
from deepmapper.chords.tables import feature_table as chord_feature_table
from deepmapper.core.tables import read_table, write_table
from deepmapper.features.splits import split_off_test
from deepmapper.findings.annotate import annotate
from deepmapper.findings.feature_join import add_chords


def test_tables_hold_what_was_found(small, screen_label):
    planted, X = small
    y, classes = planted.codes("pair")
    development, test = split_off_test(y, 0.25, 0)
    screen = screen_label("pair", rows=development)
    found = group_chords(X, screen)
    proofs = prove_chords(X, y, found, development=development, test=test, classes=classes, draws=50)
    pairs, table, features = pair_table(screen), chord_table(found, proofs), chord_feature_table(screen)
    assert pairs["significant"].sum() == 1 and pairs["rank"].tolist() == list(range(1, len(pairs) + 1))
    assert {pairs["feature_a"][0], pairs["feature_b"][0]} == set(found[0].features)
    np.testing.assert_allclose(pairs["z"], pairs[f"z[{classes[1]}]"])
    assert table["chord"].tolist() == ["chord_1"] and table["synergy"][0] == proofs[0].synergy
    assert {f"auc[{name}]" for name in classes} <= set(table.columns)
    assert len(features) == X.shape[1] and (features["z_pair"].notna() == features["screened"]).all()
    assert chord_table(()).empty and "side_1" in chord_table(())
    json.dumps([chord.__dict__ for chord in found])


def test_feature_tables_get_their_chord():
    table = pd.DataFrame({"rank": [1, 2, 3, 4], "feature": ["d", "b", "a", "c"]})
    of_feature = pd.DataFrame(
        {
            "feature": list("abcd"),
            "chord": ["chord_1", "chord_2,chord_1", "", np.nan],
            "z_chord": [5.0, 7.0, np.nan, np.nan],
        }
    )
    proofs = pd.DataFrame({"chord": ["chord_1", "chord_2"], "synergy": [0.3, 0.1]})
    added = add_chords(table, of_feature, proofs)
    assert added["chord"].tolist() == ["", "chord_2,chord_1", "chord_1", ""]
    np.testing.assert_array_equal(added["z_chord"], [np.nan, 7, 5, np.nan])
    np.testing.assert_array_equal(added["synergy"], [np.nan, 0.1, 0.3, np.nan])
    proofs = proofs[:0]
    none = add_chords(table, of_feature.assign(chord="", z_chord=np.nan), proofs)
    assert none[["z_chord", "synergy"]].isna().all(axis=None) and (none["chord"] == "").all()


def test_the_annotated_matrix_holds_the_chords(features, screened, tmp_path):
    n = features.n_features
    table = pd.DataFrame({"rank": np.arange(1, n + 1), "feature": features.names[::-1]})
    table[["selection_frequency", "median_importance", "mean_rank", "importance[0]", "importance[1]"]] = 1.0
    table[["direction[0]", "direction[1]"]] = "up"
    table = add_chords(table, screened.tables["features"], prove(features, ())[0])
    write_table(table, tmp_path / "features.tsv")
    rows = pd.DataFrame({"label": features.y.astype(str), "prediction": "0", "confidence": 1.0, "split": "test"})
    place = {"embedding": np.zeros((600, 1)), "map": np.zeros((600, 2)), "basis": np.array("PCA")}
    data = anndata.AnnData(features.X, obs=pd.DataFrame(index=features.samples), var=pd.DataFrame(index=features.names))
    made = annotate(data, features, read_table(tmp_path / "features.tsv"), rows, place, {})
    made.write_h5ad(tmp_path / "annotated.h5ad")
    var = anndata.read_h5ad(tmp_path / "annotated.h5ad").var
    inside = var["deepmapper_chord"] == "chord_1"
    assert set(var.index[inside]) == set(screened.chords[0].features)
    assert (var.loc[inside, "deepmapper_z_chord"] > 5).all() and var.loc[~inside, "deepmapper_z_chord"].isna().all()

"""Importances for the labels of target samples: the planted genes of each label, and none without labels."""

import numpy as np
import pandas as pd
import pytest

from deepmapper.core.table_schemas import TARGET_FEATURES
from deepmapper.core.tables import read_table, write_table
from deepmapper.io.align import align, feature_table
from deepmapper.transfer.predict import answer_for
from deepmapper.transfer.target_features import target_features
from deepmapper.transfer.values import NewValues, gaps_of


def importances(model, adata, top_k=5):
    with np.testing.suppress_warnings() as quiet:
        quiet.filter(UserWarning)
        found = answer_for(model, {"": adata}, new_identities=False)
    sources = found.summary["sources"]
    missing = [name for name in model.features if name not in set(adata.var_names)]
    given = [{"n_cells": sources[0]["n_cells"], "missing": missing}]
    return found, target_features(model, found.X, found.table, given, top_k)


@pytest.fixture(scope="module")
def both(model, newcomers):
    return importances(model, newcomers)


def test_the_genes_of_every_label_of_the_target_come_first(both, tmp_path):
    _, table = both
    for i, name in enumerate(("B", "NK", "T")):
        first = table.nlargest(4, f"importance[{name}]")
        assert set(first["feature"]) <= {f"gene{j}" for j in range(15)}
        own = table["feature"].isin([f"gene{j}" for j in range(5 * i, 5 * i + 5)])
        assert (table.loc[own, f"direction[{name}]"] == "up").mean() >= 0.8
    planted = table["feature"].isin([f"gene{j}" for j in range(15)])
    assert table.loc[planted, "mean_rank"].mean() < 12 < table.loc[~planted, "mean_rank"].mean()
    assert table["selection_frequency"].sum() == pytest.approx(5)
    assert np.corrcoef(table["median_importance"], table["reference_importance"])[0, 1] > 0.8
    write_table(table, tmp_path / "target_features.tsv")
    pd.testing.assert_frame_equal(read_table(tmp_path / "target_features.tsv"), table, rtol=1e-5, check_dtype=False)
    assert TARGET_FEATURES.unknown(list(table.columns)) == []


def test_the_answer_is_the_same_twice(both, model, newcomers):
    pd.testing.assert_frame_equal(both[1], importances(model, newcomers)[1])


def test_without_a_named_cell_only_the_reference_has_importances(both, model):
    found, _ = both
    table = found.table.assign(verdict="new")
    empty = target_features(model, found.X, table, [{"n_cells": len(table), "missing": []}], 5)
    assert empty["median_importance"].isna().all() and empty["reference_importance"].notna().all()


def test_cells_that_are_taken_have_the_values_that_networks_read(both, model, newcomers):
    lacking = newcomers[:, 2:]
    part = align(lacking, feature_table(model.features, model.ids), model.scale, "the target")
    sources = [{"n_cells": 40, "missing": []}, {"n_cells": 50, "missing": ["gene0", "gene1"]}]
    values = NewValues(part.values.to_memory(), model, gaps_of(sources, model))
    (whole,), rows = list(values.blocks()), np.array([3, 39, 40, 89])
    np.testing.assert_array_equal(values.take(rows).toarray(), whole[rows].toarray())
    assert (values.take(rows).toarray()[2:, :2] == model.mean[:2]).all()

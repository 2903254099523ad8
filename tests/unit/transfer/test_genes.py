"""The genes behind labels are those of the class, with their means in reference and target; the map has both."""

import numpy as np
import pandas as pd
import pytest

from deepmapper.core.table_schemas import TARGET_GENES, TARGET_MAP
from deepmapper.core.tables import read_table, write_table
from deepmapper.transfer.maps import map_target
from deepmapper.transfer.predict import answer_for


@pytest.fixture(scope="module")
def found(model, newcomers):
    return answer_for(model, {"": newcomers}, label_column="type")


def test_the_genes_of_a_label_are_those_that_were_planted(found, tmp_path):
    genes = found.genes
    for i, name in enumerate(("B", "NK", "T")):
        own = genes[(genes["label"] == name) & (genes["rank"] <= 5)]
        assert set(own["gene"]) & {f"gene{j}" for j in range(5 * i, 5 * i + 5)}
        up = own[own["direction"] == "up"]
        assert (up[f"reference[{name}]"] > 1).all() and (up[f"target[{name}]"] > 1).all()
    new = genes[genes["label"] == "new_1"]
    assert {f"gene{j}" for j in range(15, 20)} <= set(new["gene"])
    assert new["reference[new_1]"].isna().all() and new["importance"].isna().all()
    write_table(genes, tmp_path / "target_genes.tsv")
    pd.testing.assert_frame_equal(read_table(tmp_path / "target_genes.tsv"), genes, rtol=1e-5, check_dtype=False)
    assert TARGET_GENES.unknown(list(genes.columns)) == []


def test_genes_that_a_file_lacks_have_no_mean_there(model, newcomers):
    few = newcomers[:, newcomers.var_names[2:]].copy()
    few.obs_names = [f"few_{name}" for name in few.obs_names]
    with pytest.warns(UserWarning):
        lacking = answer_for(model, {"few": few}, new_identities=False).genes.set_index("gene")
        both = answer_for(model, {"all": newcomers, "few": few}, new_identities=False).genes.set_index("gene")
    own = [name for name in ("gene0", "gene1") if name in lacking.index]
    assert own and lacking.loc[own, "target[B]"].isna().all()
    assert (both.loc[own, "target[B]"] > 1).all()


def test_without_cells_of_a_label_there_is_no_mean(model, newcomers):
    one = answer_for(model, {"": newcomers[:1]}).genes
    assert one["target[B]"].notna().all() and one["target[T]"].isna().all()


@pytest.mark.parametrize("n", [0, 1, 90])
def test_reference_and_target_are_on_one_map(model, study, found, n, tmp_path):
    space = model.members[0].space
    table = map_target(space, study.features, found.table.head(n), found.named.coordinates[:n])
    assert table["part"].value_counts().to_dict() == ({"reference": 150, "target": n} if n else {"reference": 150})
    assert np.isfinite(table[["x", "y"]]).all(axis=None) and set(table["basis"]) == {"UMAP"}
    assert table["cell"].head(3).tolist() == ["c0_0", "c0_1", "c0_2"]
    assert TARGET_MAP.unknown(list(table.columns)) == [] and table["verdict"].isna().sum() == 150


def test_probabilities_of_the_reference_are_reliable(model):
    rows = pd.DataFrame(model.reliability)
    assert rows["n"].sum() == 150 and len(rows) == 10
    full = rows[rows["n"] >= 20]
    assert (full["mean_confidence"] - full["accuracy"]).abs().max() < 0.1

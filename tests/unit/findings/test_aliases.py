"""Readable names beside the ids of features."""

import pandas as pd

from deepmapper.findings.aliases import add_aliases

TABLE = pd.DataFrame({"rank": [1, 2, 3, 4], "feature": ["DENOVO_a", "T1", "T2", "DENOVO_b"], "z": 1.0})


def var(**columns):
    return pd.DataFrame(columns, index=["T1", "T2", "DENOVO_a", "DENOVO_b"])


def test_known_features_go_by_their_symbol_and_novel_ones_by_their_alias():
    table = add_aliases(
        TABLE, var(gene_name=["TP53", "", "BRCA1", ""]), {"DENOVO_a": "BRCA1.novel1", "DENOVO_b": "novel1"}
    )
    assert list(table.columns) == ["rank", "feature", "alias", "z"]
    assert table["alias"].tolist() == ["BRCA1.novel1", "TP53", "", "novel1"]
    assert table["feature"].tolist() == TABLE["feature"].tolist()


def test_symbols_of_a_matrix_are_used_too():
    table = add_aliases(TABLE, var(feature_name=pd.Categorical(["A", "B", "C", "D"]).astype(object)), {})
    assert table["alias"].tolist() == ["C", "A", "B", "D"]


def test_no_column_where_no_feature_has_another_name():
    assert add_aliases(TABLE, var(length=[1, 2, 3, 4]), {}) is TABLE
    assert "alias" not in add_aliases(TABLE, var(gene_name=["T1", "T2", "DENOVO_a", "DENOVO_b"]), {})

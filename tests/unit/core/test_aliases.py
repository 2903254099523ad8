"""Readable names beside the ids of features."""

import pandas as pd

from deepmapper.core.aliases import add_aliases, alias_of, readable_names

TABLE = pd.DataFrame({"rank": [1, 2, 3, 4], "feature": ["DENOVO_a", "T1", "T2", "DENOVO_b"], "z": 1.0})


def test_names_stand_behind_the_ids_which_stay():
    table = add_aliases(TABLE, {"DENOVO_a": "BRCA1.novel1", "T1": "TP53"})
    assert list(table.columns) == ["rank", "feature", "alias", "z"]
    assert table["alias"].tolist() == ["BRCA1.novel1", "TP53", "", ""]
    assert table["feature"].tolist() == TABLE["feature"].tolist()
    assert alias_of(table) == {"DENOVO_a": "BRCA1.novel1", "T1": "TP53"}


def test_no_column_where_no_feature_has_another_name():
    assert add_aliases(TABLE, {"other": "X"}) is TABLE
    assert add_aliases(TABLE, {}) is TABLE
    assert alias_of(TABLE) == {}


def test_every_name_of_a_list_is_replaced_or_kept():
    table = pd.DataFrame({"side_1": ["T1,T2", "T2", None], "side_2": ["T2", "", None]})
    named = add_aliases(table, {"T1": "TP53"}, ("side_1", "side_2", "side_3"))
    assert named.columns.tolist() == ["side_1", "side_1_alias", "side_2"]
    assert named["side_1_alias"].tolist() == ["TP53,T2", "", ""]


def test_an_id_with_a_comma_is_one_id():
    table = pd.DataFrame({"feature": ["a,b"]})
    assert add_aliases(table, {"a,b": "X"})["alias"].tolist() == ["X"]


def test_features_of_the_same_symbol_are_told_apart_by_their_ids():
    aliases = {"T1": "TP53", "T2": "TP53", "T3": "BRCA1", "T5": "T4"}
    assert readable_names(["T1", "T3", "T2", "T9"], aliases) == ["TP53 (T1)", "BRCA1", "TP53 (T2)", "T9"]
    assert readable_names(["T1", "T3"], aliases) == ["TP53", "BRCA1"]
    assert readable_names(["T5", "T4"], aliases) == ["T4 (T5)", "T4"]  # a symbol may be the id of another feature
    assert readable_names(["T1", "T1"], aliases) == ["TP53", "TP53"]

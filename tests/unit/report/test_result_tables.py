"""Every result table has its page, and no name from the data acts in it."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from deepmapper.core.table_schemas import table_called
from deepmapper.report.result_tables import PAGES, result_page


def embedded(text):
    return json.loads(re.search(r"<script type='application/json' id='data'>(.*?)</script>", text, re.S)[1])


@pytest.mark.parametrize("name", sorted(PAGES))
def test_every_table_of_a_run_has_its_page(name):
    text = result_page(name, pd.DataFrame({"feature": ["a"], "z": [1.0]}), "results/x.tsv", "cnn")
    assert text.startswith("<!DOCTYPE html>")
    assert "<h1>cnn: " in text


@pytest.mark.parametrize("name", sorted(PAGES))
def test_no_name_acts_in_the_page_of_a_table(name, hostile, elements):
    """As a cell, as a column of a class, as a model and as a file."""
    plain = "k"

    def written(word):
        table = pd.DataFrame({"feature": [word, plain], f"importance[{word}]": [1.0, np.nan], word: [word, None]})
        return result_page(name, table, f"results/{word}.tsv", word)

    page, harmless = elements(written(hostile)), elements(written(plain))
    assert page.counts == harmless.counts
    assert page.counts["script"] == 2
    assert page.attributes == harmless.attributes
    assert page.links == []
    assert page.text.count(f"results/{hostile}.tsv") == 1
    data = embedded(written(hostile))
    assert {hostile, f"importance[{hostile}]"} <= set(data["columns"])
    assert data["rows"][0].count(hostile) == 2


def test_pages_explain_every_column():
    for name, page in PAGES.items():
        schema = table_called(f"{name}.tsv")
        assert page.notes == schema.descriptions
        assert set(page.first) <= set(schema.names())


def test_names_come_before_ids_and_columns_without_any_value_are_left_out():
    table = pd.DataFrame({
        "within": [np.nan, np.nan], "class": ["a", "b"], "feature": ["ENSG1", "ENSG2"], "alias": ["CD3D", None],
        "q": [0.01, 0.02],
    })  # fmt: skip
    data = embedded(result_page("markers", table, "results/findings/markers.tsv"))
    assert data["columns"] == ["class", "alias", "feature", "q"]
    assert data["lead"] == 1
    data = embedded(result_page("markers", table.drop(columns="alias"), "results/findings/markers.tsv"))
    assert data["columns"][data["lead"]] == "feature"

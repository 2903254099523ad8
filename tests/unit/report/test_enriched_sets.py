"""Enriched gene sets in words."""

import numpy as np
import pandas as pd

from deepmapper.report.enriched_sets import enriched_sets


def row(test, of, name, q, *, class_="", versus="", similar="", z=np.nan, n_found=3.0, members="A,B,C,D,E"):
    return {
        "test": test, "of": of, "within": None, "class": class_, "versus": versus, "set": name, "q": q, "z": z,
        "n_found": n_found, "n_set": 9, "similar_to": similar, "members": members,
    }  # fmt: skip


def test_the_first_sets_of_the_list_and_of_its_parts_are_named_with_members():
    table = pd.DataFrame([
        row("list", "recommended", "other", 0.5),
        row("list", "recommended", "B cell", 1e-5, class_="B"),
        row("list", "recommended", "B cell 2", 1e-4, class_="B", similar="B cell"),
        row("list", "recommended", "other", 0.5, class_="B"),
        row("ranking", "differential", "B cell", 1e-9, class_="B", versus="rest", z=4.0),
        row("list", "recommended", "T cell", 0.0, class_="T", members=None),
    ])  # fmt: skip
    assert enriched_sets(table, 0.1) == [
        ("the whole list", "none."),
        ("higher in B", "B cell (A, B, C, D, ...; 3 of 9, q = 1e-05); and 1 more."),
        ("higher in T", "T cell (3 of 9, q < 1e-300)."),
    ]


def test_without_any_list_rankings_are_named():
    table = pd.DataFrame(
        [
            row("ranking", "differential", "B cell", 0.02, class_="B", versus="rest", z=4.0, members="A"),
            row("ranking", "mlp", "late", 0.01, z=-2.5, members=None),
        ]
    )
    assert enriched_sets(table, 0.1) == [
        ("ranking of B against all others", "B cell (A; q = 0.02)."),
        ("ranking of mlp", "late (q = 0.01, lower)."),
    ]
    assert enriched_sets(table.head(0), 0.1) == []

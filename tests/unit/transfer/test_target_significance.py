"""Error rates of the genes behind the labels of target samples: planted genes are found, others are not."""

import numpy as np
import pandas as pd
import pytest

from deepmapper.core.table_schemas import TARGET_FEATURES
from deepmapper.errors import InputError
from deepmapper.passes.shadows import train_shadow_pass
from deepmapper.transfer.predict import answer_for
from deepmapper.transfer.target_features import target_features
from deepmapper.transfer.target_significance import SignificanceOptions, deal_shadows

TEST = SignificanceOptions(0.1, 0.05, 10**9)


@pytest.fixture(scope="module")
def shadow_passes(study, quick):
    config = quick("linear", test_size=0.2, attribution="saliency")
    samples = study.features.development_samples
    return [train_shadow_pass(samples, config, seed, keep_weights=True) for seed in range(9)]


@pytest.fixture(scope="module")
def answered(model, newcomers):
    return answer_for(model, {"": newcomers}, new_identities=False)


def with_rates(model, found, shadow_passes, test=TEST, table=None):
    table = found.table if table is None else table
    given = [{"n_cells": len(table), "missing": []}]
    return target_features(model, found.X, table, given, 5, shadow_passes=shadow_passes, test=test)


def test_planted_genes_are_significant_and_others_are_not(model, answered, shadow_passes):
    table = with_rates(model, answered, shadow_passes)
    planted = np.arange(60) < 15
    assert table["significant"][planted].mean() > 0.9
    assert table["significant"][~planted].sum() <= 3
    assert table.loc[~planted, "p"].between(0, 1).all() and (table.loc[~planted, "p"] <= 0.05).mean() <= 0.15
    for i, name in enumerate(("B", "NK", "T")):
        own = slice(5 * i, 5 * i + 4)
        assert (table[f"z[{name}]"].loc[own] > 0).all() and (table[f"q[{name}]"].loc[own] <= 0.1).mean() >= 0.75
    assert TARGET_FEATURES.unknown(list(table.columns)) == []
    pd.testing.assert_frame_equal(table, with_rates(model, answered, shadow_passes))


def test_without_shadows_or_a_second_label_there_are_no_error_rates(model, answered, shadow_passes):
    plain = target_features(model, answered.X, answered.table, [{"n_cells": 90, "missing": []}], 5)
    assert "q" not in plain and "q" not in with_rates(model, answered, [])
    one = answered.table.assign(verdict=np.where(answered.table["label"] == "B", "assigned", "new"))
    found = with_rates(model, answered, shadow_passes, table=one)
    assert "q" not in found and found["median_importance"].notna().all()
    two = answered.table.assign(verdict="new")
    two.loc[[two.index[0], two.index[30]], "verdict"] = "assigned"
    few = with_rates(model, answered, shadow_passes, table=two)
    assert {"q", "q[B]", "q[NK]"} <= set(few) and "q[T]" not in few


def test_passes_without_weights_are_refused(model, answered, study, quick):
    light = train_shadow_pass(study.features.development_samples, quick("linear", attribution="saliency"), 0)
    with pytest.raises(InputError, match=r"has no weights.*transfer\.folds"):
        with_rates(model, answered, [light])


def test_shadows_are_of_samples_of_the_same_file_that_have_a_label():
    within, rows = np.repeat([0, 1], 20), np.arange(0, 40, 2)
    source = deal_shadows(rows, within, 4)
    assert (within[source] == within).all() and set(source[rows]) == set(rows)
    assert (source[1::2] == np.arange(1, 40, 2)).all() and (source[rows] != rows).any()
    assert np.array_equal(source, deal_shadows(rows, within, 4))
    assert not np.array_equal(source, deal_shadows(rows, within, 5))

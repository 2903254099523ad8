"""Factors of features are found whatever the composition, and removed only where they are large."""

from dataclasses import replace

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.metrics import roc_auc_score

from deepmapper.errors import DeepMapperWarning
from deepmapper.transfer.naming import name_samples
from deepmapper.transfer.predict import predict
from deepmapper.transfer.shift import SPREAD, can_align
from deepmapper.transfer.values import Gap, NewValues, Shift

from .conftest import CLASSES


def multiplied(adata, seed=3):
    """Every feature times a factor of its own; new counts are drawn."""
    rng = np.random.default_rng(seed)
    logs = rng.normal(0, 1, adata.n_vars)
    found = adata.copy()
    found.X = sp.csr_matrix(rng.poisson(adata.X.toarray() * np.exp(logs)), dtype=np.float32)
    return found, logs


def test_a_file_with_factors_of_its_own_is_aligned(model, make_counts):
    target, logs = multiplied(make_counts([*["B"] * 60, *["NK"] * 50, *["T"] * 50], 7))
    plain = predict(model, target, label_column="type", align=False)
    table = predict(model, target, label_column="type")
    right = [(found["nearest"] == found["given"]).mean() for found in (plain, table)]
    assert right[1] > max(right[0], 0.9)
    source = table.attrs["summary"]["sources"][0]
    assert source["aligned"] and source["spread"] == pytest.approx(np.std(logs), abs=0.35)
    assert "Cells were named and judged after these factors were removed" in table.attrs["summary"]["cautions"][0]
    for found in (plain, table):
        summary = found.attrs["summary"]
        assert summary["rate_holds"] is False and summary["rate"].startswith("Rates are withheld")
    assert "p and q are those of these values" in table.attrs["summary"]["rate"]
    assert "the target had to be aligned first" in table.attrs["summary"]["statement"]
    false = [(found["p"] <= 0.05).mean() for found in (plain, table)]
    assert false[1] < false[0] / 2


def test_new_cells_are_found_after_alignment(model, make_counts):
    target, _ = multiplied(make_counts([*np.repeat(CLASSES, 40), *["new"] * 12], 7))
    plain = predict(model, target, label_column="type", align=False)
    table = predict(model, target, label_column="type")
    assert table.attrs["summary"]["sources"][0]["aligned"]
    is_new = (table["given"] == "new").to_numpy()
    assert (table["p"] <= 0.05)[is_new].mean() > 0.8
    ranks = [roc_auc_score(is_new, -found["p"]) for found in (plain, table)]
    assert ranks[1] > max(ranks[0] + 0.1, 0.9)


@pytest.mark.parametrize(
    "labels", [[*["B"] * 60, *["T"] * 6], [*np.repeat(CLASSES, 20), *["new"] * 30]], ids=["other shares", "new class"]
)
def test_other_shares_and_new_classes_are_no_factors(model, make_counts, labels):
    target = make_counts(labels, 8)
    table = predict(model, target)
    source = table.attrs["summary"]["sources"][0]
    assert not source["aligned"] and source["spread"] < SPREAD and not table.attrs["summary"]["cautions"]
    assert table.equals(predict(model, target, align=False))


def test_factors_are_left_where_the_shares_of_the_classes_differ(model, make_counts):
    target, _ = multiplied(make_counts([*["B"] * 130, *["NK"] * 15, *["T"] * 15], 7))
    table = predict(model, target)
    source = table.attrs["summary"]["sources"][0]
    assert source["spread"] > SPREAD and not source["aligned"]
    assert "labels were given to the values as they are" in table.attrs["summary"]["cautions"][-1]


def test_shares_are_followed_half_the_way_where_factors_are_left(model, make_counts):
    target, _ = multiplied(make_counts([*["B"] * 130, *["NK"] * 15, *["T"] * 15], 7))
    table, plain = predict(model, target), predict(model, target, align=False)

    usual = pd.Series(predict(model, make_counts([*np.repeat(CLASSES, 20)], 8)).attrs["summary"]["shares"])
    found, followed = (pd.Series(one.attrs["summary"]["shares"]) for one in (table, plain))
    assert followed.max() > usual.max() + 0.1
    expected = np.sqrt(usual * followed)
    assert found.to_numpy() == pytest.approx((expected / expected.sum()).to_numpy())
    assert table[["p", "q", "set"]].equals(plain[["p", "q", "set"]])


def test_samples_without_counts_have_no_part_in_the_shares(model, make_counts):
    """They are of no class; with the probabilities that networks give to nothing, other shares looked the same."""
    target, _ = multiplied(make_counts([*["B"] * 80, *["NK"] * 40, *["T"] * 40], 7))
    usual = predict(model, target)
    empty = sp.csr_matrix((300, target.n_vars), dtype=np.float32)
    obs = pd.DataFrame(index=[*target.obs_names, *(f"empty{i}" for i in range(300))])
    both = anndata.AnnData(sp.vstack([target.X, empty]).tocsr(), obs=obs, var=target.var)
    with pytest.warns(DeepMapperWarning, match="300 of 460 samples have no counts"):
        table = predict(model, both)
    assert not usual.attrs["summary"]["sources"][0]["aligned"]
    assert not table.attrs["summary"]["sources"][0]["aligned"]
    assert table["nearest"].iloc[:160].tolist() == usual["nearest"].tolist()


def test_few_samples_are_not_aligned(model, make_counts):
    target, _ = multiplied(make_counts(["B"] * 20, 9))
    source = predict(model, target).attrs["summary"]["sources"][0]
    assert source["spread"] is None and not source["aligned"]


def test_every_file_has_factors_of_its_own(model, make_counts):
    shifted, _ = multiplied(make_counts(np.repeat(CLASSES, 40), 10))
    usual = make_counts(np.repeat(CLASSES, 40), 11)
    counts = sp.vstack([shifted.X, usual.X]).toarray()
    X = sp.csr_matrix(np.log1p(counts / counts.sum(1, keepdims=True) * model.scale.median), dtype=np.float32)
    none = np.empty(0, dtype=np.int64)
    named = name_samples(NewValues(X, model, (Gap(slice(0, 120), none), Gap(slice(120, 240), none))), 0.05)
    assert named.spreads[0] > SPREAD > named.spreads[1]
    assert [shift.rows for shift in named.aligned.values.shifts] == [slice(0, 120)]


def test_only_logarithms_can_be_aligned(model):
    X = np.ones((60, len(model.features)), dtype=np.float32)
    assert can_align(NewValues(X, model))
    assert not can_align(NewValues(X - 2, model))
    assert not can_align(NewValues(X, replace(model, scale=replace(model.scale, method="none", is_integer=True))))


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix])
def test_values_are_divided_and_samples_keep_their_totals(model, form):
    rng = np.random.default_rng(0)
    counts = rng.poisson(1.0, (7, len(model.features))).astype(np.float32)
    logs = rng.normal(size=counts.shape[1])
    values = NewValues(form(np.log1p(counts)), model, shifts=(Shift(slice(2, 6), logs),))
    blocks = [block.toarray() if sp.issparse(block) else block for block in values.blocks()]
    found = np.expm1(np.concatenate(blocks).astype(np.float64))
    np.testing.assert_allclose(found[[0, 1, 6]], counts[[0, 1, 6]], atol=1e-5)
    np.testing.assert_allclose(found.sum(1), counts.sum(1), rtol=1e-5)
    expected = counts[3] / np.exp(logs)
    np.testing.assert_allclose(found[3], expected * counts[3].sum() / expected.sum(), rtol=1e-4, atol=1e-5)
    taken = values.take(np.array([3, 6]))
    taken = taken.toarray() if sp.issparse(taken) else taken
    np.testing.assert_allclose(np.expm1(taken.astype(np.float64)), found[[3, 6]], rtol=1e-5, atol=1e-6)

"""Confounders: collected, turned into numbers, taken out, judged alone."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from deepmapper.confounders import (
    CELL_CYCLE,
    Design,
    confounder_columns,
    judge_alone,
    make_design,
    residualise,
    score_genes,
)
from deepmapper.errors import DeepMapperWarning, InputError


@pytest.fixture
def obs():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"batch": ["a", "b", "c", "a", "b", "c"] * 10, "age": rng.normal(50, 9, 60), "male": [True, False] * 30}
    )


def test_categories_become_indicators_and_numbers_stay(obs):
    design = make_design(obs)
    assert design.names == ("batch=b", "batch=c", "age", "male=True")
    np.testing.assert_allclose(design.values.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(design.values.std(0), 1)
    assert np.corrcoef(design.values[:, 2], obs["age"])[0, 1] == pytest.approx(1)


def test_a_constant_column_is_left_out_and_said(obs):
    with pytest.warns(DeepMapperWarning, match="'site' has the same value"):
        design = make_design(obs[["age"]].assign(site="x"))
    assert design.names == ("age",)


def test_no_column_makes_an_empty_design(obs):
    design = make_design(obs[[]])
    assert design.values.shape == (60, 0)


@given(st.integers(0, 1000), st.integers(1, 4))
def test_residuals_are_free_of_every_confounder(seed, q):
    rng = np.random.default_rng(seed)
    C = rng.normal(size=(50, q))
    X = (rng.normal(size=(50, 7)) + C @ rng.normal(size=(q, 7))).astype(np.float32)
    left = residualise(X, C)
    assert left.dtype == np.float32
    np.testing.assert_allclose(C.T @ (left - left.mean(0)), 0, atol=1e-3)
    np.testing.assert_allclose(residualise(left, C), left, atol=1e-4)


def test_residuals_keep_the_mean_fit_on_rows_and_take_sparse():
    rng = np.random.default_rng(1)
    C, X = rng.normal(size=(40, 2)), rng.poisson(1.0, (40, 5)).astype(np.float32)
    rows = np.arange(25)
    left = residualise(X, C, rows)
    np.testing.assert_allclose(residualise(sp.csr_matrix(X), Design(C, ("a", "b")), rows), left)
    changed = X.copy()
    changed[30:] += 5
    np.testing.assert_allclose(residualise(changed, C, rows)[:25], left[:25])
    centred = C[rows] - C[rows].mean(0)
    np.testing.assert_allclose(centred.T @ left[rows], 0, atol=1e-3)


def test_computed_columns(obs):
    counts = sp.random(60, 30, 0.4, format="csr", random_state=0)
    found = confounder_columns(obs, ["age", "depth", "detected"], counts=counts)
    assert list(found) == ["age", "depth", "detected"]
    np.testing.assert_allclose(found["depth"], np.log1p(np.asarray(counts.sum(1)).ravel()))
    np.testing.assert_array_equal(found["detected"], (counts.toarray() > 0).sum(1))
    dense = confounder_columns(obs, ["detected"], counts=counts.toarray())
    np.testing.assert_array_equal(found["detected"], dense["detected"])


def test_a_column_of_the_samples_stands_before_what_is_computed(obs):
    assert (confounder_columns(obs.assign(depth=7.0), ["depth"])["depth"] == 7).all()


def test_cell_cycle_scores_tell_cycling_cells():
    rng = np.random.default_rng(0)
    sets = {"s_score": CELL_CYCLE["s_score"][:20], "g2m_score": CELL_CYCLE["g2m_score"][:20]}
    names = [*sets["s_score"], *(gene.title() for gene in sets["g2m_score"]), *(f"gene{i}" for i in range(200))]
    X = rng.poisson(1.0, (80, 240)).astype(np.float32)
    X[:20, :20] += 1
    X[20:40, 20:40] += 1
    obs = pd.DataFrame(index=[f"c{i}" for i in range(80)])
    found = confounder_columns(obs, ["cell_cycle"], X=X, names=names)
    assert list(found) == ["s_score", "g2m_score"]
    assert found["s_score"][:20].mean() > 0.7 > 0.2 > abs(found["s_score"][40:].mean())
    assert found["g2m_score"][20:40].mean() > 0.7 > 0.2 > abs(found["g2m_score"][40:].mean())
    sparse = confounder_columns(obs, ["cell_cycle"], X=sp.csr_matrix(X), names=names)
    np.testing.assert_allclose(sparse.to_numpy(), found.to_numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("requested", "given_", "message"),
    [
        (["site"], {}, "'site': expected a column of the samples"),
        (["depth"], {}, "computed from `counts`"),
        (["cell_cycle"], {"X": np.ones((60, 3)), "names": ["a", "b", "c"]}, "0 of 43 genes of the set"),
    ],
)
def test_what_cannot_be_collected_is_refused(obs, requested, given_, message):
    with pytest.raises(InputError, match=message):
        confounder_columns(obs, requested, **given_)


def test_missing_infinite_and_too_many_values_are_refused(obs):
    obs.loc[3, "age"] = np.nan
    with pytest.raises(InputError, match=r"age \(1\)"):
        confounder_columns(obs, ["age"])
    with pytest.raises(InputError, match="'age' holds 1 value"):
        make_design(obs[["age"]])
    with pytest.raises(InputError, match="Is it a name of samples"):
        make_design(pd.DataFrame({"cell": [f"c{i}" for i in range(60)]}))


def test_no_controls_are_refused():
    with pytest.raises(InputError, match="leaves no control genes"):
        score_genes(np.ones((4, 3), dtype=np.float32), ["a", "b", "c"], ["a", "b", "c"])


def test_alone_tells_a_confounder_from_noise():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    telling = judge_alone(Design((y + rng.normal(0, 0.6, 200))[:, None] - 0.5, ("depth",)), y)
    noise = judge_alone(Design(rng.normal(size=(200, 1)), ("noise",)), y)
    none = judge_alone(Design(np.zeros((200, 0)), ()), y)
    assert telling.macro_auc_low > 0.7 and telling.accuracy > 0.7 > telling.majority_accuracy
    assert noise.macro_auc_low < 0.5 < noise.macro_auc_high
    assert none.macro_auc == 0.5 and none.accuracy == none.majority_accuracy
    assert judge_alone(Design(np.zeros((200, 0)), ()), y) == none


def test_alone_keeps_groups_whole():
    rng = np.random.default_rng(0)
    donor = np.repeat(np.arange(10), 20)
    y = donor % 2
    marks = Design(np.eye(10)[donor] + rng.normal(0, 0.01, (200, 10)), tuple(f"donor={i}" for i in range(10)))
    assert judge_alone(marks, y).accuracy > 0.95
    assert judge_alone(marks, y, groups=donor).accuracy < 0.7

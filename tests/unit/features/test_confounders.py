"""Confounders: columns of the samples, or computed from the matrix."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from deepmapper.errors import InputError
from deepmapper.features.confounders import CELL_CYCLE, confounder_columns, score_genes


@pytest.fixture
def obs():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"batch": ["a", "b", "c", "a", "b", "c"] * 10, "age": rng.normal(50, 9, 60), "male": [True, False] * 30}
    )


def test_computed_columns(obs):
    counts = sp.random(60, 30, 0.4, format="csr", random_state=0)
    found = confounder_columns(obs, ["age", "depth", "detected"], counts=counts)
    assert list(found) == ["age", "depth", "detected"]
    np.testing.assert_allclose(found["depth"], np.log1p(np.asarray(counts.sum(1)).ravel()))
    np.testing.assert_array_equal(found["detected"], (counts.toarray() > 0).sum(1))
    dense = confounder_columns(obs, ["detected"], counts=counts.toarray())
    np.testing.assert_array_equal(found["detected"], dense["detected"])


def test_a_column_of_the_samples_stands_before_what_is_computed(obs):
    assert (confounder_columns(obs.assign(depth=7.5), ["depth"])["depth"] == 7.5).all()


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


def test_missing_values_are_refused(obs):
    obs.loc[3, "age"] = np.nan
    with pytest.raises(InputError, match=r"age \(1\)"):
        confounder_columns(obs, ["age"])


def test_no_controls_are_refused():
    with pytest.raises(InputError, match="leaves no control genes"):
        score_genes(np.ones((4, 3), dtype=np.float32), ["a", "b", "c"], ["a", "b", "c"])

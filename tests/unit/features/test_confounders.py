"""Confounders: collected, turned into numbers, taken out, judged alone."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from deepmapper.core.auc import auc, weighted_auc
from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.features.confounders import CELL_CYCLE, confounder_columns, score_genes
from deepmapper.features.confounding import confounder_accuracy, draw_null_strata, evaluate_confounders, evaluate_design
from deepmapper.features.design import Design, make_design, residualise
from deepmapper.features.label_permutations import shuffle_labels
from deepmapper.features.samples import Samples
from deepmapper.findings import ranking, signal_test
from deepmapper.passes.train import train_pass


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
    telling = evaluate_design(Design((y + rng.normal(0, 0.6, 200))[:, None] - 0.5, ("depth",)), y)
    noises = [evaluate_design(Design(rng.normal(size=(200, 1)), ("noise",)), y) for _ in range(9)]
    none = evaluate_design(Design(np.zeros((200, 0)), ()), y)
    assert telling.macro_auc_low > 0.7 and telling.accuracy > 0.7 > telling.majority_accuracy
    assert abs(np.median([noise.macro_auc for noise in noises]) - 0.5) < 0.05
    assert sum(noise.macro_auc_low > 0.5 for noise in noises) <= 1
    assert none.macro_auc == 0.5 and none.accuracy == none.majority_accuracy
    assert evaluate_design(Design(np.zeros((200, 0)), ()), y) == none


def test_alone_keeps_groups_whole():
    rng = np.random.default_rng(0)
    donor = np.repeat(np.arange(10), 20)
    y = donor % 2
    marks = Design(np.eye(10)[donor] + rng.normal(0, 0.01, (200, 10)), tuple(f"donor={i}" for i in range(10)))
    assert evaluate_design(marks, y).accuracy > 0.95
    assert evaluate_design(marks, y, groups=donor).accuracy < 0.7


def test_the_judgement_names_every_confounder_and_speaks_of_those_adjusted_for():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    columns = pd.DataFrame({"depth": y + rng.normal(0, 0.6, 200), "batch": rng.choice(["a", "b"], 200), "same": 1.0})
    told = evaluate_confounders(columns, ["depth", "batch"], y)
    by_name = {one["confounder"]: one for one in told["alone"]}
    assert list(by_name) == ["depth", "batch", "same", "all together"]
    assert [by_name[name]["adjusted"] for name in by_name] == [True, True, False, True]
    assert by_name["depth"]["accuracy"] > 0.7 and by_name["same"]["macro_auc"] == 0.5
    accuracy = {name: f"{one['accuracy']:.2f} of 200 samples (largest class 0.5" for name, one in by_name.items()}
    said = "Adjusted for depth, batch. Together they name the class right in "
    assert told["statement"].startswith(said + accuracy["all together"])
    said = "Nothing was adjusted for. Depth alone names the class right in "
    assert evaluate_confounders(columns[["depth"]], [], y)["statement"].startswith(said + accuracy["depth"])
    assert "no confounder could be computed" in evaluate_confounders(columns[[]], [], y)["statement"]


def test_accuracy_alone_is_of_samples_that_the_fit_has_not_seen():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 400)
    design = rng.normal(size=(400, 30))  # enough noise to be learnt by heart
    train, test = np.arange(100), np.arange(100, 400)
    assert confounder_accuracy(design, y, train=train, test=test) < 0.6
    assert confounder_accuracy(design, y, train=train, test=test[:0]) < 0.65
    design[:, 0] = y
    assert confounder_accuracy(design, y, train=train, test=test) > 0.9


def test_null_strata_hold_categories_exactly_and_numbers_nearly():
    rng = np.random.default_rng(0)
    batch = np.repeat([0, 1, 2], 40)
    y = (rng.random(120) < 0.2 + 0.3 * batch).astype(np.int64)
    strata, why = draw_null_strata(make_design(pd.DataFrame({"batch": [f"b{code}" for code in batch]})).values, y)
    assert len(np.unique(strata)) == 3 and all(len(np.unique(strata[batch == code])) == 1 for code in range(3))
    assert why == "Null passes permute labels within 3 strata of equal confounders."
    depth = rng.normal(size=900)
    for y in (
        (depth + rng.normal(0, 1, 900) > 0).astype(np.int64),
        np.digitize(depth + rng.normal(0, 1, 900), [-1, 1]),
    ):
        strata, why = draw_null_strata(depth[:, None], y)
        assert len(np.unique(strata)) > 10 and "about equally probable" in why
        drawn = [shuffle_labels(y, None, np.random.default_rng(i), strata) for i in range(20)]
        real = np.corrcoef(depth, y)[0, 1]
        assert real - 0.06 < np.mean([np.corrcoef(depth, labels)[0, 1] for labels in drawn]) < real + 0.01
        for labels in drawn[:3]:
            for code in np.unique(strata):
                np.testing.assert_array_equal(np.sort(labels[strata == code]), np.sort(y[strata == code]))


def test_null_strata_lie_within_groups_or_there_are_none():
    rng = np.random.default_rng(0)
    groups, depth = np.repeat([7, 9], 200), rng.normal(size=400)
    y = (depth + rng.normal(0, 1, 400) > 0).astype(np.int64)
    strata, _ = draw_null_strata(depth[:, None], y, groups)
    assert all(len(np.unique(groups[strata == code])) == 1 for code in np.unique(strata))
    none, why = draw_null_strata(depth[:, None], (groups == 7).astype(np.int64), groups)
    assert none is None and "whole groups" in why
    none, why = draw_null_strata(depth[:20, None], y[:20])
    assert none is None and "20 samples are too few" in why


def test_a_label_that_depends_on_depth_alone_is_no_signal(quick):
    """Null passes that hold depth are as accurate as real ones; those that do not are far below."""
    rng = np.random.default_rng(1)
    depth = rng.normal(0, 0.5, 600)
    y = (rng.random(600) < 1 / (1 + np.exp(-5 * depth))).astype(np.int64)
    counts = rng.poisson(np.exp(depth)[:, None] * rng.gamma(1, 1.0, 40)).astype(np.float32)
    columns = confounder_columns(pd.DataFrame(index=range(600)), ["depth"], counts=counts)
    strata, _ = draw_null_strata(make_design(columns).values, y)
    config = quick("linear", epochs=15, attribution="saliency", attribution_samples=2)
    X = np.log1p(counts)

    def trained(seeds, codes=None, **options):
        return [train_pass(Samples(X, y, ("a", "b"), strata=codes), config, seed, **options) for seed in seeds]

    real = trained(range(4))
    held, free = (trained(range(6), codes, permute_labels=True) for codes in (strata, None))
    reached, null, plain = (np.mean([result.accuracy for result in results]) for results in (real, held, free))
    assert reached > 0.65 and abs(reached - null) < 0.04 and plain < 0.58
    findings = ranking.accumulate_passes(real, 5, 0.0)
    assert signal_test.compare_with_controls(findings, held).signal is False
    assert signal_test.compare_with_controls(findings, free).signal is True


def test_the_area_of_rows_that_count_several_times():
    rng = np.random.default_rng(0)
    for _ in range(20):
        score, positive, rows = rng.integers(0, 9, 50) / 7, rng.random(50) < 0.3, rng.integers(0, 50, 50)
        expected = auc(score[rows], positive[rows])
        assert weighted_auc(score, positive)(np.bincount(rows, minlength=50)) == expected
    assert np.isnan(weighted_auc(score, positive)(positive.astype(int)))

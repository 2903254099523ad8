"""The evidence ranking: right on planted data, the same for every matrix format, and clear about its limits."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.stats import ttest_ind
from sklearn.metrics import average_precision_score

from deepmapper.core.table_schemas import EVIDENCE
from deepmapper.core.tables import read_table, write_table
from deepmapper.evidence import values as evidence_values
from deepmapper.evidence.rank import rank_by_evidence, rank_run
from deepmapper.evidence.scores import comparisons
from deepmapper.features.prepare import prepare_features
from deepmapper.findings.feature_join import join_by_feature
from deepmapper.io.expression import Expression
from deepmapper.simulate import counts as simulate_counts

COLUMNS = EVIDENCE.names(optional=False)
OPTIONS = {"enabled": True, "draws": 4, "max_samples": 20_000}


@pytest.fixture(scope="module")
def cells():
    """1,200 cells × 2,000 genes in five classes: markers, and a module of weak genes that differ between two."""
    return simulate_counts.plant("half", 3)


def rank_cells(data, label="mixed", **options):
    y, classes = data.codes(label)
    depth = np.asarray(data.counts.sum(1)).ravel()
    return rank_by_evidence(data.counts, y, data.names, classes, depth=depth, **options)


def precision(data, table, *categories, cycle=False):
    """Area under the precision-recall curve of some genes against those that do not differ."""
    category = data.var["category"].to_numpy()
    members = np.isin(category, categories)
    rows = members | (~data.informative("mixed") & (cycle | (category != "cycle")))
    return average_precision_score(members[rows], table["evidence"].fillna(-1e9)[rows])


def test_weak_genes_that_belong_together_are_found_among_thousands(cells):
    table, summary = rank_cells(cells)
    y, _ = cells.codes("mixed")
    values = cells.log_normalised().toarray()
    best = np.max([np.abs(ttest_ind(values[y == a], values[y == b]).statistic) for a in range(5) for b in range(a)], 0)
    single = precision(cells, table.assign(evidence=np.nan_to_num(best)), "module")
    together = precision(cells, table, "module")
    assert precision(cells, table, "marker_A", "marker_B", "marker_C") > 0.99
    assert together > 0.5 and together > single + 0.15
    assert summary["n_compared"] == 2000 and len(summary["comparisons"]) == 10
    assert abs(summary["dispersion"] - simulate_counts.PRESETS["half"].dispersion) < 0.05
    assert summary["statement"].endswith("A ranking without an error rate.")


def test_a_marker_is_between_its_lineage_and_another(cells):
    table, _ = rank_cells(cells)
    _, classes = cells.codes("mixed")
    marker = cells.genes("marker_A")
    first = table.loc[marker].sort_values("evidence_rank").head(5)
    # the lineage's classes are those in which a marker is higher
    y, _ = cells.codes("mixed")
    values = cells.log_normalised()
    for place, row in first.iterrows():
        mean = [values[y == c][:, place].mean() for c in range(len(classes))]
        higher, lower = row["evidence_between"].split(" > ")
        assert mean[classes.index(higher)] > mean[classes.index(lower)]


def test_shuffled_labels_rank_no_genes_high(cells):
    y, classes = cells.codes("mixed")
    shuffled = np.random.default_rng(0).permutation(y)
    depth = np.asarray(cells.counts.sum(1)).ravel()
    table, _ = rank_by_evidence(cells.counts, shuffled, cells.names, classes, depth=depth)
    chance = len(cells.genes("module")) / 2000
    assert precision(cells, table, "module") < chance + 0.06
    assert table["evidence"].max() < np.log(20)  # no gene is much more likely a feature than a shadow


def test_t_is_that_of_welch_where_there_are_many_samples():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [400, 600])
    X = rng.normal(size=(1000, 40)) * (1 + y[:, None]) + 0.2 * y[:, None] * (np.arange(40) < 10)
    table, _ = rank_by_evidence(X, y, list(range(40)), ["low", "high"])
    expected = ttest_ind(X[y == 1], X[y == 0], equal_var=False).statistic
    np.testing.assert_allclose(table["evidence_t"], np.abs(expected), rtol=0.02, atol=0.01)
    assert list(table["evidence_between"] == "high > low") == list(expected > 0)


def test_backing_is_the_correlation_within_classes_without_the_features_own_share():
    rng = np.random.default_rng(1)
    n, y = 2000, np.arange(2000) % 2
    hidden = rng.normal(size=n)
    X = rng.normal(size=(n, 30))
    X[:, :10] += 0.5 * hidden[:, None] + 0.4 * y[:, None]  # correlate and differ
    X[:, 10] += 0.4 * y  # differs alone
    X[:, 11] += 0.5 * hidden  # correlates with them and does not differ
    table, _ = rank_by_evidence(X, y, list(range(30)), ["a", "b"])
    assert table["evidence_backing"][:10].min() > 10
    assert abs(table["evidence_backing"][10]) < 4
    assert table["evidence_rank"][:10].max() < table["evidence_rank"][10] <= 11
    # a correlated feature is raised, but by no more than its own t
    assert abs(table["evidence_backing"][11]) > 5
    assert table["evidence_rank"][11] > 11


@pytest.mark.parametrize("convert", [sp.csr_matrix, sp.csc_matrix, sp.csr_array, lambda X: X.toarray()])
def test_every_matrix_format_gives_the_same_ranking(cells, convert):
    y, classes = cells.codes("mixed")
    depth = np.asarray(cells.counts.sum(1)).ravel()
    expected, _ = rank_cells(cells)
    table, _ = rank_by_evidence(convert(cells.counts), y, cells.names, classes, depth=depth)
    pd.testing.assert_frame_equal(table, expected)


def test_the_size_of_blocks_changes_nothing_but_rounding(cells, monkeypatch):
    expected, _ = rank_cells(cells)
    monkeypatch.setattr(evidence_values, "VALUES_AT_ONCE", 1200 * 7)
    table, _ = rank_cells(cells)
    np.testing.assert_allclose(table["evidence"], expected["evidence"], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(table["evidence_t"], expected["evidence_t"], rtol=1e-4, atol=1e-4)


def test_ranking_twice_gives_the_same_and_more_shadows_nearly_the_same(cells):
    first, again, other = rank_cells(cells)[0], rank_cells(cells)[0], rank_cells(cells, draws=9)[0]
    pd.testing.assert_frame_equal(first, again)
    assert not first["evidence"].equals(other["evidence"])
    assert first["evidence"].corr(other["evidence"], method="spearman") > 0.9


def test_a_feature_that_follows_a_confounder_is_not_ranked_for_it():
    rng = np.random.default_rng(3)
    n, y = 800, np.arange(800) % 2
    batch = (rng.random(n) < np.where(y == 1, 0.8, 0.2)).astype(float)
    X = rng.normal(size=(n, 50))
    X[:, :5] += 2 * batch[:, None]
    X[:, 5] += 0.5 * y
    plain, _ = rank_by_evidence(X, y, list(range(50)), ["a", "b"])
    adjusted, summary = rank_by_evidence(X, y, list(range(50)), ["a", "b"], design=batch[:, None])
    assert plain["evidence_rank"][:5].max() <= 6
    assert adjusted["evidence_rank"][5] == 1 and adjusted["evidence_t"][:5].max() < 4
    assert summary["adjusted"] is True


def test_each_of_many_classes_is_compared_with_the_others():
    rng = np.random.default_rng(4)
    y = np.arange(1400) % 14
    X = rng.normal(size=(1400, 60))
    X[y == 3, 7] += 3
    names = [f"type {i}" for i in range(14)]
    table, summary = rank_by_evidence(X, y, list(range(60)), names)
    assert len(summary["comparisons"]) == 14 and summary["comparisons"][3] == "type 3 against the others"
    assert table.sort_values("evidence_rank").iloc[0][["feature", "evidence_between"]].tolist() == [
        7,
        "type 3 > the others",
    ]


def test_few_samples_give_finite_numbers_and_one_class_with_one_other_sample_none():
    rng = np.random.default_rng(5)
    counts = rng.negative_binomial(5, 0.01, size=(6, 300)).astype(np.float32)
    counts[3:, 0] *= 12
    y = np.array([0, 0, 0, 1, 1, 1])
    table, _ = rank_by_evidence(counts, y, list(range(300)), ["wt", "ko"], depth=counts.sum(1))
    assert np.isfinite(table[["evidence", "evidence_t", "evidence_backing"]].to_numpy()).all()
    assert table["evidence_rank"][0] <= 30  # of 300, with three samples a class
    empty, summary = rank_by_evidence(counts, np.array([0, 0, 0, 0, 0, 1]), list(range(300)), ["wt", "ko"])
    assert empty["evidence"].isna().all() and "fewer than two classes" in summary["statement"]


def test_constant_features_and_too_few_of_them():
    rng = np.random.default_rng(6)
    y, X = np.arange(60) % 2, rng.normal(size=(60, 20))
    X[:, 4] = 7.0
    table, _ = rank_by_evidence(X, y, list(range(20)), ["a", "b"])
    assert table["evidence_t"][4] == 0 and np.isfinite(table["evidence"]).all()
    table, summary = rank_by_evidence(X[:, :3], y, list(range(3)), ["a", "b"])
    assert table["evidence"].isna().all() and "to be compared" in summary["statement"] and len(table) == 3


def test_a_class_without_samples_is_left_out():
    rng = np.random.default_rng(7)
    y = np.arange(90) % 2 * 2  # no sample of class 1
    table, summary = rank_by_evidence(rng.normal(size=(90, 20)), y, list(range(20)), ["a", "b", "c"])
    assert summary["comparisons"] == ["a against c"] and table["evidence"].notna().all()


def test_a_class_of_one_sample_is_not_compared():
    rng = np.random.default_rng(8)
    y = np.append(np.arange(90) % 2, 2)
    table, summary = rank_by_evidence(rng.normal(size=(91, 20)), y, list(range(20)), ["a", "b", "c"])
    assert summary["comparisons"] == ["a against b"] and np.isfinite(table["evidence"]).all()


@pytest.fixture(scope="module")
def run(cells):
    y, classes = cells.codes("mixed")
    obs = pd.DataFrame({"state": np.array(classes)[y]}, index=[f"cell{i}" for i in range(len(y))])
    expression = Expression(sp.csr_matrix(cells.counts, dtype=np.float32), obs, pd.DataFrame(index=list(cells.names)))
    return expression, prepare_features(expression, label_column="state", split_scheme="fixed")


def test_a_run_is_ranked_on_the_counts_of_its_development_part_only(run):
    expression, features = run
    table, summary = rank_run(features, expression, OPTIONS)
    assert summary["n_samples"] == len(features.development) == summary["n_development"]
    assert abs(summary["dispersion"] - 0.3) < 0.05
    counts = expression.X.copy().tolil()
    counts[features.test] = 99
    changed, _ = rank_run(features, Expression(counts.tocsr(), expression.obs, expression.var), OPTIONS)
    pd.testing.assert_frame_equal(table, changed)
    skipped, summary = rank_run(features, expression, OPTIONS | {"enabled": False})
    assert skipped["evidence"].isna().all() and "evidence.enabled" in summary["statement"]
    _, summary = rank_run(features, expression, OPTIONS | {"max_samples": 400})
    assert (summary["n_samples"], summary["n_development"]) == (400, len(features.development))


def test_values_without_counts_are_taken_as_they_are(run):
    expression, _ = run
    values = Expression(expression.X * 0.37, expression.obs, expression.var)
    features = prepare_features(values, label_column="state", split_scheme="fixed", normalization="none")
    table, summary = rank_run(features, None, OPTIONS)
    assert summary["dispersion"] is None and "values as they are" in summary["statement"]
    assert table["evidence"].notna().sum() == summary["n_compared"]


def test_columns_join_a_ranking_by_name_and_survive_the_file(cells, tmp_path):
    table, _ = rank_cells(cells, tested=np.arange(2000) != 5)
    assert list(table.columns) == COLUMNS
    assert table["evidence"].isna().tolist() == [i == 5 for i in range(2000)]
    write_table(table, tmp_path / "evidence.tsv")
    read = read_table(tmp_path / "evidence.tsv")
    ranking = pd.DataFrame({"rank": [1, 2, 3], "feature": [cells.names[i] for i in (9, 5, 1)]})
    joined = join_by_feature(ranking, read)
    assert joined["evidence_rank"].isna().tolist() == [False, True, False]
    assert joined["evidence_between"][0] == table["evidence_between"][9]
    assert list(join_by_feature(ranking.head(0), read).columns) == [*ranking.columns, *COLUMNS[1:]]


@pytest.mark.parametrize("n_classes", [4, 14])
def test_a_label_above_others_is_not_compared_with_those_below_it(n_classes):
    rng = np.random.default_rng(9)
    y, names = np.arange(100 * n_classes) % n_classes, [f"type {i}" for i in range(n_classes)]
    kinds = np.eye(n_classes, dtype=bool)
    kinds[3] = kinds[0] | kinds[1]  # the fourth is above the first two
    X = rng.normal(size=(len(y), 60))
    X[y == 3, 7] += 3
    _, summary = rank_by_evidence(X, y, list(range(60)), names, kinds=kinds)
    if n_classes == 4:
        pairs = [(0, 1), (0, 2), (1, 2), (2, 3)]
        assert summary["comparisons"] == [f"type {a} against type {b}" for a, b in pairs]
    assert summary["statement"].endswith("Labels above others are not compared with those below them.")
    only = np.isin(y, [0, 3])
    _, summary = rank_by_evidence(X[only], y[only], list(range(60)), names, kinds=kinds)
    assert summary["statement"].startswith("No evidence ranking: samples of any two classes may be of the same kind")


def test_the_rest_of_a_class_has_no_samples_that_may_be_of_it():
    same = np.eye(14, dtype=bool)
    same[0, 3] = same[3, 0] = True
    sides = dict(comparisons(np.arange(14), same))
    assert sides[0,] == (1, 2, *range(4, 14)) and sides[1,] == (0, *range(2, 14))
    same[5] = True
    assert (5,) not in dict(comparisons(np.arange(14), same))

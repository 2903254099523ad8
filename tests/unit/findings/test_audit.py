"""The filtering audit: the same choices as scanpy, the findings they lose, and a reason where a filter fails."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from deepmapper.core import blocks
from deepmapper.core.aliases import add_aliases
from deepmapper.core.table_schemas import FEATURES
from deepmapper.core.tables import read_table, write_table
from deepmapper.features import levels
from deepmapper.features.store import Features
from deepmapper.findings import filters
from deepmapper.findings.audit import CHOICES, audit_features, audit_findings, audit_run, chord_members
from deepmapper.findings.feature_join import join_by_feature
from deepmapper.findings.statistics import variable_features

FLAVOURS = ["hvg_seurat", "hvg_seurat_v3", "hvg_cell_ranger"]


def ranks_of(counts, estimated=False):
    """Ranks by the variance of counts, as the audit takes them."""
    return variable_features(counts, [f"g{i}" for i in range(counts.shape[1])], estimated=estimated)


@pytest.fixture(scope="module")
def cells():
    """300 cells × 2400 genes: 100 that differ tenfold between two states, a group that varies together, flat ones."""
    rng = np.random.default_rng(0)
    n, p = 300, 2400
    rate = np.tile(rng.gamma(1.0, 1.0, p) + 0.3, (n, 1))
    rate[: n // 2, :100] *= 10
    rate[:, 100:140] *= np.exp(rng.normal(0, 1, (n, 1)))
    counts = rng.poisson(rate).astype(np.float32)
    counts[:, 2395:] = 0  # five genes that no cell holds
    logs = np.log1p(1e4 * counts / counts.sum(1, keepdims=True)).astype(np.float32)
    return sp.csr_matrix(counts), sp.csr_matrix(logs), [f"g{i}" for i in range(p)]


@pytest.fixture(scope="module")
def audited(cells):
    counts, logs, names = cells
    return audit_features(logs, names, logarithms=True, variable=ranks_of(counts))


def test_every_flavour_keeps_about_2000_and_what_varies_most(audited):
    table, notes = audited.table, audited.notes
    assert list(table.columns) == ["feature", *CHOICES]
    for flavour in FLAVOURS:
        kept = table[flavour]
        assert 1990 <= kept.sum() <= 2010, notes[flavour]
        assert kept[:140].mean() > 0.95
        assert not kept[2395:].any()  # no flavour keeps what no cell has
        assert notes[flavour] == f"{kept.sum()} of 2400 features are kept"


def test_the_flavours_are_those_of_scanpy(cells, audited):
    import anndata
    import scanpy

    counts, logs, _ = cells
    for flavour, matrix in (("seurat", logs), ("seurat_v3", counts), ("cell_ranger", logs)):
        adata = anndata.AnnData(matrix[:, :2395].copy())
        adata.uns["log1p"] = {"base": None}
        chosen = scanpy.pp.highly_variable_genes(adata, n_top_genes=2000, flavor=flavour, inplace=False)
        expected = chosen["highly_variable"].to_numpy()
        assert (audited.table[f"hvg_{flavour}"][:2395].to_numpy(dtype=bool) == expected).all()


@pytest.mark.parametrize("seed", range(3))
def test_in_blocks_and_for_some_rows_the_flavours_are_those_of_scanpy(monkeypatch, seed):
    import anndata
    import scanpy

    rng = np.random.default_rng(seed)
    n, p = 500, 4000
    rate = rng.gamma(0.3, 1.0, (1, p)) * rng.gamma(2.0, 0.5, (n, 1)) * rng.gamma(rng.uniform(0.2, 5, p), 1.0, (n, p))
    counts = rng.poisson(rate).astype(np.float32)
    logs = sp.csr_matrix(np.log1p(1e4 * counts / np.maximum(counts.sum(1, keepdims=True), 1)).astype(np.float32))
    counts, rows = sp.csr_matrix(counts), np.arange(seed, n, 2)
    monkeypatch.setattr(blocks, "VALUES_AT_ONCE", 10_000)
    taken = blocks.MappedRows(counts, rows, lambda block, _: block)
    names = [f"g{i}" for i in range(p)]
    made = audit_features(logs, names, rows=rows, logarithms=True, variable=ranks_of(taken))
    table, notes = made.table, made.notes
    detected = np.asarray(counts[rows].sum(0)).ravel() > 0
    assert 2500 < detected.sum() < p
    for flavour, matrix in (("seurat", logs), ("seurat_v3", counts), ("cell_ranger", logs)):
        adata = anndata.AnnData(matrix[rows][:, detected].copy())
        adata.uns["log1p"] = {"base": None}
        chosen = scanpy.pp.highly_variable_genes(adata, n_top_genes=2000, flavor=flavour, inplace=False)
        found = table[f"hvg_{flavour}"].to_numpy(dtype=bool)
        np.testing.assert_array_equal(found[detected], chosen["highly_variable"].to_numpy(), notes[f"hvg_{flavour}"])
        assert not found[~detected].any()


def test_components_hold_what_varies_together_and_not_what_varies_alone(audited):
    share = audited.table["pca_50"]
    assert share[:140].min() > 0.4
    assert share[140:2395].median() < 0.3
    assert share[2395:].isna().all()  # constant: there is no variance to share
    assert share.dropna().between(0, 1).all()
    assert "of 2400 features have less than 10 % of their variance" in audited.notes["pca_50"]


def test_dense_and_sparse_give_the_same(cells, audited):
    counts, logs, names = cells
    dense = audit_features(logs.toarray(), names, logarithms=True, variable=ranks_of(counts.toarray()))
    assert dense.notes == audited.notes
    pd.testing.assert_frame_equal(dense.table, audited.table, rtol=1e-3)


def test_with_no_more_than_2000_features_all_are_kept(cells):
    counts, logs, names = cells
    made = audit_features(logs[:, :700], names[:700], logarithms=True, variable=ranks_of(counts[:, :700]))
    assert made.table[FLAVOURS].all(axis=None)
    assert "700 features, no more than 2000" in made.notes["hvg_seurat"]


def test_of_many_features_that_hardly_vary_those_that_do_are_kept(cells):
    counts, logs, names = cells
    few = sp.csr_matrix(counts.toarray() * (np.arange(2400) < 900))
    made = audit_features(np.log1p(few), names, logarithms=True, variable=ranks_of(few))
    assert (made.table[FLAVOURS].sum() == 900).all()
    assert "900 of 2400 features vary" in made.notes["hvg_seurat_v3"]
    nothing = audit_features(np.zeros((20, 2400)), names, logarithms=True, variable=ranks_of(np.zeros((20, 2400))))
    assert not nothing.table[FLAVOURS].any(axis=None)


def test_few_samples_have_no_more_components_than_are_kept(cells):
    counts, logs, names = cells
    made = audit_features(logs[:12], names, logarithms=True, variable=ranks_of(counts[:12]))
    table = made.table
    varying = np.ptp(logs[:12].toarray(), axis=0) > 0
    assert (table["pca_50"][varying] == 1).all()
    assert table["pca_50"][~varying].isna().all()
    assert "12 samples of 2400 features have no more than 50 components" in made.notes["pca_50"]


def test_a_flavour_that_fails_leaves_its_column_empty_and_says_why(cells, monkeypatch):
    import skmisc.loess

    def refuse(*given, **options):
        raise ValueError("svddc failed in l2fit.\nTry a larger span.")

    counts, logs, names = cells
    monkeypatch.setattr(skmisc.loess, "loess", refuse)
    made = audit_features(logs, names, logarithms=True, variable=ranks_of(counts))
    table, notes = made.table, made.notes
    assert table["hvg_seurat_v3"].isna().all()
    assert "all samples: the loess of variance on mean failed (svddc failed in l2fit. Try" in notes["hvg_seurat_v3"]
    assert table["hvg_seurat"].notna().all()


@pytest.mark.parametrize(
    ("change", "logarithms", "column", "why"),
    [
        (lambda counts, logs: (counts, logs - 0.5), True, "hvg_seurat", "the values go down to -0.5"),
        (lambda counts, logs: (counts, counts * 9), False, "hvg_cell_ranger", "were not normalised"),
        (lambda counts, logs: (logs, logs), True, "hvg_seurat_v3", "needs counts; the matrix holds"),
        (lambda counts, logs: (-counts, logs), True, "hvg_seurat_v3", "needs counts; the values go down to -"),
        (lambda counts, logs: (None, logs), True, "hvg_seurat_v3", "needs counts; there are none"),
    ],
)
def test_values_that_a_flavour_cannot_use_are_named(cells, change, logarithms, column, why):
    counts, logs, names = cells
    counts, values = change(counts.toarray(), logs.toarray())
    variable = None if counts is None else ranks_of(counts)
    made = audit_features(values, names, logarithms=logarithms, variable=variable)
    table, notes = made.table, made.notes
    assert table[column].isna().all()
    assert why in notes[column]


def test_estimated_fragments_are_rounded_and_not_refused(cells):
    counts, logs, names = cells
    estimated = counts.copy()
    estimated.data = estimated.data + 0.2
    rounded = audit_features(logs, names, logarithms=True, variable=ranks_of(estimated, True))
    whole = audit_features(logs, names, logarithms=True, variable=ranks_of(counts))
    assert rounded.table["hvg_seurat_v3"].equals(whole.table["hvg_seurat_v3"])


def small_audit(**columns):
    names = list("abcdef")
    table = pd.DataFrame({"feature": names, "hvg_seurat": True, "hvg_seurat_v3": True, "hvg_cell_ranger": True})
    table = table.assign(pca_50=[0.9, 0.5, 0.09, 0.8, 0.7, np.nan], **columns)
    return table, dict.fromkeys(CHOICES, "as noted")


def rows_of(table, what):
    return table[table["of"] == what].set_index("choice")


def test_what_is_lost_is_counted_and_named_by_rank():
    audited, notes = small_audit(hvg_seurat=[False, True, False, True, False, True])
    ranking = pd.DataFrame({"feature": list("ecabdf"), "significant": [True, True, True, True, False, False]})
    lost = audit_findings(ranking, audited, notes, ["a", "f", "e"], 3)
    found = rows_of(lost, "significant features").loc[CHOICES["hvg_seurat"]]
    assert (found["n"], found["n_lost"], found["share_lost"], found["lost"]) == (4, 3, 0.75, "e,c,a")
    members = rows_of(lost, "chord members").loc[CHOICES["hvg_seurat"]]
    assert (members["n"], members["n_lost"], members["lost"]) == (3, 2, "e,a")
    components = rows_of(lost, "significant features").loc[CHOICES["pca_50"]]
    assert components["lost"] == "c"  # 0.09 of its variance; f, constant, is not among the four
    assert rows_of(lost, "chord members").loc[CHOICES["pca_50"], "lost"] == "f"
    named = rows_of(add_aliases(lost, {"e": "Eomes"}, ["lost"]), "significant features")
    assert named.loc[CHOICES["hvg_seurat"], "lost_alias"] == "Eomes,c,a"


def test_without_an_error_rate_the_first_features_are_used_and_the_table_says_so():
    audited, notes = small_audit(hvg_seurat=False)
    lost = audit_findings(pd.DataFrame({"feature": list("abcdef")}), audited, notes, [], 2)
    found = rows_of(lost, "first features of the ranking (no error rate)").loc[CHOICES["hvg_seurat"]]
    assert (found["n"], found["lost"]) == (2, "a,b")
    assert (rows_of(lost, "chord members")["n"] == 0).all()


def test_what_could_not_be_computed_stays_empty_with_its_reason(tmp_path):
    audited, notes = small_audit(hvg_seurat_v3=pd.array([pd.NA] * 6, dtype="boolean"))
    notes["hvg_seurat_v3"] = "the method failed"
    ranking = pd.DataFrame({"feature": list("abcdef"), "significant": True})
    write_table(audited, tmp_path / "features.tsv")
    write_table(audit_findings(ranking, read_table(tmp_path / "features.tsv"), notes, ["a"], 3), tmp_path / "audit.tsv")
    row = rows_of(read_table(tmp_path / "audit.tsv"), "significant features").loc[CHOICES["hvg_seurat_v3"]]
    assert pd.isna(row["n_lost"]) and pd.isna(row["share_lost"]) and row["note"] == "the method failed"


def test_members_of_chords_are_read_from_all_sides_each_once():
    chords = pd.DataFrame({"side_1": ["a,b", "c"], "side_2": ["c", "d"], "side_3": [np.nan, "e"]})
    assert chord_members(chords) == ["a", "b", "c", "d", "e"]
    assert chord_members(chords.head(0)) == []


def test_the_audit_is_put_beside_the_ranking_by_name():
    audited, _ = small_audit(hvg_seurat=[True, False, True, False, True, False])
    table = join_by_feature(pd.DataFrame({"feature": ["d", "a", "unknown"], "rank": [1, 2, 3]}), audited)
    assert table["hvg_seurat"].tolist()[:2] == [False, True]
    assert table["pca_50"].tolist()[:2] == [0.8, 0.9]
    assert table.loc[2, list(CHOICES)].isna().all()


def test_a_run_is_audited_on_its_development_part(cells):
    counts, logs, names = cells
    split = (np.arange(300) % 5 == 0).astype(np.uint8)
    about = {"normalization": "log1p"}
    features = Features(logs, np.arange(300) % 2, ("a", "b"), tuple(names), (), split, metadata=about)
    rows = features.development
    ranks = ranks_of(counts[rows])
    made = audit_run(features, ranks)
    expected = audit_features(logs, names, rows=rows, logarithms=True, variable=ranks)
    pd.testing.assert_frame_equal(made.table, expected.table)
    assert made.notes == expected.notes


def test_the_threshold_is_the_one_that_is_stated():
    assert filters.MIN_SHARE == 0.1
    assert "below 0.1" in FEATURES.descriptions["pca_50"]


def test_of_many_samples_some_are_drawn_with_a_note(monkeypatch):
    X, rows = sp.csr_matrix(np.ones((40, 5), dtype=np.float32)), np.arange(10, 40)
    assert levels.subsample_rows(X, rows) == (rows, "")
    monkeypatch.setattr(levels, "MAX_VALUES", 50)
    drawn, note = levels.subsample_rows(X, rows)
    assert len(drawn) == 10 and set(drawn) <= set(rows) and (np.diff(drawn) > 0).all()
    assert "10 of 30 samples" in note
    np.testing.assert_array_equal(levels.subsample_rows(X.toarray(), rows)[0], drawn)


def test_only_components_are_computed_on_drawn_samples(cells, audited, monkeypatch):
    counts, logs, names = cells
    monkeypatch.setattr(levels, "MAX_VALUES", logs.nnz // 2)
    made = audit_features(logs, names, logarithms=True, variable=ranks_of(counts))
    table, notes = made.table, made.notes
    assert table[["feature", *FLAVOURS]].equals(audited.table[["feature", *FLAVOURS]])
    assert {column for column in CHOICES if notes[column] != audited.notes[column]} == {"pca_50"}
    assert notes["pca_50"].endswith(levels.subsample_rows(logs, np.arange(300))[1])

"""What values are if not counts of whole samples: said, or refused, with what to do."""

import warnings

import numpy as np
import pytest
from scipy import sparse

from deepmapper.core.blocks import MappedRows
from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.io.matrix_stats import scan
from deepmapper.io.normalize import normalize_lazily, normalize_matrix
from deepmapper.io.value_checks import check_varies, empty_features_note, precision_note, tpm_caution, value_cautions

N, P = 40, 60
COUNTS = np.random.default_rng(0).poisson(6, (N, P)) * (np.random.default_rng(1).random((N, P)) < 0.8)
SHARES = COUNTS / COUNTS.sum(1, keepdims=True)
FEW = (np.arange(N) < 3)[:, None]
SAMPLES = [f"s{i}" for i in range(N)]


def of(X, kind=sparse.csr_matrix, n_blocks=1):
    """Statistics of a matrix, read in blocks."""
    X = kind(np.asarray(X, dtype=np.float32))
    edges = np.linspace(0, X.shape[0], n_blocks + 1).astype(int)
    return scan((slice(a, b), X[a:b]) for a, b in zip(edges[:-1], edges[1:], strict=True))


def cautions(X, method="log1p_median", names=SAMPLES, features=None, **more):
    """Cautions, which must be the same for sparse and dense matrices, whole and in blocks."""
    X = np.asarray(X)
    features = features or [f"g{i}" for i in range(X.shape[1])]
    found = [
        value_cautions(of(X, kind, n), method, names, features, **more)
        for kind in (sparse.csr_matrix, np.asarray)
        for n in (1, 7)
    ]
    assert all(one == found[0] for one in found)
    return found[0]


@pytest.mark.parametrize("X", [COUNTS, COUNTS * 20.37, COUNTS + 0.0, COUNTS * 50])
def test_counts_and_expected_counts_are_plain(X):
    assert cautions(X) == []


@pytest.mark.parametrize(("total", "name"), [(1e6, "1,000,000, as CPM or TPM"), (1e4, "10,000, as counts per 10,000")])
def test_values_scaled_to_a_common_total_are_named(total, name):
    (caution,) = cautions(SHARES * total)
    assert f"those of every sample sum to {name}" in caution
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeepMapperWarning)
        X = normalize_matrix(sparse.csr_matrix(SHARES * total), "log1p_median").toarray()
    np.testing.assert_allclose(X, np.log1p(SHARES * total), rtol=1e-4)


def test_counts_drawn_to_the_same_depth_are_counts():
    rng = np.random.default_rng(0)
    assert cautions(np.array([rng.multinomial(10_000, share) for share in SHARES])) == []


@pytest.mark.parametrize(("total", "name"), [(1, "shares"), (100, "percentages")])
def test_shares_and_percentages_need_a_fixed_scale(total, name):
    X = sparse.csr_matrix(SHARES * total)
    with pytest.raises(InputError, match=rf"sum to {total}, so they are {name}; .*normalization: log1p_cp10k"):
        normalize_matrix(X, "log1p_median")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeepMapperWarning)
        scaled = normalize_matrix(X, "log1p_cp10k").toarray()
    np.testing.assert_allclose(scaled, np.log1p(SHARES * 1e4), rtol=1e-4)
    assert f"sum to {total}, as {name} do" in cautions(SHARES * total, "log1p_cp10k")[0]


LOGS = {
    "log1p": np.log1p(SHARES * 1e4),
    "log2": np.log2(SHARES * 1e6 + 1),
    "log10": np.log10(COUNTS * 100 + 1),
    "rounded to 1 decimal": np.log2(SHARES * 1e6 + 1).round(1),
    "square roots": np.sqrt(COUNTS * 3),
}


@pytest.mark.parametrize("case", LOGS)
def test_logarithms_are_refused_with_the_line_to_set(case):
    with pytest.raises(InputError, match=r"`features: \{normalization: none\}`"):
        normalize_matrix(sparse.csr_matrix(LOGS[case]), "log1p_median")
    assert cautions(LOGS[case], "none") == []


def test_logarithms_rounded_to_whole_numbers_are_a_caution():
    rng = np.random.default_rng(0)
    (caution,) = cautions(rng.normal(9, 2, (N, 600)).round().clip(0, 16))
    assert "rounded logarithms" in caution and "`features: {normalization: none}`" in caution
    assert cautions(rng.poisson(0.3, (N, 600))) == []  # cells sequenced shallowly
    assert cautions(rng.negative_binomial(2, 0.05, (N, 600))) == []


def test_logarithms_in_some_samples_are_named():
    (caution,) = cautions(np.where(FEW, np.log1p(COUNTS), COUNTS * 60))
    assert (
        "3 samples hold small values with fractions" in caution
        and "'s0', 's1', 's2'" in caution
        and "37 whole" in caution
    )


def test_counts_in_some_samples_among_logarithms_are_named_once():
    (caution,) = cautions(np.where(FEW, COUNTS * 60, np.log1p(COUNTS)))
    assert "37 samples hold small values with fractions" in caution and "3 whole" in caution


def test_samples_of_another_depth_and_without_counts_are_named():
    X = np.where(FEW, COUNTS * 20_000, COUNTS)
    X[7] = 0
    (caution,) = cautions(X)
    assert "1 of 40 samples has no counts ('s7')" in caution
    assert "3 samples have totals more than 20 times below or above the median of" in caution
    assert cautions(np.where(FEW, COUNTS * 10, COUNTS)) == []


def test_the_depths_of_many_cells_differ_more_than_those_of_few_samples():
    many = np.tile(COUNTS, (2, 1)) + np.arange(2 * len(COUNTS))[:, None] % 7  # no copies
    deep = np.arange(len(many))[:, None] < 3
    assert cautions(np.where(deep, many * 100, many)) == []
    (caution,) = cautions(np.where(deep, many * 20_000, many))
    assert "more than 1,000 times" in caution


def test_copies_of_samples_are_named():
    X = COUNTS.copy()
    X[30], X[31], X[39] = X[4], X[5], X[4]
    for method in ("log1p_median", "none"):
        (caution,) = cautions(X, method)
        assert caution.startswith("3 samples have exactly the values of another (s4 = s30, s5 = s31, s4 = s39): ")
    groups = np.arange(N)
    groups[[30, 39]] = 4
    assert "1 sample has exactly the values of another (s5 = s31)" in cautions(X, groups=groups)[0]
    swapped = COUNTS.copy()
    swapped[30] = swapped[4][::-1]  # the same total, and as many values
    assert cautions(swapped) == []


def test_few_values_may_be_equal_by_chance():
    assert cautions(np.arange(N)[:, None] % [[2, 3, 4]] + 1) == []
    rare = np.zeros((N, 300), dtype=int)
    rare[np.arange(N), np.arange(N) % 5] = 1
    assert cautions(rare) == []


@pytest.mark.parametrize("X", [COUNTS * 0, COUNTS * 0 + 3, np.tile(COUNTS[:1], (N, 1))])
def test_a_matrix_without_differences_is_refused(X):
    with pytest.raises(InputError, match=r"all values are 0|all 40 samples have the same values"):
        check_varies(of(X))
    check_varies(of(COUNTS))
    check_varies(of(COUNTS - 5.0))


@pytest.mark.parametrize("method", ["log1p_median", "log1p_cp10k", "log1p_cpm"])
def test_a_single_feature_cannot_be_scaled(method):
    with pytest.raises(InputError, match=r"1 feature: scaling .*at least 2 features"):
        normalize_matrix(sparse.csr_matrix(COUNTS[:, :1]), method)
    assert normalize_matrix(sparse.csr_matrix(COUNTS[:, :1]), "none").shape == (N, 1)


def test_counts_that_are_not_normalised_are_a_caution():
    (caution,) = cautions(COUNTS * 10, "none")
    assert "`features: {normalization: log1p_median}`" in caution
    assert cautions(COUNTS % 3, "none") == cautions(COUNTS % 3 - 1.5, "none") == []  # genotypes, scaled values


def test_technical_features_with_most_counts_are_named():
    names = [f"ERCC-{i:05}" if i < 40 else f"g{i}" for i in range(P)]
    assert " % of all counts are those of ERCC spike-ins" in cautions(COUNTS, features=names)[0]
    names = [f"mt-Nd{i}" if i < 40 else f"g{i}" for i in range(P)]
    assert "mitochondrial genes" in cautions(COUNTS, features=names)[0]
    one = COUNTS + 2000 * (np.arange(P) == 5)
    assert "those of the feature 'g5'" in cautions(one)[0]
    assert cautions(COUNTS, features=[f"RPL{i}" if i < 20 else f"g{i}" for i in range(P)]) == []


def test_notes_on_precision_and_empty_features():
    assert precision_note(of(COUNTS)) == empty_features_note(of(COUNTS)) == ""
    assert "Counts above 16,777,216 (the largest is 3,000,000,000)" in precision_note(of([[3e9, 1], [1, 0]]))
    assert empty_features_note(of([[0, 1, 0], [0, 2, 0]])) == "2 of 3 features are 0 in every sample."


def test_tpm_that_are_logarithms_are_a_caution():
    assert "not logarithms" in tpm_caution(of(np.log1p(SHARES * 1e6)))
    assert tpm_caution(of(SHARES * 1e6)) == ""


def test_a_matrix_in_blocks_gives_the_same_statistics():
    X = sparse.csr_matrix(COUNTS * 0.5, dtype=np.float32)
    rows = np.arange(0, N, 2)
    _, stats = normalize_lazily(X, "none", rows=rows)
    whole = scan(MappedRows(X[rows], None).blocks())
    for name in ("totals", "fractional", "row_largest", "row_keys", "feature_totals", "detected"):
        np.testing.assert_array_equal(getattr(stats, name), getattr(whole, name))
    np.testing.assert_array_equal(stats.fractional, (X[rows].toarray() % 1 != 0).sum(1))

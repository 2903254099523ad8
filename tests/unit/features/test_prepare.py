"""From a matrix with labels to what every pass reads."""

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.features import prepare
from deepmapper.features.prepare import prepare_features
from deepmapper.features.splits import Scheme


@pytest.fixture
def adata():
    """60 samples × 40 features of counts, four in five of them zero; three types, twelve donors."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(5, (60, 40)) * (rng.random((60, 40)) < 0.2)
    counts[:, 0] += 1  # no sample is empty
    obs = pd.DataFrame(
        {
            "type": np.array(["T10", "T2", "B"])[np.arange(60) % 3],
            "donor": [f"d{i // 5}" for i in range(60)],
            "dose": np.arange(60) % 2,
        },
        index=[f"cell{i}" for i in range(60)],
    )
    made = anndata.AnnData(
        sp.csr_matrix(counts, dtype=np.float32), obs=obs, var=pd.DataFrame(index=[f"g{i}" for i in range(40)])
    )
    made.layers["tpm"] = sp.csr_matrix(counts * 2.5, dtype=np.float32)
    return made


def prepared(adata, **settings):
    return prepare_features(adata, **{"label_column": "type", **settings})


def test_labels_names_and_samples(adata):
    features = prepared(adata)
    assert features.classes == ("B", "T2", "T10")
    assert [features.classes[code] for code in features.y] == adata.obs["type"].tolist()
    assert features.names == tuple(adata.var_names)
    assert features.samples == tuple(adata.obs_names)
    summary = features.metadata.pop("confounders")
    assert features.metadata == {
        **{"label_column": "type", "group_column": "", "normalization": "log1p_median", "scheme": "fixed"},
        "why": "A test split of 15 of 60 samples was set aside before any pass, for the evaluation.",
    }
    assert features.groups is None
    assert summary["adjusted"] == [] and [record["confounder"] for record in summary["alone"]] == ["depth", "detected"]
    assert summary["statement"].startswith("Nothing was adjusted for. Depth alone predicts the class with accuracy 0.")
    assert features.design is None and features.strata is None and features.confounders is None


def test_the_test_split_is_stratified_and_follows_its_seed(adata):
    one, same, other = (prepared(adata, split_seed=seed) for seed in (1, 1, 2))
    assert np.bincount(one.y[one.test]).tolist() == [5, 5, 5]
    np.testing.assert_array_equal(one.split, same.split)
    assert not np.array_equal(one.split, other.split)
    assert len(prepared(adata, test_size=0.5).test) == 30


def test_of_few_samples_none_is_set_aside(adata):
    few = prepared(adata[:45].copy())
    assert len(few.test) == 0
    np.testing.assert_array_equal(few.development, np.arange(45))
    assert few.metadata["scheme"] == "repeated"
    assert few.metadata["why"].startswith("No test split was set aside: 45 samples are too few.")
    assert len(prepared(adata, split_scheme="repeated").test) == 0
    assert len(prepared(adata[:45].copy(), split_scheme="fixed").test) == 12
    assert prepared(adata[:6].copy()).metadata["scheme"] == "repeated"  # two of each class
    with pytest.raises(InputError, match=r"class 'B' \(1\): expected at least 2"):
        prepared(adata[:5].copy())


def test_the_matrix_is_normalised_sample_by_sample(adata):
    X = adata.X.toarray()
    share = X / X.sum(1, keepdims=True)
    median = np.median(X.sum(1)[prepared(adata).development])
    np.testing.assert_allclose(prepared(adata).X.toarray(), np.log1p(share * median), rtol=1e-5)
    per_10k = prepared(adata, normalization="log1p_cp10k").X.toarray()
    np.testing.assert_allclose(per_10k, np.log1p(share * 1e4), rtol=1e-5)
    np.testing.assert_array_equal(prepared(adata, normalization="none").X.toarray(), X)
    np.testing.assert_allclose(prepared(adata, normalization="log1p_tpm").X.toarray(), np.log1p(2.5 * X), rtol=1e-5)


@pytest.mark.parametrize("normalization", ["log1p_median", "log1p_cp10k", "log1p_cpm"])
def test_normalisation_looks_at_no_test_sample(adata, normalization):
    """Nothing of the test samples can reach a pass through it."""
    whole = prepared(adata, normalization=normalization)
    adata.X = sp.diags(np.where(whole.split == 0, 1, 1000)).dot(adata.X).tocsr().astype(np.float32)
    other = prepared(adata, normalization=normalization)
    np.testing.assert_array_equal(whole.X[whole.development].toarray(), other.X[whole.development].toarray())


def test_sparse_stays_sparse_and_what_is_mostly_full_becomes_dense(adata):
    assert sp.issparse(prepared(adata).X)
    adata.X = np.arange(60 * 40, dtype=np.float32).reshape(60, 40)
    dense = prepared(adata, normalization="none").X
    assert isinstance(dense, np.ndarray)
    np.testing.assert_array_equal(dense, adata.X)


def test_groups_stay_on_one_side(adata):
    features = prepared(adata, group_column="donor")
    donors = adata.obs["donor"].to_numpy()
    assert not set(donors[features.test]) & set(donors[features.development])
    assert len(np.unique(features.groups)) == 12
    assert pd.crosstab(features.groups, donors).gt(0).sum().sum() == 12  # one code a donor


def test_excluded_labels_and_unlabelled_samples_leave_the_data(adata):
    features = prepared(adata, exclude=["B"])
    assert features.classes == ("T2", "T10")
    assert len(features.y) == len(features.samples) == features.X.shape[0] == 40
    adata.obs.loc["cell0", "type"] = None
    dropped = prepared(adata, missing="drop", group_column="donor")
    assert dropped.samples[0] == "cell1"
    assert len(dropped.groups) == len(dropped.y) == 59
    np.testing.assert_array_equal(dropped.X.toarray(), prepared(adata[1:].copy()).X.toarray())


def test_the_callers_matrix_is_left_as_it_was(adata):
    before = adata.X.copy()
    prepared(adata)
    np.testing.assert_array_equal(adata.X.toarray(), before.toarray())


def test_labels_that_are_numbers_are_classes(adata):
    assert prepared(adata, label_column="dose").classes == ("0", "1")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"label_column": "typ"}, r"labels\.column: there is no column 'typ' .*its columns: type, donor, dose"),
        ({"group_column": "patient"}, r"labels\.group: there is no column 'patient'"),
        ({"exclude": ["C"]}, "exclude names 'C', which is not a label"),
        ({"exclude": ["B", "T2"]}, "found 1 class "),
        ({"normalization": "zscore"}, "normalization 'zscore' is unknown"),
        ({"group_column": "type"}, "class 'B', 'T2', 'T10' lies in a single group"),
    ],
)
def test_what_cannot_be_prepared_is_refused(adata, settings, message):
    with pytest.raises(InputError, match=message):
        prepared(adata, **settings)


def test_a_sample_without_a_label_or_a_group_is_refused_by_name(adata):
    adata.obs.loc["cell7", "donor"] = np.nan
    with pytest.raises(InputError, match=r"labels\.group: column 'donor' is empty for 1 sample.*cell7"):
        prepared(adata, group_column="donor")
    adata.obs.loc["cell9", "type"] = np.nan
    with pytest.raises(InputError, match=r"1 of 60 samples have no label \('cell9'\)"):
        prepared(adata)


def test_samples_without_a_label_need_no_group(adata):
    adata.obs["donor"] = pd.array([i // 5 for i in range(60)], dtype="Int64")
    adata.obs.loc[["cell7", "cell9"], "donor"] = pd.NA
    adata.obs.loc["cell7", "type"], adata.obs.loc["cell9", "type"] = None, "NA"
    with pytest.warns(DeepMapperWarning, match="took 'NA' once as missing"):
        features = prepared(adata, group_column="donor", missing="drop")
    assert len(features.samples) == 58 and len(np.unique(features.groups)) == 12


def test_donors_that_are_text_stay_apart_and_words_are_no_donors(adata):
    adata.obs["donor"] = [f"{1 + i // 30}.{'1' if i % 30 < 15 else '10'}" for i in range(60)]
    assert len(np.unique(prepared(adata, group_column="donor").groups)) == 4
    adata.obs.loc["cell7", "donor"] = "N/A"
    with pytest.raises(InputError, match=r"'donor' is empty for 1 sample.s. \('N/A' once: see labels.na_values\)"):
        prepared(adata, group_column="donor")
    assert len(np.unique(prepared(adata, group_column="donor", na_values=[]).groups)) == 5


def test_a_class_of_one_cell_is_refused_by_name(adata):
    adata.obs.loc["cell0", "type"] = "lonely"
    with pytest.raises(InputError, match=r"too few samples in class 'lonely' \(1\): expected at least 2"):
        prepared(adata)


def test_no_layer_of_tpm_no_normalisation_by_it(adata):
    del adata.layers["tpm"]
    with pytest.raises(InputError, match="log1p_tpm needs transcripts per million"):
        prepared(adata, normalization="log1p_tpm")


def test_confounders_are_stored_with_strata_of_the_development_part(adata):
    adata = anndata.concat([adata] * 10, index_unique="-")  # 600 samples
    asked = {"columns": ["dose", "donor"], "depth": True, "detected": True}
    features = prepared(adata, confounders=asked)
    assert list(features.confounders.columns) == ["dose", "donor", "depth", "detected"]
    assert features.design_names[:2] == ("dose=1", "donor=d1") and features.design_names[-2:] == ("depth", "detected")
    assert features.design.shape == (600, len(features.design_names))
    np.testing.assert_allclose(features.confounders["depth"], np.log1p(np.asarray(adata.X.sum(1)).ravel()), rtol=1e-6)
    assert (features.strata[features.test] == -1).all() and features.strata[features.development].min() == 0
    summary = features.metadata["confounders"]
    assert summary["types"] == "dose: 2 categories; donor: 12 categories; depth: numbers; detected: numbers"
    assert "Confounders: dose: 2 categories; donor: 12" in "\n".join(prepare.describe_features(features))
    assert summary["adjusted"] == ["dose", "donor", "depth", "detected"] and "Control passes" in summary["null"]
    assert [record["confounder"] for record in summary["alone"]] == [*summary["adjusted"], "all together"]


def test_labels_of_the_test_split_do_not_shape_the_strata(adata, monkeypatch):
    adata = anndata.concat([adata] * 10, index_unique="-")
    features = prepared(adata, confounders={"depth": True})
    split = (Scheme("fixed", "why"), features.development, features.test)
    monkeypatch.setattr(prepare, "set_test_aside", lambda *_: split)  # a split follows the labels, or it is stratified
    names = np.array(features.samples)[features.test]
    adata.obs.loc[names, "type"] = np.roll(adata.obs.loc[names, "type"].to_numpy(), 1)
    again = prepared(adata, confounders={"depth": True})
    assert (again.y != features.y).any()
    np.testing.assert_array_equal(again.strata, features.strata)
    assert again.metadata["confounders"] == features.metadata["confounders"]


@pytest.mark.parametrize(
    ("confounders", "options", "message"),
    [
        ({"columns": ["age"]}, {}, "confounder 'age': expected a column"),
        ({"depth": True}, {"normalization": "none"}, "confounders.depth: .*not counts .*such as n_counts"),
        ({"columns": ["depth"], "depth": True}, {}, "contains depth, which is also to be computed"),
        ({"cell_cycle": True}, {}, "s_score|genes"),
    ],
)
def test_confounders_that_cannot_be_had_are_refused(adata, confounders, options, message):
    adata.obs["depth"] = 1.0
    if options:
        adata.X = adata.X * 0.5
    with pytest.raises(InputError, match=message):
        prepared(adata, confounders=confounders, **options)


def test_own_genes_of_the_cell_cycle(adata):
    features = prepared(adata, confounders={"cell_cycle": True, "s_genes": ["g1", "g2"], "g2m_genes": ["g3", "g4"]})
    assert features.design_names == ("s_score", "g2m_score")


def test_the_log_says_how_many_samples_each_class_has_and_what_is_adjusted_for(adata):
    features = prepared(adata, split_scheme="fixed")
    assert features.class_sizes == {"B": 20, "T2": 20, "T10": 20}
    lines = prepare.describe_features(features)
    assert lines[0] == features.metadata["why"]
    assert "T2: 20 samples, 5 of them in the test split" in lines
    assert lines[-1].startswith(features.metadata["confounders"]["statement"])


CONFOUNDED = {"batch": np.array(["b10", "b2", "b1"])[np.arange(60) % 3]}


def test_a_confounder_equal_to_the_label_is_refused(adata):
    adata.obs = adata.obs.assign(**CONFOUNDED)
    with pytest.raises(
        InputError, match=r"'batch' determines .*\(b1: B 20; b10: T10 20; b2: T2 20\).* confounders\.columns"
    ):
        prepared(adata, confounders={"columns": ["batch"]})


def test_what_cannot_be_told_apart_is_stored_and_warned_about(adata):
    adata.obs = adata.obs.assign(**CONFOUNDED)
    adata.X = adata.X.toarray()
    adata.X[8, :30] = 3
    adata.X[7] = adata.X[8]
    with pytest.warns(DeepMapperWarning) as said:
        features = prepared(adata)
    first, second = features.metadata["cautions"]
    assert first.startswith("Nothing found here can be told apart from differences in the column 'batch'")
    assert "1 sample has exactly the values of another (cell7 = cell8)" in second
    assert {first, second} <= {str(warning.message) for warning in said}


@pytest.mark.parametrize(
    ("columns", "settings", "message"),
    [
        ({"type": np.arange(60) / 7}, {}, "60 different numbers in 60 samples .*regression is not offered"),
        ({"type": [f"s{i}" for i in range(60)]}, {}, "60 different labels in 60 samples, 60 of them once"),
        ({"donor": "d"}, {"group_column": "donor"}, "'donor' has the same value in all 60 samples"),
        ({"donor": np.arange(60) % 2}, {"group_column": "donor", "split_scheme": "repeated"}, "cannot be divided"),
        (
            {"type": [None, "B", *["T"] * 30, *["x 1"] * 28]},
            {"missing": "drop"},
            r"'B' \(1\): expected at least 2.*without a label.* do not count\. .*`labels: \{exclude: \[B\]\}`",
        ),
        ({"type": [*["only"] * 59, "B"]}, {}, "Only 1 of 2 classes would be left without these"),
    ],
)
def test_labels_and_groups_that_cannot_answer_are_refused(adata, columns, settings, message):
    adata.obs = adata.obs.assign(**columns)
    with pytest.raises(InputError, match=message):
        prepared(adata, **settings)


def test_a_group_for_every_sample_is_no_group(adata):
    adata.obs["cell"] = adata.obs_names
    with pytest.warns(DeepMapperWarning, match="a value of its own in column 'cell'"):
        features = prepared(adata, group_column="cell", confounders={"columns": ["dose"]})
    assert features.groups is None
    np.testing.assert_array_equal(features.split, prepared(adata).split)
    assert "Control passes permute labels within" in features.metadata["confounders"]["null"]

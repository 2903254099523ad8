"""Shards joined in blocks equal the study in one piece; what cannot be of one study is refused."""

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from deepmapper.core import blocks
from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.features.prepare import prepare_features
from deepmapper.io.expression import import_matrix
from deepmapper.io.join_shards import join_shards
from deepmapper.io.shared_features import LEFT_OUT


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of a few rows, so that small matrices have many."""
    monkeypatch.setattr(blocks, "VALUES_AT_ONCE", 64)


@pytest.fixture
def study():
    """60 cells × 20 genes of counts."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(3, (60, 20)) * (rng.random((60, 20)) < 0.3)
    obs = pd.DataFrame({"type": np.array(["a", "b", "c"])[np.arange(60) % 3], "age": np.arange(60)})
    obs.index = [f"cell{i}" for i in range(60)]
    X = sp.csr_matrix(counts, dtype=np.float32)
    return anndata.AnnData(X, obs=obs, var=pd.DataFrame(index=[f"g{i}" for i in range(20)]))


@pytest.fixture
def join(tmp_path):
    """Give a function that imports shards and joins them, and returns the result and the rows of every shard."""

    def run(*shards, **options):
        files = {}
        for i, shard in enumerate(shards):
            shard.write_h5ad(tmp_path / f"given{i}.h5ad")
            files[f"s{i}"] = tmp_path / f"s{i}.h5ad"
            import_matrix(files[f"s{i}"], tmp_path / f"given{i}.h5ad")
        rows = join_shards(tmp_path / "joined.h5ad", files, **options)
        return anndata.read_h5ad(tmp_path / "joined.h5ad"), rows

    return run


def test_shards_are_joined_to_the_study_that_they_are_of(study, join):
    joined, rows = join(study[:25], study[25:26], study[26:])
    assert rows == {"s0": (0, 25), "s1": (25, 26), "s2": (26, 60)}
    for part in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(joined.X, part), getattr(study.X, part))
    assert joined.X.dtype == np.float32
    assert list(joined.obs_names) == list(study.obs_names) and list(joined.var_names) == list(study.var_names)
    assert list(joined.obs["type"]) == list(study.obs["type"]) and list(joined.obs["age"]) == list(range(60))


def test_features_come_in_the_order_of_the_first_shard(study, join):
    joined, _ = join(study[:30], study[30:, ::-1])
    assert list(joined.var_names) == list(study.var_names)
    np.testing.assert_array_equal(joined.X.toarray(), study.X.toarray())
    assert joined.X.has_sorted_indices


def test_features_that_a_shard_lacks_are_left_out_and_counted(study, join):
    with pytest.warns(DeepMapperWarning, match=r"^2 of 20 features are left out.*\(s1 lacks 2\)"):
        joined, _ = join(study[:30], study[30:, 2:])
    assert list(joined.var_names) == [f"g{i}" for i in range(2, 20)]
    np.testing.assert_array_equal(joined.X.toarray(), study.X.toarray()[:, 2:])
    with pytest.warns(DeepMapperWarning, match=r"^2 of 20 features are left out"):
        features = prepare_features(joined, label_column="type")  # of whose cautions the pages of the run tell
    assert joined.uns[LEFT_OUT] in features.metadata["cautions"]
    with pytest.raises(InputError, match="matrix.shards: s1 has 9 of the 20 features of s0 .*expected shards of one"):
        join(study[:30], study[30:, 11:])


def test_a_name_in_two_shards_is_refused_or_gets_the_name_of_its_shard(study, join):
    with pytest.raises(InputError, match=r"found 5 sample names in several shards \(for example 'cell20' in s0 and s1"):
        join(study[:25], study[20:])
    with pytest.warns(DeepMapperWarning, match="the name of the shard is appended to all names in 's0', 's1'"):
        joined, _ = join(study[:25], study[20:50], study[50:], duplicate_names="make_unique")
    assert list(joined.obs_names[[0, 24, 25, 55]]) == ["cell0-s0", "cell24-s0", "cell20-s1", "cell50"]


def test_columns_of_some_shards_have_missing_values_elsewhere_but_not_the_labels(study, join):
    one, other = study[:30].copy(), study[30:].copy()
    one.obs["batch"], one.obs["sex"] = "x", pd.Categorical(["f", "m"] * 15)
    one.obs["weight"], other.obs["weight"] = pd.array([1, None] * 15, dtype="Int64"), np.arange(30)
    other.obs["age"] = [f"P{i}" for i in range(30)]
    joined, _ = join(one, other, described=["type", "other"])
    assert list(joined.obs["batch"][:30]) == ["x"] * 30 and joined.obs["batch"][30:].isna().all()
    assert list(joined.obs["sex"][:2]) == ["f", "m"] and joined.obs["sex"][30:].isna().all()
    assert list(joined.obs["age"].iloc[[0, 30]]) == ["0", "P0"]
    assert joined.obs["weight"].isna().sum() == 15 and joined.obs["weight"].iloc[59] == 29
    del other.obs["type"]
    with pytest.raises(InputError, match=r"matrix.shards: 's1' has no column 'type', .*of s1: 'age', 'weight'\)"):
        join(one, other, described=["type"])


def test_labels_are_joined_to_the_samples_of_all_shards(study, join, tmp_path):
    table = pd.DataFrame({"name": study.obs_names[::-1], "state": np.arange(60)})
    table.to_csv(tmp_path / "labels.csv", index=False)
    joined, _ = join(study[:30], study[30:], labels_table=tmp_path / "labels.csv", described=["state"])
    assert list(joined.obs["state"]) == [str(59 - i) for i in range(60)]


def test_counts_and_logarithms_are_not_joined(study, join):
    other = study[30:].copy()
    other.X = other.X.log1p()
    with pytest.raises(InputError, match="s0 holds counts .*s1 holds normalised values .*expected the same kind"):
        join(study[:30], other)


def test_one_shard_with_whole_numbers_of_another_type_is_joined(study, join):
    other = study[30:].copy()
    other.X = other.X.astype(np.int64)
    joined, _ = join(study[:30], other)
    np.testing.assert_array_equal(joined.X.toarray(), study.X.toarray())

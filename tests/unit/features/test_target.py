"""Target samples have a store of their own, and nothing else of a run depends on them."""

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.features.prepare import prepare_features
from deepmapper.features.store import open_features, write_features
from deepmapper.features.target import prepare_target, source_names
from deepmapper.io.labels import encode_labels


def made(types, seed=0, genes=40):
    rng = np.random.default_rng(seed)
    obs = pd.DataFrame({"type": types}, index=[f"cell{seed}_{i}" for i in range(len(types))])
    X = sp.csr_matrix(rng.poisson(2, (len(types), genes)), dtype=np.float32)
    return anndata.AnnData(X, obs=obs, var=pd.DataFrame(index=[f"g{i}" for i in range(genes)]))


def dense(X):
    return X.toarray() if sp.issparse(X) else np.asarray(X)


LABELS = ["A", "B", "Unlabeled", "A", None, "drop"] * 20


@pytest.fixture
def study():
    return made(LABELS)


OPTIONS = {"label_column": "type", "exclude": ["drop"], "missing": "drop", "unlabelled": ["Unlabeled"]}


def test_unlabelled_missing_and_excluded_are_three_things():
    codes, classes = encode_labels(LABELS[:6], exclude=["drop"], missing="drop", unlabelled=["Unlabeled"])
    assert classes == ["A", "B"] and codes.tolist() == [0, 1, -3, 0, -1, -1]
    codes, _ = encode_labels(LABELS[:6], exclude=["drop"], missing="unlabelled", unlabelled=["Unlabeled"])
    assert codes.tolist() == [0, 1, -3, 0, -3, -1]
    with pytest.raises(InputError, match="is in exclude and in unlabelled"):
        encode_labels(LABELS, exclude=["drop"], missing="drop", unlabelled=["drop"])
    with pytest.warns(DeepMapperWarning, match="unlabelled names 'unlabeled', .* Did you mean 'Unlabeled'"):
        encode_labels(LABELS, missing="drop", unlabelled=["unlabeled"])


def test_a_study_with_target_cells_has_the_bytes_of_one_without(study, tmp_path):
    """Test split, normalisation, confounders: everything is as if they did not exist."""
    without = study[study.obs["type"].isin(["A", "B"])].copy()
    for name, adata, options in (("with", study, OPTIONS), ("without", without, {"label_column": "type"})):
        write_features(tmp_path / name, prepare_features(adata, **options))
    files = sorted(path.name for path in (tmp_path / "with").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "without").iterdir())
    for name in files:
        assert (tmp_path / "with" / name).read_bytes() == (tmp_path / "without" / name).read_bytes(), name


def test_target_cells_are_normalised_like_the_reference(study, tmp_path):
    features = prepare_features(study, **OPTIONS)
    new = made(["A"] * 7, seed=1)
    target = prepare_target(study, features, {"data/new.h5ad": new}, **OPTIONS)
    cells = target.cells
    assert cells["source"].value_counts().to_dict() == {"reference": 20, "new": 7}
    assert cells["given"].dropna().tolist() == ["A"] * 7 and cells["domain"].tolist() == cells["source"].tolist()
    write_features(tmp_path / "target", target.features)
    stored = open_features(tmp_path / "target")
    assert (stored.y == -1).all() and len(stored.unlabelled) == 27 and stored.samples == tuple(cells["cell"])
    assert stored.metadata["sources"][1] == {"source": "new", "n_cells": 7, "n_other": 0, "missing": []}
    rows = study.obs_names.get_indexer(features.names_of(features.development))
    median = np.median(study.X.toarray()[rows].sum(1))
    counts = new.X.toarray()
    expected = np.log1p(counts * median / counts.sum(1, keepdims=True))
    np.testing.assert_allclose(dense(stored.X)[20:], expected, rtol=1e-5)


def test_missing_and_reordered_genes(study):
    features = prepare_features(study, **OPTIONS)
    new = made(["A"] * 5, seed=1)
    part = new[:, [3, 1, 2, 30, 0]].copy()
    part.var_names = ["g3", "g1", "G2x", "g30", "other"]
    with pytest.warns(DeepMapperWarning, match="new: 37 features of 40 in the ref.* missing .*; 2 other features"):
        target = prepare_target(study, features, {"new.h5ad": part}, **OPTIONS)
    rows = dense(target.features.X.to_memory())[20:]
    assert (rows[:, [1, 3, 30]] > 0).any(0).all() and not np.delete(rows, [1, 3, 30], axis=1).any()
    # a cell is scaled to the share that the reference has on these genes
    share = target.scale.share[[1, 3, 30]].sum()
    totals = np.expm1(rows[:, [1, 3, 30]]).sum(1)
    np.testing.assert_allclose(totals[totals > 0], target.scale.median * share, rtol=1e-4)


def test_names_that_are_used_twice_get_the_name_of_the_file(study):
    features = prepare_features(study, **OPTIONS)
    new = made(["A"] * 3)
    with pytest.warns(DeepMapperWarning, match="'-donor2' is appended"):
        target = prepare_target(study, features, {"x/donor2.h5ad": new}, **OPTIONS)
    assert target.cells["cell"].tolist()[-3:] == [f"cell0_{i}-donor2" for i in range(3)]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a/x.h5ad", "b/y.h5ad"], ["x", "y"]),
        (["/d/one/filtered.h5", "/d/two/filtered.h5", "z.h5"], ["one_filtered", "two_filtered", "z"]),
        (["one/outs/filtered.h5", "two/outs/filtered.h5"], ["one_outs_filtered", "two_outs_filtered"]),
        (["cells.h5ad", "cells.csv"], ["cells.h5ad", "cells.csv"]),
        (["new/reference.h5ad"], ["new_reference"]),
        (["../reference.h5ad"], ["reference.h5ad"]),
        (["cells.h5ad", "more/cells.h5ad"], ["cells.h5ad", "more_cells"]),
    ],
)
def test_every_file_has_a_name_of_its_own(paths, names):
    assert list(source_names(paths).values()) == names


def test_samples_of_files_of_one_name_keep_names_of_their_own(study):
    features, new = prepare_features(study, **OPTIONS), made(["A"] * 3, seed=1)
    with pytest.warns(DeepMapperWarning, match="'-one_f' is appended"):
        target = prepare_target(study, features, {"one/f.h5ad": new, "two/f.h5ad": new.copy()}, **OPTIONS)
    assert target.cells["cell"].is_unique and set(target.cells["source"]) >= {"one_f", "two_f"}


def test_domains_are_a_column_or_the_file(study):
    study.obs["donor"] = "d1"
    features = prepare_features(study, **OPTIONS)
    target = prepare_target(study, features, {"new.h5ad": made(["A"], seed=1)}, **OPTIONS, domain_column="donor")
    assert set(target.cells["domain"][:20]) == {"d1"} and target.cells["domain"].iloc[-1] == "new"


def test_nothing_to_name_is_refused(study):
    options = {**OPTIONS, "unlabelled": [], "exclude": ["drop", "Unlabeled"]}
    with pytest.raises(InputError, match="no sample of column 'type' is to be named"):
        prepare_target(study, prepare_features(study, **options), {}, **options)


def test_logarithms_are_refused_with_the_name_of_the_file(study):
    features = prepare_features(study, **OPTIONS)
    logs = made(["A"] * 3, seed=1)
    logs.X = np.log1p(logs.X)
    with pytest.raises(InputError, match="^new.h5ad: found .* non-integer values"):
        prepare_target(study, features, {"new.h5ad": logs}, **OPTIONS)
    log_study = study.copy()
    log_study.X = np.log1p(log_study.X)
    features = prepare_features(log_study, **OPTIONS, normalization="none")
    counts = made(["A"] * 3, seed=1)
    counts.X = counts.X * 40
    with pytest.raises(InputError, match="^new.h5ad: the values are whole numbers up to .* look like counts"):
        prepare_target(log_study, features, {"new.h5ad": counts}, **OPTIONS)


def test_a_new_file_of_other_logarithms_is_converted_to_those_of_the_study(study):
    def logs(counts, total, log=np.log1p):
        counts = counts.toarray()
        return log(counts / counts.sum(1, keepdims=True) * total).astype(np.float32)

    study.X = logs(study.X, 1e4)
    features = prepare_features(study, **OPTIONS, normalization="none")
    new, same = made(["A"] * 12, seed=1), made(["A"] * 12, seed=2)
    expected = logs(new.X, 1e4)
    new.X, same.X = logs(new.X, 1e6, lambda values: np.log2(1 + values)), logs(same.X, 1e4)
    with pytest.warns(
        DeepMapperWarning, match="^data/new.h5ad: the values were logarithms to the base 2 of counts per m"
    ):
        target = prepare_target(study, features, {"data/new.h5ad": new, "same.h5ad": same}, **OPTIONS)
    rows = dense(target.features.X.to_memory())
    np.testing.assert_allclose(rows[20:32], expected, rtol=1e-5, atol=1e-6)
    assert rows[32:].tobytes() == same.X.tobytes()
    reference, converted, unchanged = target.features.metadata["sources"]
    assert "converted to natural logarithms of counts per 10,000" in converted["units"]
    assert "units" not in reference and "units" not in unchanged


def test_domains_are_those_of_the_development_part_and_of_the_target(study):
    study.obs["donor"] = ["d1", "d2", None] * 40
    features = prepare_features(study, **OPTIONS, test_size=0.3)
    new, other = made(["A"] * 3, seed=1), made(["A"] * 2, seed=2)
    new.obs["donor"] = ["d2", "d3", "NA"]
    target = prepare_target(study, features, {"n.h5ad": new, "o.h5ad": other}, **OPTIONS, domain_column="donor")
    assert target.domains[-5:].tolist() == ["d2", "d3", None, "o", "o"]  # a file without the column is a domain
    own = target.domains[: len(features.samples)]
    expected = study.obs["donor"].reindex(list(features.samples))
    assert own[features.development].tolist() == expected.iloc[features.development].tolist()
    assert len(features.test) and (own[features.test] == None).all()  # noqa: E711
    assert prepare_target(study, features, {"n.h5ad": new}, **OPTIONS).domains is None


def test_a_reference_without_the_column_is_a_domain_if_a_new_file_has_it(study):
    features, new = prepare_features(study, **OPTIONS), made(["A"] * 3, seed=1)
    new.obs["donor"] = ["d1", "d2", "d1"]
    alone = {**OPTIONS, "unlabelled": ["nobody"], "exclude": ["drop", "Unlabeled"]}
    target = prepare_target(study, features, {"n.h5ad": new}, **alone, domain_column="donor")
    assert set(target.domains[features.development]) == {"reference"}
    assert target.domains[-3:].tolist() == ["d1", "d2", "d1"]
    with pytest.raises(InputError, match=r"labels\.domain"):  # no file has it: it may be misspelt
        prepare_target(study, features, {"n.h5ad": new}, **alone, domain_column="doner")

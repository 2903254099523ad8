"""What a prediction in Python takes, and what it says of what it cannot use."""

import warnings
from dataclasses import replace

import anndata
import numpy as np
import pandas as pd
import pytest

from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.transfer.predict import answer_for, predict, write_answer


@pytest.fixture
def cells(newcomers):
    return newcomers[:12].copy()


def test_a_backed_anndata_gives_the_same(model, cells, tmp_path):
    cells.write_h5ad(tmp_path / "new.h5ad")
    backed = anndata.read_h5ad(tmp_path / "new.h5ad", backed="r")
    pd.testing.assert_frame_equal(predict(model, backed), predict(model, cells))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"level": "0.1"}, "level is '0.1'"),
        ({"level": None}, "level is None"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": "a"}, "seed is 'a'"),
        ({"device": "gpu9"}, "device is 'gpu9': expected 'cpu'"),
    ],
)
def test_options_of_no_use_are_refused(model, cells, options, words):
    with pytest.raises(InputError, match=words):
        predict(model, cells, **options)


def test_a_gpu_that_is_not_there_is_refused(model, cells, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(InputError, match="device is 'cuda', but torch .* finds no GPU"):
        predict(model, cells, device="cuda")


@pytest.mark.parametrize("wrong", ["new.h5ad", np.ones((3, 60)), pd.DataFrame({"gene0": [1.0]}), None])
def test_what_is_no_anndata_is_refused(model, wrong):
    with pytest.raises(InputError, match=rf"adata is of type {type(wrong).__name__}: expected an AnnData"):
        predict(model, wrong)


@pytest.mark.parametrize("wrong", [None, 3])
def test_what_is_no_model_is_refused(cells, wrong):
    with pytest.raises(InputError, match=f"the model is of type {type(wrong).__name__}: expected the folder of one"):
        predict(wrong, cells)


def test_an_anndata_without_values_or_features_is_refused(model, cells):
    with pytest.raises(InputError, match="adata.X is empty"):
        predict(model, anndata.AnnData(obs=cells.obs, var=cells.var))
    with pytest.raises(InputError, match="there are no features"):
        predict(model, cells[:, :0].copy())


def test_names_that_are_used_twice_are_refused(model, cells):
    twice = cells.copy()
    twice.obs_names = ["c0", *twice.obs_names[:-1]]
    twice.obs_names = ["c0", *twice.obs_names[:-1]]
    with pytest.raises(InputError, match=r"adata.obs_names: found 1 duplicate sample name \('c0'\)"):
        predict(model, twice)
    twice = cells.copy()
    twice.var_names = ["gene1", *twice.var_names[1:]]
    with pytest.raises(InputError, match=r"adata.var_names: found 1 duplicate feature name \('gene1'\)"):
        predict(model, twice)


def test_features_that_share_a_name_are_told_apart_by_their_ids(model, cells):
    more = cells.copy()
    more.var["gene_ids"] = [f"id{i}" for i in range(more.n_vars)]
    more.var_names = [*more.var_names[:-2], "gene58", "gene58"]
    with pytest.warns(DeepMapperWarning, match="'gene58' becomes 'gene58_id58'"):
        found = predict(model, more)
    assert found.attrs["summary"]["sources"][0]["missing"] == 2
    assert list(more.var_names[-2:]) == ["gene58", "gene58"]


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("label_column", "no column 'typ' .* no given labels are compared .* Did you mean 'type'"),
        ("domain_column", "no column 'typ' .* all samples of a file count as one domain"),
    ],
)
def test_a_column_that_is_not_there_is_said(model, cells, option, words):
    with pytest.warns(DeepMapperWarning, match=words):
        predict(model, cells, **{option: "typ"})


def test_given_labels_of_which_the_model_knows_none_are_said(model, cells):
    cells.obs["number"] = np.arange(cells.n_obs) % 2
    with pytest.warns(DeepMapperWarning, match=r"None of the given labels \('0', '1'\) is a class of the model"):
        found = predict(model, cells, label_column="number")
    assert found.attrs["summary"]["agrees_with_given"] is None


def test_what_is_said_of_values_begins_with_the_file_once(model, cells):
    empty = cells.copy()
    empty.X[0] = 0
    with pytest.warns(DeepMapperWarning, match="^the matrix: 1 of 12 samples has no counts"):
        predict(model, empty)
    cells.X = cells.X.log1p()
    with pytest.raises(InputError, match="^the matrix: found .* non-integer values"):
        predict(model, cells)


def test_labels_with_slashes_are_written(model, cells, tmp_path):
    odd = replace(model, classes=("B/L", "NK", "T"), sizes={"B/L": 50, "NK": 50, "T": 50})
    found = answer_for(odd, {"": cells})
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)  # of anndata, which will refuse them
        write_answer(found, odd, tmp_path / "out")
    written = anndata.read_h5ad(tmp_path / "out/target.h5ad")
    assert list(written.obsm["deepmapper_probability"].columns) == ["B_L", "NK", "T"]
    assert "B/L" in set(written.obs["deepmapper_label"])

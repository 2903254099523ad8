"""The layer that holds counts is named where other values were read."""

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from deepmapper.errors import InputError
from deepmapper.features.prepare import prepare_features
from deepmapper.io.dataset import load_h5ad
from deepmapper.io.expression import import_matrix, open_expression
from deepmapper.io.read import read_matrix

COUNTS = np.random.default_rng(0).poisson(4, (60, 30)).astype(np.float32)
LOGS = np.log1p(COUNTS / COUNTS.sum(1, keepdims=True) * 1e4)
SCALED = (LOGS - LOGS.mean(0)) / LOGS.std(0)


def made(X=LOGS, raw=None, kind=sparse.csr_matrix, **layers):
    names = [f"g{i}" for i in range(30)]
    obs = pd.DataFrame({"state": np.array(["a", "b"])[np.arange(60) % 2]}, index=[f"s{i}" for i in range(60)])
    adata = anndata.AnnData(kind(X), obs=obs, var=pd.DataFrame(index=names))
    if raw is not None:
        adata.raw = anndata.AnnData(kind(raw), obs=obs, var=pd.DataFrame(index=names))
    for name, values in layers.items():
        adata.layers[name] = kind(values)
    return adata


def refused(tmp_path, adata, **settings):
    """Message of the rules that import the matrix and prepare the features."""
    adata.write_h5ad(tmp_path / "in.h5ad")
    import_matrix(tmp_path / "expression.h5ad", tmp_path / "in.h5ad")
    with pytest.raises(InputError) as error:
        prepare_features(open_expression(tmp_path / "expression.h5ad"), label_column="state", **settings)
    return str(error.value)


WHERE = {
    "layers['counts']": (made(counts=COUNTS), "counts"),
    "raw": (made(raw=COUNTS), "raw"),
    "a layer of another name": (made(umi=COUNTS, scaled=SCALED), "umi"),
    "a name to quote": (made(**{"raw, counts": COUNTS}), "'raw, counts'"),
    "counts before others": (made(raw=COUNTS, also=COUNTS, counts=COUNTS), "counts"),
    "raw of logarithms": (made(raw=LOGS, counts=COUNTS), "counts"),
    "by column": (made(kind=sparse.csc_matrix, counts=COUNTS), "counts"),
    "dense": (made(kind=np.asarray, counts=COUNTS), "counts"),
    "scaled values in X": (made(SCALED, kind=np.asarray, raw=LOGS, counts=COUNTS), "counts"),
    "whole numbers as float64": (made(counts=COUNTS.astype(np.float64)), "counts"),
}


@pytest.mark.parametrize("case", WHERE)
def test_the_layer_is_named_with_its_line_of_configuration(tmp_path, case):
    adata, layer = WHERE[case]
    message = refused(tmp_path, adata)
    assert f"The file holds counts in '{layer.strip(chr(39))}'" in message
    assert (
        f"set `matrix: {{layer: {layer}}}`. To use the values as they are, set `features: {{normalization: none}}`"
        in message
    )


@pytest.mark.parametrize(
    "layers", [{}, {"raw": LOGS}, {"scaled": SCALED}, {"mask": COUNTS > 3}, {"mask": (COUNTS > 3) * 1}]
)
def test_without_counts_no_layer_is_named(tmp_path, layers):
    message = refused(tmp_path, made(**layers))
    assert (
        "Set normalization to none (`features: {normalization: none}`)" in message and "holds counts in" not in message
    )


def test_counts_in_X_leave_no_trace_of_other_layers(tmp_path):
    made(COUNTS, raw=COUNTS, logs=LOGS).write_h5ad(tmp_path / "a.h5ad")
    import_matrix(tmp_path / "out.h5ad", tmp_path / "a.h5ad")
    assert not open_expression(tmp_path / "out.h5ad").uns and not read_matrix(tmp_path / "a.h5ad").uns


def test_the_layer_that_was_asked_for_is_not_named(tmp_path):
    made(COUNTS, log=LOGS).write_h5ad(tmp_path / "a.h5ad")
    assert read_matrix(tmp_path / "a.h5ad", layer="log").uns["layers_of_counts"] == ["X"]


def test_unscaled_matrices_are_named_where_the_one_that_is_read_is_scaled(tmp_path):
    made(SCALED, kind=np.asarray, raw=LOGS, counts=COUNTS, smooth=LOGS + 1, other=SCALED).write_h5ad(
        tmp_path / "a.h5ad"
    )
    import_matrix(tmp_path / "out.h5ad", tmp_path / "a.h5ad")
    for uns in (open_expression(tmp_path / "out.h5ad").uns, read_matrix(tmp_path / "a.h5ad").uns):
        named = {key: list(names) for key, names in uns.items()}
        assert named == {"layers_of_counts": ["counts"], "unscaled_layers": ["raw", "smooth"]}
    assert "unscaled_layers" not in read_matrix(tmp_path / "a.h5ad", layer="smooth").uns


def test_zarr_is_searched_like_h5ad(tmp_path):
    made(counts=COUNTS, kind=np.asarray).write_zarr(tmp_path / "a.zarr")
    import_matrix(tmp_path / "out.h5ad", tmp_path / "a.zarr")
    assert list(open_expression(tmp_path / "out.h5ad").uns["layers_of_counts"]) == ["counts"]


def test_a_damaged_layer_that_is_not_read_does_no_harm(tmp_path):
    made(counts=COUNTS, other=COUNTS, third=COUNTS).write_h5ad(tmp_path / "a.h5ad")
    with h5py.File(tmp_path / "a.h5ad", "r+") as file:
        del file["layers/counts/data"]
        del file["layers/other/data"]
        file["layers/other/data"] = np.array([b"x", b"y"])
    import_matrix(tmp_path / "out.h5ad", tmp_path / "a.h5ad")
    assert list(open_expression(tmp_path / "out.h5ad").uns["layers_of_counts"]) == ["third"]


def test_populations_name_what_all_of_them_have(tmp_path):
    made(counts=COUNTS).write_h5ad(tmp_path / "a.h5ad")
    made(counts=COUNTS, umi=COUNTS).write_h5ad(tmp_path / "b.h5ad")
    joined = read_matrix(populations=[(tmp_path / "a.h5ad", "a"), (tmp_path / "b.h5ad", "b")])
    assert list(joined.uns["layers_of_counts"]) == ["counts"]


def test_the_documented_function_says_how_to_read_it(tmp_path):
    made(counts=COUNTS).write_h5ad(tmp_path / "a.h5ad")
    with pytest.raises(InputError, match=r"holds counts in 'counts': read them with .* Pass normalize=False"):
        load_h5ad(tmp_path / "a.h5ad", "state")


def test_values_that_were_scaled_but_are_no_logarithms_are_a_caution(tmp_path):
    made(COUNTS / COUNTS.sum(1, keepdims=True) * 12_000, counts=COUNTS).write_h5ad(tmp_path / "a.h5ad")
    import_matrix(tmp_path / "out.h5ad", tmp_path / "a.h5ad")
    with pytest.warns(UserWarning):
        features = prepare_features(open_expression(tmp_path / "out.h5ad"), label_column="state")
    (caution,) = features.metadata["cautions"]
    assert "The values are not counts (9" in caution and "`matrix: {layer: counts}`" in caution

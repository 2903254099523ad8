"""Names and shapes: duplicates, empty names and empty matrices."""

import numpy as np
import pytest

from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.io.dataset import load_10x_populations, load_h5ad
from deepmapper.io.read import read_matrix


def test_duplicate_symbols_of_10x(tmp_path, toy):
    symbols = ["TP53", "MYC", "TP53", "CD3E", "MYC"]
    a, b = toy.write_10x(tmp_path / "a", genes=symbols), toy.write_10x(tmp_path / "b", genes=symbols)
    unique = ["TP53_ENSG00000", "MYC_ENSG00001", "TP53_ENSG00002", "CD3E", "MYC_ENSG00004"]
    for rule in ("refuse", "make_unique"):  # the file has ids, so what is meant is clear
        match = (
            r"2 duplicate feature names \('TP53' 2 times, 'MYC' 2 times\); made unique: 'TP53' becomes 'TP53_ENSG00000'"
        )
        with pytest.warns(DeepMapperWarning, match=match):
            toy.check(read_matrix(a, duplicate_names=rule), genes=unique)
    with pytest.warns(DeepMapperWarning, match="made unique") as caught:
        assert load_10x_populations([(a, "x"), (b, "y")]).var_names == unique
    assert len([w for w in caught if w.category is DeepMapperWarning]) == 1  # not once per population
    with pytest.raises(InputError, match="2 duplicate feature names"):
        load_10x_populations([(a, "x"), (b, "y")], duplicate_names="refuse")


def test_duplicate_names_of_h5ad(tmp_path, toy):
    path = toy.write_h5ad(tmp_path / "a.h5ad", genes=["A", "B", "A", "A", "C"])
    with pytest.raises(InputError, match=r"1 duplicate feature name \('A' 3 times\)\. Rename"):
        read_matrix(path)
    with pytest.raises(InputError, match=r"1 duplicate gene name \('A' 3 times\)"):
        load_h5ad(path, "cell_type")
    with pytest.warns(DeepMapperWarning, match="'A' becomes 'A-1'"):
        toy.check(read_matrix(path, duplicate_names="make_unique"), genes=["A", "B", "A-1", "A-2", "C"])
    with pytest.warns(DeepMapperWarning, match="made unique"):
        load_h5ad(path, "cell_type", duplicate_names="make_unique")
    with pytest.raises(InputError, match="duplicate_names is 'drop'"):
        read_matrix(path, duplicate_names="drop")

    path = toy.write_h5ad(tmp_path / "b.h5ad", cells=["x", "y", "x", "z", "u", "v"])
    with pytest.raises(InputError, match=r"1 duplicate sample name \('x' 2 times\)"):
        read_matrix(path)
    with pytest.warns(DeepMapperWarning, match="sample name .* made unique"):
        assert list(read_matrix(path, duplicate_names="make_unique").obs_names)[:3] == ["x", "y", "x-1"]
    assert load_h5ad(path, "cell_type").n_cells == 6  # a Dataset has no cell names


def test_duplicate_and_empty_names_of_a_table(tmp_path, toy):
    path = toy.write_table(tmp_path / "a.csv", columns=["A", "B", "A", "C", "D"])
    with pytest.raises(InputError, match=r"'A' 2 times"):
        read_matrix(path)
    path = toy.write_table(tmp_path / "b.csv", columns=["A", "B", " ", "C", "D"])
    with pytest.raises(InputError, match=r"1 empty feature name, the first at position 3"):
        read_matrix(path)


@pytest.mark.parametrize(
    ("X", "genes", "message"),
    [
        (np.zeros((0, 5), np.float32), list("abcde"), r"the matrix is empty \(0 samples x 5 features\)"),
        (np.zeros((6, 0), np.float32), [], r"the matrix is empty \(6 samples x 0 features\)"),
        (np.full((6, 5), "a", dtype=object), list("abcde"), "expected a matrix of numbers"),
    ],
)
def test_matrix_refused(tmp_path, X, genes, message, toy):
    with pytest.raises(InputError, match=message):
        read_matrix(toy.write_h5ad(tmp_path / "a.h5ad", X, genes))

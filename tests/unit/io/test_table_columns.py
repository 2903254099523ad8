"""Tables of numbers as spreadsheets, pandas, R, GEO and GSEA write them: what is no feature and no sample."""

import numpy as np
import pytest

from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.io.read import read_matrix


def table(toy, first=(), corner="cell", separator=",", transpose=False, columns=()):
    """The toy matrix as text, with columns (name, cells) before (`first`) and after the numbers."""
    X, rows, names = (toy.counts.T, toy.genes, toy.cells) if transpose else (toy.counts, toy.cells, toy.genes)
    lines = [separator.join([*(name for name, _ in first), corner, *names, *(name for name, _ in columns)])]
    for i, (row, values) in enumerate(zip(rows, X, strict=True)):
        cells = [str(cells[i]) for _, cells in first], [f"{v:g}" for v in values], [str(c[i]) for _, c in columns]
        lines.append(separator.join([*cells[0], row, *cells[1], *cells[2]]))
    return "\n".join(lines) + "\n"


GEO = '!Series_title\t"a"\n!Series_summary\t"it\'s "quoted""\n\n!Sample_title\t"1"\t"2"\n!series_matrix_table_begin\n'


@pytest.mark.parametrize("transpose", [True, False])
def test_series_matrix_of_geo(tmp_path, toy, transpose):
    content = GEO + table(toy, corner="ID_REF", separator="\t", transpose=True) + "!series_matrix_table_end\n"
    path = toy.write_text(tmp_path / "GSE1_series_matrix.txt.gz", content)
    if transpose:
        toy.check(read_matrix(path, transpose=True))
    else:
        with pytest.warns(DeepMapperWarning, match="is a table of GEO, with features in rows"):
            toy.check(read_matrix(path))


@pytest.mark.parametrize("description", ["na", "", "7"])
def test_gct(tmp_path, toy, description):
    lines = table(toy, corner="Description", first=[("NAME", toy.genes)], separator="\t", transpose=True).splitlines()
    lines = [lines[0], *("\t".join([line.split("\t")[0], description, *line.split("\t")[2:]]) for line in lines[1:])]
    path = toy.write_text(tmp_path / "a.gct", "#1.2\n5\t6\n" + "\n".join(lines) + "\n")
    with pytest.warns(DeepMapperWarning, match="'Description'. describes the features"):
        toy.check(read_matrix(path, transpose=True))


@pytest.mark.parametrize("corner", ["gene", "Unnamed: 0"])
@pytest.mark.parametrize("transpose", [True, False])
def test_names_beside_the_numbers_of_rows(tmp_path, toy, corner, transpose):
    path = toy.write_text(tmp_path / "a.csv", table(toy, first=[("", range(6))], corner=corner, transpose=transpose))
    with pytest.warns(DeepMapperWarning, match="only the numbers of the rows; the names were taken from column"):
        toy.check(read_matrix(path, transpose=transpose))


def test_names_beside_an_empty_column(tmp_path, toy):
    path = toy.write_text(tmp_path / "a.csv", table(toy, first=[("", [""] * 6)], corner=""))
    with pytest.warns(DeepMapperWarning, match="the first column is empty; the names were taken from column 2"):
        toy.check(read_matrix(path))


def test_classes_are_no_names(tmp_path, toy):
    lines = table(toy, columns=[("cell_type", toy.types)]).splitlines()
    lines = [lines[0], *(f"{i},{line.split(',', 1)[1]}" for i, line in enumerate(lines[1:]))]
    path = toy.write_text(tmp_path / "a.csv", "\n".join(lines) + "\n")
    with pytest.warns(DeepMapperWarning, match="describes the samples"):
        adata = read_matrix(path)
    assert list(adata.obs_names) == list("012345")
    assert list(adata.obs["cell_type"]) == toy.types


def test_an_index_that_pandas_wrote_twice_is_no_feature(tmp_path, toy):
    path = toy.write_text(tmp_path / "a.csv", table(toy, columns=[("Unnamed: 0", range(6))]))
    toy.check(read_matrix(path))


def test_numbers_about_cells_are_no_features(tmp_path, toy):
    about = [("nCount_RNA", [1000.5] * 6), ("percent.mt", [0.25] * 6), ("RNA_snn_res.0.8", [1, 2] * 3)]
    path = toy.write_text(tmp_path / "a.csv", table(toy, columns=about))
    with pytest.warns(DeepMapperWarning, match="3 columns .* describe the samples"):
        adata = read_matrix(path)
    toy.check(adata)
    assert list(adata.obs["RNA_snn_res.0.8"]) == ["1", "2"] * 3


def test_numbers_about_features_are_no_samples(tmp_path, toy):
    about = [("baseMean", [1.5] * 5), ("stat", [2] * 5), ("Length", [900] * 5), ("start", [1] * 5), ("end", [9] * 5)]
    path = toy.write_text(tmp_path / "a.csv", table(toy, transpose=True, columns=about))
    with pytest.warns(DeepMapperWarning, match="5 columns .* describe the features"):
        toy.check(read_matrix(path, transpose=True))


@pytest.mark.parametrize("separator", [",", "\t"])
def test_points_between_thousands_are_not_read_as_decimals(tmp_path, toy, separator):
    rows = [["cell", "g1", "g2"], ["a", "512", "1.230"], ["b", "12.345", "7"]]
    path = toy.write_text(tmp_path / "a.tsv", "".join(separator.join(row) + "\n" for row in rows))
    with pytest.raises(InputError, match=r"found '1\.230' beside whole numbers.*thousands"):
        read_matrix(path, format="csv" if separator == "," else "tsv")


@pytest.mark.parametrize("values", [("1.230", "7.000"), ("0", "1.230"), ("1.5", "7"), ("1.234", "7"), ("0.120", "7")])
def test_decimals_with_three_digits_are_read(tmp_path, toy, values):
    path = toy.write_text(tmp_path / "a.csv", f"cell,g1,g2\na,{','.join(values)}\nb,0,0\n")
    toy.check(read_matrix(path), np.float32([[*map(float, values)], [0, 0]]), ["g1", "g2"], ["a", "b"])

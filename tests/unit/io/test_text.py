"""Matrices and labels in .csv and .tsv: how they are read, and what is refused."""

import gzip

import numpy as np
import pytest

from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.io import text
from deepmapper.io.read import read_matrix


def labelled(toy, tmp_path, table, name="labels.csv"):
    return read_matrix(toy.write_table(tmp_path / "m.csv"), labels_table=toy.write_text(tmp_path / name, table))


@pytest.mark.parametrize(("name", "separator"), [("a.csv", ","), ("a.tsv", "\t"), ("a.txt", "\t"), ("a.csv.gz", ",")])
def test_table(tmp_path, name, separator, toy):
    toy.check(read_matrix(toy.write_table(tmp_path / name, separator)))
    toy.write_table(tmp_path / name, separator, toy.counts.T, rows=toy.genes, columns=toy.cells)
    toy.check(read_matrix(tmp_path / name, transpose=True))


def test_table_read_in_parts(tmp_path, monkeypatch, toy):
    monkeypatch.setattr(text, "TABLE_CELLS_AT_ONCE", 12)
    toy.check(read_matrix(toy.write_table(tmp_path / "a.csv")))


def test_table_from_r_and_from_a_spreadsheet(tmp_path, toy):
    path = toy.write_table(tmp_path / "a.tsv", "\t")
    path.write_text(path.read_text().replace("cell\t", "", 1))  # write.table leaves out the corner
    toy.check(read_matrix(path))
    path = toy.write_table(tmp_path / "b.csv")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    toy.check(read_matrix(path))
    path = toy.write_text(tmp_path / "c.csv", '"","a,b","NA"\n"NA",1.5,2\n"007",0,1e3\n')
    toy.check(read_matrix(path), [[1.5, 2], [0, 1000]], ["a,b", "NA"], ["NA", "007"])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.tsv", "s,g1,g2\na,1,2\n", r"found one column .* separated by commas: name it \.csv, or set format to csv"),
        ("a.csv", "s\tg1\na\t1\n", r"separated by tabs: name it \.tsv"),
        ("a.csv", "s;g1\na;1\n", "separated by semicolons: save it with commas"),
        ("a.csv", "s\na\n", "expected a column of names and at least one more"),
        ("a.csv", "\ns,g\n", "the first line is empty"),
        ("a.csv", "s,g1,g2\na,1,2\nb,3,x9\n", "row 'b', column 'g2': found 'x9', expected a number"),
        ("a.csv", "s,g1,g2\na,1,\nb,x,1\n", "row 'a', column 'g2': found ''"),
        ("a.csv", "s,g1,g2\na,NA,1\n", "row 'a', column 'g1': found 'NA'"),
        ("a.csv", "s,g1,g2\na,True,1\n", "row 'a', column 'g1': found 'True'"),
        ("a.csv", "s,g1,g2\na,1,2\nb,3\n", "row 'b', column 'g2': found ''"),
        ("a.csv", "s,g1,g2\na,1,2\nb,3,4,5\n", r"cannot be read as csv: .*Expected 3 fields in line 3, saw 4"),
        ("a.csv", "s,g1,g2\na,1,inf\n", "a\\.csv: .*\\(inf\\) in sample 'a', feature 'g2'"),
        ("a.csv", "s,g1,g2\n", "has a header, but no lines below it"),
        ("a.csv", "s,g1,g2\n,1,2\n", r"1 empty sample name, the first at position 1"),
    ],
)
def test_table_refused(tmp_path, name, text, message, toy):
    with pytest.raises(InputError, match=message):
        read_matrix(toy.write_text(tmp_path / name, text))


def test_table_that_is_not_text_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes("s,g\na,1\n".encode("utf-16"))
    with pytest.raises(InputError, match="cannot be read as text .* Save the table as plain csv text"):
        read_matrix(tmp_path / "a.csv")
    packed = gzip.compress(b"s,g\n" + bytes(np.random.default_rng(0).integers(65, 90, 100_000, dtype=np.uint8)))
    (tmp_path / "b.csv.gz").write_bytes(packed[:40_000])
    with pytest.raises(InputError, match=r"b\.csv\.gz cannot be read as csv"):
        read_matrix(tmp_path / "b.csv.gz")


def test_labels_table_joins_by_name(tmp_path, toy):
    lines = [f"{cell}\t{toy.types[i]}\t{i}\t0{i}\t{'NA' if i == 2 else i / 2}" for i, cell in enumerate(toy.cells)]
    adata = labelled(toy, tmp_path, "name\tstate\tn\tdonor\tage\n" + "\n".join(lines[::-1]), "labels.tsv")
    toy.check(adata)
    assert list(adata.obs["state"]) == toy.types
    assert adata.obs["n"].tolist() == [0, 1, 2, 3, 4, 5] and adata.obs["n"].dtype.kind == "i"
    assert adata.obs["donor"].tolist() == ["00", "01", "02", "03", "04", "05"]
    assert np.isnan(adata.obs["age"].iloc[2]) and adata.obs["age"].iloc[3] == 1.5
    adata.write_h5ad(tmp_path / "expression.h5ad")


def test_labels_table_with_more_rows_warns(tmp_path, toy):
    table = "cell,state\nextra,T\n" + "".join(f"{c},{t}\n" for c, t in zip(toy.cells, toy.types, strict=True))
    with pytest.warns(DeepMapperWarning, match=r"ignored 1 row for samples .*m\.csv \('extra'\)"):
        assert list(labelled(toy, tmp_path, table).obs["state"]) == toy.types


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("cell,state\nc0,T\nc1,B\n", r"6 of the 6 samples .* found 'c0', 'c1'"),
        ("gene,state\nTP53,T\nMYC,B\n", "'TP53', 'MYC'.*set transpose"),
        ("cell,state\ncell0-1,T\ncell0-1,B\n", r"1 sample with more than one row \('cell0-1'\)"),
        ("cell,a,a\ncell0-1,T,B\n", "expected a different name for every column"),
        ("cell,\ncell0-1,T\n", "expected a different name for every column"),
        ("cell,cell\ncell0-1,T\n", "expected a different name for every column"),
        ("cell;state\ncell0-1;T\n", "separated by semicolons: save it with commas"),
        ("cell,state\n", "has a header, but no lines below it"),
        ("cell,state\na,b,c,d\n", "the header has 2 columns, but the lines below it have 4"),
    ],
)
def test_labels_table_refused(tmp_path, table, message, toy):
    with pytest.raises(InputError, match=message):
        labelled(toy, tmp_path, table)


def test_labels_table_refused_for_other_reasons(tmp_path, toy):
    path = toy.write_h5ad(tmp_path / "a.h5ad")
    with pytest.raises(InputError, match=r"labels\.csv does not exist"):
        read_matrix(path, labels_table=tmp_path / "labels.csv")
    with pytest.raises(InputError, match=r"a\.h5ad: found the format h5ad, expected a labels table"):
        read_matrix(path, labels_table=path)
    table = toy.write_text(tmp_path / "labels.csv", "cell,cell_type\ncell0-1,B\n")
    with pytest.raises(InputError, match="labels\\.csv: .*'cell_type'\\. Rename"):
        read_matrix(path, labels_table=table)

"""Matrices and labels in .csv and .tsv: how they are read, and what is refused."""

import gzip

import anndata
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
        ("a.csv", "s\na\n", "expected a column of names and at least one more"),
        ("a.csv", "\ns,g\n", "has a header, but no lines below it"),
        ("a.csv", "s,g1,g2\na,1,2\nb,3,x9\n", "row 'b', column 'g2': found 'x9', expected a number"),
        ("a.csv", "s,g1,g2\na,1,\nb,x,1\n", "row 'a', column 'g2': found ''"),
        ("a.csv", "s,g1,g2\na,NA,1\n", "row 'a', column 'g1': found 'NA'"),
        ("a.csv", "s,g1,g2\na,NA,1\nb,2,3\n", r"found 'NA'.* write `matrix: \{empty_cells: zero\}`"),
        ("a.csv", "s,g1,g2\na,1,2\nb,TRUE,1\n", "row 'b', column 'g1': found 'TRUE'.*Write 1 for true"),
        ("a.csv", "s,g1,g2\na,TRUE,T\n", "found no column of numbers among 'g1', 'g2'"),
        ("a.csv", "s,g1,g2\na,1,2\nb,3\n", r"a\.csv line 3: has 2 cells, expected 3"),
        ("a.csv", "s,g1,g2\na,1\n", "the header has 3 columns, but the lines below it have 2"),
        ("a.csv", "s,g1,g2\na,1,2\nb,3,4,5\n", r"a\.csv line 3: has 4 cells, expected 3"),
        ("a.tsv", "s\tg1\na\t1,234\n", "found '1,234', expected a number. Write numbers without thousands sep"),
        ("a.tsv", "s\tg1\tg2\na\t1,5\t2.5\n", "Write a decimal point|Other cells have decimal commas"),
        ("a.csv", 's,g1\na,"1,5"\n', "found '1,5', expected a number. Write a decimal point"),
        ("a.csv", "s,g1\na,1D+05\n", r"found '1D\+05', expected a number. Write exponents with an E"),
        ("a.csv", "s,g1\na,1e400\n", "'1e400', expected a number. It is beyond the range|\\(inf\\) in sample 'a'"),
        ("a.csv", "s,g1,g2\na,-,1\nb,-,2\n", "row 'a', column 'g1': found '-', expected a number"),
        ("a.csv", "s,t,t,g\na,x,y,1\n", "expected a different name for each"),
        ("a.csv", "s,g1,g2\na,1,inf\n", "a\\.csv: .*\\(inf\\) in sample 'a', feature 'g2'"),
        ("a.csv", "s,g1,g2\n", "has a header, but no lines below it"),
        ("a.csv", "s,g1,g2\n,1,2\n", r"1 empty sample name, the first at position 1"),
    ],
)
def test_table_refused(tmp_path, name, text, message, toy):
    with pytest.raises(InputError, match=message):
        read_matrix(toy.write_text(tmp_path / name, text))


def said(record):
    return " ".join(str(warning.message) for warning in record)


@pytest.mark.parametrize("separator", [";", "\t", "  "])
def test_decimal_commas_are_read_and_said(tmp_path, separator):
    path = tmp_path / "a.txt"
    path.write_text("s;g1;g2\na;1,5;2\nb;0;3e1\n".replace(";", separator))
    with pytest.warns(DeepMapperWarning) as record:
        assert read_matrix(path).X.toarray().tolist() == [[1.5, 2], [0, 30]]
    assert "read commas in numbers as decimal points" in said(record)
    lines = "".join(f"a{i};1;2\n" for i in range(999))
    path.write_text(("s;g1;g2\n" + lines + "b;1,5;3\n").replace(";", separator))  # far below the first lines
    with pytest.warns(DeepMapperWarning) as record:
        assert read_matrix(path).X[-1].toarray().tolist() == [[1.5, 3]]
    assert "read commas in numbers as decimal points" in said(record)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_line_ends_and_separators_of_spreadsheets(tmp_path, toy, encoding, end):
    toy.write_table(tmp_path / "a.csv", ";", rows=[f"é{cell}" for cell in toy.cells])
    text = (tmp_path / "a.csv").read_text()
    (tmp_path / "a.csv").write_bytes(text.replace("\n", end).encode(encoding))
    with pytest.warns(DeepMapperWarning) as record:
        toy.check(read_matrix(tmp_path / "a.csv", format="csv"), cells=[f"é{cell}" for cell in toy.cells])
    assert "separated by semicolons" in said(record)
    assert ("Windows-1252" in said(record)) == (encoding == "cp1252")


def test_a_table_from_write_table_of_r(tmp_path, toy):
    quoted = [f'"{cell} x"' for cell in toy.cells]
    toy.write_table(tmp_path / "a.txt", " ", rows=quoted, columns=[f'"{gene}"' for gene in toy.genes], corner="")
    (tmp_path / "a.txt").write_text((tmp_path / "a.txt").read_text().lstrip())
    with pytest.warns(DeepMapperWarning, match="separated by blanks"):
        toy.check(read_matrix(tmp_path / "a.txt"), cells=[f"{cell} x" for cell in toy.cells])


def test_empty_cells_are_zero_if_asked(tmp_path, toy):
    path = toy.write_text(tmp_path / "a.csv", "s,g1,g2,g3\na,,2,\nb,NA,3,1\n")
    with pytest.warns(DeepMapperWarning, match="took 3 empty or missing cells as zero"):
        assert read_matrix(path, empty_cells="zero").X.toarray().tolist() == [[0, 2, 0], [0, 3, 1]]
    toy.write_text(path, "s,g1,g2\na,1,2\nb,3\n")
    with pytest.raises(InputError, match="line 3: has 2 cells, expected 3"):  # cut off, not empty
        read_matrix(path, empty_cells="zero")
    with pytest.raises(InputError, match="empty_cells is 'no'"):
        read_matrix(path, empty_cells="no")


def test_columns_of_text_describe_the_samples(tmp_path, toy):
    text = "s,type,g1,cluster,g2,treated\na,T,1,1.10,2,TRUE\nb,B,3,1.1,4,FALSE\nc,NA,5,2,6,TRUE\n"
    path = toy.write_text(tmp_path / "a.csv", text)
    with pytest.warns(DeepMapperWarning, match="2 columns .'type', 'treated'. describe the samples"):
        assert list(read_matrix(path).var_names) == ["g1", "cluster", "g2"]
    with pytest.warns(DeepMapperWarning, match="3 columns .'type', 'cluster', 'treated'. describe the samples"):
        adata = read_matrix(path, obs_columns=["cluster", "donor"])
    toy.check(adata, [[1, 2], [3, 4], [5, 6]], ["g1", "g2"], ["a", "b", "c"])
    assert adata.obs.to_dict("list") == {
        "type": ["T", "B", "NA"],
        "cluster": ["1.10", "1.1", "2"],
        "treated": ["TRUE", "FALSE", "TRUE"],
    }


def test_a_column_that_begins_as_text_and_goes_on_with_numbers_is_refused(tmp_path, toy):
    lines = "".join(f"c{i},x,1\n" for i in range(300)) + "d,5,1\n"
    with pytest.raises(InputError, match=r"row 'c0', column 'g1': found 'x', expected a number as in other rows .5"):
        read_matrix(toy.write_text(tmp_path / "a.csv", "s,g1,g2\n" + lines))


def test_rows_of_text_describe_the_samples_and_columns_of_text_the_features(tmp_path, toy):
    text = "gene,gene_id,name,s1,s2\ntype,,,T,B\ncluster,,,1.10,1.1\ng1,E1,x,1,2\ng2,E2,y,3,4\n"
    path = toy.write_text(tmp_path / "a.csv", text)
    with pytest.warns(DeepMapperWarning) as record:
        adata = read_matrix(path, transpose=True, obs_columns=["cluster"])
    assert "2 columns ('gene_id', 'name') describe the features, and were left out" in said(record)
    assert "2 rows ('cluster', 'type') describe the samples, and were not taken as features" in said(record)
    toy.check(adata, [[1, 3], [2, 4]], ["g1", "g2"], ["s1", "s2"])
    assert adata.obs.to_dict("list") == {"cluster": ["1.10", "1.1"], "type": ["T", "B"]}
    assert adata.var["gene_ids"].tolist() == ["E1", "E2"]


def test_table_that_is_not_text_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"PK\x03\x04[Content_Types].xml")
    with pytest.raises(InputError, match=r"a\.csv is an Excel workbook"):
        read_matrix(tmp_path / "a.csv")
    packed = gzip.compress(b"s,g\n" + bytes(np.random.default_rng(0).integers(65, 90, 100_000, dtype=np.uint8)))
    (tmp_path / "b.csv.gz").write_bytes(packed[:40_000])
    with pytest.raises(InputError, match=r"b\.csv\.gz: the file is damaged or incomplete"):
        read_matrix(tmp_path / "b.csv.gz")


def test_labels_table_joins_by_name(tmp_path, toy):
    lines = [f"{cell}\t{toy.types[i]}\t{i}\t0{i}\t{'NA' if i == 2 else i / 2}" for i, cell in enumerate(toy.cells)]
    adata = labelled(toy, tmp_path, "name\tstate\tn\tdonor\tage\n" + "\n".join(lines[::-1]), "labels.tsv")
    toy.check(adata)
    assert list(adata.obs["state"]) == toy.types
    assert adata.obs["n"].tolist() == ["0", "1", "2", "3", "4", "5"]
    assert adata.obs["donor"].tolist() == ["00", "01", "02", "03", "04", "05"]
    assert adata.obs["age"].tolist() == ["0.0", "0.5", "NA", "1.5", "2.0", "2.5"]  # labels.na_values decides on NA
    adata.write_h5ad(tmp_path / "expression.h5ad")


def test_cells_of_a_labels_table_are_text_exactly_as_written(tmp_path, toy):
    clusters, donors = ["1.1", "1.10", "1.2", "007", "7", "+7"], ["1E2", "100", "1e2", "", "  ", "-0"]
    rows = "".join(f"{c},{k},{d},,x\n" for c, k, d in zip(toy.cells, clusters, donors, strict=True))
    adata = labelled(toy, tmp_path, "cell,cluster,donor,note,_index\n" + rows)
    assert adata.obs["cluster"].tolist() == clusters
    assert adata.obs["donor"].fillna("missing").tolist() == ["1E2", "100", "1e2", "missing", "missing", "-0"]
    assert adata.obs["note"].isna().all()
    adata.write_h5ad(tmp_path / "expression.h5ad")
    kept = anndata.read_h5ad(tmp_path / "expression.h5ad").obs
    assert kept["cluster"].astype(str).tolist() == clusters and kept["note"].isna().all()


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
    with pytest.raises(InputError, match=r"a\.h5ad is an HDF5 file .*expected a table as text"):
        read_matrix(path, labels_table=path)
    table = toy.write_text(tmp_path / "labels.csv", "cell,cell_type\ncell0-1,B\n")
    with pytest.raises(InputError, match="labels\\.csv: .*'cell_type'\\. Rename"):
        read_matrix(path, labels_table=table)

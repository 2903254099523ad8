"""Rows of a labels table and the samples that they belong to."""

import warnings

import pandas as pd
import pytest

from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.io.read import read_matrix


def table_of(names, types, header="cell,state"):
    return f"{header}\n" + "".join(f"{name},{type}\n" for name, type in zip(names, types, strict=True))


@pytest.fixture
def read(toy, tmp_path):
    """Give a function that reads the matrix with a labels table, and returns obs and the text of all warnings."""

    def read(table, cells=toy.cells, **columns):
        matrix = toy.write_h5ad(tmp_path / "m.h5ad", cells=cells, **columns)
        path = toy.write_text(tmp_path / "labels.csv", table)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", DeepMapperWarning)
            obs = read_matrix(matrix, labels_table=path).obs
        return obs, " ".join(str(w.message) for w in said if issubclass(w.category, DeepMapperWarning))

    return read


@pytest.mark.parametrize(
    ("cells", "written"),
    [
        (["ACGT-1", "TTTT-1", "GGGG-1", "CATG-1", "AATT-1", "CCGG-1"], "{0[0]}{0[1]}{0[2]}{0[3]}"),
        (["ACGT-1", "TTTT-1", "GGGG-1", "CATG-1", "AATT-2", "CCGG-2"], "{0[0]}{0[1]}{0[2]}{0[3]}.{0[5]}"),
        (["a", "b", "c", "d", "e", "f"], "bam/{0}.bam"),
    ],
)
def test_names_written_differently_are_matched_and_said(read, toy, cells, written):
    names = [written.format(cell) for cell in cells]
    obs, said = read(table_of(names[::-1], toy.types[::-1]), cells)
    assert list(obs.index) == cells and list(obs["state"]) == toy.types
    assert "labels.csv: 6 samples matched although the names differ in" in said
    assert f"{names[cells.index(min(cells))]!r} for {min(cells)!r}" in said and "0 samples matched exactly" in said


def test_same_names_say_nothing(read, toy):
    obs, said = read(table_of(toy.cells[::-1], toy.types[::-1]))
    assert list(obs["state"]) == toy.types and said == ""


def test_barcodes_of_two_samples_are_not_collapsed(read):
    cells = ["ACGT-1", "ACGT-2", "TTTT-1", "TTTT-2", "GGGG-1", "CCCC-2"]
    with pytest.raises(InputError, match="6 of the 6 samples .* such numbers tell samples apart"):
        read(table_of(["ACGT", "TTTT", "GGGG", "CCCC"], "TBTB"), cells)


def test_samples_without_a_row_have_no_label(read, toy):
    obs, said = read(table_of([*toy.cells[:4], "x"], "TBTBT"))
    assert list(obs["state"][:4]) == list("TBTB") and obs["state"][4:].isna().all()
    assert "2 of the 6 samples of" in said and "have no row ('cell4-1', 'cell5-1')" in said
    assert "labels: {missing: drop}" in said and "ignored 1 row for samples that are not in" in said


def test_names_in_another_column(read, toy):
    rows = "".join(f"{i + 1},{cell},{toy.types[i]}\n" for i, cell in enumerate(toy.cells))
    obs, said = read("row,barcode,state\n" + rows)
    assert list(obs["state"]) == toy.types and list(obs["row"].astype(int)) == [1, 2, 3, 4, 5, 6]
    assert "the names of the samples were found in column 'barcode', not in the first" in said


def test_rows_without_names_are_refused(read, toy):
    with pytest.raises(InputError, match="only numbers of rows. It has as many rows .* never matched by .*position"):
        read("n,state\n" + "".join(f"{i},{type}\n" for i, type in enumerate(toy.types, 1)))
    with pytest.raises(InputError, match="It has as many rows as the matrix has samples"):
        read("state,age\n" + "".join(f"{type},{i}7\n" for i, type in enumerate(toy.types)))


def test_table_with_samples_in_its_header_is_refused(read, toy):
    with pytest.raises(InputError, match="They are in its header: transpose the table"):
        read(f"what,{','.join(toy.cells)}\nstate,{','.join(toy.types)}\n")


def test_repeated_rows(read, toy):
    plain = table_of(toy.cells, toy.types)
    obs, said = read(plain + "cell0-1,T\ncell1-1,B\ncell0-1,T\n")
    assert list(obs["state"]) == toy.types
    assert "2 samples had the same row more than once ('cell0-1', 'cell1-1'); one was kept" in said
    with pytest.raises(InputError, match="1 sample with more than one row .*'cell0-1, T' and 'cell0-1, B'"):
        read(plain + "cell0-1,B\n")
    obs, said = read(plain + "other,B\nother,T\n,\n")  # of a sample that is not in the matrix; and an empty line
    assert list(obs["state"]) == toy.types and "ignored 1 row" in said


def test_repeated_columns(read, toy):
    rows = "".join(f"{cell},{type},{type}\n" for cell, type in zip(toy.cells, toy.types, strict=True))
    obs, said = read("cell,state,state\n" + rows)
    assert list(obs["state"]) == toy.types and "left out 1 column with the name and content of another" in said
    obs, said = read("cell,cell_type,age\n" + rows)  # obs has the same
    assert list(obs["cell_type"]) == toy.types and list(obs["age"]) == toy.types


@pytest.mark.parametrize("column", ["sample", "population", "donor"])
def test_labels_of_samples_are_given_to_their_cells(read, column):
    of_cells = ["S1", "S1", "S2", "S2", "S3", "S3"]
    obs, said = read(f"{column},state\ns1,ctrl\ns2,stim\ns4,stim\n", **{column: of_cells})
    assert list(obs["state"][:4]) == ["ctrl", "ctrl", "stim", "stim"] and obs["state"][4:].isna().all()
    assert list(obs[column]) == of_cells
    assert "names no sample of" in said and f"values of obs['{column}']: the samples of 2 values" in said
    assert "2 names matched although the names differ in upper and lower case" in said
    assert (
        "2 of the 6 samples" in said and f"ignored 1 row for values that obs['{column}'] does not have ('s4')" in said
    )


def test_categories_of_an_h5ad_take_labels_of_samples(read):
    of_cells = pd.Categorical(["S1", "S1", "S2", "S2", "S1", "S2"])
    obs, _ = read("sample,state\nS2,stim\nS1,ctrl\n", sample=of_cells)
    assert list(obs["state"]) == ["ctrl", "ctrl", "stim", "stim", "ctrl", "stim"]


def test_table_without_a_header_is_refused(read, toy):
    with pytest.raises(InputError, match="first line begins with the name of a sample .'cell0-1'.*Add a first line"):
        read(table_of(toy.cells[1:], toy.types[1:], f"{toy.cells[0]},T"))


def test_numbers_of_rows_as_names_of_both_are_warned_about(read, toy):
    numbers = [str(i) for i in range(6)]
    obs, said = read(table_of(numbers, toy.types), numbers)
    assert list(obs["state"]) == toy.types
    assert "only the numbers of rows, and so are those of the table; they were matched by these numbers" in said


def test_blanks_around_names_in_a_table_do_not_count(read, toy):
    cells = ["s 1", "s 2", "s 3", "s 4", "s 5", "s 6"]
    obs, said = read(table_of([f" {cell} " for cell in cells], toy.types), cells)
    assert list(obs["state"]) == toy.types and said == ""


BARCODES = ["ACGTACGTAA", "ACGTACGTAC", "ACGTACGTAG", "ACGTACGTAT"]


SAMPLES = ["s1"] * 3 + ["s2"] * 3
CELLS = [f"{barcode}-1-{sample}" for barcode, sample in zip(BARCODES[:3] * 2, SAMPLES, strict=True)]


@pytest.mark.parametrize("ending", ["", "-1"])
@pytest.mark.parametrize("header", ["barcode,Sample,label", "Sample,barcode,label"])
def test_barcodes_of_several_samples_with_a_column_of_samples(read, ending, header):
    rows = [[f"{barcode}{ending}", sample, f"{barcode[-1]}{sample}"] for sample in ("s2", "s1") for barcode in BARCODES]
    if header.startswith("Sample"):
        rows = [[row[1], row[0], row[2]] for row in rows]
    obs, said = read("\n".join([header, *map(",".join, rows)]) + "\n", CELLS, sample=SAMPLES)
    assert "columns 'barcode' and 'Sample' together name the cells" in said
    assert list(obs["label"]) == ["As1", "Cs1", "Gs1", "As2", "Cs2", "Gs2"]


def test_barcodes_of_several_samples_without_them(read):
    with pytest.raises(InputError, match="They lack the samples .*add a column 'sample'"):
        read(table_of(BARCODES, ["s1", "s2"] * 2), CELLS, sample=SAMPLES)


def test_classes_named_like_samples_are_no_names_of_samples(read):
    with pytest.raises(InputError, match="6 of the 6 samples of .*m.h5ad have no row"):
        read(table_of([f"x{i}" for i in range(6)], ["s1", "s2"] * 3), CELLS, sample=SAMPLES)


def test_numbers_of_rows_beside_the_names_are_no_column_of_obs(read, toy):
    rows = "".join(f"{i},{cell},{i}\n" for i, cell in enumerate(toy.cells))
    obs, said = read(",cell,label\n" + rows)
    assert list(obs["label"]) == list("012345") and "" not in obs and "found in column 'cell'" in said


def test_a_column_without_name_and_content_is_left_out(read, toy):
    rows = "".join(f",{cell},{i}\n" for i, cell in enumerate(toy.cells))
    obs, said = read(",cell,label\n" + rows)
    assert list(obs["label"]) == list("012345") and not said

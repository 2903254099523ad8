"""Delimited text: its separator, quotes, comments and header are found in it."""

import pytest

from deepmapper.core.delimited import find_layout, read_records
from deepmapper.errors import InputError


def table(tmp_path, text, expected=",", name="a.csv"):
    """Header and lines of a table, and what was said about it."""
    (tmp_path / name).write_bytes(text.encode())
    layout = find_layout(tmp_path / name, expected)
    return layout.header, [cells for _, cells in read_records(layout)], " ".join(layout.notices)


ROWS = (["cell", "g1", "g2"], [["a", "1", "2.5"], ["b", "3", "4"]])


@pytest.mark.parametrize(
    "text",
    [
        "cell,g1,g2\na,1,2.5\nb,3,4\n",
        "cell,g1,g2\r\na,1,2.5\r\nb,3,4\r\n",
        "cell,g1,g2\ra,1,2.5\rb,3,4\r",
        "cell,g1,g2\na,1,2.5\nb,3,4",
        '"cell","g1","g2"\n"a",1,2.5\n"b","3","4"\n',
        "'cell','g1','g2'\n'a',1,2.5\n'b',3,4\n",
        " cell , g1 , g2 \n a , 1 ,2.5 \n\tb, 3,4\n",
        '"cell", "g1", "g2"\n"a", 1, 2.5\n"b", 3, 4\n',
        "# made by\n#x,y,z,a\n\ncell,g1,g2\n\na,1,2.5\n\nb,3,4\n\n",
        "cell,g1,g2,\na,1,2.5,\nb,3,4,\n",
        "cell,g1,g2\na,1,2.5,\nb,3,4,\n",
        "cell,g1,g2,,\na,1,2.5\nb,3,4\n",
        "cell,g1,g2\na,1,2.5\nb,3,4\n,,\n",
        "sep=,\ncell,g1,g2\na,1,2.5\nb,3,4\n",
    ],
)
def test_what_is_read_without_a_word(tmp_path, text):
    assert table(tmp_path, text) == (*ROWS, "")


@pytest.mark.parametrize(
    ("separator", "name"), [("\t", "tabs"), (";", "semicolons"), ("|", "vertical bars"), ("   ", "blanks")]
)
def test_the_separator_is_found_and_said(tmp_path, separator, name):
    header, rows, said = table(tmp_path, "cell,g1,g2\na,1,2.5\nb,3,4\n".replace(",", separator))
    assert (header, rows) == ROWS
    assert said.endswith(f"columns are separated by {name}, not by commas, and were read so.")


def test_the_expected_separator_decides_if_several_fit(tmp_path):
    text = "cell,a;b\tc,d;e\nx,1;2\t3,4;5\n"
    assert len(table(tmp_path, text, ",")[0]) == 3
    assert len(table(tmp_path, text, "\t")[0]) == 2
    assert table(tmp_path, "cell,cell type\nc1,T cell\nc2,B cell\n", "\t")[0] == ["cell", "cell type"]


def test_one_bad_line_does_not_change_the_separator(tmp_path):
    text = "cell,cell type\n" + "c,T cell\n" * 50 + "c,T,x cell\n"
    with pytest.raises(InputError, match=r"a\.csv line 52: has 3 cells, expected 2"):
        table(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ('"g1" "g 2"\n"a" 1 2\n"b" 3 4\n', ["", "g1", "g 2"]),
        ("g1 g2\na 1 2\n", ["", "g1", "g2"]),
        ("g1\tg2\na\t1\t2\n", ["", "g1", "g2"]),
        ('"label"\n"a" "T cell"\n"b" "B"\n', ["", "label"]),
        ('"","g1","g2"\n"a",1,2\n', ["", "g1", "g2"]),
    ],
)
def test_tables_written_by_r(tmp_path, text, header):
    assert table(tmp_path, text, "")[0] == header


def test_a_header_that_starts_with_a_hash(tmp_path):
    header, rows, said = table(tmp_path, "# comment\n#cell\tg1\na\t1\n", "\t")
    assert (header, rows) == (["cell", "g1"], [["a", "1"]]) and "line 2, which starts with #" in said
    assert table(tmp_path, "# cell\tg1\na\t1\nb\t2\n", "\t")[0] == ["cell", "g1"]
    assert table(tmp_path, "#cell,label\na,T\nb,B\n")[0] == ["cell", "label"]
    assert table(tmp_path, "#cell\tg1\ncell\tg1\na\t1\n", "\t")[1] == [["a", "1"]]  # a comment that repeats it
    assert table(tmp_path, "#a comment, here\ncell,g1\na,1\n")[0] == ["cell", "g1"]


def test_quoted_line_ends_are_part_of_a_cell(tmp_path):
    assert table(tmp_path, 'cell,"g\n1"\n"a\nb",2\nc,3\n')[:2] == (["cell", "g\n1"], [["a\nb", "2"], ["c", "3"]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("# a\n", "holds no table, only comments"),
        ("cell\na\nb\n", r"found one column \('cell'\), expected a column of names and at least one more"),
        ("cell,g1\n", "has a header, but no lines below it"),
        ("cell,g1\na,1,2,3\n", "the header has 2 columns, but the lines below it have 4"),
        ("cell,g1\na,1\nb,2\nc\nd,4\n", r"a\.csv line 4: has 1 cell, expected 2 .* begins with 'c'"),
        ("# c\ncell,g1\na,1\nb,2,3\nc,4\n", r"a\.csv line 4: has 3 cells, expected 2"),
        ('cell,g1\na,1\nb,"2\nc,3\n', r"a\.csv line 3: a quoted cell is not closed"),
    ],
)
def test_tables_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        table(tmp_path, text)

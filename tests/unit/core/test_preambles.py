"""Lines above the header of a table: titles, merged cells, and the formats of GEO and GSEA."""

import pytest

from deepmapper.core.delimited import find_layout, read_records
from deepmapper.errors import InputError


def read(tmp_path, text, expected=","):
    path = tmp_path / "a.csv"
    path.write_text(text)
    layout = find_layout(path, expected)
    return layout.header, [cells for _, cells in read_records(layout)], " ".join(layout.notices)


TABLE = "s,g1,g2,g3\na,1,2,3\nb,4,5,6\n"
ROWS = [["a", "1", "2", "3"], ["b", "4", "5", "6"]]


@pytest.mark.parametrize(
    ("above", "said"),
    [
        ("Table S1. Counts\n", "left out 1 line above the names of the columns ('Table S1. Counts')"),
        ("Counts,,,\n", "left out 1 line above the names of the columns ('Counts')"),
        ("Counts,,,\n,,,\n", "('Counts')"),
        ("Counts\nof 2023,,,\n\n", "left out 2 lines"),
        (",Control,,Treated\n", "('Control Treated')"),
        (",Control,Control,Treated\n", "('Control Control Treated')"),
    ],
)
def test_titles_and_merged_cells_above_the_header(tmp_path, above, said):
    header, rows, notices = read(tmp_path, above + TABLE)
    assert (header, rows) == (["s", "g1", "g2", "g3"], ROWS)
    assert said in notices


@pytest.mark.parametrize(
    "text",
    [
        TABLE,
        "g1,g2,g3\na,1,2,3\nb,4,5,6\n",  # written by R: no name for the row names
        "label\na,A\nb,B\n",
        "s,g1,g1\na,1,2\nb,3,4\n",
        "s,x,x\na,A,B\nb,C,D\n",
        "s,label,,\na,A,,\nb,B,,\n",
        "s,,\na,1,2\nb,3,4\n",
        "s,,,label\na,x,y,A\nb,x,z,B\n",
        ";g1;g2;;\na;1;2;;\nb;3;4;;\n",
    ],
)
def test_a_header_with_few_names_is_no_title(tmp_path, text):
    header, rows, notices = read(tmp_path, text)
    assert [row[0] for row in rows] == ["a", "b"]
    assert "above" not in notices


def test_series_matrix_without_values(tmp_path):
    with pytest.raises(InputError, match="has no values, as GEO writes it for sequencing"):
        read(
            tmp_path, '!Series_title\t"x"\n!series_matrix_table_begin\n"ID_REF"\t"a"\n!series_matrix_table_end\n', "\t"
        )


def test_gct_of_another_version_is_named(tmp_path):
    with pytest.raises(InputError, match="is a GCT file of version 1.3.*expected version 1.2"):
        read(tmp_path, "#1.3\n2\t2\t1\t1\nid\tDescription\ta\tb\n", "\t")

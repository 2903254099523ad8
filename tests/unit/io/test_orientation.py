"""Whether a table has its samples in columns, seen from the names of the labels."""

import pytest

from deepmapper.io.orientation import has_samples_in_columns


@pytest.fixture
def files(tmp_path):
    def write(matrix, labels="", name="m.csv"):
        (tmp_path / name).write_text(matrix)
        (tmp_path / "labels.csv").write_text(labels)
        return tmp_path / name, tmp_path / "labels.csv" if labels else None

    return write


GENES_IN_ROWS = "gene,s1,s2,s3\nA,1,2,3\nB,4,5,6\n"
SAMPLES_IN_ROWS = "sample,A,B\ns1,1,2\ns2,3,4\ns3,5,6\n"
LABELS = "sample,state\ns1,a\ns2,b\ns3,b\n"


def test_names_of_the_label_table_decide(files):
    assert has_samples_in_columns(*files(GENES_IN_ROWS, LABELS))
    assert not has_samples_in_columns(*files(SAMPLES_IN_ROWS, LABELS))


def test_names_may_differ_in_an_ending_and_stand_in_another_column(files):
    assert has_samples_in_columns(*files("gene,s1.bam,s2.bam,s3.bam\nA,1,2,3\n", LABELS))
    assert has_samples_in_columns(*files(GENES_IN_ROWS, "state,name\na,s1\nb,s2\nb,s3\n"))


def test_repeated_symbols_and_separators_are_no_obstacle(files):
    assert has_samples_in_columns(*files("Gen;s1;s2;s3\nA;1,5;2;3\nA;4;5;6\n", LABELS))
    assert has_samples_in_columns(*files("s1\ts2\ts3\nA\t1\t2\t3\nB\t4\t5\t6\n", LABELS, "m.txt"))


def test_labels_in_a_row_of_the_matrix(files):
    matrix, _ = files("gene,s1,s2,s3\nstate,a,b,b\nA,1,2,3\n")
    assert has_samples_in_columns(matrix, None, ["state"])
    assert not has_samples_in_columns(matrix, None, ["other"])
    matrix, _ = files("sample,state,A\ns1,a,1\ns2,b,2\n")
    assert not has_samples_in_columns(matrix, None, ["state"])


def test_where_nothing_decides_nothing_is_turned(files, tmp_path):
    assert not has_samples_in_columns(*files(GENES_IN_ROWS, "sample,state\nx1,a\nx2,b\n"))
    assert not has_samples_in_columns(*files(GENES_IN_ROWS))
    assert not has_samples_in_columns(*files("a,b,c\na,1,2\nb,3,4\n", "sample,state\na,1\nb,2\n"))
    assert not has_samples_in_columns(tmp_path / "none.csv", None)
    assert not has_samples_in_columns(tmp_path, None)

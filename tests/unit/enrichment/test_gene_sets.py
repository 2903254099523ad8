"""Gene sets are read as they are written, and anything else is refused."""

import gzip

import pytest

from deepmapper.enrichment.gene_sets import read_gene_sets
from deepmapper.errors import InputError


@pytest.fixture
def gmt(tmp_path):
    def write(text, name="sets.gmt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write


def test_sets_are_read_with_each_gene_once_and_names_as_text(gmt):
    path = gmt("A\thttp://x\tMARCH1\t007\tMARCH1\t\t\r\n\n# comment\nB\t\tTP53\n")
    (file,) = read_gene_sets([path])
    assert [(own.name, own.description, own.genes) for own in file.sets] == [
        ("A", "http://x", ("MARCH1", "007")),
        ("B", "", ("TP53",)),
    ]
    assert (file.source, file.genes) == ("sets.gmt", ["MARCH1", "007", "TP53"])


def test_compressed_files_and_files_of_the_same_name(gmt, tmp_path):
    packed = tmp_path / "sets.gmt.gz"
    packed.write_bytes(gzip.compress(b"A\t\tX\n"))
    first, second = gmt("A\t\tX\n", "one/a.gmt"), gmt("A\t\tY\n", "two/a.gmt")
    files = read_gene_sets([packed, first, second])
    assert [file.source for file in files] == ["sets.gmt.gz", str(first), str(second)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A,B,C\n", "line 1: found 'A,B,C', expected a line of GMT"),
        ("A\tdescription\n", "line 1: .*its genes"),
        ("A\t\tX\nA\t\tY\n", "line 2: the set 'A' is listed twice"),
        ("\n# nothing\n", "holds no gene set"),
    ],
)
def test_what_is_no_gmt_is_refused(gmt, text, message):
    with pytest.raises(InputError, match=f"enrichment.gene_sets: .*sets.gmt.*{message}"):
        read_gene_sets([gmt(text)])

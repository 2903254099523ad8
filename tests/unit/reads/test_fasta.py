"""FASTA files: written, read in every encoding, and refused by record."""

import gzip
import os

import pytest

from deepmapper.errors import InputError
from deepmapper.reads.fasta import is_gzip, read_fasta, write_fasta


def test_fasta_round_trip(tmp_path):
    path = tmp_path / "a.fa"
    assert write_fasta(path, [("one first", "acgtN" * 40), ("two", "AC")]) == 2
    assert max(map(len, path.read_text().splitlines())) == 80
    one, two = read_fasta(path)
    assert one == ("one", "one first", "ACGTN" * 40)
    assert two.sequence == "AC"


def test_fasta_gzipped_whatever_its_name_and_windows_ends(tmp_path):
    path = tmp_path / "a.fa"
    path.write_bytes(gzip.compress(b">x\r\nAC\r\nGT\r\n") + gzip.compress(b">y\nTT\n"))
    assert is_gzip(path)
    assert [(name, sequence) for name, _, sequence in read_fasta(path)] == [("x", "ACGT"), ("y", "TT")]


def test_empty_fasta_has_no_records(tmp_path):
    path = tmp_path / "a.fa"
    path.touch()
    assert list(read_fasta(path)) == []
    assert write_fasta(path, []) == 0
    assert path.read_text() == ""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"@read\nACGT\n+\nIIII\n", "first line of this reference is '@read'"),
        (b">x\nAC1T\n", "record x holds the character '1'"),
        (b">x\n>y\nAC\n", "record x has no sequence"),
        (b">\nAC\n", "a record has no name"),
        (gzip.compress(b">x\n" + os.urandom(40_000).hex().encode())[:9000], "truncated or damaged"),
        (b"\xff\xfe\x00", "is not text"),
    ],
    ids=["fastq", "digit", "empty record", "no name", "cut gzip", "binary"],
)
def test_faulty_fasta_is_refused_by_name(tmp_path, content, message):
    path = tmp_path / "bad.fa"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        list(read_fasta(path, "reference"))
    assert str(path) in str(caught.value)


def test_missing_fasta(tmp_path):
    with pytest.raises(InputError, match="cannot be read .No such file"):
        list(read_fasta(tmp_path / "none.fa"))

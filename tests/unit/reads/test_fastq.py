"""FASTQ files: counted, checked, rejected by record, and sorted."""

import bz2
import gzip
import lzma
import os
import random

import pytest

from deepmapper.errors import InputError
from deepmapper.reads.fastq import count_fragments, count_reads, link_units, sorted_lines
from deepmapper.reads.samples import Unit


def bases(length, seed):
    return "".join(random.Random(seed).choices("ACGT", k=length))


@pytest.fixture(scope="module")
def pairs():
    return [(f"read{i}", bases(75, i), bases(75, -i)) for i in range(200)]


def test_reads_are_counted_plain_gzipped_and_in_several_members(tmp_path, fastq_bytes, write_fastq):
    records = [(f"r{i}", bases(30 + i % 200, i)) for i in range(5000)]
    assert count_reads(write_fastq(tmp_path / "a.fastq", records)) == 5000
    assert count_reads(write_fastq(tmp_path / "a.fastq.gz", records)) == 5000
    several = tmp_path / "several.gz"
    several.write_bytes(
        gzip.compress(fastq_bytes(records[:7])) + gzip.compress(b"") + gzip.compress(fastq_bytes(records[7:]))
    )
    assert count_reads(several) == 5000


FILES = {
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "members of gzip": lambda text: gzip.compress(text[:20]) + gzip.compress(text[20:]),
    "Windows": lambda text: text.replace(b"\n", b"\r\n"),
    "Windows, gzip": lambda text: gzip.compress(text.replace(b"\n", b"\r\n")),
    "no last line end": lambda text: text.rstrip(b"\n"),
}


@pytest.mark.parametrize("kind", FILES)
def test_programs_get_what_they_can_read(tmp_path, kind):
    text = b"@a 1:N:0:ACGT\nACGT\n+\nIIII\n@b 1:N:0:ACGT\nAC\n+\nII\n"
    (tmp_path / "in put,1.fq").write_bytes(FILES[kind](text))
    assert count_reads(tmp_path / "in put,1.fq") == 2
    (tmp_path / "work").mkdir()
    (unit,) = link_units([Unit("1", str(tmp_path / "in put,1.fq"))], tmp_path / "work")
    linked = (tmp_path / "work" / unit.fq1).read_bytes()
    linked = gzip.decompress(linked) if unit.fq1.endswith(".gz") else linked
    assert linked.rstrip(b"\n") == text.rstrip(b"\n")


def test_damaged_files_are_named_by_their_kind(tmp_path):
    (tmp_path / "a.fq.xz").write_bytes(lzma.compress(b"@a\nA\n+\nI\n" * 1000)[:-40])
    with pytest.raises(InputError, match=r"a\.fq\.xz: the xz file is truncated or damaged after about"):
        count_reads(tmp_path / "a.fq.xz")


def test_last_line_without_a_newline_and_blank_lines_after_it(tmp_path, fastq_bytes):
    path = tmp_path / "a.fastq"
    path.write_bytes(fastq_bytes([("a", "ACGT"), ("b", "AC")]).rstrip(b"\n"))
    assert count_reads(path) == 2
    path.write_bytes(fastq_bytes([("a", "ACGT"), ("b", "")]) + b"\n\n")
    assert count_reads(path) == 2
    path.write_bytes(fastq_bytes([("a", "ACGT"), ("b", "")]).rstrip(b"\n") + b"\n")
    assert count_reads(path) == 2


def test_empty_files_have_no_reads(tmp_path):
    (tmp_path / "a.fastq").touch()
    (tmp_path / "a.fastq.gz").write_bytes(gzip.compress(b""))
    assert count_reads(tmp_path / "a.fastq") == count_reads(tmp_path / "a.fastq.gz") == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"@a\nACGT\n+\nIIII\n@b\nACGT\n", "the last record, number 2, has 2 lines, expected 4"),
        (b"@a\nACGT\n+\nIII\n", "record 1 .@a. has 4 bases but 3 qualities"),
        (b"@a\nACGT\n+\nIIII\n@b\nACGT\n-\nIIII\n", "third line of record 2 is '-'"),
        (b">a\nACGT\n>b\nACGT\n", "record 1 starts with '>a', expected '@'"),
        (b"@a\nACGT\n+\nIIII\n@\nACGT\n+\nIIII\n", "record 2 has no name"),
        (b"@a\nA\n+\nI\n@b\r\nC\r\n+\r\nI\r\n", "record 2 has Windows line endings and the first one has not"),
        (os.urandom(3000), "expected|truncated"),
    ],
)
def test_faulty_fastq_is_refused_by_name_and_record(tmp_path, content, message):
    path = tmp_path / "bad.fastq"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        count_reads(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("damage", ["cut", "flipped", "tail"])
def test_damaged_gzip_is_refused(tmp_path, damage, fastq_bytes):
    whole = bytearray(gzip.compress(fastq_bytes([(f"r{i}", bases(100, i)) for i in range(3000)])))
    if damage == "cut":
        del whole[len(whole) // 2 :]
    elif damage == "flipped":
        whole[len(whole) // 2] ^= 255
    else:
        del whole[-4:]
    path = tmp_path / "bad.fastq.gz"
    path.write_bytes(whole)
    with pytest.raises(InputError, match="truncated or damaged|bases but|expected"):
        count_reads(path)


def test_missing_fastq(tmp_path):
    with pytest.raises((InputError, FileNotFoundError), match="No such file"):
        count_reads(tmp_path / "none.fastq")


def test_mates_with_different_numbers_of_reads(tmp_path, pairs, write_fastq, write_pairs):
    one = write_pairs(tmp_path, pairs).fq1
    two = write_fastq(tmp_path / "short.fastq", [(f"{name}/2", two) for name, _, two in pairs[:-5]])
    with pytest.raises(InputError, match=f"holds {len(pairs)} reads but .* holds {len(pairs) - 5}"):
        count_fragments([Unit("1", one, two)], "s1")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("x/1", "x/2"),
        ("x", "x"),
        ("x 1:N:0:ACGT", "x 2:N:0:ACGT"),
        ("SRR1.7.1", "SRR1.7.2"),
        ("x_1 c", "x_2 c"),
        ("x.1", "x.1"),
    ],
)
def test_ways_to_name_mates(tmp_path, first, second, write_fastq):
    others = [
        (f"y{i}{name[1:]}" if name[0] == "x" else name.replace(".7.", f".{i}."), "ACGT")
        for i in range(9)
        for name in (first, second)
    ]
    one = write_fastq(tmp_path / "1.fastq", [(first, "ACGT"), *others[::2]])
    two = write_fastq(tmp_path / "2.fastq", [(second, "ACGT"), *others[1::2]])
    assert count_fragments([Unit("1", one, two)], "s1") == 10


def test_mates_out_of_order_are_refused_by_record(tmp_path, pairs, write_fastq, write_pairs):
    one = write_pairs(tmp_path, pairs).fq1
    wrong = [pairs[0], *pairs[2:50], pairs[1], *pairs[50:]]
    two = write_fastq(tmp_path / "wrong.fastq", [(f"{name}/2", two) for name, _, two in wrong])
    with pytest.raises(InputError, match="record 2 is @read1/1 in .* but @read2/2 in"):
        count_fragments([Unit("1", one, two)], "s1")


def test_paired_and_single_units_do_not_mix(tmp_path, pairs, write_pairs):
    one, two = write_pairs(tmp_path, pairs).files
    with pytest.raises(InputError, match="mix paired and single"):
        count_fragments([Unit("1", one, two), Unit("2", one)], "s1")


def test_sorting_spills_to_disk_and_gives_the_same(tmp_path):
    lines = [bases(30, seed).encode() for seed in range(500)]
    with sorted_lines(tmp_path, max_bytes=1000) as sorter:
        for line in lines:
            sorter.add(line)
        assert len(sorter.runs) > 10
        assert list(sorter.merged()) == [line + b"\n" for line in sorted(lines)]
    assert list(tmp_path.iterdir()) == []

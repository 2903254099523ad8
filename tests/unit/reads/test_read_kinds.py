"""Files that are given as reads but are none that can be counted: each gets one message that names the file."""

import random

import pytest

from deepmapper.errors import InputError
from deepmapper.reads.fasta import foreign_format
from deepmapper.reads.fastq import count_fragments
from deepmapper.reads.samples import Unit

RNG = random.Random(0)
NAMES = [f"r{i}" for i in range(1, 61)]


def bases(n, letters="ACGT"):
    return "".join(RNG.choices(letters, k=n))


@pytest.fixture
def fastq(tmp_path):
    """Give a function that writes reads of one length (or of several) with qualities drawn from some letters."""

    def write(name, headers, length=75, qualities="I", letters="ACGT"):
        path = tmp_path / name
        with path.open("w") as file:
            for header in headers:
                n = RNG.choice(length) if isinstance(length, list) else length
                file.write(f"@{header}\n{bases(n, letters)}\n+\n{bases(n, qualities)}\n")
        return str(path)

    return write


def refused(message, *files):
    with pytest.raises(InputError, match=message) as caught:
        count_fragments([Unit("1", *files)], "s")
    assert any(path in str(caught.value) for path in files) and "sample s: " in str(caught.value)


@pytest.mark.parametrize(
    "mates", [("{}/1", "{}/2"), ("{} 1:N:0:ACGT", "{} 2:N:0:ACGT"), ("{}", "{}"), ("{}.1", "{}.2")]
)
def test_both_mates_in_one_file(fastq, mates):
    path = fastq("both.fastq", [mate.format(name) for name in NAMES for mate in mates])
    refused(
        "both.fastq holds both mates of every pair, one after the other .* fastp .*--interleaved_in -i .*both", path
    )


def test_both_mates_in_one_file_with_the_names_of_the_sra(fastq):
    """Names that differ in what looks like the mark of a mate."""
    path = fastq("both.fastq", [f"SRR1.{i}" for i in range(1, 61) for _ in "12"])
    refused("both.fastq holds both mates of every pair", path)


@pytest.mark.parametrize("header", ["r.{}", "r{}", "SRR1.{} {} length=75", "r_{}", "{}", "{}/1"])
def test_single_reads_are_no_pairs(fastq, header):
    path = fastq("single.fastq", [header.format(i, i) for i in range(1, 61)])
    assert count_fragments([Unit("1", path)], "s") == 60
    assert count_fragments([Unit("1", fastq("same.fastq", ["r"] * 60))], "s") == 60


def test_barcodes_of_cells_in_place_of_a_mate(fastq):
    for length in (26, 28):
        barcodes, cdna = fastq("b_R1.fastq", NAMES, length), fastq("b_R2.fastq", NAMES, 91)
        text = f"b_R1.fastq looks like .* single cells: its reads have {length} nt and their mates 91 nt"
        refused(text, barcodes, cdna)
        refused("give .*b_R2.fastq as fq1 without fq2", cdna, barcodes)
    short = fastq("t_R1.fastq", NAMES, [20, 28, 75]), fastq("t_R2.fastq", NAMES, [30, 75])  # trimmed
    assert count_fragments([Unit("1", *short)], "s") == 60
    assert count_fragments([Unit("1", fastq("e1", NAMES, 28), fastq("e2", NAMES, 28))], "s") == 60


def test_long_reads(fastq):
    refused("long.fastq holds long reads .* short reads.*matrix.path", fastq("long.fastq", NAMES, [900, 3000, 5000]))
    assert count_fragments([Unit("1", fastq("a.fastq", NAMES, [300, 600]))], "s") == 60


def test_swapped_mates_and_the_same_reads_twice(fastq):
    for first, second in (("{}/1", "{}/2"), ("{} 1:N:0:A", "{} 2:N:0:A")):
        one = fastq("1.fastq", [first.format(name) for name in NAMES])
        two = fastq("2.fastq", [second.format(name) for name in NAMES])
        assert count_fragments([Unit("1", one, two)], "s") == 60
        refused("2.fastq holds the second mates and .*1.fastq the first.*Exchange fq1 and fq2", two, one)
    refused("holds the same reads as", one, one)


def test_qualities_of_the_old_scale(fastq):
    old = "@BCDEFGH" + "".join(map(chr, range(73, 105)))
    refused("old.fastq has qualities with the offset 64.* fastp .*--phred64", fastq("old.fastq", NAMES, 75, old))
    for qualities in ("F", "FFF:,#", "I", "?DI", "".join(map(chr, range(33, 127)))):
        assert count_fragments([Unit("1", fastq("new.fastq", NAMES, 75, qualities))], "s") == 60


def test_what_are_no_nucleotides(fastq):
    refused("p.fastq holds no nucleotides: found 'E' in read r1", fastq("p.fastq", NAMES, 75, letters="E"))
    refused(r"c.fastq holds colours \(SOLiD\)", fastq("c.fastq", NAMES, 75, letters="0123"))
    assert count_fragments([Unit("1", fastq("n.fastq", NAMES, 75, letters="ACGTNacgtn.RYU"))], "s") == 60


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"PK\x03\x04..", r"is a zip file, expected FASTQ, plain or gzipped\. Convert it\. Command: unzip"),
        (b"\x28\xb5\x2f\xfd..", "a zstd file, .*unzstd"),
        (b"CRAM\x03", "a CRAM file, .*column bam.*samtools view -b -T GENOME.fa"),
        (b"@SQ\tSN:1\tLN:3\n", "a SAM file, .*column bam"),
        (b"NCBI.sra\x05", "an SRA file, .*fasterq-dump"),
        (b"<!DOCTYPE html>\n", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"),
        (b"@a\rACGT\r+\rIIII\r", r"old Macs .*tr '\\r' '\\n'"),
    ],
)
def test_other_formats_are_named(tmp_path, start, message):
    path = tmp_path / "reads.fastq"
    path.write_bytes(start)
    with pytest.raises(InputError, match=message) as caught:
        count_fragments([Unit("1", str(path))], "s")
    assert str(path) in str(caught.value)
    assert foreign_format(b"@r1\n") == ""

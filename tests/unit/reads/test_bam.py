"""Reads out of BAM files."""

import json
import shutil
import subprocess

import pytest

from deepmapper.errors import InputError
from deepmapper.reads.bam import extract_reads

pytestmark = pytest.mark.skipif(not shutil.which("samtools"), reason="samtools is not installed")

HEADER = "@HD\tVN:1.6\n@SQ\tSN:c1\tLN:1000\n"


def sam(name, flag, sequence="ACGT", tags=""):
    """One line; flag 4 is unmapped."""
    place = "*\t0\t0\t*" if flag & 4 else "c1\t10\t60\t4M"
    return f"{name}\t{flag}\t{place}\t*\t0\t0\t{sequence}\tIIII{tags}\n"


@pytest.fixture
def bam(tmp_path):
    """Give a function that writes a BAM file, with a name that programs may take for an address."""

    def make(*lines):
        path = tmp_path / "s3: a b.bam"
        (tmp_path / "in.sam").write_text(HEADER + "".join(lines))
        subprocess.run(["samtools", "view", "-b", "-o", tmp_path / "out.bam", tmp_path / "in.sam"], check=True)
        (tmp_path / "out.bam").rename(path)
        return path

    return make


def test_pairs_in_any_order_without_further_alignments(bam, tmp_path, read_records):
    path = bam(
        sam("b", 147, "AAAC"),  # on the reverse strand: the read is GTTT
        sam("a", 77, "ACCC"),
        sam("b", 99, "CCCC"),
        sam("b", 99 + 256, "CCCC"),  # secondary
        sam("b", 99 + 2048, "CCCC"),  # supplementary
        sam("a", 141, "AGGG"),
        sam("c", 73, "GGGG"),  # its mate is missing
    )
    record = extract_reads(path, tmp_path / "out", sample="s1")
    assert record == {"layout": "paired", "fragments": 2, "without_mate": 1}
    assert json.loads((tmp_path / "out/extracted.json").read_text()) == record
    first, second = (dict(read_records(tmp_path / f"out/{mate}.fastq.gz")) for mate in (1, 2))
    assert list(first) == list(second)
    assert first == {"a": "ACCC", "b": "CCCC"}
    assert second == {"a": "AGGG", "b": "GTTT"}
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["1.fastq.gz", "2.fastq.gz", "extracted.json"]


def test_single_reads_of_a_sam_file(tmp_path, read_records):
    (tmp_path / "in.sam").write_text(HEADER + sam("a", 0, "ACCC") + sam("b", 4, "AGGG"))
    record = extract_reads(tmp_path / "in.sam", tmp_path / "out", sample="s1")
    assert record == {"layout": "single", "fragments": 2, "without_mate": 0}
    assert dict(read_records(tmp_path / "out/single.fastq.gz")) == {"a": "ACCC", "b": "AGGG"}


def test_one_mate_alone_is_a_single_read(bam, tmp_path, read_records):
    record = extract_reads(bam(sam("a", 69, "ACCC"), sam("b", 69, "AGGG")), tmp_path / "out", sample="s1")
    assert record["layout"] == "single"
    assert dict(read_records(tmp_path / "out/single.fastq.gz")) == {"a": "ACCC", "b": "AGGG"}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "holds no reads"),
        ([sam("a", 4), sam("b", 77), sam("b", 141)], "holds 2 reads of pairs and 1 single reads"),
        ([sam("a", 0)], r"holds reads that align, but none that do not.*--outSAMunmapped Within"),
        # the unaligned mate of an aligned one is kept by programs that drop unaligned pairs
        ([sam("a", 73), sam("a", 133)], r"holds pairs that align, but none that do not"),
        ([sam("a", 4, tags="\tCB:Z:ACGT-1")], r"holds reads of single cells \(with the tag CB\)"),
    ],
)
def test_files_that_cannot_be_used(bam, tmp_path, lines, message):
    with pytest.raises(InputError, match=rf"sample s1: .*a b\.bam {message}"):
        extract_reads(bam(*lines), tmp_path / "out", sample="s1")
    assert not [path for path in tmp_path.iterdir() if "out" in path.name], "nothing half-written is left"

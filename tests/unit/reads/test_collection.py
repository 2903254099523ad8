"""All reads of a sample become its captured reads."""

import pytest

from deepmapper.errors import InputError
from deepmapper.reads.collection import collect_reads
from deepmapper.reads.samples import Unit


def test_pairs_of_all_lanes_in_the_order_of_their_names(tmp_path, write_fastq, read_records):
    lanes = []
    for lane, names in (("a", ["r3", "r1"]), ("b", ["r2", "r1"])):
        files = [
            write_fastq(
                tmp_path / f"{lane}{mate}.fastq", [(f"{name}.{mate} x", f"ACGT{'AG'[mate - 1]}") for name in names]
            )
            for mate in (1, 2)
        ]
        lanes.append(Unit(lane, *files))
    assert collect_reads(lanes, tmp_path / "s1", sample="s1") == 4
    assert sorted(path.name for path in (tmp_path / "s1").iterdir()) == ["1.fastq.gz", "2.fastq.gz"]
    assert read_records(tmp_path / "s1/1.fastq.gz") == [(name, "ACGTA") for name in ("r1", "r1", "r2", "r3")]
    assert read_records(tmp_path / "s1/2.fastq.gz") == [(name, "ACGTG") for name in ("r1", "r1", "r2", "r3")]


def test_single_reads(tmp_path, write_fastq, read_records):
    unit = Unit("1", write_fastq(tmp_path / "a.fastq.gz", [("r2/1", "ACGTT"), ("r1/1", "ACGTA")]))
    assert collect_reads([unit], tmp_path / "s1", sample="s1") == 2
    assert [path.name for path in (tmp_path / "s1").iterdir()] == ["single.fastq.gz"]
    assert read_records(tmp_path / "s1/single.fastq.gz") == [("r1", "ACGTA"), ("r2", "ACGTT")]


def test_nothing_is_left_of_faulty_reads(tmp_path):
    (tmp_path / "a.fastq").write_text("@r1\nACGT\n+\nIII\n")
    with pytest.raises(InputError, match=r"a\.fastq: record 1 .* has 4 bases but 3 qualities"):
        collect_reads([Unit("1", str(tmp_path / "a.fastq"))], tmp_path / "s1", sample="s1")
    assert not (tmp_path / "s1").exists()

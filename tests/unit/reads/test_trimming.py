"""Trimming and reports with fastp: what is written, and what is rejected."""

import io
import json
import random
from pathlib import Path

import pytest

from deepmapper.errors import InputError, ToolFailed
from deepmapper.reads.fastq import count_fragments
from deepmapper.reads.nucleotides import reverse_complement
from deepmapper.reads.samples import Unit
from deepmapper.reads.trimming import trim_reads, trimmed_units

ADAPTER = "AGATCGGAAGAGCACACGTCTGAACTCCAGTCA"
NASTY = "a b,c;d'e\"f$(g)"


def bases(length, seed):
    return "".join(random.Random(seed).choices("ACGT", k=length))


NOVEL = bases(2_000, 3)


@pytest.fixture(scope="module")
def pairs(draw_pairs):
    return [(f"read{i}", *pair) for i, pair in enumerate(draw_pairs(NOVEL, 300, 5))]


@pytest.mark.tools
def test_without_trimming_fastp_only_reports(tmp_path, pairs, write_pairs):
    place = tmp_path / NASTY
    place.mkdir()
    assert trim_reads([write_pairs(place, pairs)], report=tmp_path / "report", sample="s1", log=io.StringIO()) == len(
        pairs
    )
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == ["fastp.html", "fastp.json"]
    summary = json.loads((tmp_path / "report" / "fastp.json").read_text())["summary"]
    assert summary["before_filtering"]["total_reads"] == summary["after_filtering"]["total_reads"] == 2 * len(pairs)


@pytest.mark.tools
def test_adapters_are_trimmed_and_units_joined(tmp_path, write_pairs, draw_pairs, read_records):
    units = []
    for lane in (1, 2):
        folder = tmp_path / str(lane)
        folder.mkdir()
        short = [fragment for fragment, _ in draw_pairs(NOVEL, 200, lane, length=50, insert=60, error=0)]
        drawn = [(f"l{lane}r{i}", f + ADAPTER[:25], reverse_complement(f) + ADAPTER[:25]) for i, f in enumerate(short)]
        units.append(write_pairs(folder, drawn))
    options = {"report": tmp_path / "report", "trimmed": tmp_path / "out", "sample": "s1", "log": io.StringIO()}
    assert trim_reads(units, threads=2, **options) == 400
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == [
        "fastp.html",
        "fastp.json",
        "unit2.fastp.html",
        "unit2.fastp.json",
    ]
    (unit,) = trimmed_units(tmp_path / "out")
    assert count_fragments([unit], "s1") == 400
    names = [name for name, _ in read_records(unit.fq1)]
    assert names[0].startswith("l1r0")
    assert names[-1].startswith("l2r199")
    assert {len(sequence) for _, sequence in read_records(unit.fq1)} == {50}


@pytest.mark.tools
@pytest.mark.parametrize("cut", [": > 2.fastq.gz", "truncate --size=-9 2.fastq.gz"])
def test_reads_that_fastp_did_not_write_are_noticed(tmp_path, pairs, fake_program, cut, write_pairs):
    script = f'fastp=$(PATH=${{PATH#*:}} command -v fastp); $fastp "$@"; {cut}'
    fake_program("fastp", script)
    options = {"report": tmp_path / "report", "trimmed": tmp_path / "out", "sample": "s1", "log": io.StringIO()}
    with pytest.raises(ToolFailed, match=rf"fastp wrote \d+ of {len(pairs)} reads of sample s1"):
        trim_reads([write_pairs(tmp_path, pairs)], **options)
    assert not (tmp_path / "out").exists() and not (tmp_path / "report").exists()


@pytest.mark.tools
def test_single_reads_are_trimmed(tmp_path, write_fastq, draw_pairs):
    path = write_fastq(tmp_path / "r.fastq", [(f"r{i}", one) for i, (one, _) in enumerate(draw_pairs(NOVEL, 300, 1))])
    assert trim_reads(
        [Unit("1", path)], report=tmp_path / "report", trimmed=tmp_path / "out", sample="s1", log=io.StringIO()
    )
    assert trimmed_units(tmp_path / "out") == [Unit("1", str(tmp_path / "out" / "single.fastq.gz"))]


@pytest.mark.tools
def test_trimming_that_leaves_no_reads_is_an_error(tmp_path):
    path = tmp_path / "r.fastq"
    path.write_text("".join(f"@r{i}\n{bases(50, i)}\n+\n{'#' * 50}\n" for i in range(20)))
    with pytest.raises(InputError, match="trimming left none of 20 fragments"):
        trim_reads(
            [Unit("1", str(path))], report=tmp_path / "a", trimmed=tmp_path / "b", sample="s1", log=io.StringIO()
        )
    assert [path.name for path in tmp_path.iterdir()] == ["r.fastq"]


@pytest.mark.tools
def test_a_truncated_file_is_not_trimmed(tmp_path, pairs, write_pairs):
    one, two = write_pairs(tmp_path, pairs).files
    Path(one).write_bytes(Path(one).read_bytes()[:-100])
    with pytest.raises(InputError, match="truncated"):
        trim_reads([Unit("1", one, two)], report=tmp_path / "report", sample="s1", log=io.StringIO())
    assert not (tmp_path / "report").exists()

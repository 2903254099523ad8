"""Runs of the SRA, with scripts in place of its programs, and with the real ones on a run that is made here."""

import json
import shutil
import subprocess

import pytest

from deepmapper.errors import InputError, ToolFailed
from deepmapper.reads.sra import fetch_run

RUN = "SRR9000001"


@pytest.fixture
def archive(tmp_path, fake_program):
    """Give a function that puts programs on PATH which know one run, with these FASTQ files and this kind of reads."""

    def make(files, kinds="BIOLOGICAL", lengths="4"):
        (tmp_path / "files").mkdir()
        for name, content in files.items():
            (tmp_path / "files" / name).write_bytes(content)
        fake_program("prefetch", "mkdir $1; touch $1/$1.sra")
        types = ", ".join(f"SRA_READ_TYPE_{kind}" for kind in kinds.split())
        shown = f'*READ_TYPE*) echo "READ_TYPE: {types}";; *) echo "READ_LEN: {", ".join(lengths.split())}"'
        fake_program("vdb-dump", f'case "$*" in {shown};; esac')
        fake_program("fasterq-dump", f"cp -r {tmp_path}/files fastq")

    return make


def test_pairs(archive, fastq_bytes, tmp_path, read_records):
    mates = [fastq_bytes([(f"{RUN}.{i}", "ACGT") for i in (1, 2)])] * 2
    alone = fastq_bytes([(f"{RUN}.3", "AAAA")])
    files = {f"{RUN}_1.fastq": mates[0], f"{RUN}_2.fastq": mates[1], f"{RUN}.fastq": alone}
    archive(files, "BIOLOGICAL BIOLOGICAL", "4 4")
    record = fetch_run(RUN, tmp_path / "out")
    assert record == {"accession": RUN, "layout": "paired", "fragments": 2, "without_mate": 1}
    assert json.loads((tmp_path / "out/fetched.json").read_text()) == record
    assert read_records(tmp_path / "out/2.fastq.gz") == [(f"{RUN}.1", "ACGT"), (f"{RUN}.2", "ACGT")]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["1.fastq.gz", "2.fastq.gz", "fetched.json"]


@pytest.mark.parametrize("name", [f"{RUN}.fastq", f"{RUN}_1.fastq"])
def test_single_reads(archive, fastq_bytes, tmp_path, read_records, name):
    archive({name: fastq_bytes([(f"{RUN}.1", "ACGT")])}, "TECHNICAL BIOLOGICAL", "8 4")
    assert fetch_run(RUN, tmp_path / "out")["layout"] == "single"
    assert read_records(tmp_path / "out/single.fastq.gz") == [(f"{RUN}.1", "ACGT")]


@pytest.mark.parametrize(
    ("names", "kinds", "message"),
    [
        ([f"{RUN}.fastq"], "TECHNICAL BIOLOGICAL", "holds a technical one of 26 nt: this looks like single-cell data"),
        (
            [f"{RUN}_1.fastq", f"{RUN}_2.fastq", f"{RUN}_3.fastq"],
            "BIOLOGICAL",
            rf"more than two reads \({RUN}_3\.fastq\)",
        ),
        ([], "BIOLOGICAL", "the run holds no reads"),
    ],
    ids=["barcodes", "three reads", "nothing"],
)
def test_runs_that_cannot_be_used(archive, tmp_path, names, kinds, message):
    archive(dict.fromkeys(names, b"@a\nA\n+\nI\n"), kinds, "26 91")
    with pytest.raises(InputError, match=f"{RUN}: .*{message}"):
        fetch_run(RUN, tmp_path / "out")
    assert not [path for path in tmp_path.iterdir() if "out" in path.name], "nothing half-written is left"


def test_without_a_connection(fake_program, archive, tmp_path):
    archive({})
    fake_program("prefetch", "exit 3")
    with pytest.raises(ToolFailed, match=rf"{RUN} could not be fetched\. .* connected to the internet.* fq1"):
        fetch_run(RUN, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not shutil.which("latf-load"), reason="sra-tools are not installed")
def test_a_real_run(fake_program, tmp_path, write_fastq, read_records):
    records = [(f"r{i}", "ACGTTGCA" * 9 + "ACGT"[i % 4]) for i in range(20)]
    files = [write_fastq(tmp_path / f"{mate}.fastq", [(f"{name}/{mate}", s) for name, s in records]) for mate in (1, 2)]
    options = ["--quality", "PHRED_33", "-p", "ILLUMINA", "-o", tmp_path / "loaded"]
    subprocess.run(["latf-load", *options, *files], check=True, capture_output=True)
    subprocess.run(["kar", "-c", tmp_path / f"{RUN}.sra", "-d", tmp_path / "loaded"], check=True)
    fake_program("prefetch", f"mkdir $1; cp {tmp_path}/$1.sra $1/")
    assert fetch_run(RUN, tmp_path / "out")["fragments"] == 20
    for mate in (1, 2):
        found = read_records(tmp_path / f"out/{mate}.fastq.gz")
        assert [sequence for _, sequence in found] == [sequence for _, sequence in records]

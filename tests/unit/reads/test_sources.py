"""Columns of the sheet for reads that are in several files, in BAM, or in the SRA."""

import gzip

import pytest

from deepmapper.errors import InputError
from deepmapper.reads.samples import Sample, Unit, load_samples

BAM = gzip.compress(b"BAM\x01\x00\x00\x00\x00")
OTHERS = [
    {"sample": "x", "c": "a", "sra": "SRR000001"},
    *({"sample": f"y{i}", "c": "b", "sra": f"ERR00000{i}"} for i in (1, 2)),
]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Work in a folder with a few files."""
    monkeypatch.chdir(tmp_path)
    for name in ("l1_1.fq", "l1_2.fq", "l2_1.fq", "l2_2.fq", "with, comma.fq"):
        (tmp_path / name).write_bytes(b"@r\nA\n+\nI\n")
    (tmp_path / "a.bam").write_bytes(BAM)
    (tmp_path / "a.cram").write_bytes(b"CRAM\x03\x00")
    return tmp_path


def load(**row):
    """Load a sample of this row beside others without faults; return its units."""
    samples = load_samples("", [{"sample": "s", "c": "a", **row}, *OTHERS], label_column="c")
    return samples[0].units


def fault(**row):
    """The only fault of a row, without its place."""
    with pytest.raises(InputError) as caught:
        load(**row)
    (line,) = str(caught.value).splitlines()[1:]
    return line.partition("entry 1")[2].lstrip(", :")


def test_lists_of_lanes():
    units = load(fq1="l1_1.fq, l2_1.fq", fq2="l1_2.fq,l2_2.fq")
    assert units == (Unit("1", "l1_1.fq", "l1_2.fq"), Unit("2", "l2_1.fq", "l2_2.fq"))
    assert [unit.name for unit in load(fq1="l1_1.fq,l2_1.fq", unit="L1")] == ["L1.1", "L1.2"]


def test_a_path_that_exists_is_not_split():
    assert load(fq1="with, comma.fq") == (Unit("1", "with, comma.fq"),)


def test_bam_and_runs():
    assert load(bam="a.bam") == (Unit("1", "", bam="a.bam"),)
    assert load(sra="SRR123456") == (Unit("SRR123456", "", sra="SRR123456"),)
    assert [unit.sra for unit in load(sra="SRR123456, DRR123457")] == ["SRR123456", "DRR123457"]


def test_rows_of_one_sample_with_a_run_each():
    rows = [{"sample": "s", "c": "a", "sra": f"SRR00010{i}"} for i in (1, 2)]
    assert len(load_samples("", [*rows, *OTHERS], label_column="c")[0].units) == 2


def test_a_sheet_without_fq1(here):
    (here / "s.tsv").write_text("sample\tc\tsra\n" + "".join(f"s{i}\t{'ab'[i % 2]}\tSRR00000{i}\n" for i in range(4)))
    assert load_samples("s.tsv", label_column="c")[1].units == (Unit("SRR000001", "", sra="SRR000001"),)
    (here / "s.tsv").write_text("sample\tc\ns\ta\n")
    with pytest.raises(InputError, match="there is no column 'fq1'"):
        load_samples("s.tsv", label_column="c")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"fq1": "l1_1.fq", "bam": "a.bam"},
            "the columns fq1 and bam are both filled in, expected one source of reads.",
        ),
        ({"fq1": "", "sra": "", "bam": ""}, "fq1, bam, sra are empty, expected a value in one of them."),
        ({}, "fq1: is empty, expected a value."),
        ({"bam": "a.bam", "fq2": "l1_2.fq"}, "fq2: is l1_2.fq, expected nothing: the mates are in the bam, too."),
        ({"sra": "SRX123456"}, "sra: is 'SRX123456', an experiment, expected runs (SRR, ERR or DRR and digits)."),
        ({"sra": "PRJNA1"}, "sra: is 'PRJNA1', a project, expected runs"),
        ({"sra": "GSM12"}, "sra: is 'GSM12', a sample of GEO, expected runs"),
        ({"sra": "12"}, "sra: is '12', expected the accession of a run"),
        ({"fq1": "l1_1.fq,l2_1.fq", "fq2": "l1_2.fq"}, "fq1 lists 2 files and fq2 1, expected the mates of each"),
        ({"fq1": "l1_1.fq,"}, "fq1: an entry before or after a comma is empty"),
        ({"fq1": "l1_1.fq,none.fq"}, "fq1: there is no file none.fq"),
        ({"bam": "a.cram"}, "bam: a.cram is a CRAM file, which can be read only with the genome"),
        ({"bam": "l1_1.fq"}, "bam: l1_1.fq looks like FASTQ, expected BAM. Give it as fq1."),
        ({"bam": "none.bam"}, "bam: there is no file none.bam"),
        ({"fq1": "a.bam"}, "fq1: a.bam is a BAM file, expected FASTQ. Give it in the column bam of the sample sheet"),
        ({"fq1": "a.cram"}, "fq1: a.cram is a CRAM file, expected FASTQ. Give it in the column bam"),
    ],
)
def test_faults(row, message):
    assert fault(**row).startswith(message)


def test_a_run_of_two_samples():
    with pytest.raises(
        InputError, match=r"entry 2, sra: SRR000001 is also the run of .* entry 1, expected every run once"
    ):
        load(sra="SRR000001")


def test_folders_take_the_place_of_what_is_no_fastq_yet(here):
    sample = Sample("s", (Unit("a", "l1_1.fq"), Unit("SRR1", "", sra="SRR1"), Unit("b", "", bam="a.bam")))
    inside = sample.in_folders("fetched", "extracted")
    assert inside.files == ["l1_1.fq", "fetched/SRR1", "extracted/s/b"]
    for folder, names in (("fetched/SRR1", ["1", "2"]), ("extracted/s/b", ["single"])):
        (here / folder).mkdir(parents=True)
        for name in names:
            (here / folder / f"{name}.fastq.gz").touch()
    assert Sample.from_params(inside.as_params()).units == (
        Unit("a", "l1_1.fq"),
        Unit("SRR1", "fetched/SRR1/1.fastq.gz", "fetched/SRR1/2.fastq.gz"),
        Unit("b", "extracted/s/b/single.fastq.gz"),
    )

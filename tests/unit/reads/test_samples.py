"""The sample sheet: what it gives, and every fault by its row and column, all at once."""

import bz2
import gzip
import os
import warnings

import pytest

from deepmapper.errors import InputError
from deepmapper.reads.samples import Sample, Unit, load_samples

READ = "@r1\nACGT\n+\nFFFF\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory with reads of six samples."""
    monkeypatch.chdir(tmp_path)
    for name in "abcdef":
        for mate in "12":
            (tmp_path / f"{name}_{mate}.fq").write_text(READ.replace("r1", f"{name}{mate}"))
    return tmp_path


def sheet(*rows, name="samples.tsv", header="sample condition fq1 fq2", delimiter="\t"):
    """Write a sheet; cells are separated by blanks here, '-' is an empty one."""
    lines = [delimiter.join("" if cell == "-" else cell for cell in row.split(" ")) for row in (header, *rows)]
    with open(name, "w") as file:  # noqa: PTH123
        file.write("\n".join(lines) + "\n")
    return name


def load(path="", rows=(), **settings):
    return load_samples(path, list(rows), **{"label_column": "condition", **settings})


def faults(path="", rows=(), **settings):
    with pytest.raises(InputError) as raised:
        load(path, rows, **settings)
    first, *lines = str(raised.value).splitlines()
    number = "1 fault" if len(lines) == 1 else f"{len(lines)} faults"
    assert first == f"The samples cannot be used, {number}:"
    return [line.strip() for line in lines]


DONORS = "sample condition fq1 fq2 donor"

FOUR = ("a ctrl a_1.fq a_2.fq", "b ctrl b_1.fq -", "c stim c_1.fq c_2.fq", "d stim d_1.fq -")


# ---- what is accepted


def test_paired_and_single_samples(here):
    samples = load(sheet(*FOUR))
    assert [sample.name for sample in samples] == ["a", "b", "c", "d"]
    assert [sample.paired for sample in samples] == [True, False, True, False]
    assert samples[0] == Sample("a", (Unit("1", "a_1.fq", "a_2.fq"),), "auto", {"condition": "ctrl"})
    assert samples[0].files == ["a_1.fq", "a_2.fq"]
    assert samples[1].files == ["b_1.fq"]


def test_all_other_columns_are_kept_with_empty_cells(here):
    rows = [row + end for row, end in zip(FOUR, (" d1 x", " d2 -", " d1 y", " d2"), strict=True)]
    samples = load(sheet(*rows, header="sample condition fq1 fq2 donor note"), group_column="donor")
    assert samples[0].columns == {"condition": "ctrl", "donor": "d1", "note": "x"}
    assert (
        samples[1].columns
        == samples[3].columns | {"condition": "ctrl"}
        == {"condition": "ctrl", "donor": "d2", "note": ""}
    )


def test_units_are_merged_in_order(here):
    rows = [
        "a L2 ctrl a_1.fq a_2.fq",
        "b - ctrl b_1.fq -",
        "a L1 ctrl e_1.fq e_2.fq",
        "c - stim c_1.fq -",
        "d - stim d_1.fq -",
    ]
    samples = load(sheet(*rows, header="sample unit condition fq1 fq2"))
    assert [sample.name for sample in samples] == ["a", "b", "c", "d"]
    assert samples[0].units == (Unit("L2", "a_1.fq", "a_2.fq"), Unit("L1", "e_1.fq", "e_2.fq"))
    assert samples[0].files == ["a_1.fq", "a_2.fq", "e_1.fq", "e_2.fq"]
    assert samples[1].units[0].name == "1"


def test_fq2_may_be_omitted(here):
    samples = load(sheet("a x a_1.fq", "b x b_1.fq", "c y c_1.fq", "d y d_1.fq", header="sample condition fq1"))
    assert not any(sample.paired for sample in samples)


def test_strandedness(here):
    rows = [f"{row} {kind}" for row, kind in zip(FOUR, ("forward", "reverse", "unstranded", "-"), strict=True)]
    samples = load(sheet(*rows, header="sample condition fq1 fq2 strandedness"))
    assert [sample.strandedness for sample in samples] == ["forward", "reverse", "unstranded", "auto"]


def test_entries_of_the_configuration_with_and_without_a_sheet(here):
    entries = [
        {"sample": "e", "condition": "ctrl", "fq1": "e_1.fq", "fq2": "e_2.fq", "batch": 7},
        {"sample": 6, "condition": "stim", "fq1": "f_1.fq", "fq2": None},
    ]
    samples = load(sheet(*FOUR), entries)
    assert [sample.name for sample in samples] == ["a", "b", "c", "d", "e", "6"]
    assert [sample.columns["batch"] for sample in samples] == ["", "", "", "", "7", ""]
    assert not samples[5].paired
    assert [sample.name for sample in load(rows=entries, min_per_class=1)] == ["e", "6"]


def test_a_comma_separated_sheet_called_csv(here):
    assert load(sheet(*FOUR, name="s.csv", delimiter=",")) == load(sheet(*FOUR))


@pytest.mark.parametrize("delimiter", ["\t", ","])
def test_the_delimiter_of_a_sheet_with_another_ending_is_found_in_its_header(here, delimiter):
    assert len(load(sheet(*FOUR, name="s.txt", delimiter=delimiter))) == 4


def test_changes_by_spreadsheets_and_editors_are_accepted(here):
    text = "\ufeff# my study\r\n\r\n sample\tcondition \tfq1\tfq2\r\n" + "".join(
        "\t".join("" if cell == "-" else f" {cell} " for cell in row.split()) + "\r\n" for row in FOUR
    )
    (here / "s.tsv").write_bytes((text + "\r\n\t\t\t\r\n").encode())
    assert load("s.tsv") == load(sheet(*FOUR))


def test_faults_count_rows_as_an_editor_does(here):
    (here / "s.tsv").write_text(
        "# study\n\nsample\tcondition\tfq1\n\na\tx\ta_1.fq\nb\tx\tnone.fq\nc\ty\tc_1.fq\nd\ty\td_1.fq\n"
    )
    assert faults("s.tsv") == [f"s.tsv row 6, fq1: there is no file none.fq in {here}, expected a FASTQ file."]


@pytest.mark.parametrize(
    "name", ["with space.fq", "it's.fq", 'do"uble.fq', "semi;colon.fq", "$(touch x).fq", "a,b.fq", "{x}.fq", "ü*?.fq"]
)
def test_any_path_to_a_file_is_accepted(here, name):
    (here / name).write_text(READ)
    (here / "s.tsv").write_text(f"sample\tcondition\tfq1\na\tx\t{name}\nb\tx\tb_1.fq\nc\ty\tc_1.fq\nd\ty\td_1.fq\n")
    assert load("s.tsv")[0].files == [name]


def test_quoted_cells(here):
    (here / 'a,"b".fq').write_text(READ)
    (here / "s.csv").write_text('sample,condition,fq1\n"a",x,"a,""b"".fq"\nb,x,b_1.fq\nc,y,c_1.fq\nd,y,d_1.fq\n')
    assert load("s.csv")[0].files == ['a,"b".fq']


def test_gzip_is_recognised_by_content(here):
    (here / "a_1.fq").write_bytes(gzip.compress(READ.encode()))
    assert load(sheet(*FOUR))[0].paired


def test_params_hold_what_a_job_depends_on_and_give_the_sample_back(here):
    sample = load(sheet(*FOUR))[0]
    assert sample.as_params() == {"name": "a", "units": [["1", "a_1.fq", "a_2.fq"]], "strandedness": "auto"}
    again = Sample.from_params(sample.as_params())
    assert (again.name, again.units, again.strandedness, again.columns) == ("a", sample.units, "auto", {})


# ---- the sheet as a whole


def test_no_samples_at_all(here):
    assert faults() == ["neither a sheet nor `samples` is given, expected one row per sample."]
    assert faults(sheet()) == ["samples.tsv has no row below its header, expected one row per sample."]


def test_a_sheet_that_cannot_be_read(here):
    assert faults("none.tsv") == ["none.tsv cannot be read (No such file or directory). Correct its path."]
    (here / "u.tsv").write_bytes(b"sample\tfq1\n\x00\x01")
    assert "u.tsv is not text (it holds zero bytes)" in faults("u.tsv")[0]
    (here / "x.csv").write_bytes(b"PK\x03\x04 xl/workbook.xml")
    assert faults("x.csv") == [
        "x.csv is an Excel workbook (.xlsx), expected a table as text. Save the sheet as CSV UTF-8."
    ]
    (here / "empty.tsv").write_text("\n")
    assert faults("empty.tsv") == ["empty.tsv is empty. Copy or write it again."]
    assert "is a folder, expected a text file" in faults(str(here))[0]
    os.mkfifo(here / "pipe")
    assert "is not a regular file" in faults("pipe")[0]


@pytest.mark.parametrize("name", ["s.tsv", "s.csv", "s.txt"])
@pytest.mark.parametrize("delimiter", ["\t", ",", ";", "|"])
def test_the_delimiter_is_found_and_said_if_the_name_stands_for_another(here, name, delimiter):
    path = sheet(*FOUR, name=name, delimiter=delimiter)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert len(load(path)) == 4
    expected = {"s.tsv": "\t", "s.csv": ",", "s.txt": delimiter}[name]
    assert [("columns are separated by" in str(one.message)) for one in said] == [True] * (delimiter != expected)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_sheet_of_another_encoding_or_compressed(here, encoding, pack):
    path = here / sheet(*[row.replace("stim", "près") for row in FOUR])
    path.write_bytes(pack(path.read_text().encode(encoding)))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert load("samples.tsv")[2].columns["condition"] == "près"
    assert len(said) == (encoding == "cp1252")


def test_names_stay_text_exactly_as_written(here):
    rows = [f"{row} {donor}" for row, donor in zip(FOUR, ("1.1", "1.10", "1E2", "007"), strict=True)]
    samples = load(sheet(*rows, header=DONORS), group_column="donor")
    assert [sample.columns["donor"] for sample in samples] == ["1.1", "1.10", "1E2", "007"]


def test_a_number_with_a_point_among_the_entries_is_refused(here):
    entry = {"sample": "e", "condition": "stim", "fq1": "e_1.fq", "donor": 1.1}
    assert faults(sheet(*FOUR), [entry]) == [
        "config `samples` entry 1, donor: is 1.1, a number to YAML, which reads 1.10 as 1.1, expected text. Put the "
        "value in quotes."
    ]


def test_samples_without_a_label(here):
    rows = [f"{row} d{i}" for i, row in enumerate((*FOUR, "e NA e_1.fq -"))]
    path = sheet(*rows, "f - f_1.fq - NA", header=DONORS)
    missing = "which means that it is missing, expected a value. Fill it in, or make it a name with"
    assert faults(path, group_column="donor") == [
        f"samples.tsv row 6, condition: is 'NA', {missing} `labels: {{na_values: []}}`.",
        "samples.tsv row 7, condition: is empty, expected a value.",
        f"samples.tsv row 7, donor: is 'NA', {missing} `labels: {{na_values: []}}`.",
    ]
    assert len(load(path, group_column="donor", missing="drop")) == 6
    assert len(load(sheet(*FOUR, "e NA e_1.fq -"), na_values=[], min_per_class=1)) == 5
    assert len(load(sheet(*FOUR, "e NA e_1.fq -"), exclude=["NA"])) == 5


def test_columns_that_are_missing_repeated_or_without_a_name(here):
    assert faults(sheet(*FOUR, header="sample label fq1 fq1"), group_column="donor") == [
        "samples.tsv row 1: the column 'fq1' appears 2 times, expected once.",
        "samples.tsv row 1: there is no column 'condition', found sample, label, fq1, fq1. Add it.",
        "samples.tsv row 1: there is no column 'donor', found sample, label, fq1, fq1. Add it.",
    ]
    assert faults(sheet(*FOUR, header="sample condition fq1 -")) == [
        "samples.tsv row 1: 1 of 4 columns have no name, expected one for each."
    ]


@pytest.mark.parametrize(
    "header, found, expected",
    [
        ("Sample condition fq1 fq2", "Sample", "sample"),
        ("sample condition fastq_1 fq2", "fastq_1", "fq1"),
        ("sample condition fq1 fastq_2", "fastq_2", "fq2"),
        ("sample condition fq1 R2", "R2", "fq2"),
        ("sample Condition fq1 fq2", "Condition", "condition"),
        ("sample condition fq1 Strandness", "Strandness", "strandedness"),
    ],
)
def test_a_column_with_another_name_is_not_reported_as_missing(here, header, found, expected):
    assert faults(sheet(*FOUR, header=header)) == [
        f"samples.tsv row 1: has a column '{found}', expected '{expected}'. Rename it."
    ]


@pytest.mark.parametrize("column", ["a/b", "_index"])
def test_a_column_that_no_table_can_hold(here, column):
    rows = [f"{row} x" for row in FOUR]
    assert faults(sheet(*rows, header=f"sample condition fq1 fq2 {column}")) == [
        f"samples.tsv row 1: a column is called '{column}', expected a name without '/' and not '_index'."
    ]


def test_a_label_or_group_that_does_not_describe_the_sample(here):
    assert faults(sheet(*FOUR), label_column="fq1") == [
        "the label column is 'fq1', expected a column that describes the sample."
    ]
    assert faults(sheet(*FOUR), group_column="sample") == [
        "the group column is 'sample', expected a column that describes the sample."
    ]


def test_a_quote_that_is_never_closed(here):
    (here / "s.tsv").write_text('sample\tcondition\tfq1\na\tx\t"a_1.fq\nb\tx\tb_1.fq\n')
    assert faults("s.tsv") == [
        "s.tsv line 2: a quoted cell is not closed, or text follows its closing quote (unexpected end of data). Close "
        "it, or remove the quote."
    ]


# ---- rows


def test_a_row_with_too_many_cells(here):
    assert faults(sheet(*FOUR[:3], "d stim d_1.fq - x")) == [
        "samples.tsv row 5: has 5 cells, expected at most 4 as in the header."
    ]


def test_empty_cells(here):
    assert faults(sheet(*FOUR, "- ctrl e_1.fq -", "f - f_1.fq -", "g stim - -")) == [
        "samples.tsv row 6, sample: is empty, expected a value.",
        "samples.tsv row 7, condition: is empty, expected a value.",
        "samples.tsv row 8, fq1: is empty, expected a value.",
    ]


@pytest.mark.parametrize("name", ["a/b", "../x", "a*", ".hidden", "-x", "_x", "ä", "a;b", "x" * 101])
def test_names_that_cannot_be_file_names(here, name):
    assert faults(sheet(*FOUR, f"{name} stim e_1.fq -")) == [
        f"samples.tsv row 6, sample: is '{name}', expected letters, digits, '_', '.' and '-', a letter or digit first, "
        f"at most 100 characters."
    ]


def test_a_name_with_a_space_and_a_unit_with_a_slash(here):
    (here / "s.tsv").write_text(
        "sample\tunit\tcondition\tfq1\na b\t1\tx\ta_1.fq\nb\t1\tx\tb_1.fq\nc\tL/1\ty\tc_1.fq\nd\t1\ty\td_1.fq\n"
    )
    assert [line.split(", expected")[0] for line in faults("s.tsv")] == [
        "s.tsv row 2, sample: is 'a b'",
        "s.tsv row 4, unit: is 'L/1'",
    ]


def test_names_that_differ_only_in_case(here):
    assert faults(sheet(*FOUR, "A stim e_1.fq -")) == [
        "samples.tsv row 6, sample: 'A' and 'a' (samples.tsv row 2) differ only in case, expected names that differ in "
        "more. Rename one."
    ]


def test_a_sample_twice_without_units(here):
    assert faults(sheet(*FOUR, "b ctrl e_1.fq -")) == [
        "samples.tsv row 6: sample 'b' exists already (samples.tsv row 3), expected it once. Rename it, or name the "
        "lanes of one sample in the column unit."
    ]


def test_a_unit_twice(here):
    rows = [row.replace(" ", " L1 ", 1) for row in (*FOUR, "b ctrl e_1.fq -")]
    assert faults(sheet(*rows, header="sample unit condition fq1 fq2"))[0].startswith(
        "samples.tsv row 6: unit 'L1' of sample 'b' exists already (samples.tsv row 3)"
    )


def test_units_that_disagree(here):
    rows = [row.replace(" ", " L1 ", 1) + " d1 forward" for row in FOUR]
    rows.append("a L2 stim e_1.fq - d2 reverse")
    agree = "in samples.tsv row 2, expected the same in all its units."
    assert faults(sheet(*rows, header="sample unit condition fq1 fq2 donor strandedness")) == [
        "samples.tsv row 6, fq2: sample 'a' is single-end here and paired in samples.tsv row 2, expected one kind. "
        "Make it two samples.",
        f"samples.tsv row 6, condition: sample 'a' has 'stim' here and 'ctrl' {agree}",
        f"samples.tsv row 6, donor: sample 'a' has 'd2' here and 'd1' {agree}",
        f"samples.tsv row 6, strandedness: sample 'a' has 'reverse' here and 'forward' {agree}",
    ]


def test_an_entry_may_not_repeat_a_sample_of_the_sheet(here):
    entry = {"sample": "a", "condition": "ctrl", "fq1": "e_1.fq", "fq2": "e_2.fq"}
    assert faults(sheet(*FOUR), [entry]) == [
        "config `samples` entry 1: sample 'a' exists already (samples.tsv row 2), expected it once. Rename it, or name "
        "the lanes of one sample in the column unit."
    ]


def test_strandedness_that_does_not_exist(here):
    rows = [f"{row} {kind}" for row, kind in zip(FOUR, ("RF", "forward", "no", "-"), strict=True)]
    end = "expected one of auto, unstranded, forward, reverse."
    assert faults(sheet(*rows, header="sample condition fq1 fq2 strandedness")) == [
        f"samples.tsv row 2, strandedness: is 'RF', {end}",
        f"samples.tsv row 4, strandedness: is 'no', {end}",
    ]


def test_entries_that_are_not_text(here):
    entries = [
        "a",
        {"sample": "a", "condition": False, "fq1": "a_1.fq"},
        {"sample": "b", "condition": "x", "fq1": ["b_1.fq"]},
        {"sample": "c", "fq1": "c_1.fq", "fastq_2": "c_2.fq"},
    ]
    assert faults(rows=entries) == [
        "config `samples` entry 1: is 'a', expected keys and values such as `sample: s1`.",
        "config `samples` entry 2, condition: is true or false (YAML reads yes, no, on and off as these), expected "
        "text. Put the value in quotes.",
        "config `samples` entry 3, fq1: is ['b_1.fq'], expected text. Put the value in quotes.",
        "config `samples` entry 4: has a column 'fastq_2', expected 'fq2'. Rename it.",
    ]
    assert faults(sheet(*FOUR), [{"sample": "e", "fq1": "e_1.fq"}]) == [
        "config `samples` entry 1, condition: is empty, expected a value."
    ]


# ---- files


def test_files_that_are_missing_or_not_regular(here):
    (here / "folder").mkdir()
    os.mkfifo(here / "pipe")
    absolute = here / "none.fq"
    rows = ["a x none.fq -", f"b x {absolute} -", "c y folder -", "d y pipe -", "e y s3://bucket/e.fq.gz -"]
    assert faults(sheet(*rows)) == [
        f"samples.tsv row 2, fq1: there is no file none.fq in {here}, expected a FASTQ file.",
        f"samples.tsv row 3, fq1: there is no file {absolute}, expected a FASTQ file.",
        "samples.tsv row 4, fq1: folder is a folder, expected a FASTQ file, plain or gzipped.",
        "samples.tsv row 5, fq1: pipe is not a regular file, expected a FASTQ file, plain or gzipped.",
        "samples.tsv row 6, fq1: s3://bucket/e.fq.gz is a URL, expected a file on this machine. Fetch it first.",
    ]


def test_a_file_that_may_not_be_read(here, monkeypatch):
    from pathlib import Path

    opened = Path.open

    def refuse(self, *arguments, **settings):
        if self.name == "c_2.fq":
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *arguments, **settings)

    path = sheet(*FOUR)
    monkeypatch.setattr(Path, "open", refuse)
    assert faults(path) == ["samples.tsv row 4, fq2: c_2.fq cannot be read (Permission denied)."]


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "a_1.fq is empty, expected reads. Give the right file or remove the sample."),
        (gzip.compress(b""), "a_1.fq is empty, expected reads. Give the right file or remove the sample."),
        (gzip.compress(READ.encode())[:12], "a_1.fq is a damaged gzip file ("),
        (b"\x1f\x8b\x00\x00garbage", "a_1.fq is a damaged gzip file ("),
        (b">r1\nACGT\n", "a_1.fq starts with '>r1', expected FASTQ, whose records start with '@'."),
        (gzip.compress(b">r1\nACGT\n"), "a_1.fq starts with '>r1', expected FASTQ, whose records start with '@'."),
        (gzip.compress(b"BAM\x01\x00"), "a_1.fq is a BAM file, expected FASTQ. Give it in the column bam"),
        (b"BZh91AY", "a_1.fq is a damaged bzip2 file ("),
        (bz2.compress(b">r1\nACGT\n"), "a_1.fq starts with '>r1', expected FASTQ, whose records start with '@'."),
        (b"PK\x03\x04..", "a_1.fq is a zip file, expected FASTQ, plain or gzipped. Convert it."),
        (b"\n@r1\n", "a_1.fq starts with '', expected FASTQ, whose records start with '@'."),
    ],
    ids=[
        *("empty", "empty gzip", "cut gzip", "damaged gzip", "fasta", "gzipped fasta", "bam", "damaged bzip2"),
        *("fasta in bzip2", "zip"),
        "blank line",
    ],
)
def test_files_that_are_not_fastq(here, content, message):
    (here / "a_1.fq").write_bytes(content)
    (fault,) = faults(sheet(*FOUR))
    assert fault.startswith(f"samples.tsv row 2, fq1: {message}")


def test_the_same_file_twice_under_any_name(here):
    (here / "link.fq").symlink_to("b_1.fq")
    os.link(here / "c_1.fq", here / "hard.fq")
    rows = ["a x a_1.fq a_1.fq", "b x b_1.fq -", "c y c_1.fq link.fq", "d y d_1.fq ./a_1.fq", "e y hard.fq -"]
    assert faults(sheet(*rows)) == [
        "samples.tsv row 2, fq2: a_1.fq is also the fq1, expected its mates, or nothing for single-end.",
        "samples.tsv row 4, fq2: link.fq is also the file of samples.tsv row 3, fq1, expected every file once.",
        "samples.tsv row 5, fq2: ./a_1.fq is also the file of samples.tsv row 2, fq1, expected every file once.",
        "samples.tsv row 6, fq1: hard.fq is also the file of samples.tsv row 4, fq1, expected every file once.",
    ]


def test_paths_that_a_program_would_misread(here):
    (here / "-x.fq").write_text(READ)
    (here / "s.tsv").write_text('sample\tcondition\tfq1\na\tx\t-x.fq\nb\tx\t"b_\n1.fq"\nc\ty\tc_1.fq\nd\ty\td\x07.fq\n')
    lines = faults("s.tsv")
    assert lines[0] == "s.tsv row 3, fq1: holds the character '\\n', expected one line of plain text."
    assert lines[1] == "s.tsv row 6, fq1: holds the character '\\x07', expected one line of plain text."
    assert "s.tsv row 2, fq1: '-x.fq' starts with '-', as options of programs do. Write ./-x.fq." in lines
    rows = (
        (here / "s.tsv").read_text().replace("-x.fq", "./-x.fq").replace('"b_\n1.fq"', "b_1.fq").replace("d\x07", "d_1")
    )
    (here / "s.tsv").write_text(rows)
    assert load("s.tsv")[0].files == ["./-x.fq"]


# ---- classes


def test_too_few_samples_of_a_class(here):
    assert faults(sheet(*FOUR, "e other e_1.fq -")) == [
        "column condition: too few samples of other, expected at least 2 of every class (there are ctrl: 2, stim: 2, "
        "other: 1). Add samples, or leave the class out with `labels.exclude`."
    ]
    assert len(load(sheet(*FOUR, "e other e_1.fq -"), exclude=["other"])) == 5
    assert len(load(sheet(*FOUR, "e other e_1.fq -"), min_per_class=1)) == 5
    assert "at least 3 of every class" in faults(sheet(*FOUR), min_per_class=3)[0]


def test_units_of_one_sample_are_one_sample(here):
    rows = ["a 1 x a_1.fq", "a 2 x b_1.fq", "c 1 y c_1.fq", "d 1 y d_1.fq"]
    assert "too few samples of x" in faults(sheet(*rows, header="sample unit condition fq1"))[0]


def test_only_one_class(here):
    assert faults(sheet(*FOUR[:2])) == [
        "column condition: the samples are of 1 class (ctrl: 2), expected at least 2 to compare."
    ]
    assert faults(sheet(*FOUR), exclude=["ctrl"])[0].startswith(
        "column condition: the samples are of 1 class (stim: 2)"
    )


def test_numbers_may_be_labels_and_excluded(here):
    rows = [row.replace("ctrl", "0").replace("stim", "1") for row in FOUR]
    assert len(load(sheet(*rows, "e 2 e_1.fq -"), exclude=[2])) == 5


def test_without_a_label_classes_are_not_checked(here):
    assert len(load(sheet("a a_1.fq", header="sample fq1"), label_column="")) == 1


def test_faults_of_every_kind_come_together(here):
    rows = [
        "a ctrl a_1.fq a_1.fq forward",
        "b/b ctrl none.fq - forward",
        "c stim c_1.fq - sideways",
        "C stim d_1.fq - -",
        "a ctrl e_1.fq e_2.fq forward",
        "f other f_1.fq -",
    ]
    entries = [{"sample": "g", "condition": "stim", "fq1": "c_1.fq"}]
    lines = faults(sheet(*rows, header="sample condition fq1 fq2 strandedness"), entries)
    assert [line.split(":")[0] for line in lines] == [
        "samples.tsv row 3, sample",
        "samples.tsv row 4, strandedness",
        "samples.tsv row 2, fq2",
        "samples.tsv row 3, fq1",
        "config `samples` entry 1, fq1",
        "samples.tsv row 5, sample",
        "samples.tsv row 6",
        "column condition",
    ]

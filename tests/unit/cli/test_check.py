"""`deepmapper check`: mistakes that people make, each found before any job, all at once."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp


def test_a_good_study_is_summarised_and_nothing_is_written(study, call, here):
    found = call("check", study(labels={"group": "donor"}))
    assert "60 samples × 30 features" in found.said
    assert "Classes 3: alpha 20, beta 20, gamma 20" in found.said
    assert "Groups 5 in 'donor'" in found.said
    assert "Values whole numbers up to" in found.said
    assert "1 model (cnn_small): 30 passes, and 5 on permuted labels" in found.said
    assert "67 in all" in found.said
    assert "no fault found" in found.said
    assert [path.name for path in Path("study").iterdir()] == ["config"]
    folder = str(Path.cwd())  # of any length
    assert max(len(line.replace(folder, "")) for line in found.raw.splitlines()) <= 110


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"labels": {"column": "stat"}}, "labels.column: there is no column 'stat' .* Did you mean 'state'"),
        ({"labels": {"group": "doner"}}, "labels.group: there is no column 'doner' .* Did you mean 'donor'"),
        ({"labels": {"column": "age"}}, "it looks like a measurement"),
        ({"labels": {"group": "run"}}, "class 'alpha', 'beta', 'gamma' lies in a single group of column 'run'"),
        ({"labels": {"exclude": ["alfa"]}}, "exclude names 'alfa', .* Did you mean 'alpha'"),
        ({"confounders": {"columns": ["run"]}}, "confounder 'run' determines the class"),
        ({"confounders": {"columns": ["batch"]}}, "confounders.columns: there is no column 'batch'"),
        ({"differential": {"reference": "delta"}}, "differential.reference is 'delta', which is not a class"),
        (
            {"differential": {"design": "~ sex + state"}},
            "differential.design is '~ sex \\+ state', which cannot be used",
        ),
        ({"matrix": {"path": "none.h5ad"}}, "matrix.path: none.h5ad does not exist"),
        ({"matrix": {"layer": "counts"}}, "has no matrix 'counts'"),
        ({"trainign": {"lr": 1}}, "unknown key `trainign`; did you mean `training`"),
        ({"models": {"cnn_smal": {}}}, "`cnn_smal` is not a kind"),
    ],
)
def test_a_mistake_is_found(study, call, settings, fault):
    assert re.search(fault, call("check", study(**settings), status=1).said)


def test_all_faults_are_listed_not_the_first_only(study, call):
    settings = {
        "labels": {"column": "stat", "group": "doner"},
        "confounders": {"columns": ["batch"]},
        "passes": {"n_passes": "many"},
        "trainign": {},
    }
    said = call("check", study(**settings), status=1).said
    for part in ("`trainign`", "`passes.n_passes`", "'stat'", "'doner'", "'batch'"):
        assert part in said
    assert "5 faults found" in said


def test_values_that_are_no_counts_name_the_layer_that_holds_them(study, call, counts):
    adata = counts.copy()
    adata.layers["counts"] = adata.X.copy()
    adata.X = sp.csr_matrix(np.log1p(adata.X.toarray()))
    adata.write_h5ad("matrix.h5ad")
    said = call("check", study(), status=1).said
    assert "The file holds counts in 'counts': set `matrix: {layer: counts}`" in said
    assert "as logarithms are" in said


def test_a_class_of_one_and_missing_labels_are_two_faults(study, call, counts):
    adata = counts.copy()
    adata.obs["state"] = ["delta", None, "NA", *adata.obs["state"][3:]]
    adata.write_h5ad("matrix.h5ad")
    said = call("check", study(), status=1).said
    assert "2 of 60 samples have no label" in said
    assert "too few samples in class 'delta' (1)" in said


@pytest.mark.parametrize(("column", "fault"), [("age", "it looks like a measurement"), ("name", "names of samples")])
def test_what_is_no_label_is_one_fault_without_a_list_of_its_values(study, call, counts, column, fault):
    adata = counts.copy()
    adata.obs["name"] = adata.obs_names
    adata.write_h5ad("matrix.h5ad")
    said = call("check", study(labels={"column": column}), status=1).said
    assert fault in said
    assert "1 fault found" in said
    assert len(said) < 1500


def test_an_empty_column_of_labels_is_one_fault(study, call):
    assert "1 fault found" in call("check", study(labels={"column": ""}), status=1).said


def test_labels_of_a_table_are_matched_and_counted(study, call, counts, here):
    table = counts.obs[["state"]].set_axis([f"{name}-1" for name in counts.obs_names])
    table.to_csv("labels.csv", index_label="cell")
    adata = counts.copy()
    adata.obs = adata.obs[["donor"]]
    adata.write_h5ad("matrix.h5ad")
    said = call("check", study(labels={"table": str(here / "labels.csv")})).said
    assert "60 samples matched although the names differ" in said
    assert "'state' is known for 60 of 60 samples" in said


@pytest.mark.parametrize("what", ["matrix", "table", "config"])
def test_pipes_do_not_make_it_wait(study, call, here, what):
    os.mkfifo("pipe")
    sections = {"matrix": {"matrix": {"path": str(here / "pipe")}}, "table": {"labels": {"table": str(here / "pipe")}}}
    name = study(**sections.get(what, {}))
    said = call("check", name, *(["--config", "pipe"] if what == "config" else []), status=1).said
    assert "is a named pipe" in said or "neither a file nor a link to one" in said


@pytest.mark.parametrize("text", ["", "- a", "a: [", "a: &x [*x]", "\tmatrix: x", "\xff"])
def test_a_file_that_is_no_configuration_is_one_message(study, call, text):
    name = study()
    Path(name, "config/config.yaml").write_text(text, encoding="latin-1")
    assert "1 fault found" in call("check", name, status=1).said


def test_faults_of_the_sheet_the_reads_and_the_programs_are_listed_together(study, call, here, monkeypatch):
    good = "@r1\nACGT\n+\nIIII\n@r2\nAGGT\n+\nIIII\n"
    for name, text in {"a.fq": good, "b.fq": "@r1\nACGT\n+\nIII\n", "c.fq": ">x\nACGT\n", "d.fq": good}.items():
        (here / name).write_text(text)
    rows = ["s1\tx\ta.fq", "s2\tx\tb.fq", "s3\ty\tc.fq", "s4\ty\td.fq"]
    name = study(matrix=None, sample_sheet="sheet.tsv", reference={"transcripts": "tx.fa"})
    for path in here.glob("*.fq"):
        path.rename(here / name / path.name)
    (here / name / "sheet.tsv").write_text(
        "\n".join(["sample\tstate\tfq1", *rows[:2], "s5\ty\tnone.fq", rows[3]]) + "\n"
    )
    (here / name / "tx.fa").write_text(">t1\nMKLVE*\n")
    monkeypatch.setenv("PATH", "/nowhere")
    said = call("check", name, status=1).said
    assert "there is no file none.fq" in said
    assert "record 1 (@r1) has 4 bases but 3 qualities" in said
    assert "tx.fa: record t1 holds the letter" in said
    assert "salmon" in said
    assert "not found on PATH" in said
    assert "not found on PATH" not in call("check", name, "--conda", status=1).said


def test_names_cannot_control_the_terminal(study, call, counts):
    adata = counts.copy()
    adata.obs["state"] = ["\x1b]0;owned\x07", *adata.obs["state"][1:]]
    adata.write_h5ad("matrix.h5ad")
    found = call("check", study(), status=1)
    assert "\x1b" not in found.raw
    assert "\\x1b]0;owned\\x07 1" in found.said

"""`deepmapper init`: what it proposes, writes and refuses."""

import shlex
from pathlib import Path

import pytest
import yaml

from deepmapper.cli import init


def config(study):
    return yaml.safe_load(Path(study, "config/config.yaml").read_text())


def test_a_matrix_with_its_label_column_is_ready_to_check(here, call):
    said = call("init", "blood", "--matrix", "matrix.h5ad", "--labels", "state", "--group", "donor", "--passes", 7).said
    assert "60 samples × 30 features; whole numbers up to" in said
    assert config("blood") == {
        "matrix": {"path": str(here / "matrix.h5ad")},
        "labels": {"column": "state", "group": "donor"},
        "features": {"normalization": "log1p_median"},
        "passes": {"n_passes": 7, "seed": 0},
        "models": {"cnn_small": {"kind": "cnn_small"}},
    }
    assert "no fault found" in call("check", "blood").said


def test_commands_that_are_printed_can_be_copied_whatever_the_study_is_called(here, call):
    found = call("init", "my 1st study; no more", "--matrix", "matrix.h5ad", "--labels", "state")
    first, second = found.raw.strip().splitlines()[-1].removeprefix("Next: ").split(", then ")
    for command, line in (("check", first), ("run", second)):
        assert shlex.split(line) == ["deepmapper", command, "my 1st study; no more"]
    missing = call("open", "my 1st study; no more", status=1).raw.strip().rpartition("Make it with: ")[2]
    assert shlex.split(missing) == ["deepmapper", "run", "my 1st study; no more"]
    call(*shlex.split(first)[1:])


def test_without_a_label_column_the_candidates_are_listed_and_nothing_is_guessed(here, call):
    said = call("init", "blood", "--matrix", "matrix.h5ad").said
    assert "Set labels.column to the states to tell apart." in said
    assert "state 3 classes: alpha, beta, gamma" in said
    assert "age" not in said, "a measurement is no label"
    text = Path("blood/config/config.yaml").read_text()
    assert 'column: ""  # one of: state, run' in text
    assert "perhaps donor" in text
    assert "`labels.column` is empty" in call("check", "blood", status=1).said


def test_counts_in_a_layer_are_found(here, call, counts):
    adata = counts.copy()
    adata.layers["raw_counts"] = adata.X.copy()
    adata.X.data[:] = adata.X.data / 7
    adata.write_h5ad("matrix.h5ad")
    said = call("init", "blood", "--matrix", "matrix.h5ad", "--labels", "state").said
    assert "X does not hold counts, 'raw_counts' does" in said
    assert config("blood")["matrix"]["layer"] == "raw_counts"
    assert "no fault found" in call("check", "blood").said


def test_logarithms_are_used_as_they_are(here, call, counts):
    adata = counts.copy()
    adata.X = adata.X.log1p()
    adata.write_h5ad("matrix.h5ad")
    call("init", "blood", "--matrix", "matrix.h5ad", "--labels", "state")
    assert config("blood")["features"] == {"normalization": "none"}


def test_counts_in_raw_are_proposed_with_their_own_features(here, call, counts):
    adata = counts.copy()
    adata.raw = counts
    adata.X = adata.X.log1p()
    adata[:, :20].copy().write_h5ad("matrix.h5ad")
    said = call("init", "blood", "--matrix", "matrix.h5ad", "--labels", "state").said
    assert "60 samples × 30 features; X does not hold counts, 'raw' does and is read: whole numbers" in said
    assert config("blood")["matrix"]["layer"] == "raw"


def test_a_layer_that_is_named_is_the_one_looked_at(here, call, counts):
    adata = counts.copy()
    adata.layers["logs"] = adata.X.log1p()
    adata.write_h5ad("matrix.h5ad")
    call("init", "blood", "--matrix", "matrix.h5ad", "--labels", "state", "--layer", "logs")
    assert config("blood")["matrix"]["layer"] == "logs"
    assert config("blood")["features"] == {"normalization": "none"}


def test_features_in_rows_are_seen_from_the_names_of_the_labels(here, call, counts):
    table = counts.to_df().astype(int).T
    table.index = [*table.index[:-1], table.index[0]]  # as genes of one symbol are
    table.to_csv("counts.csv")
    counts.obs.to_csv("labels.csv")
    given = ("--matrix", "counts.csv", "--labels-table", "labels.csv", "--labels", "state")
    said = call("init", "genes", *given, status=1).said
    assert "features are in rows and samples in columns, as labels.csv shows (transpose: true)" in said
    assert "1 duplicate feature name ('gene0' 2 times)" in said
    assert config("genes")["matrix"]["transpose"] is True
    counts.to_df().astype(int).T.to_csv("counts.csv")
    assert "60 samples × 30 features" in call("init", "blood", *given).said
    assert "no fault found" in call("check", "blood").said


def test_a_matrix_in_the_study_is_named_relative_to_it(here, call):
    (here / "blood").mkdir()
    (here / "matrix.h5ad").rename("blood/matrix.h5ad")
    call("init", "blood", "--matrix", "blood/matrix.h5ad", "--labels", "state")
    assert config("blood")["matrix"] == {"path": "matrix.h5ad"}
    assert "no fault found" in call("check", "blood").said


def test_reads_get_a_sheet_to_fill_in(here, call):
    said = call("init", "rna", "--reads", "--genome", "g.fa", "--annotation", "a.gtf", "--group", "donor").said
    assert "Fill in rna/config/samples.tsv" in said
    reference = {"genome": str(here / "g.fa"), "transcripts": "", "annotation": str(here / "a.gtf")}
    assert config("rna")["reference"] == reference
    sheet = Path("rna/config/samples.tsv").read_text()
    assert "sample\tcondition\tdonor\tfq1\tfq2" in sheet
    said = call("check", "rna", status=1).said
    assert "reference.genome" in said
    assert "expected one row per sample" in said


def test_nothing_is_overwritten(here, call):
    call("init", "blood", "--matrix", "matrix.h5ad", "--labels", "state")
    said = call("init", "blood", "--reads", status=2).said
    assert "blood/config/config.yaml exists already" in said
    assert "is a file, expected the name of a folder" in call("init", "matrix.h5ad", "--reads", status=2).said


def test_what_a_study_starts_from_must_be_said(here, call):
    assert "--matrix FILE, or --reads" in call("init", "blood", status=2).said
    assert "both given" in call("init", "blood", "--reads", "--matrix", "matrix.h5ad", status=2).said
    assert "does not exist" in call("init", "blood", "--matrix", "none.h5ad", status=1).said
    assert not (here / "blood").exists()


def test_a_column_that_is_not_there_is_named_with_the_nearest(here, call, counts):
    said = call("init", "blood", "--matrix", "matrix.h5ad", "--labels", "stat", status=2).said
    assert "--labels stat: the samples have no such column, only state, donor, run, age. Did you mean 'state'?" in said
    counts.to_df().astype(int).to_csv("counts.csv")
    said = call("init", "blood", "--matrix", "counts.csv", "--labels", "state", status=2).said
    assert "give a table with --labels-table" in said
    assert not (here / "blood").exists()


def test_data_with_a_fault_get_a_configuration_in_which_it_can_be_mended(here, call, counts):
    table = counts.to_df().astype(int)
    table.columns = [*table.columns[:-1], table.columns[0]]
    table.to_csv("counts.csv")
    counts.obs.to_csv("labels.csv")
    said = call(
        "init", "blood", "--matrix", "counts.csv", "--labels-table", "labels.csv", "--labels", "state", status=1
    ).said
    assert "1 duplicate feature name ('gene0' 2 times)" in said
    assert "1 fault found" in call("check", "blood", status=1).said
    text = Path("blood/config/config.yaml").read_text()
    Path("blood/config/config.yaml").write_text(text.replace("matrix:\n", "matrix:\n  duplicate_names: make_unique\n"))
    assert "no fault found" in call("check", "blood").said


def test_a_person_is_asked(here, monkeypatch):
    from click.testing import CliRunner

    monkeypatch.setattr(init, "is_terminal", lambda: True)
    found = CliRunner().invoke(init.command, ["blood"], input="matrix.h5ad\n\ndonor\n")
    assert found.exit_code == 0, found.output
    assert config("blood")["labels"] == {"column": "state", "group": "donor"}


@pytest.mark.parametrize("name", ["no", "1.10", "a: b", "x #y", "it's"])
def test_names_that_yaml_reads_otherwise_are_quoted(here, call, counts, name):
    adata = counts.copy()
    adata.obs[name] = adata.obs["state"]
    adata.write_h5ad(f"{name}.h5ad")
    call("init", "blood", "--matrix", f"{name}.h5ad", "--labels", name)
    assert config("blood")["labels"]["column"] == name
    assert config("blood")["matrix"]["path"] == str(here / f"{name}.h5ad")

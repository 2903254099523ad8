"""What cannot be analysed is refused: one message that a person can act on, nothing half-written."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.workflow


def write(directory, adata) -> None:
    path = directory.folder / "matrix.h5ad"
    path.unlink()  # a new file: a process that another thread just forked may still hold the lock of the old one
    adata.write_h5ad(path)


def written_as_table(directory, matrix, name: str, separator: str, labels: pd.Series) -> None:
    """Put the matrix in a text table and the labels in another."""
    adata = matrix()
    table = pd.DataFrame(adata.X.toarray(), index=adata.obs_names, columns=adata.var_names)
    table.to_csv(directory.folder / name, sep=separator)
    labels.to_csv(directory.folder / "labels.csv")
    directory.configure(matrix={"path": name}, labels={"column": "state", "table": "labels.csv"})


def missing_matrix(directory, matrix):
    directory.configure(matrix={"path": "gone.h5ad"})


def unknown_key(directory, matrix):
    directory.configure(training={"learning_rate": 0.1}, passes={"n_pases": 3})


def unknown_kind(directory, matrix):
    directory.configure(models={"mine": {"kind": "cnn_smal"}})


def unknown_extra(directory, matrix):
    directory.configure(models={"mlp": {"extra": {"hiden": 3}}})


def pretrained(directory, matrix):
    directory.configure(models={"cnn": {"pretrained": True}})


def truncated_file(directory, matrix):
    path = directory.folder / "matrix.h5ad"
    path.write_bytes(path.read_bytes()[:-2000])


def line_cut_off(directory, matrix):
    written_as_table(directory, matrix, "matrix.csv", ",", matrix().obs["state"])
    lines = (directory.folder / "matrix.csv").read_text().splitlines()
    lines[40] = lines[40].rpartition(",")[0]
    (directory.folder / "matrix.csv").write_text("\n".join(lines) + "\n")


def label_table_without_some_cells(directory, matrix):
    written_as_table(directory, matrix, "matrix.csv", ",", matrix().obs["state"].iloc[:-3])


def duplicate_genes(directory, matrix):
    adata = matrix()
    adata.var_names = ["noise_1", *adata.var_names[1:]]
    write(directory, adata)


def not_a_number(directory, matrix):
    adata = matrix()
    adata.X = adata.X.toarray()
    adata.X[7, 3] = np.nan
    write(directory, adata)


def negative_counts(directory, matrix):
    adata = matrix()
    adata.X.data[5] = -2
    write(directory, adata)


def no_label_column(directory, matrix):
    directory.configure(labels={"column": "stat"})


def class_of_three(directory, matrix):
    adata = matrix()
    write(directory, adata[:63].copy())


def one_class(directory, matrix):
    write(directory, matrix()[:30].copy())


def class_in_one_group(directory, matrix):
    write(directory, matrix(donor=np.where(np.arange(90) < 30, "a", np.where(np.arange(90) % 2, "b", "c"))))
    directory.configure(labels={"column": "state", "group": "donor"})


def confounder_of_the_label(directory, matrix):
    write(directory, matrix(batch=np.repeat(["b1", "b2", "b3"], 30)))
    directory.configure(labels={"column": "state"}, confounders={"columns": ["batch"]})


def names_as_labels(directory, matrix):
    write(directory, matrix(sample=[f"s{i}" for i in range(90)]))
    directory.configure(labels={"column": "sample"})


def measured_labels(directory, matrix):
    write(directory, matrix(age=np.arange(90) / 7 + 20))
    directory.configure(labels={"column": "age"})


def logarithms_with_counts_in_a_layer(directory, matrix):
    adata = matrix()
    adata.layers["counts"] = adata.X.copy()
    adata.X = adata.X.log1p()
    write(directory, adata)


def no_tpm(directory, matrix):
    directory.configure(features={"normalization": "log1p_tpm"})


# What is wrong, the stage that must refuse it, and what it must say.
CASES = {
    missing_matrix: ("", r"matrix\.path: gone\.h5ad does not exist \(looked for /.*/gone\.h5ad\)"),
    unknown_key: (
        "",
        r"2 faults; .*`passes\.n_pases`; did you mean `n_passes`\? .*learning_rate`; did you mean `lr`\?",
    ),
    unknown_kind: ("", r'`models\.mine\.kind`: found "cnn_smal" .* expected one of .* did you mean `cnn_small`\?'),
    unknown_extra: ("", r"models\.mlp: .*mlp has no option hiden; expected hidden, dropout, num_layers"),
    pretrained: ("", r"models\.cnn: .* has no pretrained weights .* set pretrained to False"),
    truncated_file: ("import_matrix", r"matrix\.h5ad cannot be read: .* not copied completely"),
    line_cut_off: ("import_matrix", r"matrix\.csv line 41: has \d+ cells, expected \d+ as in the other lines"),
    label_table_without_some_cells: (
        "prepare_features",
        r"3 of 90 samples have no label \('cell87', .*`labels: \{missing: drop\}`",
    ),
    duplicate_genes: ("import_matrix", r"matrix\.h5ad: found 1 duplicate feature name \('noise_1' 2 times\)"),
    not_a_number: (
        "import_matrix",
        r"found 1 NaN .*, the first \(nan\) in sample 'cell7', feature 'beta_2'",
    ),
    negative_counts: ("prepare_features", r"found 1 negative value, expected counts; the first is -2 in sample"),
    no_label_column: ("prepare_features", r"labels\.column: there is no column 'stat' .* its columns: state"),
    class_of_three: ("prepare_features", r"too few samples in class 'gamma' \(2\): expected at least 3, one each for"),
    one_class: ("prepare_features", r"found 1 class \('alpha'\), expected at least two"),
    class_in_one_group: ("prepare_features", r"class 'alpha' lies in a single group .* samples from at least 2 "),
    confounder_of_the_label: (
        "prepare_features",
        r"'batch' determines .*\(b1: alpha 30; b2: beta 30; b3: gamma 30\).*Remove 'batch' from confounders\.columns",
    ),
    names_as_labels: ("prepare_features", r"'sample' holds 90 different labels in 90 samples, 90 of them once"),
    measured_labels: (
        "prepare_features",
        r"'age' holds 90 different numbers in 90 samples .*regression is not offered",
    ),
    logarithms_with_counts_in_a_layer: ("prepare_features", r"counts in 'counts': set `matrix: \{layer: counts\}`"),
    no_tpm: ("prepare_features", r"log1p_tpm needs transcripts per million, but the matrix has no layer 'tpm'"),
}
NAMED = {case.__name__: case for case in CASES}


@pytest.fixture(scope="module")
def refusals(work_directory, matrix, side_by_side):
    """Runs with one thing wrong in each."""

    def refuse(case: str):
        directory = work_directory()
        NAMED[case](directory, matrix)
        return directory, directory.run("results/findings/linear/features.tsv", "--retries", "0", fails=True)

    return side_by_side(refuse, NAMED)


def test_a_batch_that_comes_with_the_label_is_stored_as_a_caution(work_directory, matrix):
    directory = work_directory()
    write(directory, matrix(batch=np.repeat(["b1", "b2", "b3"], 30)))
    directory.run("results/features")
    (caution,) = json.loads((directory.results / "features/features.json").read_text())["about"]["cautions"]
    assert caution.startswith("Nothing found here can be told apart from differences in the column 'batch'")
    assert caution in (directory.results / "logs/prepare_features.log").read_text()


@pytest.mark.parametrize("case", NAMED)
def test_refused_with_a_message(refusals, case):
    stage, message = CASES[NAMED[case]]
    directory, done = refusals[case].result()
    assert re.search(message, done.said.replace("\n", " ")), done.said
    assert "Traceback" not in done.said
    written = set(directory.outputs()) if directory.results.exists() else set()
    written -= {"findings/aliases.tsv", "findings/aliases.json"}  # made beside the features
    assert written == ({"expression.h5ad"} if stage == "prepare_features" else set())
    if stage:
        assert f"Error in {stage}: " in done.said
        assert re.search(message, (directory.results / f"logs/{stage}.log").read_text().replace("\n", " "))
    else:
        assert "Job stats" not in done.said


def test_run_in_which_no_pass_is_good_enough_ends_well(finished, tmp_path):
    directory = finished.branch(tmp_path / "work")
    shutil.rmtree(directory.results / "findings")
    model = "hasty"  # one step from nothing: it cannot name every cell
    hasty = {"kind": "mlp", "epochs": 1, "lr": 1e-6, "early_stop": False}
    directory.configure(passes={**directory.settings["passes"], "min_accuracy": 1.0}, models={model: hasty})
    directory.run()
    folder = directory.results / f"findings/{model}"
    statement = "No pass of 2 was accepted; there is no ranking."
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["statement"] == statement
    assert summary["signal"] is False
    assert summary["rejected_seeds"] == [0, 1]
    assert "min_accuracy=1: seed 0 (0." in summary["notes"][0]
    assert "2 of 2 passes were rejected" in (directory.results / f"logs/accumulate_passes/{model}.log").read_text()
    passes = pd.read_csv(folder / "passes.tsv", sep="\t")
    assert passes["accepted"].tolist() == [False, False, False]
    assert passes["reason"].head(2).str.fullmatch(r"accuracy 0\.\d{4} below min_accuracy 1").all()
    assert len(pd.read_csv(folder / "features.tsv", sep="\t")) == 0
    assert json.loads((folder / "metrics.json").read_text())["accuracy"] is None
    page = (directory.results / "findings/summary.html").read_text()
    assert statement in page
    assert "No pass was accepted: there is no ranking." in page
    for name in ("ranking", "importance_heatmap", "confusion", "embedding", "agreement", "per_class", "calibration"):
        assert (folder / f"plots/{name}.svg").stat().st_size > 1000
    assert "accepted" in (folder / "plots/ranking.svg").read_text()

    import anndata

    adata = anndata.read_h5ad(folder / "annotated.h5ad")
    assert adata.n_obs == 90
    assert not [column for column in adata.var if column.startswith("deepmapper")]
    directory.run("--report", tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size > 100_000

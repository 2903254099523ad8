"""`deepmapper rank`: a matrix in, a ranking out, with the checks of the workflow."""

import pandas as pd
import pytest

QUICK = ("--passes", 2, "--epochs", 12, "--model", "linear")


def test_a_matrix_becomes_a_ranking(here, call):
    said = call("rank", "matrix.h5ad", "--labels", "state", "--group", "donor", "-o", "found.tsv", *QUICK).said
    assert "60 samples × 30 features, 3 classes of 'state'" in said
    assert "normalization log1p_median" in said
    table = pd.read_csv("found.tsv", sep="\t")
    assert len(table) == 30
    assert set(table["feature"][:3]) == {"gene0", "gene1", "gene2"}
    assert {"rank", "selection_frequency", "median_importance", "direction[alpha]"} <= set(table)


def test_a_csv_with_its_labels_and_a_layer_of_counts(here, call, counts):
    table = counts.to_df().astype(int)
    table.insert(0, "state", counts.obs["state"])
    table.to_csv("matrix.csv")
    call("rank", "matrix.csv", "--labels", "state", *QUICK)
    by_csv = pd.read_csv("ranking.csv")
    adata = counts.copy()
    adata.layers["counts"] = adata.X.copy()
    adata.X = adata.X.log1p()
    adata.write_h5ad("logs.h5ad")
    assert "Reading the counts in 'counts'" in call("rank", "logs.h5ad", "--labels", "state", *QUICK).said
    pd.testing.assert_frame_equal(by_csv, pd.read_csv("ranking.csv"))


@pytest.mark.parametrize(
    ("arguments", "status", "fault"),
    [
        (("--labels", "stat"), 1, "Did you mean 'state'"),
        (("--labels", "age"), 1, "it looks like a measurement"),
        (("--labels", "state", "--group", "run"), 1, "lies in a single group"),
        (("--labels", "state", "--model", "nn"), 1, "kind='nn' is not a known network"),
        (("--labels", "state", "-o", "x.xlsx"), 2, "expected a name that ends in .csv"),
        (("--labels", "state", "-o", "matrix.h5ad/x.csv"), 1, "is not a folder"),
        ((), 2, "Missing option '--labels'"),
    ],
)
def test_what_cannot_be_ranked_is_said_before_any_pass(here, call, arguments, status, fault):
    assert fault in call("rank", "matrix.h5ad", *arguments, status=status).said
    assert not (here / "ranking.csv").exists()

"""Error rates, stability and a panel in a run: where there is much to find, and where samples are too few for it."""

import json

import pandas as pd
import pytest

from deepmapper.simulate.counts import plant

pytestmark = pytest.mark.workflow

WANTED = ("features.tsv", "stability.json", "panel.json", "calibration_null.tsv")


def read(path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", keep_default_na=False, na_values={"p": "", "q": "", "stability": ""})


def ask(directory) -> None:
    directory.run(*(f"results/findings/linear/{name}" for name in WANTED))


@pytest.fixture(scope="module")
def lineages():
    """600 cells × 300 genes; markers tell the lineages."""
    return plant("small", seed=3)


@pytest.fixture(scope="module")
def calibrated(work_directory, lineages):
    directory = work_directory(
        labels={"column": "lineage"},
        passes={"n_passes": 3, "n_permuted": 0, "n_shadow": 6, "top_k": 10},
        stability={"n_pairs": 2, "threshold": 0.75},
        confounders={"depth": True},
        chords={"enabled": False},
        training={"epochs": 15, "min_epochs": 15, "lr": 0.01, "attribution_samples": 16, "ig_steps": 8},
    )
    lineages.to_anndata().write_h5ad(directory.folder / "matrix.h5ad")
    ask(directory)
    return directory


def test_the_markers_are_found_and_hardly_anything_else(calibrated, lineages):
    table = read(calibrated.results / "findings/linear/features.tsv")
    assert table["rank"].tolist() == list(range(1, 301))
    markers = {lineages.names[i] for code in "ABC" for i in lineages.genes(f"marker_{code}")}
    found = set(table.loc[table["significant"], "feature"])
    assert len(found & markers) >= 12
    assert len(found - markers) <= 3
    assert set(table["feature"][: len(found)]) == found
    first = table.set_index("model_rank").loc[1]
    assert first["q"] <= 0.1 < table["q"].max()
    assert first["rank_low"] <= 1 <= first["rank_high"] < 20
    assert first["importance_low"] <= first["median_importance"] <= first["importance_high"]
    stable = set(table.loc[table["stability"] == 1, "feature"])
    assert stable and stable <= markers
    assert {"z[A]", "p[B]", "q[C]"} <= set(table)


def test_summary_stability_and_panel_say_the_same(calibrated):
    findings = calibrated.results / "findings/linear"
    summary, stable, panel = (
        json.loads((findings / f"{n}.json").read_text()) for n in ("summary", "stability", "panel")
    )
    assert "significant at a false discovery rate of 0.1, compared with" in summary["significance"]
    assert summary["stability"].startswith(f"{stable['statement']} Of the ")  # ... features to report, so many
    assert stable["n_pairs"] == 2
    assert panel["n_features"] == read(findings / "features.tsv")["significant"].sum()
    assert panel["accuracy_low"] > panel["majority_accuracy"]


def test_a_lower_level_trains_nothing(calibrated, tmp_path):
    again = calibrated.branch(tmp_path / "again")
    again.configure(calibration={"level": 0.01})
    jobs = again.would_run("results/findings/linear/panel.json")
    recommended = {"test_differential", "recommend_features"}
    assert set(jobs) == {"calibrate_features", "join_features", "fit_panel", *recommended}


def test_few_samples_have_no_small_p_no_halves_and_no_panel(work_directory, lineages):
    directory = work_directory(
        labels={"column": "lineage"},
        passes={"n_passes": 2, "n_permuted": 0, "n_shadow": 3, "top_k": 10},
        stability={"n_pairs": 1},
        chords={"enabled": False},
    )
    data = lineages.to_anndata()
    rows = [i for code in "AB" for i in (data.obs["lineage"] == code).to_numpy().nonzero()[0][:3]]
    data[rows].copy().write_h5ad(directory.folder / "matrix.h5ad")
    ask(directory)
    findings = directory.results / "findings/linear"
    table, summary = read(findings / "features.tsv"), json.loads((findings / "summary.json").read_text())
    assert table["p"].min() == pytest.approx(0.1)  # 3 and 3 samples can be labelled in 10 ways
    assert "too few to halve" in summary["stability"]
    assert table["stability"].isna().all()
    assert json.loads((findings / "panel.json").read_text())["accuracy"] is None

"""One command, from a matrix to a report: every promised file is there and says what it should."""

import base64
import gzip
import json
import re

import numpy as np
import pandas as pd
import pytest

from deepmapper.core.nothing import shows_nothing
from deepmapper.core.table_schemas import (
    AGREEMENT,
    CALIBRATION,
    CONFUSION,
    FEATURES,
    HISTORY,
    PASSES,
    PER_CLASS,
    PREDICTIONS,
)

pytestmark = pytest.mark.workflow

MODELS = ("cnn_small", "mlp", "linear")
CLASSES = ["alpha", "beta", "gamma"]
FIGURES = [
    "ranking",
    "feature_maps",
    "pseudo_image",
    "importance_null",
    "importance_heatmap",
    "evidence",
    "audit",
    "accuracy_references",
    "learning_curves",
    "agreement",
    "convergence",
    "confusion",
    "per_class",
    "calibration",
    "embedding",
]

# Without passes on shadow features nothing is tested, without symbols in the matrix no feature has an alias, and no
# composition is adjusted for.
UNTESTED = {
    "alias",
    "composition_r2",
    "z",
    "p",
    "q",
    "significant",
    *(f"{what}[{name}]" for what in "zpq" for name in CLASSES),
}
COLUMNS = {
    table.file: [name for name in table.names(CLASSES) if table is not FEATURES or name not in UNTESTED]
    for table in (FEATURES, PASSES, HISTORY, AGREEMENT, PER_CLASS, CONFUSION, CALIBRATION, PREDICTIONS)
}
RULES = {
    "import_matrix": [""],
    "prepare_features": [""],
    "name_features": [""],
    "screen_chords": [""],
    "prove_chords": [""],
    "passes": [f"/{model}/{kind}{seed}" for model in MODELS for kind, seed in (("", 0), ("", 1), ("permuted/", 0))],
    "accumulate_passes": [f"/{model}" for model in MODELS],
    "join_features": [f"/{model}" for model in MODELS],
    "evaluate_ensemble": [f"/{model}" for model in MODELS],
    "annotate_expression": [f"/{model}" for model in MODELS],
    "plot_findings": [f"/{model}" for model in MODELS],
    "judge_convergence": [f"/{model}" for model in MODELS],
    "calibrate_features": [f"/{model}" for model in MODELS],
    "select_stable": [f"/{model}" for model in MODELS],
    "fit_panel": [f"/{model}" for model in MODELS],
    "fit_linear_baseline": [""],
    "compare_models": [""],
    "recommend_features": [""],
    "plot_models": [""],
    "plot_chords": [""],
    "plot_study": [""],
    "stream_statistics": [""],
    "audit_filtering": [""],
    "weigh_evidence": [""],
    "test_differential": [""],
    "fit_evidence_panel": [""],
    "audit_findings": [f"/{model}" for model in MODELS],
    "write_tables": [f"/{model}" for model in MODELS],
    "write_shared_tables": [""],
    "write_summary": [""],
    "record_run": [""],
}
PAGES = ("features", "passes", "audit")  # tables of a model as pages
SHARED_PAGES = ("models", "markers", "chords")
CHORD_FIGURES = ("chord_networks", "chord_members", "chord_scores")
STUDY_FIGURES = ("expression", "markers", "volcano", "sample_distances", "overlap")


def read(path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t")


def test_all_promised_files_and_no_others(finished):
    expected = {"expression.h5ad", "findings/models.tsv", "findings/models.svg", "findings/summary.html"}
    expected |= {"run.json", "ro-crate-metadata.json", "index.html"}
    expected |= {f"findings/linear_baseline/{name}" for name in ("metrics.json", "features.tsv")}
    baseline = ("per_class", "confusion", "calibration", "predictions")
    expected |= {f"findings/linear_baseline/{name}.tsv" for name in baseline}
    expected |= {"findings/recommended.tsv", "findings/recommended.json", "findings/list_convergence.tsv"}
    for model in MODELS:
        expected |= {f"passes/{model}/{name}.npz" for name in ("0", "1", "permuted/0")}
        expected |= {f"findings/{model}/{name}" for name in COLUMNS}
        expected |= {f"findings/{model}/{name}" for name in ("summary.json", "metrics.json")}
        expected |= {f"findings/{model}/{name}" for name in ("annotated.h5ad", "embedding.npz", "calibration_null.tsv")}
        expected.add(f"findings/{model}/pass_scores.npy")
        judged = ("ranking", "convergence", "significance", "stability", "panel")
        expected |= {f"findings/{model}/{name}.{suffix}" for name in judged for suffix in ("tsv", "json")}
        expected |= {f"findings/{model}/plots/{name}.svg" for name in FIGURES}
        expected |= {f"findings/{model}/{name}.html" for name in PAGES} | {f"findings/{model}/audit.tsv"}
    expected |= {f"findings/{name}.html" for name in SHARED_PAGES}
    expected |= {f"findings/{name}.svg" for name in (*CHORD_FIGURES, *STUDY_FIGURES)}
    of_all = ("aliases", "audit_features", "statistics", "evidence", "evidence_panel")
    expected |= {f"findings/{name}.{suffix}" for name in of_all for suffix in ("tsv", "json")}
    expected |= {f"findings/{name}" for name in ("differential.tsv", "differential.json", "markers.tsv")}
    expected |= {"findings/differential_features.tsv"}
    expected |= {f"chords/{name}.tsv" for name in ("pairs", "triplets", "features", "chords", "scores")}
    expected |= {"chords/chords.json", "chords/screen.json", "findings/chords.tsv", "findings/chords.json"}
    written = {name for name in finished.outputs() if not name.startswith("features/")}
    assert written == expected
    assert finished.table_faults() == []
    assert (finished.results / "features/features.json").is_file()


def test_every_job_has_a_log_and_a_benchmark(finished):
    for folder, suffix in (("logs", ".log"), ("benchmarks", ".tsv")):
        expected = {f"{rule}{name}{suffix}" for rule, names in RULES.items() for name in names}
        files = [path for path in (finished.results / folder).rglob("*") if path.is_file()]
        assert {str(path.relative_to(finished.results / folder)) for path in files} == expected


@pytest.mark.parametrize("model", MODELS)
def test_log_of_a_pass_has_a_line_per_epoch(finished, model):
    epochs = (
        read(finished.results / f"findings/{model}/passes.tsv").query("seed == 1 and not control")["epochs_run"].item()
    )
    log = (finished.results / f"logs/passes/{model}/1.log").read_text()
    assert re.findall(r"^epoch (\d+)/6  training loss [\d.]+  validation loss [\d.]+  accuracy [\d.]+$", log, re.M) == [
        str(epoch) for epoch in range(1, epochs + 1)
    ]
    assert re.search(r"^pass 1: out-of-bag accuracy [01]\.\d{3} ", log, re.M)


@pytest.mark.parametrize("model", MODELS)
def test_tables_have_their_columns_and_rows(finished, model):
    folder = finished.results / "findings" / model
    tables = {name: read(folder / name) for name in COLUMNS}
    assert {name: list(table.columns) for name, table in tables.items()} == COLUMNS

    features, passes = tables["features.tsv"], tables["passes.tsv"]
    assert features["rank"].tolist() == list(range(1, 41))
    assert features["selection_frequency"].is_monotonic_decreasing
    assert (
        features["selection_frequency"]
        .between(features["selection_frequency_low"], features["selection_frequency_high"])
        .all()
    )
    assert set(features.filter(like="direction[").to_numpy().ravel()) <= {"up", "down", "unclear"}
    assert passes[["seed", "control"]].to_numpy().tolist() == [[0, False], [1, False], [0, True]]
    # 90 cells, 8 of each 30 in the test split; of the other 22, 6 out of bag, 2 to validate
    assert passes[["n_train", "n_val", "n_oob"]].drop_duplicates().to_numpy().tolist() == [[48, 6, 12]]
    assert len(tables["history.tsv"]) == passes["epochs_run"].sum()
    assert len(tables["agreement.tsv"]) == 1
    assert tables["confusion.tsv"][CLASSES].to_numpy().sum(axis=1).tolist() == [8, 8, 8]
    assert tables["calibration.tsv"]["n"].sum() == 24
    assert len(tables["predictions.tsv"]) == 90
    assert (tables["predictions.tsv"]["split"] == "test").sum() == 24


@pytest.mark.parametrize("model", ["mlp", "linear"])
def test_planted_genes_head_the_ranking_and_point_upwards_in_their_class(finished, planted, model):
    features = read(finished.results / f"findings/{model}/features.tsv")
    assert set(features["feature"].head(6)) == set(planted)
    for name in CLASSES:
        own = features[features["feature"].str.startswith(name)]
        # that genes of another class are silent speaks for this one too
        assert set(features.nlargest(6, f"importance[{name}]")["feature"]) >= set(own["feature"])
        assert set(own[f"direction[{name}]"]) == {"up"}


def test_planted_genes_head_the_ranking_of_logistic_regression(finished, planted):
    baseline = read(finished.results / "findings/linear_baseline/features.tsv")
    assert list(baseline.columns) == ["rank", "feature", "importance"]
    assert set(baseline["feature"].head(6)) == set(planted)


def test_numbers_of_the_models_agree_between_files(finished):
    folder = finished.results / "findings"
    models = read(folder / "models.tsv").set_index("model")
    assert list(models.index) == [*MODELS, "linear_baseline"]
    for model in MODELS:
        metrics, summary = (
            json.loads((folder / model / f"{name}.json").read_text()) for name in ("metrics", "summary")
        )
        assert metrics["n_test"] == 24
        assert metrics["n_passes"] == summary["n_accepted"] == 2
        assert metrics["classes"] == summary["classes"] == CLASSES
        assert 0 <= metrics["accuracy_low"] <= metrics["accuracy"] <= metrics["accuracy_high"] <= 1
        confusion = read(folder / model / "confusion.tsv")[CLASSES].to_numpy()
        assert metrics["accuracy"] == pytest.approx(np.trace(confusion) / 24)
        assert models.loc[model, "accuracy"] == pytest.approx(metrics["accuracy"], rel=1e-5)
        assert models.loc[model, "control_accuracy_mean"] == pytest.approx(summary["control_accuracy_mean"], rel=1e-5)
    assert models.loc["linear", "accuracy"] > 0.8
    assert models["signal"].tolist()[1:3] == [True, True]


@pytest.mark.parametrize("model", MODELS)
def test_annotated_matrix_opens_with_all_slots(finished, model):
    import anndata

    adata = anndata.read_h5ad(finished.results / f"findings/{model}/annotated.h5ad")
    original = anndata.read_h5ad(finished.folder / "matrix.h5ad")
    assert (adata.X != original.X).nnz == 0
    assert adata.obs["state"].tolist() == original.obs["state"].tolist()

    table = read(finished.results / f"findings/{model}/features.tsv").set_index("feature").loc[adata.var_names]
    for column in ("rank", "selection_frequency", "median_importance", "mean_rank"):
        np.testing.assert_allclose(adata.var[f"deepmapper_{column}"], table[column], rtol=1e-5)
    signs = {"up": 1, "down": -1, "unclear": 0}
    for name in CLASSES:
        np.testing.assert_allclose(adata.varm["deepmapper_importance"][name], table[f"importance[{name}]"], rtol=1e-5)
        assert adata.varm["deepmapper_direction"][name].tolist() == table[f"direction[{name}]"].map(signs).tolist()

    predictions = read(finished.results / f"findings/{model}/predictions.tsv")
    assert adata.obs_names.tolist() == predictions["cell"].tolist()
    for column in ("label", "split"):
        assert adata.obs[f"deepmapper_{column}"].tolist() == predictions[column].tolist()
    known = predictions["prediction"].notna().to_numpy()
    assert adata.obs["deepmapper_prediction"].notna().tolist() == known.tolist()
    np.testing.assert_allclose(adata.obs["deepmapper_confidence"], predictions["confidence"], rtol=1e-5)
    assert adata.obsm["X_deepmapper"].shape[0] == adata.obsm["X_deepmapper_umap"].shape[0] == 90
    assert np.isfinite(adata.obsm["X_deepmapper"]).all()
    about = adata.uns["deepmapper"]
    assert json.loads(about["settings"])["kind"] == model
    for name in ("summary", "metrics"):
        assert json.loads(about[name]) == json.loads((finished.results / f"findings/{model}/{name}.json").read_text())


def test_summary_names_the_data_the_verdicts_and_the_numbers(finished):
    page = (finished.results / "findings/summary.html").read_text()
    assert "40 features from matrix.h5ad, 3 classes of <b>state</b>" in page
    assert "evaluated on 24 samples that no pass has seen" in page
    assert page.count("<svg") == 1
    for model in MODELS:
        summary = json.loads((finished.results / f"findings/{model}/summary.json").read_text())
        metrics = json.loads((finished.results / f"findings/{model}/metrics.json").read_text())
        assert summary["statement"] in page
        assert f"{metrics['accuracy']:.3f} ({metrics['accuracy_low']:.3f}–{metrics['accuracy_high']:.3f})" in page
    assert "alpha_1" in page


def test_the_first_page_shows_the_list_its_expression_and_the_images(finished):
    page = (finished.results / "index.html").read_text()
    assert "What tells the classes of state apart?" in page and "alpha_1" in page
    for name in ("expression of the first features", "first features on the map", "images of one pass"):
        assert f"alt='{name}'" in page
    data = re.findall(r"<script type='application/json'>(.*?)</script>", page)
    listed, tested = (json.loads(text)["groups"] for text in data)
    assert [group["title"] for group in listed] == list(MODELS)
    assert [group["title"] for group in tested] == [f"{name} against all others" for name in CLASSES]
    assert {point[0] for point in tested[0]["points"]} >= {"alpha_1", "alpha_2"}


def test_nothing_is_left_to_do_and_nothing_half_written(finished, tmp_path):
    assert finished.branch(tmp_path / "work").would_run() == {}
    assert not [path for path in finished.folder.rglob("*") if ".part" in path.name]


@pytest.mark.parametrize("name", ["index.html", "findings/summary.html"])
def test_every_link_of_the_first_pages_leads_to_a_file(finished, name):
    page = finished.results / name
    links = re.findall(r"<a class='file' href='([^']+)'", page.read_text())
    assert len(links) > 8 * len(MODELS)
    assert [link for link in links if not (page.parent / link).is_file()] == []


def test_report_holds_every_figure_with_its_caption(finished, tmp_path):
    finished.branch(tmp_path / "work").run("--report", tmp_path / "report.html")
    report = (tmp_path / "report.html").read_text()
    shown = embedded(report, "results")
    figures = {f"results/findings/{model}/plots/{name}.svg" for model in MODELS for name in FIGURES}
    tables = {f"results/findings/{model}/{name}.tsv" for model in MODELS for name in ("features", "passes")}
    tables |= {f"results/findings/{model}/{name}.html" for model in MODELS for name in PAGES}
    overall = {f"results/findings/{name}" for name in ("models.tsv", "models.svg", "summary.html", "statistics.tsv")}
    overall |= {"results/findings/recommended.tsv"}
    overall |= {f"results/findings/{name}.html" for name in SHARED_PAGES}
    overall |= {f"results/findings/{name}.svg" for name in (*CHORD_FIGURES, *STUDY_FIGURES)}
    overall |= {"results/index.html"}
    empty = {path for path in figures | tables | overall if shows_nothing(finished.folder / path)}
    assert "results/findings/mlp/plots/importance_null.svg" in empty  # no shadow features were trained
    assert set(shown) == (figures | tables | overall) - empty
    assert 'const path = "results/index.html"' in report  # it opens on this page
    contents = {path: gzip.decompress(base64.b64decode(entry["packed"])) for path, entry in shown.items()}
    assert all(len(content) < 1_500_000 for content in contents.values())  # more, in base64, stays blank in a frame
    captions = {path: entry["caption"] for path, entry in shown.items()}
    assert all(len(caption) > 200 and "{" not in caption for caption in captions.values())
    of_mlp = [captions[path] for path in sorted(figures - empty) if "/mlp/" in path]
    assert len(set(of_mlp)) == len(of_mlp) > 10
    for path in figures - empty:
        assert contents[path] == (finished.folder / path).read_bytes()
    # no chords: main effects explain the planted labels, so nothing is left to screen
    assert sorted(embedded(report, "categories")) == ["1 Summary", "2 Passes", "3 Features", "5 Evaluation"]
    assert "matrix.h5ad" in embedded(report, "workflow_desc")
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=.?https?:", report), "needs the network to be read"


def embedded(report: str, name: str):
    """Give the value of a variable of the report's page."""
    value = re.search(rf'^ +var {name} = (?=["{{])', report, re.MULTILINE)
    return json.JSONDecoder().raw_decode(report, value.end())[0]


def test_named_targets_stop_where_they_say(work_directory):
    directory = work_directory(passes={"n_passes": 2, "n_permuted": 1, "n_shadow": 0}, models={"mlp": {}, "linear": {}})
    training = {"train_pass": 4, "train_permuted_pass": 2}
    begin = {"import_matrix": 1, "prepare_features": 1}
    passes = directory.would_run("passes")
    assert passes == {**begin, **training, "passes": 1}
    findings = directory.would_run("findings")
    assert findings == {
        **begin,
        **training,
        "name_features": 1,
        **dict.fromkeys(("accumulate_passes", "evaluate_ensemble", "annotate_expression", "judge_convergence"), 2),
        **dict.fromkeys(("calibrate_features", "select_stable", "join_features", "fit_panel"), 2),
        **dict.fromkeys(("screen_chords", "prove_chords", "stream_statistics", "audit_filtering"), 1),
        **dict.fromkeys(("weigh_evidence", "fit_evidence_panel"), 1),
        "test_differential": 1,
        "recommend_features": 1,
        **dict.fromkeys(("fit_linear_baseline", "compare_models", "findings"), 1),
    }
    everything = directory.would_run()
    del findings["findings"]
    assert everything == {
        **findings,
        **dict.fromkeys(("plot_findings", "audit_findings", "write_tables"), 2),
        **dict.fromkeys(("plot_models", "plot_chords", "plot_study"), 1),
        **dict.fromkeys(("write_shared_tables", "write_summary", "record_run"), 1),
    }

"""Twelve samples, no test split: every sample is judged by passes that had not trained on it, and all files say so."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest

from deepmapper import evaluate, runner
from deepmapper.config import to_config
from deepmapper.errors import DeepMapperWarning
from deepmapper.features.store import open_features
from deepmapper.findings import ranking
from deepmapper.passes.result import PassResult
from deepmapper.workflow.schema import load_schema
from deepmapper.workflow.sections import model_settings
from deepmapper.workflow.settings import validate_config

pytestmark = pytest.mark.workflow

MODELS = ("mlp", "linear")
JUDGED = "Each sample is predicted by the passes that did not train on it."
WHY = f"No test split was set aside: 12 samples are too few. {JUDGED}"


def bulk_counts() -> np.ndarray:
    """Four samples a class, hundreds of counts a gene, the planted genes threefold in their class."""
    rng = np.random.default_rng(0)
    mean = rng.uniform(100, 400, 40) * rng.lognormal(0, 0.2, (12, 40))
    for gene in range(6):
        mean[gene // 2 * 4 : gene // 2 * 4 + 4, gene] *= 3
    return rng.poisson(mean)


@pytest.fixture(scope="module")
def few(work_directory, matrix):
    """Run everything on four samples of each class; a quarter of them is one, so 12 passes miss few of them."""
    directory = work_directory(
        passes={"n_passes": 12, "n_permuted": 2, "n_shadow": 0, "top_k": 6},
        training={"epochs": 30, "lr": 0.01, "batch_size": 16, "ig_steps": 8},
        models={model: {} for model in MODELS},
        resources={"seeds_per_job": 12},
    )
    matrix(bulk_counts()).write_h5ad(directory.folder / "matrix.h5ad")
    directory.run()
    return directory


def read(path):
    return json.loads(path.read_text())


def test_every_file_says_how_samples_were_judged(few):
    folder = few.results / "findings"
    for model in MODELS:
        assert read(folder / model / "summary.json")["why"] == WHY
        assert read(folder / model / "metrics.json")["why"] == WHY
        for rule in ("accumulate_passes", "evaluate_ensemble"):
            assert WHY in (few.results / f"logs/{rule}/{model}.log").read_text()
    assert read(folder / "linear_baseline/metrics.json")["scheme"] == "repeated"
    assert WHY in (few.results / "logs/prepare_features.log").read_text()
    page = (folder / "summary.html").read_text()
    assert WHY in page
    assert "samples are evaluated by passes that did not train on them" in page


@pytest.mark.parametrize("model", MODELS)
def test_every_sample_is_judged_once_by_passes_that_left_it_out(few, model):
    folder = few.results / "findings" / model
    metrics, predictions = read(folder / "metrics.json"), pd.read_csv(folder / "predictions.tsv", sep="\t")
    judged = predictions[predictions["split"] == "out_of_bag"]
    assert len(predictions) == 12
    assert metrics["n_test"] == len(judged) == 12 - len(metrics["not_judged"])
    assert set(predictions.loc[predictions["split"] == "none", "cell"]) == set(metrics["not_judged"])
    assert metrics["accuracy"] == pytest.approx((judged["label"] == judged["prediction"]).mean())
    assert metrics["accuracy_low"] < metrics["accuracy"]
    assert pd.read_csv(folder / "confusion.tsv", sep="\t").iloc[:, 1:].to_numpy().sum() == len(judged)
    passes = pd.read_csv(folder / "passes.tsv", sep="\t")
    assert passes[["n_train", "n_val", "n_oob"]].drop_duplicates().to_numpy().tolist() == [[9, 0, 3]]
    assert (passes["stop_epoch"] == 30).all()


@pytest.mark.parametrize("model", MODELS)
def test_signal_rests_on_labelings_and_the_planted_genes_lead(few, planted, model):
    summary = read(few.results / f"findings/{model}/summary.json")
    assert (summary["n_controls"], summary["n_labelings"], summary["n_possible_labelings"]) == (2, 16, 5775)
    # sixteen labelings cannot show p below 1/17
    assert summary["signal"] is None
    assert "raise n_permuted" in summary["statement"]
    features = pd.read_csv(few.results / f"findings/{model}/features.tsv", sep="\t")
    assert len(set(features["feature"].head(6)) & set(planted)) >= 5


@pytest.mark.parametrize("model", MODELS)
def test_library_gives_the_findings_and_metrics_of_the_workflow(few, model):
    import torch

    features = open_features(few.results / "features")
    schema = load_schema(few.pipeline / "workflow/schemas/config.schema.yaml")
    config = to_config(model_settings(validate_config(few.settings, schema), model))
    config.n_passes, config.top_k = 12, 6
    labels = np.array(features.classes)[features.y]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeepMapperWarning)
        found = runner.run(features.X, labels, config, list(features.names))
        judged = evaluate.evaluate(features.X, features.y, config, features.classes)
    torch.set_num_threads(threads)
    passes = [PassResult.load(few.results / f"passes/{model}/{seed}.npz") for seed in range(12)]
    assert vars(found) == vars(ranking.accumulate_passes(passes, 6, 0.0, features.names))
    metrics = read(few.results / f"findings/{model}/metrics.json")
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "majority_accuracy", "n_passes", "scheme", "why"):
        assert metrics[name] == getattr(judged, name), name
    assert metrics["per_pass_accuracy"] == judged.per_pass_acc


def test_more_passes_leave_the_baseline_as_it_is(few, tmp_path):
    again = few.branch(tmp_path / "again")
    again.configure(passes={"n_passes": 13, "n_permuted": 2, "n_shadow": 0, "top_k": 6})
    jobs = again.would_run()
    assert jobs["train_pass"] == 2
    assert "fit_linear_baseline" not in jobs

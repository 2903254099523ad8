"""The same seeds give the same findings: in a second run, in the library, bit for bit."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest

from deepmapper import evaluate, runner
from deepmapper.config import BackboneSpec, DeepMapperConfig, to_config
from deepmapper.errors import DeepMapperWarning
from deepmapper.features.store import open_features
from deepmapper.findings import ranking
from deepmapper.passes.result import PassResult
from deepmapper.workflow.schema import load_schema
from deepmapper.workflow.sections import model_settings
from deepmapper.workflow.settings import validate_config

pytestmark = pytest.mark.workflow

MODELS = ("cnn_small", "mlp", "linear")
# What is said of several models together; all else is the same whatever models run beside.
FIGURES_IN_ORDER = ("ranking", "importance_heatmap", "feature_maps", "audit")
COMPARED = (
    *("findings/models.", "findings/summary.", "findings/overlap.", "index.html"),
    *("run.json", "ro-crate-metadata.json"),
)


@pytest.fixture(autouse=True)
def one_thread():
    """Sum in the order in which a job with one thread does."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def library_config(finished, model: str) -> DeepMapperConfig:
    """The configuration of a model and its passes, as a user of the library writes it."""
    schema = load_schema(finished.pipeline / "workflow/schemas/config.schema.yaml")
    config = to_config(model_settings(validate_config(finished.settings, schema), model))
    config.n_passes, config.top_k = 2, 6
    return config


def test_library_config_is_what_it_seems(finished):
    expected = DeepMapperConfig(
        n_passes=2,
        top_k=6,
        epochs=6,
        min_epochs=2,
        patience=3,
        lr=0.01,
        batch_size=16,
        ig_steps=8,
        ig_internal_batch=64,
        weight_decay=0.01,
        baseline="mean",
        test_size=0.2,
        val_size=0.1,
        weight_average=0.8,
        backbone=BackboneSpec("mlp"),
    )
    assert library_config(finished, "mlp") == expected


@pytest.mark.parametrize("model", MODELS)
def test_run_on_the_development_part_gives_the_findings_of_the_workflow(finished, model):
    features = open_features(finished.results / "features")
    labels = np.array(features.classes)[features.y]
    development = features.development
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeepMapperWarning)
        found = runner.run(
            features.X[development], labels[development], library_config(finished, model), list(features.names)
        )
    passes = [PassResult.load(finished.results / f"passes/{model}/{seed}.npz") for seed in (0, 1)]
    assert vars(found) == vars(ranking.accumulate_passes(passes, 6, 0.0, features.names))

    table = pd.read_csv(finished.results / f"findings/{model}/ranking.tsv", sep="\t")
    order = found.order()
    assert table["feature"].tolist() == [features.names[i] for i in order]
    for column in ("median_importance", "mean_rank", "selection_frequency"):
        printed = [f"{getattr(found, column)[i]:.6g}" for i in order]
        assert [f"{value:.6g}" for value in table[column]] == printed
    listed = pd.read_csv(finished.results / f"findings/{model}/passes.tsv", sep="\t").query("not control")
    assert [f"{value:.6g}" for value in listed["accuracy"]] == [f"{value:.6g}" for value in found.accuracies]


@pytest.mark.parametrize("model", MODELS)
def test_evaluate_gives_the_metrics_of_the_workflow(finished, model):
    features = open_features(finished.results / "features")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeepMapperWarning)
        judged = evaluate.evaluate(
            features.X, features.y, library_config(finished, model), features.classes, test_size=0.25, seed=0
        )
    metrics = json.loads((finished.results / f"findings/{model}/metrics.json").read_text())
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "majority_accuracy", "n_passes", "classes"):
        assert metrics[name] == getattr(judged, name), name
    assert metrics["per_pass_accuracy"] == judged.per_pass_acc

    predictions = pd.read_csv(finished.results / f"findings/{model}/predictions.tsv", sep="\t").query("split == 'test'")
    assert predictions["prediction"].tolist() == [judged.classes[code] for code in judged.y_pred]
    printed = [f"{max(row):.6g}" for row in judged.y_proba]
    assert [f"{value:.6g}" for value in predictions["confidence"]] == printed


def test_second_run_elsewhere_gives_the_same_bytes(finished, work_directory):
    """Another folder, one model alone, another order of jobs: nothing of it may show in any file."""
    alone = work_directory(passes=finished.settings["passes"], differential={}, models={"cnn_small": {}})
    alone.run(cores=3)
    first, second = finished.outputs(), alone.outputs()
    own = {name for name in second if not name.startswith(COMPARED)}
    others = tuple(f"/{model}/" for model in MODELS if model != "cnn_small")
    assert own == {n for n in first if not n.startswith(COMPARED) and not any(part in n for part in others)}
    # all models share one order of the features, so what shows it depends on the other models
    ordered = {f"findings/cnn_small/{name}" for name in ("annotated.h5ad", "audit.tsv", "audit.html", "features.html")}
    ordered |= {f"findings/cnn_small/plots/{name}.svg" for name in FIGURES_IN_ORDER}
    ordered.add("findings/cnn_small/summary.json")  # says how many features of the list are stable
    differing = {name for name in own if first[name] != second[name]}
    table = "findings/cnn_small/features.tsv"
    shared = {
        f"findings/{name}" for name in ("recommended.tsv", "recommended.json", "list_convergence.tsv", "expression.svg")
    }
    assert differing <= {table, *shared, *ordered}
    by_itself = [
        pd.read_csv(results / table, sep="\t").sort_values("model_rank").drop(columns=["rank", "reported"])
        for results in (finished.results, alone.results)
    ]
    pd.testing.assert_frame_equal(*(frame.reset_index(drop=True) for frame in by_itself))


def test_comparison_of_models_written_again_gives_the_same_bytes(finished, tmp_path):
    again = finished.branch(tmp_path / "again")
    whole = {"findings/models.tsv", "findings/models.svg", "findings/summary.html", "index.html"}
    for name in whole:
        (again.results / name).unlink()
    written = {"compare_models": 1, "plot_models": 1, "write_shared_tables": 1, "write_summary": 1}
    assert again.run().jobs == written
    first, second = finished.outputs(), again.outputs()
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []

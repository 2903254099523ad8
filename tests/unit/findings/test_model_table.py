"""The models side by side."""

import pandas as pd

from deepmapper.core.table_schemas import MODELS
from deepmapper.findings.evaluation import evaluate_ensemble
from deepmapper.findings.metrics import compute_metrics
from deepmapper.findings.model_table import model_table
from deepmapper.findings.paired import Paired


def test_models_stand_side_by_side_with_logistic_regression_last(evaluated):
    features, _, probability = evaluated
    result = evaluate_ensemble([probability], features.y[features.test], features.y[features.development], ("a", "b"))
    numbers = compute_metrics(result, 5, 50, 0).numbers
    summary = {"model": "cnn_small", "control_accuracy_mean": None, "signal": True, "mean_top_k_overlap": 0.5}
    table = model_table([summary], [numbers], numbers, {"cnn_small": "cnn"}, [Paired(3, 1, 0.625)])
    assert table["only_this"].tolist() == [3, pd.NA]
    assert table.loc[0, "p_against_linear"] == 0.625
    assert table["model"].tolist() == ["cnn_small", "linear_baseline"]
    assert table["kind"].tolist() == ["cnn", "logistic regression"]
    assert table.columns.tolist() == MODELS.names()
    assert table["accuracy"].tolist() == [0.75, 0.75]


def test_classifiers_on_embeddings_stand_between_the_models_and_the_baseline():
    summary = {"model": "mlp", "control_accuracy_mean": None, "signal": True, "mean_top_k_overlap": 0.5}
    names = ("accuracy", "balanced_accuracy", "macro_f1")
    numbers = {f"{name}{end}": 0.5 for name in names for end in ("", "_low", "_high")}
    numbers |= {"ece": 0.1, "majority_accuracy": 0.3, "n_passes": 1, "per_pass_accuracy_mean": 0.5}
    embeddings = {"pca": {"knn": numbers, "logistic": numbers}}
    table = model_table([summary], [numbers], numbers, {"mlp": "mlp"}, [None], embeddings)
    assert table["model"].tolist() == ["mlp", "pca_knn", "pca_logistic", "linear_baseline"]
    assert table["kind"].tolist()[1:3] == ["nearest neighbours on pca", "logistic regression on pca"]

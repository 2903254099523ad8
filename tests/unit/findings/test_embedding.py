"""Principal components of a run: fitted without the samples that judge the classifiers on them."""

from dataclasses import replace

import numpy as np
import pytest

from deepmapper.errors import InputError
from deepmapper.findings.embedding import fit_run_embedding, write_embedding

OPTIONS = {"bins": 5, "n_resamples": 50, "seed": 0, "out_of_bag": 0.3, "draws": [0, 1, 2]}


def test_classifiers_on_components_are_evaluated_on_the_test_split(features, tmp_path):
    found = fit_run_embedding(features, n_components=8, **OPTIONS)
    for name in ("knn", "logistic"):
        numbers = found.metrics[name]
        assert numbers["n_test"] == len(features.test)
        assert numbers["accuracy"] > numbers["majority_accuracy"] + 0.1
    wide = features.X.toarray().astype(np.float64)
    mean = wide[features.development].mean(0)
    expected = np.linalg.svd(wide[features.development] - mean, compute_uv=False)[:8] ** 2 / len(features.development)
    np.testing.assert_allclose(found.variance, expected, rtol=1e-9)
    np.testing.assert_allclose(found.scores, (wide - mean) @ found.components.T, atol=1e-4)
    write_embedding(tmp_path / "pca.npz", found, features)
    with np.load(tmp_path / "pca.npz", allow_pickle=False) as saved:
        assert saved["scores"].shape == (len(features.y), 8) and saved["components"].shape == (8, 30)
        assert saved["features"].tolist() == list(features.names)


def test_the_test_split_does_not_shape_the_components(features):
    spoiled = features.X.toarray()
    spoiled[features.test] = 5
    one, other = (
        fit_run_embedding(replace(features, X=X), n_components=4, **OPTIONS) for X in (features.X.toarray(), spoiled)
    )
    np.testing.assert_array_equal(one.components, other.components)


def test_without_a_test_split_components_and_classifiers_are_fitted_for_every_draw(repeated):
    found = fit_run_embedding(repeated, n_components=2, **OPTIONS)
    numbers = found.metrics["knn"]
    assert numbers["scheme"] == "repeated"
    assert numbers["n_test"] + len(numbers["not_judged"]) == 12


def test_too_many_components_are_refused(features):
    with pytest.raises(InputError, match="n_components is 31, but .* at most 30 components here"):
        fit_run_embedding(features, n_components=31, **OPTIONS)

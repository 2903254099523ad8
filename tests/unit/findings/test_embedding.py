"""Embeddings of a run: fitted without the samples that judge the classifiers on them."""

from dataclasses import replace
from types import SimpleNamespace

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from deepmapper.core.tasks import run_in_tasks
from deepmapper.errors import InputError
from deepmapper.features.store import write_features
from deepmapper.findings.embedded_samples import embed_samples
from deepmapper.findings.embedding import fit_run_embedding, make_embedding, write_run_embedding
from deepmapper.findings.embedding_evaluation import evaluate_embedding
from deepmapper.findings.embedding_files import read_draws, write_embedding
from deepmapper.findings.embedding_reference import read_reference
from deepmapper.io.expression import Expression
from deepmapper.io.normalize import normalize_matrix

OPTIONS = {"seed": 0, "out_of_bag": 0.3, "draws": [0, 1, 2]}


@pytest.fixture
def embedded(tmp_path):
    """Function that fits an embedding, writes it, embeds all samples by what was written and evaluates classifiers."""
    from deepmapper.models.fitted_embedding import open_embedding

    def embed(features, **options) -> SimpleNamespace:
        folder = tmp_path / "embedding"
        write_run_embedding(fit_run_embedding(features, **options, **OPTIONS), folder)
        scores = embed_samples(open_embedding(folder), features, options.get("expression"))
        draws = read_draws(folder) if features.metadata["scheme"] == "repeated" else None
        metrics, lines = evaluate_embedding(features, scores, folder, bins=5, n_resamples=50, **OPTIONS)
        write_embedding(tmp_path / "embedding.npz", scores, features, folder)
        with np.load(tmp_path / "embedding.npz", allow_pickle=False) as saved:
            return SimpleNamespace(
                **saved, metrics=metrics, lines=lines, files=sorted(saved.files), draws=draws, folder=folder
            )

    return embed


def test_classifiers_on_components_are_evaluated_on_the_test_split(features, embedded):
    found = embedded(features, n_components=8)
    for name in ("knn", "logistic"):
        numbers = found.metrics[name]
        assert numbers["n_test"] == len(features.test)
        assert numbers["accuracy"] > numbers["majority_accuracy"] + 0.1
    wide = features.X.toarray().astype(np.float64)
    mean = wide[features.development].mean(0)
    expected = np.linalg.svd(wide[features.development] - mean, compute_uv=False)[:8] ** 2 / len(features.development)
    np.testing.assert_allclose(found.variance, expected, rtol=1e-9)
    np.testing.assert_allclose(found.scores, (wide - mean) @ found.components.T, atol=1e-4)
    assert found.scores.shape == (len(features.y), 8) and found.components.shape == (8, 30)
    assert found.features.tolist() == list(features.names) and found.samples.tolist() == list(features.samples)
    assert not (found.folder / "draws.npz").exists()


def test_two_processes_fit_the_embedding_of_one(features, tmp_path):
    from deepmapper.models.fitted_embedding import open_embedding

    features = replace(features, metadata={**features.metadata, "normalization": "none"})
    write_features(tmp_path / "store", features)
    obs, var = pd.DataFrame(index=list(features.samples)), pd.DataFrame(index=list(features.names))
    anndata.AnnData(sp.csr_matrix(np.abs(features.X.toarray())), obs, var).write_h5ad(tmp_path / "expression.h5ad")
    options = OPTIONS | {"kind": "pca", "n_components": 8, "gpus": 0, "store": str(tmp_path / "store")}
    options["expression"] = str(tmp_path / "expression.h5ad")
    found = []
    for n_tasks in (1, 2):
        folder = tmp_path / f"embedding{n_tasks}"
        run_in_tasks(make_embedding, options | {"folder": str(folder)}, n_tasks, tmp_path / "shared")
        write_embedding(tmp_path / "embedding.npz", embed_samples(open_embedding(folder), features), features, folder)
        found.append(dict(np.load(tmp_path / "embedding.npz")))
    for name in ("scores", "components", "variance"):
        np.testing.assert_allclose(found[1][name], found[0][name], rtol=1e-5, atol=1e-6, err_msg=name)
    np.testing.assert_allclose(found[1]["variance"], found[0]["variance"], rtol=1e-12)
    references = [read_reference(tmp_path / f"embedding{n}", features.names) for n in (1, 2)]
    np.testing.assert_allclose(references[0].mean, np.asarray(features.X[features.development].mean(0))[0], rtol=1e-5)
    np.testing.assert_array_equal(references[0].mean, references[1].mean)
    assert list((tmp_path / "shared").iterdir()) == []  # nothing is left


def test_the_test_split_does_not_shape_the_components(features, embedded):
    spoiled = features.X.toarray()
    spoiled[features.test] = 5
    one, other = (embedded(replace(features, X=X), n_components=4) for X in (features.X.toarray(), spoiled))
    np.testing.assert_array_equal(one.components, other.components)


def test_without_a_test_split_components_and_classifiers_are_fitted_for_every_draw(repeated, embedded):
    found = embedded(repeated, n_components=2)
    assert found.draws.shape == (3, 12, 2)
    assert not np.array_equal(found.draws[0], found.draws[1])
    numbers = found.metrics["knn"]
    assert numbers["scheme"] == "repeated"
    assert numbers["n_test"] + len(numbers["not_judged"]) == 12
    (found.folder / "draws.npz").unlink()
    with pytest.raises(InputError, match=r"draws.npz is missing: .* Run the rule fit_embedding again"):
        evaluate_embedding(repeated, found.scores, found.folder, bins=5, n_resamples=50, **OPTIONS)


def test_too_many_components_are_refused(features):
    with pytest.raises(InputError, match="n_components is 31, but .* at most 30 components here"):
        fit_run_embedding(features, n_components=31, **OPTIONS)


def test_probabilistic_components_span_the_same_space(features, embedded):
    pca, ppca = (embedded(features, kind=kind, n_components=4) for kind in ("pca", "ppca"))
    for component in ppca.components:
        inside = pca.components.T @ (pca.components @ component)
        np.testing.assert_allclose(inside, component, atol=1e-4 * np.abs(component).max())
    assert ppca.metrics["knn"]["accuracy"] > ppca.metrics["knn"]["majority_accuracy"]
    with pytest.raises(InputError, match="embeddings.ppca.n_components is 30, but .* at most 29 components here"):
        fit_run_embedding(features, kind="ppca", n_components=30, **OPTIONS)


CONTRASTIVE = {
    "hidden_units": 32,
    "n_features": 0,
    "n_epochs": 5,
    "views": "dropout",
    "dropout": 0.3,
    "temperature": 0.2,
}


@pytest.fixture
def contrastive(embedded):
    """Function that fits a contrastive embedding of some values."""

    def fit(features, X=None, n_components=6, **changed):
        given = features if X is None else replace(features, X=X)
        return embedded(given, kind="contrastive", n_components=n_components, **CONTRASTIVE | changed)

    return fit


def test_a_contrastive_embedding_is_trained_without_the_test_split(features, contrastive):
    pytest.importorskip("lightning")
    spoiled = features.X.toarray()
    spoiled[features.test] = 5
    one, again, other = (contrastive(features, X) for X in (features.X.toarray(), features.X.toarray(), spoiled))
    np.testing.assert_array_equal(one.scores, again.scores)
    np.testing.assert_array_equal(one.scores[features.development], other.scores[features.development])
    np.testing.assert_allclose(np.linalg.norm(one.scores, axis=1), 1, rtol=1e-4)
    assert one.metrics["logistic"]["n_test"] == len(features.test)
    assert one.files == ["features", "samples", "scores"]


def test_a_contrastive_embedding_reads_the_features_that_vary_most_where_it_learns(features, contrastive):
    pytest.importorskip("lightning")
    values = features.X.toarray()
    values[features.test] *= 1 + np.arange(values.shape[1])  # which would choose others
    chosen = np.argsort(-values[features.development].var(axis=0))[:20]
    others = np.setdiff1d(np.arange(values.shape[1]), chosen)
    less = values.copy()
    less[:, others] /= 2
    one, same = (contrastive(features, X, n_components=4, n_features=20, n_epochs=2) for X in (values, less))
    np.testing.assert_array_equal(one.scores, same.scores)


def test_counts_are_divided_between_the_copies_wherever_there_are_some(features, counted, contrastive, capsys):
    pytest.importorskip("lightning")
    wide = counted.X[counted.rows_of(features.samples)].toarray()
    wide[:, 0] = 1  # a sample with thousands of features has some that were counted once
    values = normalize_matrix(wide, "log1p_median")
    auto, counts, dropout = (
        contrastive(features, values, views=views, n_epochs=2) for views in ("auto", "counts", "dropout")
    )
    np.testing.assert_array_equal(auto.scores, counts.scores)
    assert not np.array_equal(auto.scores, dropout.scores)
    assert "two halves of its counts" in capsys.readouterr().out
    np.testing.assert_array_equal(
        contrastive(features, views="auto").scores, contrastive(features, views="dropout").scores
    )
    with pytest.raises(InputError, match="views is counts, and the values are not log1p of scaled counts"):
        contrastive(features, views="counts")


def test_a_geneformer_is_trained_without_the_test_split(features, embedded):
    pytest.importorskip("lightning")
    options = {"n_layers": 1, "n_heads": 2, "max_tokens": 20, "n_epochs": 3}
    counts = features.X.toarray()
    counts -= counts.min()
    spoiled = counts.copy()
    spoiled[features.test] = 5
    one, again, other = (
        embedded(replace(features, X=X), kind="geneformer", n_components=8, **options)
        for X in (counts, counts, spoiled)
    )
    assert one.scores.shape == (len(features.y), 8) and "components" not in one.files
    np.testing.assert_array_equal(one.scores, again.scores)
    np.testing.assert_array_equal(one.scores[features.development], other.scores[features.development])
    assert one.metrics["knn"]["n_test"] == len(features.test)
    with pytest.raises(InputError, match="hidden_size=9 is not divisible by num_attention_heads=2"):
        fit_run_embedding(features, kind="geneformer", n_components=9, **options, **OPTIONS)
    with pytest.raises(InputError, match="the matrix has negative values, which have no rank"):
        fit_run_embedding(replace(features, X=counts - 3), kind="geneformer", n_components=8, **options, **OPTIONS)


@pytest.fixture
def counted(features):
    """An expression matrix with counts for the features, in another order of the samples, and a column of batches."""
    rng = np.random.default_rng(0)
    wide = np.rint(np.expm1(np.maximum(features.X.toarray(), 0)) * 5).astype(np.float32)
    order = rng.permutation(len(wide))
    names = [features.samples[row] for row in order]
    obs = pd.DataFrame({"run": np.where(order % 3 == 0, "x", "y")}, index=names)
    return Expression(sp.csr_matrix(wide[order]), obs, pd.DataFrame(index=list(features.names)))


SCVI = {"hidden_units": 16, "n_features": 12, "n_epochs": 8, "batch": "run"}


def test_latent_variables_of_counts_are_trained_without_the_test_split(features, counted, embedded):
    pytest.importorskip("lightning")
    spoiled = counted.X.toarray()
    rows = counted.rows_of(features.samples)
    spoiled[rows[features.test]] = 5
    one, other = (
        embedded(features, kind="scvi", n_components=4, expression=given, **SCVI)
        for given in (counted, replace(counted, X=sp.csr_matrix(spoiled)))
    )
    assert one.scores.shape == (len(features.y), 4)
    np.testing.assert_array_equal(one.scores[features.development], other.scores[features.development])
    assert not np.array_equal(one.scores[features.test], other.scores[features.test])
    assert one.metrics["logistic"]["accuracy"] > one.metrics["logistic"]["majority_accuracy"]
    assert "components" not in one.files


def test_latent_variables_need_counts_of_the_same_features(features, counted):
    given = {"kind": "scvi", "n_components": 4, **SCVI, **OPTIONS}
    fractions = replace(features, metadata={**features.metadata, "normalization": "none"})
    with pytest.raises(InputError, match="embeddings.scvi reads counts, and the matrix has others"):
        fit_run_embedding(fractions, expression=replace(counted, X=counted.X * 0.5), **given)
    with pytest.raises(InputError, match="embeddings.scvi.batch: there is no column 'run'"):
        fit_run_embedding(features, expression=replace(counted, obs=counted.obs[[]]), **given)
    with pytest.raises(InputError, match="the features are not those of expression.h5ad"):
        fit_run_embedding(features, expression=replace(counted, var=counted.var[::-1]), **given)


def test_classifiers_are_judged_on_samples_with_a_lowest_label(nested, embedded):
    found = embedded(nested, n_components=4)
    judged = nested.with_lowest_label(nested.test)
    for numbers in found.metrics.values():
        assert (numbers["n_test"], numbers["n_upper_label"]) == (len(judged), len(nested.test) - len(judged))
        assert numbers["accuracy"] > numbers["majority_accuracy"]
    assert "left out" in found.lines[-1]

"""Samples that come later are embedded as those of the run, whatever the order of their features and what they lack."""

from dataclasses import dataclass
from pathlib import Path

import anndata
import numpy as np
import pytest
import scipy.sparse as sp

from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.features.prepare import prepare_features
from deepmapper.features.target import prepare_target
from deepmapper.findings.embedded_samples import embed_samples
from deepmapper.findings.embedding import fit_run_embedding, write_run_embedding
from deepmapper.findings.embedding_reference import reference_of
from deepmapper.io.expression import Expression
from deepmapper.transfer.embedded import (
    embed_new,
    embed_target,
    missing_cautions,
    missing_lines,
    open_run_embedding,
    open_run_embeddings,
    read_embedded,
    write_embedded,
)

CONTRASTIVE = {"hidden_units": 8, "n_features": 40, "n_epochs": 1, "views": "dropout", "dropout": 0.3}
TRAINED = {
    "contrastive": {**CONTRASTIVE, "temperature": 0.2},
    "geneformer": {"n_layers": 1, "n_heads": 2, "max_tokens": 30, "n_epochs": 1},
    "scvi": {"hidden_units": 8, "n_features": 40, "n_epochs": 1, "batch": ""},
}
KINDS = ["pca", "ppca", *TRAINED]


@dataclass
class Fitted:
    """An embedding that a run has fitted, and the run's samples in it."""

    folder: Path
    scores: np.ndarray
    var_names: list


@pytest.fixture(scope="module", params=KINDS)
def fitted(request, study, tmp_path_factory):
    """Every kind of embedding, fitted on the study."""
    kind, reference = request.param, study.reference
    if kind in TRAINED:
        pytest.importorskip("lightning")
    expression = Expression(reference.X, reference.obs, reference.var)
    given = {**TRAINED.get(kind, {}), **({"expression": expression} if kind == "scvi" else {})}
    found = fit_run_embedding(study.features, kind=kind, n_components=4, out_of_bag=0.2, draws=[], seed=0, **given)
    folder = tmp_path_factory.mktemp("embeddings") / kind
    write_run_embedding(found, folder, reference_of(kind, study.features, expression))
    return Fitted(folder, embed_samples(found.fitted, study.features, expression), list(found.fitted.var_names_g))


@pytest.fixture(scope="module")
def fitted_pca(study, tmp_path_factory):
    """Principal components alone."""
    found = fit_run_embedding(study.features, n_components=4, out_of_bag=0.2, draws=[], seed=0)
    folder = tmp_path_factory.mktemp("embeddings") / "pca"
    expression = Expression(study.reference.X, study.reference.obs, study.reference.var)
    write_run_embedding(found, folder, reference_of("pca", study.features, expression))
    return folder


def without(adata, names):
    return adata[:, ~adata.var_names.isin(names)].copy()


def test_samples_of_the_run_are_embedded_as_in_the_run(fitted, study):
    again = embed_new(fitted.folder, study.reference)
    np.testing.assert_allclose(again.scores, fitted.scores, rtol=1e-3, atol=1e-4)
    assert again.about["sources"] == [{"source": "the matrix", "n_cells": 150, "missing": 0}]
    reordered = study.reference[::-1, ::-1].copy()
    np.testing.assert_allclose(embed_new(fitted.folder, reordered).scores, again.scores[::-1], rtol=1e-3, atol=1e-4)


def test_new_samples_are_embedded_alone_as_together(fitted, newcomers):
    opened = open_run_embedding(fitted.folder)
    together = embed_new(opened, newcomers).scores
    assert together.shape == (90, 4) and together.dtype == np.float32 and np.isfinite(together).all()
    np.testing.assert_allclose(embed_new(opened, newcomers[7:8].copy()).scores, together[7:8], rtol=1e-3, atol=1e-4)


def test_features_that_a_file_lacks_are_counted_and_shift_the_samples_little(fitted, study, newcomers):
    opened = open_run_embedding(fitted.folder)
    lost = [name for name in fitted.var_names if int(name.removeprefix("gene")) >= 40][:6]
    whole, found = embed_new(opened, newcomers), embed_new(opened, without(newcomers, [*lost, "gene59"]))
    n = len({*lost, "gene59"} & {*fitted.var_names})
    assert found.about["sources"][0]["missing"] == n and found.about["n_features"] == len(fitted.var_names)
    (line,) = missing_lines(opened.kind, found.about)
    assert f"{n} of the {len(fitted.var_names)} features that the embedding {opened.kind} reads missing" in line
    moved = np.linalg.norm(found.scores - whole.scores, axis=1)
    spread = np.linalg.norm(whole.scores - whole.scores.mean(0), axis=1)
    assert 0 < np.median(moved) < np.median(spread)


def test_what_stands_for_missing_features(fitted, study, newcomers):
    """The mean of the run; of counts the mean relative to the sample's total; no token in a list of features."""
    opened = open_run_embedding(fitted.folder)
    lost = fitted.var_names[-5:]
    found = embed_new(opened, without(newcomers, lost)).scores
    X = without(newcomers, lost).X.toarray()
    there = ~study.reference.var_names.isin(lost)
    reference = study.reference.X.toarray().astype(np.float64)
    given = np.zeros((90, 60))
    if opened.kind == "scvi":
        mean = reference.mean(0)
        given[:, there] = X
        given[:, ~there] = X.sum(1, keepdims=True) * mean[~there] / mean[there].sum()
    else:
        median = np.median(reference.sum(1))
        kept = reference[:, there].sum() / reference.sum()
        given[:, there] = np.log1p(X * (median * kept / X.sum(1, keepdims=True)))
        if opened.kind != "geneformer":
            given[:, ~there] = study.features.X[:].mean(0)[~there]
    chosen = np.flatnonzero(study.reference.var_names.isin(fitted.var_names))
    adata = anndata.AnnData(sp.csr_matrix(given[:, chosen], dtype=np.float32), var=study.reference.var.iloc[chosen])
    np.testing.assert_allclose(found, opened.fitted.embed(adata), rtol=1e-3, atol=1e-3)


def test_values_of_another_kind_are_refused_as_by_a_model(fitted, newcomers):
    logs = newcomers.copy()
    logs.X = np.log1p(logs.X)
    with pytest.raises(InputError, match=r"later.h5ad \(embedding .*\): .*non-integer"):
        embed_new(fitted.folder, logs, "later.h5ad")
    other = newcomers.copy()
    other.var_names = [f"ENSMUSG{i:011d}" for i in range(60)]
    with pytest.raises(InputError, match=r"later.h5ad \(embedding .*\): none of its 60 features"):
        embed_new(fitted.folder, other, "later.h5ad")


def test_logarithms_of_scaled_counts_are_embedded_as_their_counts(fitted, newcomers):
    """Exactly where values are normalised; where counts are read, those scaled to the depth of the run."""
    logs = newcomers.copy()
    X = logs.X.toarray()
    logs.X = sp.csr_matrix(np.log2(1 + 1e6 * X / X.sum(1, keepdims=True)), dtype=np.float32)
    with pytest.warns(DeepMapperWarning, match="logarithms to the base 2 of counts per million; they were converted"):
        found = embed_new(fitted.folder, logs).scores
    counts = embed_new(fitted.folder, newcomers).scores
    if fitted.folder.name != "scvi":
        np.testing.assert_allclose(found, counts, rtol=1e-3, atol=1e-3)
        return
    assert np.linalg.norm(found - counts, axis=1).mean() < 0.2 * np.linalg.norm(counts - counts.mean(0), axis=1).mean()


def test_folders_that_cannot_embed_later_samples_are_refused(fitted_pca, study, newcomers, tmp_path):
    with pytest.raises(InputError, match="elsewhere is not an embedding, since its file embedding.json is missing"):
        open_run_embedding(tmp_path / "elsewhere")
    found = fit_run_embedding(study.features, n_components=3, out_of_bag=0.2, draws=[], seed=0)
    write_run_embedding(found, tmp_path / "bare")
    with pytest.raises(InputError, match="bare does not say how .* since reference.npz is missing: .*fit_embedding"):
        open_run_embedding(tmp_path / "bare")
    (tmp_path / "bare/reference.npz").write_bytes((fitted_pca / "reference.npz").read_bytes()[:500])
    with pytest.raises(InputError, match="reference.npz is not a complete reference of an embedding"):
        open_run_embedding(tmp_path / "bare")
    few = study.reference[:, :50].copy()
    features = prepare_features(few, label_column="type", split_scheme="repeated")
    found = fit_run_embedding(features, n_components=3, out_of_bag=0.2, draws=[], seed=0)
    reference = reference_of("pca", features, Expression(few.X, few.obs, few.var))
    write_run_embedding(found, tmp_path / "few", reference)
    (tmp_path / "few/embedding.json").write_bytes((fitted_pca / "embedding.json").read_bytes())
    (tmp_path / "few/arrays.npz").write_bytes((fitted_pca / "arrays.npz").read_bytes())
    with pytest.raises(InputError, match="it is that of another embedding"):
        open_run_embedding(tmp_path / "few")
    with pytest.raises(InputError, match="are both embeddings of the kind pca, .* leave one of them out"):
        open_run_embeddings([fitted_pca, fitted_pca])


def test_many_missing_features_are_a_caution(fitted_pca, newcomers):
    opened = open_run_embeddings([fitted_pca])
    some, many = (embed_new(opened["pca"], newcomers[:, n:].copy(), "later") for n in (12, 13))
    assert missing_cautions({"pca": some.about}) == []
    (caution,) = missing_cautions({"pca": many.about, "ppca": many.about})
    assert "later lacks many of the features that embeddings read (pca: 13 of 60 features; ppca: 13 of 60" in caution


def test_target_samples_of_a_run_keep_their_order(make_counts, fitted_pca, newcomers, tmp_path):
    adata = make_counts(["B", "NK", "T"] * 20, 5)
    adata.obs["type"] = ["?", *adata.obs["type"][1:]]
    features = prepare_features(adata, label_column="type", split_scheme="repeated", unlabelled=["?"])
    new = {"one.h5ad": newcomers[:5].copy(), "two.h5ad": newcomers[5:9, 10:].copy()}
    target = prepare_target(adata, features, new, label_column="type", unlabelled=["?"]).features
    opened = open_run_embedding(fitted_pca)
    expression = Expression(adata.X, adata.obs, adata.var)
    found = embed_target(opened, expression, new, target)
    assert [part["source"] for part in found.about["sources"]] == ["reference", "one", "two"]
    assert [part["missing"] for part in found.about["sources"]] == [0, 0, 10]
    parts = [adata[:1].copy(), *new.values()]
    np.testing.assert_allclose(found.scores, np.vstack([embed_new(opened, part).scores for part in parts]), atol=1e-5)
    write_embedded(found, target.samples, tmp_path / "pca.npz")
    again = read_embedded(tmp_path / "pca.npz")
    np.testing.assert_array_equal(again.scores, found.scores)
    assert again.about == found.about
    with np.load(tmp_path / "pca.npz", allow_pickle=False) as file:
        assert file["samples"].tolist() == list(target.samples)
    own = prepare_target(adata, features, {}, label_column="type", unlabelled=["?"]).features
    np.testing.assert_array_equal(embed_target(opened, expression, {}, own).scores, found.scores[:1])

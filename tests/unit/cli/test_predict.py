"""The command that names cells with a model."""

import json
from pathlib import Path

import anndata
import numpy as np
import pytest

from deepmapper.features.prepare import prepare_features
from deepmapper.findings.embedded_samples import embed_samples
from deepmapper.findings.embedding import fit_run_embedding, write_run_embedding
from deepmapper.findings.embedding_reference import reference_of
from deepmapper.io.align import scale_of
from deepmapper.io.expression import Expression
from deepmapper.passes.train import train_pass
from deepmapper.transfer import model_folder
from deepmapper.transfer.model import fit_model


@pytest.fixture
def study(counts):
    return prepare_features(counts, label_column="state", split_scheme="repeated")


@pytest.fixture
def model(counts, study, quick, here):
    passes = [train_pass(study.development_samples, quick("linear", epochs=5), seed) for seed in (0, 1)]
    fitted = fit_model(study, passes, scale_of(counts, "log1p_median", np.arange(counts.n_obs)))
    model_folder.save(fitted, "model")
    return "model"


def test_cells_of_a_file_are_named(model, counts, call):
    counts.write_h5ad("new.h5ad")
    said = call("predict", model, "new.h5ad", "-o", "out", "--given", "state").said
    assert "60 unlabelled cells" in said and "out/target.tsv" in said
    assert "Of the cells whose given label is a class of the model, " in said
    assert "is not a model" in call("predict", "nothing", "new.h5ad", status=1).said
    assert "the model has no ontology" in call("predict", model, "new.h5ad", "--allow", "T cell", status=1).said


def test_files_named_twice_and_places_that_cannot_be_written_are_refused(model, counts, call, here):
    counts.write_h5ad("new.h5ad")
    assert "new.h5ad: named twice" in call("predict", model, "new.h5ad", "new.h5ad", status=1).said
    for place in ("new.h5ad", "new.h5ad/out", "/proc/none/out"):
        said = call("predict", model, "new.h5ad", "-o", place, status=1).said
        assert f"no results can be written to {place}" in said
    assert not [path for path in here.iterdir() if path.name.startswith(".")]


def test_a_column_that_no_file_has_is_said(model, counts, call):
    counts.write_h5ad("new.h5ad")
    said = call("predict", model, "new.h5ad", "--given", "stat").said
    assert "Note: There is no column 'stat'" in said and "Did you mean 'state'?" in said


def test_why_cells_cannot_be_named_is_said_with_the_fault(model, counts, call):
    mouse = counts.copy()
    mouse.var_names = [*mouse.var_names[:3], *(name.upper() for name in mouse.var_names[3:])]
    mouse.write_h5ad("mouse.h5ad")
    said = call("predict", model, "mouse.h5ad", status=1).said
    assert "Note: mouse.h5ad: only 3 of 30 features" in said and "as those of human and mouse do" in said
    assert "samples cannot be named" in said


def test_cells_are_placed_in_embeddings(model, counts, study, call):
    expression = Expression(counts.X, counts.obs, counts.var)
    fitted = fit_run_embedding(study, n_components=3, out_of_bag=0.2, draws=[], seed=0)
    write_run_embedding(fitted, "pca", reference_of("pca", study, expression))
    first = counts.var_names[0]
    for name, adata in (("new", counts), ("few", counts[:7, 1:].copy())):
        adata.write_h5ad(f"{name}.h5ad")
    call("predict", model, "new.h5ad", "few.h5ad", "-o", "out", "--embedding", "pca")
    found = anndata.read_h5ad("out/target.h5ad")
    assert found.obsm["X_pca"].shape == (67, 3)
    np.testing.assert_allclose(found.obsm["X_pca"][:60], embed_samples(fitted.fitted, study), rtol=1e-4, atol=1e-4)
    about = json.loads(Path("out/target.json").read_text())["embeddings"]["pca"]
    assert [part["missing"] for part in about["sources"]] == [0, 1] and first in study.names
    call("predict", model, "new.h5ad", "-o", "bare")
    assert "embeddings" not in json.loads(Path("bare/target.json").read_text())
    said = call("predict", model, "new.h5ad", "--embedding", "nothing", status=1).said
    assert "nothing is not an embedding" in said and "results/embeddings/pca" in said

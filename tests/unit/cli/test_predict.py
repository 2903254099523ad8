"""The command that names cells with a model."""

import numpy as np
import pytest

from deepmapper.features.prepare import prepare_features
from deepmapper.io.align import scale_of
from deepmapper.passes.train import train_pass
from deepmapper.transfer import model_folder
from deepmapper.transfer.model import fit_model


@pytest.fixture
def model(counts, quick, here):
    features = prepare_features(counts, label_column="state", split_scheme="repeated")
    passes = [train_pass(features.development_samples, quick("linear", epochs=5), seed) for seed in (0, 1)]
    fitted = fit_model(features, passes, scale_of(counts, "log1p_median", np.arange(counts.n_obs)))
    model_folder.save(fitted, "model")
    return "model"


def test_cells_of_a_file_are_named(model, counts, call):
    counts.write_h5ad("new.h5ad")
    said = call("predict", model, "new.h5ad", "-o", "out", "--given", "state").said
    assert "60 unlabelled cells" in said and "out/target.tsv" in said
    assert "Of the cells whose given label is a class of the model, " in said
    assert "is not a model" in call("predict", "nothing", "new.h5ad", status=1).said
    assert "the model has no ontology" in call("predict", model, "new.h5ad", "--allow", "T cell", status=1).said


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

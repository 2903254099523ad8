"""Cells from which a model learned are recognised among those that it names."""

from dataclasses import replace
from pathlib import Path

import anndata
import numpy as np
import pytest
import scipy.sparse as sp

import deepmapper
from deepmapper.errors import DeepMapperWarning
from deepmapper.transfer import model_folder
from deepmapper.transfer.own_cells import MOST_KEPT, fingerprints, kept_rows, n_own, own_caution
from deepmapper.transfer.predict import predict_file


def sampled(n, seed, p=200):
    return sp.csr_matrix(np.random.default_rng(seed).poisson(2.0, (n, p)).astype(np.float32))


DEMO = Path(__file__).parents[3] / "resources/demo/matrix/pbmc68k_reduced.h5ad"
SHARE = np.full(200, 1 / 200)


def known(*parts, missing=()):
    return n_own(fingerprints([REFERENCE], SHARE), SHARE, parts, missing, 300)


REFERENCE = sampled(300, 0)


def test_own_cells_are_counted_and_others_are_not():
    assert known(REFERENCE) == 300 and known(sampled(300, 1)) == 0
    assert known(sp.vstack([REFERENCE[:30], sampled(90, 2)], "csr")) == 30
    assert known(REFERENCE[:20], sampled(90, 2), REFERENCE[20:30]) == 30
    assert known(REFERENCE[:1]) == 1
    assert known(REFERENCE[:0]) == 0 and known(sp.csr_matrix((5, 200), dtype=np.float32)) == 0


def test_neither_normalisation_nor_the_kind_of_matrix_matters():
    dense = REFERENCE.toarray()
    logs = np.log1p(1e4 * dense / dense.sum(1, keepdims=True)).astype(np.float32)
    assert known(logs) == known(sp.csr_matrix(logs)) == 300


def test_missing_features_leave_the_other_pairs():
    part = REFERENCE.toarray()
    part[:, 60:] = 0
    assert known(part, missing=np.arange(60, 200)) == 300
    part[:, 2:] = 0
    assert known(part, missing=np.arange(2, 200)) == 0  # one pair tells nothing


def test_where_cells_of_the_reference_are_alike_nothing_is_said():
    few = np.random.default_rng(3).integers(0, 2, (300, 6)).astype(np.float32)
    share = np.full(6, 1 / 6)
    assert n_own(fingerprints([few], share), share, [few], (), 300) == 0


def test_of_many_labelled_cells_some_are_kept_and_the_number_is_extrapolated():
    assert kept_rows(3).tolist() == [0, 1, 2] and len(kept_rows(0)) == 0
    rows = kept_rows(2 * MOST_KEPT)
    assert len(rows) == MOST_KEPT and rows[0] == 0 and rows[-1] == 2 * MOST_KEPT - 1
    every_third = fingerprints([REFERENCE[::3]], SHARE)
    assert n_own(every_third, SHARE, [REFERENCE], (), 300) == 300
    assert own_caution("new", 0, 9) == "" and "new: its cells are" in own_caution("new", 9, 9)
    assert "new: about 4 of its 9 cells are" in own_caution("new", 4, 9)


def test_naming_the_reference_itself_is_warned_of(model, study, newcomers, tmp_path):
    renamed = study.reference.copy()
    renamed.obs_names = [f"other{i}" for i in range(len(renamed))]
    with pytest.warns(DeepMapperWarning, match="its cells are among the labelled cells"):
        summary = deepmapper.predict(model, renamed).attrs["summary"]
    assert summary["sources"][0]["n_own"] == 150
    assert sum("among the labelled cells" in text for text in summary["cautions"]) == 1
    assert deepmapper.predict(model, newcomers).attrs["summary"]["sources"][0]["n_own"] == 0
    model_folder.save(model, tmp_path / "model")
    renamed.write_h5ad(tmp_path / "own.h5ad")
    with pytest.warns(DeepMapperWarning, match="own: its cells are among the labelled cells"):
        predict_file(tmp_path / "model", tmp_path / "own.h5ad", tmp_path / "out")


def test_a_model_without_fingerprints_is_loaded_and_says_nothing(model, study, tmp_path, recwarn):
    model_folder.save(replace(model, own=None), tmp_path / "older")
    older = model_folder.load(tmp_path / "older")
    assert older.own is None
    assert deepmapper.predict(older, study.reference).attrs["summary"]["sources"][0]["n_own"] == 0
    assert not [warning for warning in recwarn if "among the labelled" in str(warning.message)]


@pytest.mark.parametrize("share_kept", [1.0, 0.2])
def test_half_of_a_real_study_is_told_from_the_other_half(share_kept):
    X = sp.csr_matrix(anndata.read_h5ad(DEMO).X, dtype=np.float32)
    rng = np.random.default_rng(0)
    order, missing = rng.permutation(700), np.flatnonzero(rng.random(765) >= share_kept)
    reference, others = X[order[:350]], X[order[350:]]
    share = np.asarray(reference.sum(axis=0)).ravel() / reference.sum()
    prints = fingerprints([reference], share)
    kept = sp.diags(np.isin(np.arange(765), missing, invert=True).astype(np.float32))
    found = [n_own(prints, share, [sp.csr_matrix(part @ kept)], missing, 350) for part in (reference, others)]
    assert found[0] >= 340 and found[1] == 0

"""New cells get the right label, a verdict with a rate, and nothing where nothing can be said."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from deepmapper.errors import DeepMapperWarning, InputError
from deepmapper.transfer.predict import predict


def test_known_cells_are_named_and_new_ones_found(model, newcomers):
    table = predict(model, newcomers, label_column="type")
    assert list(table.index) == list(newcomers.obs_names)
    new = (newcomers.obs["type"] == "new").to_numpy()
    assert (table["nearest"] == newcomers.obs["type"])[~new].mean() > 0.95
    assert (table["verdict"] == "new")[new].mean() > 0.9
    assert (table["verdict"] == "new")[~new].sum() <= 3
    assert set(table["label"][new & (table["verdict"] == "new").to_numpy()]) <= {"new_1", "new", "new_2"}
    assert table["probability"].between(0, 1).all() and table["passes"].eq(5).all()


def test_new_cells_are_described_by_their_genes(model, newcomers):
    identities = pd.DataFrame(predict(model, newcomers).attrs["new_identities"])
    first = identities.iloc[0]
    assert first["identity"] == "new_1" and first["n_cells"] > 20
    assert set(first["genes"].split(",")[:5]) == {f"gene{i}" for i in range(15, 20)}


def test_sets_cover_the_true_label(model, newcomers):
    known = newcomers[newcomers.obs["type"] != "new"]
    table = predict(model, known, label_column="type")
    covered = [label in text.split(",") for label, text in zip(table["given"], table["set"], strict=True)]
    assert np.mean(covered) >= 0.9
    assert (table["verdict"] == "ambiguous").eq(table["set"].str.contains(",") & (table["q"] > 0.05)).all()


def test_one_cell_at_a_time_is_named_as_all_together(model, newcomers):
    together = predict(model, newcomers, new_identities=False)
    for n in (1, 5):
        alone = predict(model, newcomers[:n], new_identities=False)
        pd.testing.assert_frame_equal(
            alone[["nearest", "probability", "set"]], together[["nearest", "probability", "set"]].head(n)
        )


def test_cells_without_counts_are_not_named(model, newcomers):
    changed = newcomers.copy()
    changed.X[2] = 0
    changed.X.eliminate_zeros()
    with pytest.warns(DeepMapperWarning, match="1 of 90 samples has no counts"):
        table = predict(model, changed)
    assert table["verdict"].iloc[2] == "empty"
    assert table.iloc[2][["label", "set", "p", "q", "probability"]].isna().all()
    assert table["passes_agree"].iloc[2] == 0
    assert (table["verdict"] != "empty").sum() == len(table) - 1


def test_without_signal_no_labels_are_given(model, newcomers):
    table = predict(replace(model, signal=False), newcomers)
    assert set(table["verdict"]) == {"none"} and table["label"].isna().all() and table["set"].isna().all()
    assert table.attrs["summary"]["statement"].startswith("No signal: ")


def test_features_are_found_by_name_and_missing_ones_said(model, newcomers):
    usual = predict(model, newcomers, new_identities=False)
    shuffled = newcomers[:, np.random.default_rng(0).permutation(newcomers.n_vars)]
    pd.testing.assert_frame_equal(predict(model, shuffled, new_identities=False), usual)
    few = newcomers[:, newcomers.var_names[10:]]
    with pytest.warns(DeepMapperWarning, match="10 features of 60 in the reference are missing"):
        table = predict(model, few, new_identities=False)
    lost = table.attrs["summary"]["sources"][0]
    assert lost["missing"] == 10 and lost["importance_lost"] > 0.2
    assert "less certain than their probabilities say" in table.attrs["summary"]["cautions"][0]
    assert usual.attrs["summary"]["rate_holds"] is not False and table.attrs["summary"]["rate_holds"] is not True
    with pytest.raises(InputError, match="samples cannot be named"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        predict(model, newcomers[:, newcomers.var_names[20:]])
    with pytest.raises(InputError, match="none of its 60 features"):
        predict(model, renamed(newcomers))


def renamed(adata):
    changed = adata.copy()
    changed.var_names = [f"Zm{i:05d}" for i in range(adata.n_vars)]
    return changed


def test_logarithms_for_counts_are_refused(model, newcomers):
    logs = newcomers.copy()
    logs.X = np.log1p(logs.X)
    with pytest.raises(InputError, match="the matrix: .*non-integer"):
        predict(model, logs)


def test_a_target_from_elsewhere_withholds_the_rate(model, newcomers):
    moved = newcomers[newcomers.obs["type"] != "new"].copy()
    moved = moved[np.tile(np.arange(moved.n_obs), 3)].copy()
    moved.obs_names = [f"m{i}" for i in range(moved.n_obs)]
    summary = predict(model, moved).attrs["summary"]
    assert summary["comparison"]["n"] > 0 and summary["rate_holds"] is True
    depth = moved.copy()
    rng = np.random.default_rng(0)
    factors = rng.lognormal(0, 0.8, moved.n_vars)
    depth.X = depth.X.multiply(factors[None, :]).tocsr().astype(np.float32)
    depth.X.data = np.rint(depth.X.data).clip(1)
    summary = predict(model, depth).attrs["summary"]
    assert summary["rate_holds"] in (False, None)
    if summary["rate_holds"] is False:
        assert set(predict(model, depth)["label"]) <= set(model.classes)
    assert "Rates are withheld" in summary["rate"] or "too few cells" in summary["rate"]


def test_the_smallest_p_is_that_of_a_cell_beyond_all_labelled_ones(model, newcomers):
    table = predict(model, newcomers)
    assert table["p"].min() == pytest.approx(1 / 151)
    again = newcomers[[*range(60), *[70] * 9, *range(60)]].copy()  # nine cells, of which p is the least
    again.obs_names_make_unique()
    many = predict(model, again)
    assert (many["p"] <= 1 / 151 + 1e-9).sum() == 9 and (many["verdict"] != "new").all()
    assert many.attrs["summary"]["cautions"][-1].startswith(
        "No cell is new at this level, but 9 cells of 129 are nearly so"
    )


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_level_that_is_no_share_is_refused(model, newcomers, level):
    with pytest.raises(InputError, match="above 0 and below 1"):
        predict(model, newcomers, level=level)

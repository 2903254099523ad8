"""The differential test of a run: which test its samples allow, and what the tables say."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from deepmapper.differential.run import choose_test, run_differential, split_by_level
from deepmapper.differential.tables import marker_table
from deepmapper.errors import InputError
from deepmapper.features.store import Features

OPTIONS = {
    "enabled": True, "test": "auto", "design": "", "reference": "", "within": "", "shrink": False, "max_cells": 20000
}  # fmt: skip


def study(counts, y, classes=("a", "b"), groups=None, obs=None, normalization="log1p_median", **more):
    """Features and expression of a study of counts."""
    names = tuple(f"s{i}" for i in range(len(y)))
    donor = "" if groups is None else "donor"
    features = Features(
        sp.csr_matrix(np.log1p(counts).astype(np.float32) if normalization != "none" else counts.astype(np.float32)),
        np.asarray(y),
        classes,
        tuple(f"g{i}" for i in range(counts.shape[1])),
        names,
        np.zeros(len(y), dtype=np.uint8),
        groups,
        {
            "label_column": "state",
            "group_column": donor,
            "normalization": normalization,
        },
        **more,
    )
    obs = pd.DataFrame(index=list(names)) if obs is None else obs.set_axis(list(names))
    expression = SimpleNamespace(
        X=sp.csr_matrix(counts.astype(np.float32)),
        obs=obs.assign(state=[classes[code] for code in y]),
        rows_of=lambda samples: np.array([int(name[1:]) for name in samples]),
    )
    return features, expression


def negative_binomial(rng, mean, dispersion=0.1):
    return rng.negative_binomial(1 / dispersion, 1 / (1 + dispersion * mean)).astype(float)


def run(features, expression, level=0.1, **options):
    return run_differential(features, expression, {**OPTIONS, **options}, level=level)


def bulk(n=4, n_true=6, p=60, seed=0):
    rng, y = np.random.default_rng(seed), np.repeat([0, 1], n)
    mean = np.full((2 * n, p), 200.0)
    mean[y == 1, : n_true // 2] *= 6
    mean[y == 0, n_true // 2 : n_true] *= 6
    return negative_binomial(rng, mean), y


def test_samples_without_counts_are_left_out_of_the_test_and_said():
    counts, y = bulk(n=5)
    counts[[0, 7]] = 0
    found = run(*study(counts, y))
    assert found.summary["n_units"] == 8
    assert "2 samples without counts were not tested." in found.summary["notes"]
    assert {f"g{i}" for i in range(6)} <= set(found.features.query("differential_q <= 0.1")["feature"])


def test_a_class_without_any_counts_is_not_tested_and_the_reason_is_said():
    counts, y = bulk()
    counts[y == 0] = 0
    statement = run(*study(counts, y)).summary["statement"]
    assert "4 samples without counts were not tested. All samples belong to the class 'b'" in statement


def test_few_bulk_samples_give_their_planted_features():
    found = run(*study(*bulk()))
    assert found.summary["test"] == "deseq2"
    assert found.summary["formula"] == "~ state"
    assert found.summary["statement"].startswith(f"{found.summary['n_different']} of 60 features differ")
    called = found.features[found.features["differential_q"] <= 0.1]
    assert {f"g{i}" for i in range(6)} <= set(called["feature"])
    assert len(called) <= 9
    assert called.set_index("feature")["higher_in"][[f"g{i}" for i in range(6)]].tolist() == ["b"] * 3 + ["a"] * 3
    for name, strongest in (("a", {"g3", "g4", "g5"}), ("b", {"g0", "g1", "g2"})):
        listed = found.markers[found.markers["class"] == name]
        assert set(listed["feature"][:3]) == strongest
        assert listed["order"].tolist() == list(range(1, len(listed) + 1))
        assert (listed["log2_fold_change"] > 0).all()
        assert (listed["mean_class"] > listed["mean_versus"])[:3].all()


def test_values_that_are_no_counts_are_compared_by_a_linear_model():
    counts, y = bulk()
    features, expression = study(np.log2(counts + 1), y, normalization="none")
    found = run(features, expression)
    assert found.summary["test"] == "linear"
    assert {f"g{i}" for i in range(6)} <= set(found.features["feature"][found.features["differential_q"] <= 0.1])
    with pytest.raises(InputError, match="differential.test is 'deseq2', which needs counts"):
        run(features, expression, test="deseq2")


def test_the_test_follows_from_the_samples():
    assert choose_test("auto", 8, True, False) == "deseq2"
    assert choose_test("auto", 8, False, False) == "linear"
    assert choose_test("auto", 5000, True, False) == "wilcoxon"
    assert choose_test("auto", 5000, True, True) == "deseq2"
    assert choose_test("auto", 5000, False, True) == "linear"
    assert choose_test("wilcoxon", 8, True, True) == "wilcoxon"


def donors(rng, n_donors=8, n_cells=40, p=50, effect=1.0, paired=False):
    """Cells of donors that differ from one another; an effect changes the first five features."""
    donor = np.repeat(np.arange(n_donors), n_cells)
    y = np.tile([0, 1], len(donor) // 2) if paired else donor % 2
    mean = np.exp(rng.normal(0, 0.5, (n_donors, p)))[donor] * 3
    mean[y == 1, :5] *= effect
    return negative_binomial(rng, mean), y, donor


def test_donors_not_cells_are_the_observations():
    rng = np.random.default_rng(4)
    by_donor, by_cell = [], []
    for _ in range(5):
        counts, y, donor = donors(rng)
        by_donor.append(int((run(*study(counts, y, groups=donor)).features["differential_q"] <= 0.1).sum()))
        cells = run(*study(counts, y), test="wilcoxon")
        by_cell.append(int((cells.features["differential_q"] <= 0.1).sum()))
    assert np.mean(by_cell) > 20  # every donor's own level looks like a difference between the classes
    assert sum(n > 0 for n in by_donor) <= 2
    assert np.mean(by_donor) <= 1


def test_an_effect_within_paired_donors_is_found():
    counts, y, donor = donors(np.random.default_rng(5), p=300, effect=3.0, paired=True)
    found = run(*study(counts, y, groups=donor))
    assert found.summary["formula"] == "~ donor + state"
    assert found.summary["n_units"] == 16
    assert found.summary["unit"] == "sum of the samples of each donor and class"
    called = set(found.features["feature"][found.features["differential_q"] <= 0.1])
    assert {f"g{i}" for i in range(5)} <= called
    assert len(called) <= 8


def test_a_class_of_one_donor_is_said_and_nothing_is_tested():
    counts, y, donor = donors(np.random.default_rng(6), n_donors=3)
    found = run(*study(counts, y, groups=donor))
    assert found.summary["n_different"] == 0
    assert found.table.empty
    assert found.markers.empty
    assert "The class b has samples of one donor" in found.summary["statement"]
    assert found.features["differential_q"].isna().all()
    assert found.features["mean[a]"].notna().all()


def test_cells_without_donors_are_compared_with_a_plain_warning():
    rng = np.random.default_rng(7)
    y = rng.integers(0, 3, 450)
    mean = np.full((450, 40), 1.0)
    for code in range(3):
        mean[y == code, code] *= 5
    found = run(*study(negative_binomial(rng, mean), y, classes=("a", "b", "c")))
    assert found.summary["test"] == "wilcoxon"
    assert "Every cell counts as an independent sample" in found.summary["notes"][0]
    assert found.table["versus"].unique().tolist() == ["rest"]
    first = found.markers[found.markers["order"] == 1].set_index("class")["feature"]
    assert first.to_dict() == {"a": "g0", "b": "g1", "c": "g2"}
    assert (found.markers["log2_fold_change"] > 0).all()


def test_more_cells_than_allowed_are_drawn_and_it_is_said():
    rng = np.random.default_rng(8)
    y = rng.integers(0, 2, 400)
    found = run(*study(negative_binomial(rng, np.full((400, 10), 2.0)), y), max_cells=100)
    assert found.summary["n_units"] == 100
    assert any("100 of 400 cells were drawn" in note for note in found.summary["notes"])


def test_classes_are_compared_within_each_cell_type():
    counts, y = bulk(8)
    kind = np.array(["T", "B"] * 8)
    counts[(kind == "T") & (y == 1), 59] *= 8
    features, expression = study(counts, y, obs=pd.DataFrame({"kind": kind}))
    found = run(features, expression, within="kind")
    assert set(found.table["within"]) == {"T", "B"}
    g59 = found.table[found.table["feature"] == "g59"].set_index("within")["q"]
    assert g59["T"] <= 0.1 < g59["B"]
    twice = 2 * found.table.groupby("feature")["p"].min().clip(upper=0.5)
    assert found.features.set_index("feature")["differential_p"].to_dict() == pytest.approx(twice.to_dict())
    with pytest.raises(InputError, match="differential.within is 'type', which is not a column"):
        run(features, expression, within="type")


def test_levels_of_a_column_leave_out_samples_without_one():
    obs = pd.DataFrame({"kind": ["T", None, "B", "T"]})
    assert [(level, rows.tolist()) for level, rows in split_by_level(obs, "kind")] == [
        ("B", [False, False, True, False]),
        ("T", [True, False, False, True]),
    ]


def test_confounders_are_adjusted_for_and_left_out_where_they_equal_the_label():
    counts, y = bulk()
    batch = np.tile([0.0, 1.0], 4)[:, None]
    found = run(*study(counts, y, design=batch, design_names=("batch=b",)))
    assert found.summary["formula"] == "~ batch=b + state"
    alike = run(*study(counts, y, design=y[:, None].astype(float), design_names=("batch=b",)))
    assert alike.summary["formula"] == "~ state"
    assert any("does not adjust for batch=b" in note for note in alike.summary["notes"])
    depth = run(*study(counts, y, design=batch, design_names=("depth",)))
    assert depth.summary["formula"] == "~ state"  # the size factors stand for it


def test_a_number_in_a_formula_is_one_if_it_is_a_confounder_that_is_a_number():
    counts, y = bulk()
    ages = np.array(["31", "45", "52", "60", "33", "41", "58", "64"])
    design = ((ages.astype(float) - 48) / 12)[:, None]
    obs = pd.DataFrame({"age": ages})
    found = run(*study(counts, y, obs=obs, design=design, design_names=("age",)), design="~ age + state")
    assert found.summary["n_different"] >= 6
    with pytest.raises(InputError, match=r"confounders\.numeric"):
        run(*study(counts, y, obs=obs), design="~ age + state")


def test_a_reference_class_is_what_the_others_are_compared_with():
    rng = np.random.default_rng(10)
    y = np.repeat([0, 1, 2], 4)
    counts = negative_binomial(rng, np.full((12, 20), 100.0))
    found = run(*study(counts, y, classes=("a", "b", "c")), reference="b")
    assert set(zip(found.table["class"], found.table["versus"], strict=True)) == {("a", "b"), ("c", "b")}
    with pytest.raises(InputError, match="differential.reference is 'x'"):
        run(*study(counts, y, classes=("a", "b", "c")), reference="x")


def test_switched_off_says_so_and_keeps_the_columns():
    found = run(*study(*bulk()), enabled=False)
    assert "setting: differential.enabled" in found.summary["statement"]
    assert found.table.empty
    assert {"differential_q", "higher_in", "mean[a]"} <= set(found.features)


def test_markers_of_nothing_have_the_columns():
    found = run(*study(*bulk()), enabled=False)
    assert marker_table(found.table, 0.1).columns[0] == "within"


def test_a_feature_is_named_by_a_class_in_which_it_is_higher_not_by_all_others():
    rng = np.random.default_rng(3)
    y = np.repeat([0, 1, 2], 40)
    counts = rng.poisson(4, (120, 30))
    counts[:, 0] = rng.poisson(np.array([1, 9, 9])[y])  # lower in the first class than in both others
    found = run(*study(counts, y, classes=("a", "b", "c"))).features.set_index("feature").loc["g0"]
    assert found["higher_in"] in ("b", "c")
    assert found["log2_fold_change"] > 0


# B, CD4, CD8, and T, of which CD4 and CD8 are kinds
KINDS = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 1, 1, 0]], dtype=bool)


def lymphocytes(n, seed=3):
    """g0 marks B, g1 CD4, g2 CD8, and g3 all T cells; the cells labelled T are CD4 or CD8."""
    rng, kind = np.random.default_rng(seed), np.arange(n) % 3
    mean = np.full((n, 40), 2.0)
    for code in range(3):
        mean[kind == code, code] *= 8
    mean[kind > 0, 3] *= 8
    return negative_binomial(rng, mean), np.where((kind > 0) & (np.arange(n) % 4 < 2), 3, kind)


@pytest.mark.parametrize("n", [480, 96])
def test_a_label_above_others_is_not_compared_with_those_below_it(n):
    """Rank sums of cells, and samples."""
    counts, y = lymphocytes(n)
    features, expression = study(counts, y, classes=("B", "CD4", "CD8", "T"), kinds=KINDS)
    found = run(features, expression, test="auto" if n > 300 else "linear")
    first = found.markers.groupby("class")["feature"].apply(lambda names: set(names[:2]))
    assert first["CD4"] == {"g1", "g3"} and first["CD8"] == {"g2", "g3"}  # T cells without a kind hid g3
    assert "g3" in first["T"] and "g0" in first["B"]
    assert "g3" not in set(found.markers["feature"][found.markers["class"] == "B"])
    levels = found.table.set_index(["class", "feature"])["mean_versus"]
    apart = features.X.toarray()[np.isin(y, [0, 2]), 1].mean()
    assert levels["CD4", "g1"] == pytest.approx(apart, rel=1e-5)
    n_upper = int((y == 3).sum())
    note = found.summary["notes"][-1]
    assert note.startswith(f"{n_upper} of {n} samples have a label above others (T; labels.ontology)")
    plain = run(*study(counts, y, classes=("B", "CD4", "CD8", "T")), test="auto" if n > 300 else "linear")
    assert not any("above others" in line for line in plain.summary["notes"])
    same = ["B"]  # which overlaps with nothing
    pd.testing.assert_frame_equal(
        found.table[found.table["class"].isin(same)], plain.table[plain.table["class"].isin(same)]
    )


def test_an_upper_label_and_a_single_kind_leave_nothing_to_compare():
    counts, y = lymphocytes(400)
    kept = np.flatnonzero(np.isin(y, [1, 3]))
    features, expression = study(counts[kept], y[kept], classes=("B", "CD4", "CD8", "T"), kinds=KINDS)
    found = run(features, expression)
    assert found.table.empty and "Nothing was compared" in found.summary["statement"]

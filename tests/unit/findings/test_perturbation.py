"""Perturbation over passes: what is planted changes the classes more than shadows do, and nothing else does."""

from dataclasses import replace

import numpy as np
import pytest

from deepmapper.core.auc import auc
from deepmapper.errors import InputError
from deepmapper.features.store import Features
from deepmapper.findings.perturbation import items_of, perturb_model
from deepmapper.passes.shadows import train_shadow_pass
from deepmapper.passes.train import train_pass


@pytest.fixture(scope="module")
def features(planted):
    """The planted study as features of a run, without a test split."""
    names = tuple(f"c{i}" for i in range(120))
    return Features(
        planted.sparse, planted.y, planted.classes, tuple(planted.names), names, np.zeros(120, dtype=np.uint8)
    )


@pytest.fixture(scope="module")
def trained(planted, quick):
    """Three passes, and six with shadows of two draws, that kept their weights."""
    config = quick("mlp", attribution="saliency")
    passes = [train_pass(planted.samples, config, seed) for seed in range(3)]
    return passes, [train_shadow_pass(planted.samples, config, seed, keep_weights=True) for seed in range(6)]


@pytest.fixture(scope="module")
def perturbed(features, trained):
    """All features, and the members of each class together, deleted and activated."""
    items = items_of(features, "all", [], 0) | {"both": (3, 9), "neither": (0, 1)}
    return perturb_model(features, *trained, items, ("deletion", "activation"))


def test_planted_features_are_separated_from_all_others(planted, perturbed):
    table = perturbed.table[perturbed.table["n_features"] == 1]
    for how in ("deletion", "activation"):
        of_item = table[table["how"] == how].groupby("item")
        largest = of_item["change"].apply(lambda change: np.abs(change).max()).reindex(planted.names)
        is_planted = np.isin(np.arange(30), list(planted.signal))
        assert auc(largest.to_numpy(), is_planted) >= 0.99
        q = of_item["q"].min().reindex(planted.names)
        assert (q[is_planted] <= 0.1).mean() >= 0.8
        assert (q[~is_planted] <= 0.1).mean() <= 0.1


def test_a_marker_raises_its_class_if_activated_and_lowers_it_if_deleted(planted, perturbed):
    table = perturbed.table.set_index(["item", "how", "class"])
    for feature in planted.up[1]:
        lower = table.loc[(f"gene{feature}", "deletion", "NK")]
        higher = table.loc[(f"gene{feature}", "activation", "NK")]
        assert lower["change"] < 0 < higher["change"]
        assert lower["change_low"] < lower["change"] < lower["change_high"]


def test_features_are_perturbed_together(perturbed):
    table = perturbed.table.set_index(["item", "how", "class"])
    both = table.loc[("both", "deletion", "B")]
    assert both["change"] < min(table.loc[(gene, "deletion", "B")]["change"] for gene in ("gene3", "gene9"))
    assert both["n_features"] == 2 and both["p"] < 0.02
    assert table.loc[("neither", "deletion", "B")]["p"] > 0.02


def test_effects_sum_to_zero_over_the_classes_and_the_largest_come_first(perturbed):
    table = perturbed.table
    assert list(table["how"].unique()) == ["deletion", "activation"]
    sums = table.groupby(["how", "item"])["change"].sum()
    np.testing.assert_allclose(sums, 0, atol=1e-6)
    largest = table[table["how"] == "deletion"].groupby("item", sort=False)["change"].apply(lambda c: c.abs().max())
    assert (np.diff(largest) <= 1e-12).all()
    assert "change the probability of a class more than shadow features do" in perturbed.summary["statement"]


def test_without_shadows_there_are_no_p_values_and_that_is_said(features, trained):
    made = perturb_model(features, trained[0], [], {"gene3": (3,)}, ["mask"])
    assert made.table["p"].isna().all() and made.table["q"].isna().all()
    assert made.summary["statement"] == (
        "1 perturbed item in 3 passes; no p-values, since no pass with shadow features kept its weights."
    )
    bare = [replace(result, weights={}) for result in trained[1]]
    with pytest.raises(
        InputError, match="pass 0 with shadow features has no weights: train it again with `perturb.how`"
    ):
        perturb_model(features, trained[0], bare, {"gene3": (3,)}, ["mask"])


def test_what_is_perturbed(features):
    assert items_of(features, "findings", ["gene9", "gene3", "gene1"], 2) == {"gene9": (9,), "gene3": (3,)}
    assert items_of(features, ["gene4"], [], 0) == {"gene4": (4,)}
    with pytest.raises(InputError, match="perturb.features: 'CD3E' is no feature of the matrix"):
        items_of(features, ["CD3E"], [], 0)
    empty = perturb_model(features, [], [], {}, ["mask", "mask"])
    assert empty.summary["statement"] == "Nothing was perturbed: no features are named, and there are no chords."

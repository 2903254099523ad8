"""Tables of the passes: which count, how they were trained, and how far they agree."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from deepmapper.core.table_schemas import AGREEMENT, PASSES
from deepmapper.features.label_permutations import control_labels
from deepmapper.features.samples import Samples
from deepmapper.findings.pass_table import agreement_table, history_table, pass_table


def test_every_pass_is_listed_with_the_reason_why_it_is_not_accepted(passes, hand_made):
    table = pass_table(passes, [hand_made(1000, 0.45, permuted=True)], min_accuracy=0.5)
    assert table.columns.tolist() == PASSES.names()
    assert table["seed"].tolist() == [0, 1, 2, 3, 1000]
    assert table["accepted"].tolist() == [True, True, True, False, False]
    assert table["control"].tolist() == [False] * 4 + [True]
    reasons = ["", "", "", "accuracy 0.4000 below min_accuracy 0.5", "control: trained on permuted labels"]
    assert table["reason"].tolist() == reasons
    first = table.iloc[0]
    assert (first["epochs_run"], first["stop_epoch"], first["val_loss"]) == (3, 2, 0.6)  # of the epoch that was kept
    assert (first["n_train"], first["n_val"], first["n_oob"]) == (6, 2, 4)


def test_only_samples_that_give_the_accuracy_are_counted(hand_made):
    """Those with a label above others do not; controls have other labels."""
    y = np.array([0, 0, 1, 1, 2, 2, 2, 2, 0, 1, 2, 2])
    kinds = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0]], dtype=bool)
    samples = Samples(np.zeros((12, 4)), y, ("a", "b", "either"), kinds=kinds)
    results = [hand_made(seed, out_of_bag_rows=np.arange(4 * seed, 4 * seed + 4)) for seed in range(3)]
    results[1] = replace(results[1], accuracy=float("nan"))
    control = hand_made(7, permuted=True, out_of_bag_rows=np.arange(6))
    table = pass_table(results, [control], 0.0, samples)
    assert table["n_oob"].tolist() == [4, 0, 2, (control_labels(samples, 7)[:6] < 2).sum()]
    assert table["accepted"].tolist() == [True, False, True, False]
    assert table["reason"].iloc[1] == "no out-of-bag sample with a lowest label"


def test_a_control_is_never_accepted_however_good_it_looks(hand_made):
    assert not pass_table([], [hand_made(5, 1.0, permuted=True)], 0.0)["accepted"].any()


def test_every_epoch_of_every_pass_is_in_the_history(passes, hand_made):
    history = history_table([*passes[:2], hand_made(9, permuted=True)])
    assert history.columns.tolist() == ["seed", "control", "epoch", "train_loss", "val_loss", "val_accuracy"]
    assert history["epoch"].tolist() == [1, 2, 3] * 3
    assert history["seed"].tolist() == [0] * 3 + [1] * 3 + [9] * 3
    assert history["control"].tolist() == [False] * 6 + [True] * 3
    assert history["train_loss"].tolist() == [0.7, 0.5, 0.4] * 3


def test_equal_passes_agree_completely(hand_made):
    table = agreement_table([hand_made(0), hand_made(1), hand_made(2)], top_k=2)
    assert table.columns.tolist() == AGREEMENT.names()
    assert list(zip(table["seed_a"], table["seed_b"], strict=True)) == [(0, 1), (0, 2), (1, 2)]
    assert table["top_k_overlap"].tolist() == [1.0] * 3
    assert table["spearman"].tolist() == pytest.approx([1.0] * 3)


def test_agreement_is_the_shared_top_and_spearmans_correlation(hand_made):
    rng = np.random.default_rng(0)
    results = [hand_made(seed, importance=rng.random(40).round(1)) for seed in range(4)]  # rounded: ties
    table = agreement_table(results, top_k=10)
    assert len(table) == 6
    for row in table.itertuples():
        a, b = (results[int(seed)].importance for seed in (row.seed_a, row.seed_b))
        tops = [set(np.argsort(-values, kind="stable")[:10]) for values in (a, b)]
        assert row.top_k_overlap == pytest.approx(len(tops[0] & tops[1]) / 10)
        assert row.spearman == pytest.approx(spearmanr(a, b).statistic)


def test_opposite_and_constant_importances(hand_made):
    results = [
        hand_made(0, importance=[3, 2, 1, 0]),
        hand_made(1, importance=[0, 1, 2, 3]),
        hand_made(2, importance=[1] * 4),
    ]
    table = agreement_table(results, top_k=2)
    assert table["top_k_overlap"].tolist() == [0.0, 1.0, 0.0]
    assert table["spearman"][0] == pytest.approx(-1)
    assert table["spearman"][1:].isna().all()


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_passes_have_no_agreement(hand_made, n):
    table = agreement_table([hand_made(i) for i in range(n)], 2)
    assert table.columns.tolist() == AGREEMENT.names()
    assert len(table) == 0

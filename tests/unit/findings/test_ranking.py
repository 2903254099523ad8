"""Many passes accumulated into one ranking."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from deepmapper import accumulate
from deepmapper.config import BackboneSpec, DeepMapperConfig
from deepmapper.errors import InputError
from deepmapper.features.samples import Samples
from deepmapper.findings import pass_table
from deepmapper.findings.ranking import Findings, accumulate_passes
from deepmapper.passes import train
from deepmapper.passes.result import PassFile


def test_the_ranking_is_by_frequency_then_importance_then_position():
    findings = Findings(
        4, 2, 2, selection_frequency=[0.5, 1.0, 0.5, 0.5], median_importance=[1.0, 0.1, 2.0, 1.0], feature_names=None
    )
    assert findings.ranking() == [(1, 1.0, 0.1), (2, 0.5, 2.0), (0, 0.5, 1.0), (3, 0.5, 1.0)]
    findings.feature_names = ["a", "b", "c", "d"]
    assert [name for name, _, _ in findings.ranking(2)] == ["b", "c"]


def test_rejected_passes_do_not_count(hand_made):
    """A pass that learnt nothing names the last feature; it must not move the ranking."""
    passes = [hand_made(0, 0.9, [3, 2, 1, 0]), hand_made(1, 0.1, [0, 0, 0, 99]), hand_made(2, 0.9, [3, 2, 1, 0])]
    findings = accumulate_passes(passes, top_k=2, min_accuracy=0.5)
    assert findings.selection_frequency == [1.0, 1.0, 0.0, 0.0]
    assert findings.median_importance == [3.0, 2.0, 1.0, 0.0]
    assert findings.mean_rank == [1.0, 2.0, 3.0, 4.0]


def test_passes_that_cannot_be_judged_do_not_count_and_are_told_from_rejected_ones(hand_made):
    results = [hand_made(0, 0.9), hand_made(1, float("nan")), hand_made(2, 0.3)]
    findings = accumulate_passes(results, 2, 0.5)
    assert findings.accepted == [True, False, False]
    assert "1 of 3 passes have no out-of-bag sample with a lowest label" in findings.notes[0]
    assert "seed 1. 1 were accumulated" in findings.notes[0]
    assert "1 of 3 passes were rejected" in findings.notes[1] and "seed 2 (0.300). 1 were" in findings.notes[1]


def test_directions_need_four_passes_of_five_to_agree(hand_made):
    def leaning(seed, ups):
        slope = np.where(np.arange(4) < ups, 1.0, -1.0)
        return hand_made(seed, class_gradient=np.stack([slope, -slope]))

    # over five passes the features lean up in 5, 4, 3 and 0 of them
    findings = accumulate_passes([leaning(i, ups) for i, ups in enumerate([3, 3, 3, 2, 1])], 2, 0.0)
    assert findings.class_direction == [[1, 1, 0, -1], [-1, -1, 0, 1]]


def test_a_class_no_pass_attributed_has_no_importance(hand_made):
    missing = np.stack([np.arange(4.0), np.full(4, np.nan)])
    half = [hand_made(0, class_importance=missing, class_gradient=missing), hand_made(1)]
    findings = accumulate_passes(half, 2, 0.0)
    assert findings.class_importance[1] == [3.0, 2.0, 1.0, 0.0]  # of the one pass that saw it
    none = accumulate_passes([half[0]], 2, 0.0)
    assert np.isnan(none.class_importance[1]).all()
    assert none.class_direction[1] == [0] * 4


def test_nothing_to_accumulate_is_refused():
    with pytest.raises(InputError, match="there are no passes"):
        accumulate_passes([], 5, 0.0)


@pytest.mark.parametrize("n_passes", [4, 5])
def test_passes_left_in_their_files_give_the_same_findings_in_blocks(tmp_path, n_passes):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 23)).astype(np.float32), np.arange(60) % 3
    X[:, 0] += y
    config = DeepMapperConfig(n_passes=1, epochs=1, top_k=4, backbone=BackboneSpec(kind="linear"))
    made = [train.train_pass(Samples(X, y, ("a", "b", "c")), config, seed) for seed in range(n_passes)]
    for result in made:
        result.save(tmp_path / f"{result.seed}.npz")
    names = [f"g{i}" for i in range(23)]
    whole = accumulate_passes(made, 4, 0.0, names)
    importances = [result.importance.tolist() for result in made]
    assert whole.median_importance == accumulate.median_importance(importances)
    assert whole.mean_rank == accumulate.mean_rank([accumulate.ranks_from_importances(one) for one in importances])
    tops = [accumulate.top_k_set(one, 4) for one in importances]
    assert whole.selection_frequency == accumulate.selection_frequency(tops, 23)
    agreement = pass_table.agreement_table(made, 4)
    expected = np.corrcoef(rankdata(importances, axis=1))[np.triu_indices(n_passes, 1)]
    np.testing.assert_allclose(agreement["spearman"], expected, rtol=1e-12)
    shared = [len(set(tops[a]) & set(tops[b])) / 4 for a, b in zip(*np.triu_indices(n_passes, 1), strict=True)]
    np.testing.assert_allclose(agreement["top_k_overlap"], shared)
    left = [PassFile(tmp_path / f"{seed}.npz") for seed in range(n_passes)]
    assert accumulate_passes(left, 4, 0.0, names, max_values=40) == whole
    pd.testing.assert_frame_equal(pass_table.agreement_table(left, 4, max_values=40), agreement)

"""The ranking of one model from its passes, and the tables of these."""

import numpy as np

from deepmapper.features.store import Features
from deepmapper.findings.model_ranking import accumulate_model

NAMES = ("g0", "g1", "g2", "g3")


def test_the_ranking_is_of_accepted_passes_and_the_tables_of_all(ranked):
    assert ranked.ranking["feature"].tolist() == ["g0", "g1", "g2", "g3"]
    assert ranked.passes["seed"].tolist() == [0, 1, 2, 9]
    assert ranked.passes["accepted"].tolist() == [True, True, False, False]
    assert len(ranked.history) == 12
    assert list(zip(ranked.agreement["seed_a"], ranked.agreement["seed_b"], strict=True)) == [(0, 1)]
    assert (
        ranked.summary["model"],
        ranked.summary["n_accepted"],
        ranked.summary["n_controls"],
    ) == ("cnn", 2, 1)


def test_the_summary_names_the_scheme_and_the_log_repeats_it(ranked):
    assert (ranked.summary["scheme"], ranked.summary["why"]) == ("fixed", "A test split was set aside.")
    assert ranked.lines[0] == "A test split was set aside."
    assert ranked.lines[-1] == ranked.summary["statement"]
    assert any("1 of 3 passes were rejected" in line for line in ranked.lines)


def test_few_samples_are_tested_by_permutations(study, study_passes, hand_made):
    few = Features(
        study.X[:8],
        np.arange(8) % 2,
        study.classes,
        NAMES,
        study.samples[:8],
        np.zeros(8, dtype=np.uint8),
        metadata={"scheme": "repeated", "why": "8 samples are too few."},
    )
    rows = {"out_of_bag_rows": np.arange(8), "out_of_bag_probability": np.tile([0.5, 0.5], (8, 1))}
    made = [hand_made(0, 0.9, settings=study_passes[0].settings, **rows)]
    found = accumulate_model("cnn", few, made, [], top_k=2, min_accuracy=0.5)
    assert found.summary["n_possible_labelings"] == 35
    assert found.summary["n_labelings"] == 0

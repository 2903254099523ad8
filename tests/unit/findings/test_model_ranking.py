"""The ranking of one model from its passes, and the tables of these."""

import resource
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from deepmapper.config import DeepMapperConfig
from deepmapper.features.store import Features
from deepmapper.findings.consensus import mean_votes
from deepmapper.findings.evaluation import out_of_bag_probability
from deepmapper.findings.model_ranking import accumulate_model
from deepmapper.findings.pass_intervals import importances
from deepmapper.passes.result import PassFile

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


@pytest.fixture
def few_open_files():
    """Allow eight files more than are open now, as `ulimit -n` does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = {int(file.name) for file in Path("/proc/self/fd").iterdir()}
    free = [number for number in range(max(used) + 10) if number not in used]
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[8], hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_many_passes_need_few_open_files(study, hand_made, tmp_path, few_open_files):
    settings = asdict(DeepMapperConfig())
    for seed in range(60):
        hand_made(seed, 0.9, [3, 2, 1, 0], settings=settings, permuted=seed >= 40).save(tmp_path / f"{seed}.npz")
    files = [PassFile(tmp_path / f"{seed}.npz") for seed in range(60)]
    found = accumulate_model("cnn", study, files[:40], files[40:], top_k=2, min_accuracy=0.5)
    assert found.summary["n_accepted"] == 40
    assert len(found.history) == 180
    assert mean_votes(files, [np.arange(4)])[1] == 60
    assert out_of_bag_probability(files, 48, 2).shape == (48, 2)
    assert importances(files).shape == (60, 4)


def test_samples_with_a_label_above_others_are_counted_in_the_notes(study, hand_made):
    """Where the page takes its cautions from; one of the three is in the test split."""
    y = np.where(np.arange(len(study.y)) < 3, 2, study.y)
    kinds = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0]], dtype=bool)
    nested = replace(study, y=y, classes=(*study.classes, "either"), kinds=kinds)
    settings = asdict(DeepMapperConfig())
    passes = [hand_made(seed, classes=nested.classes, settings=settings) for seed in range(2)]
    found = accumulate_model("cnn", nested, passes, [], top_k=2, min_accuracy=0.0)
    assert any(note.startswith("2 of 48 samples") for note in found.summary["notes"])

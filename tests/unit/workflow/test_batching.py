"""Which seeds one job trains."""

import pytest

from deepmapper.findings.growth import n_passes_needed
from deepmapper.workflow.batching import batches, names_a_pass, seeds_in_job, stages


@pytest.mark.parametrize(
    ("asked", "size", "expected"),
    [
        ([range(30)], 1, []),
        ([range(6)], 3, [[0, 1, 2], [3, 4, 5]]),
        ([range(7)], 3, [[0, 1, 2], [3, 4, 5]]),  # the last seed is alone
        ([range(3, 8)], 10, [[3, 4, 5, 6, 7]]),
        ([range(4), range(4, 6)], 3, [[0, 1, 2], [4, 5]]),
        ([[]], 3, []),
        ([], 3, []),
    ],
)
def test_seeds_of_a_stage_are_cut_and_no_batch_reaches_over_two(asked, size, expected):
    assert batches(asked, size) == expected


@pytest.mark.parametrize(
    ("asked", "n_seeds", "n_models", "n_places", "expected"),
    [
        (10, 30, 2, 4, 10),
        (1, 30, 2, None, 1),
        ("auto", 30, 2, 2, 30),  # each core trains one model
        ("auto", 30, 2, 1, 30),
        ("auto", 30, 1, 4, 8),
        ("auto", 30, 3, 4, 15),
        ("auto", 5, 1, 16, 1),
        ("auto", 0, 1, 2, 1),
        ("auto", 30, 2, None, 1),  # on a cluster
    ],
)
def test_a_job_trains_as_many_seeds_as_keep_the_machine_busy(asked, n_seeds, n_models, n_places, expected):
    assert seeds_in_job(asked, n_seeds, n_models, n_places) == expected


@pytest.mark.parametrize("first", [0, 7])
@pytest.mark.parametrize(("start", "step", "cap"), [(10, 5, 30), (10, 8, 30), (10, 50, 30), (30, 10, 30), (10, 1, 12)])
def test_stages_end_where_growing_may_stop(first, start, step, cap):
    found = stages(first, start, step, cap)
    assert [seed for stage in found for seed in stage] == list(range(first, first + cap))
    # growing that stops when so many passes agree asks for whole stages
    sizes = [sum(map(len, found[: i + 1])) for i in range(len(found))]
    for enough in range(1, cap + 1):
        asked = n_passes_needed(
            lambda n, enough=enough: {"n_accepted": n, "agreement": float(n >= enough)}, start, step, cap, level=0.5
        )
        assert asked in sizes


@pytest.mark.parametrize(
    ("targets", "named"),
    [
        (["results/passes/linear/7.npz"], True),
        (["./results/passes/linear/permuted/7.npz"], True),
        (["train_half_pass"], True),
        (["all", "train_pass"], True),
        (["results/passes/linear/growth/10.json", "results/features", "all"], False),
        (["elsewhere/passes/linear/7.npz"], False),
        ([], False),
    ],
)
def test_passes_are_known_by_file_and_by_rule(targets, named, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rules = ("train_pass", "train_half_pass")
    assert names_a_pass(targets, "results/passes", rules) == named
    assert names_a_pass(["results/passes/linear/7.npz"], tmp_path / "results/passes", rules)

"""How many passes are enough: observed agreement, expected agreement, and too few passes for either."""

import json

import numpy as np
import pytest

from deepmapper.errors import InputError
from deepmapper.findings import convergence
from deepmapper.findings.convergence import EXPECTED, OBSERVED, assess_convergence, make_top_sets, read_top_sets
from deepmapper.findings.ranking import accumulate_passes


def passes_of(n: int, seed: int, effects=None) -> np.ndarray:
    """Importances of `n` passes over 300 features: effects of all sizes, and noise of about their size."""
    effects = np.random.default_rng(0).normal(0, 1, 300) if effects is None else effects
    return np.exp(effects + np.random.default_rng(seed).normal(size=(n, len(effects)))).astype(np.float32)


@pytest.fixture(scope="module")
def thirty():
    """Thirty passes whose top 10 is not stable yet."""
    return assess_convergence(make_top_sets(passes_of(30, 1), 10), 0.8)


@pytest.mark.parametrize("values", [3, 1000])
def test_a_set_of_passes_is_ranked_as_findings_rank(hand_made, values):
    rng = np.random.default_rng(values)
    importances = rng.integers(0, values, (9, 40)).astype(np.float32)  # of 3 values most are ties
    top_sets = make_top_sets(importances, 6)
    for chosen in ([4], [0, 1], [2, 5, 7], [0, 1, 3, 6, 8, 2]):
        found = accumulate_passes([hand_made(i, importance=importances[i]) for i in chosen], 6, 0.0)
        kept = np.unique(np.concatenate([np.argsort(-row, kind="stable")[:6] for row in importances]))
        assert set(kept[top_sets.top(np.array(chosen))]) == set(found.order()[:6])


def test_two_passes_agree_by_what_their_tops_share():
    curve = assess_convergence(make_top_sets(np.array([[9, 8, 7, 1, 0], [9, 1, 8, 0, 7.0]]), 3), 0.8).curve
    assert curve[["m", "kind"]].to_numpy().tolist() == [[1, OBSERVED]]
    assert curve["mean"][0] == pytest.approx(2 / 3)


def test_observed_up_to_half_of_the_passes_and_expected_beyond(thirty):
    curve = thirty.curve
    assert (curve["kind"] == OBSERVED).tolist() == (curve["m"] <= 15).tolist()
    assert curve["m"].is_monotonic_increasing
    assert {1, 15, 30, 300} <= set(curve["m"])
    assert (curve["low"] < curve["mean"]).all()
    assert (curve["mean"] < curve["high"]).all()
    assert curve.loc[curve["kind"] == EXPECTED, "mean"].is_monotonic_increasing


def test_statement_gives_the_estimate_and_what_was_run(thirty):
    summary = thirty.summary
    assert summary["low"] < summary["estimate"]
    assert not summary["reached"]
    assert summary["agreement"] < 0.8 < thirty.curve["mean"].iloc[-1]
    high = f"more than {summary['reach']}" if summary["high"] is None else summary["high"]
    assert summary["statement"] == (
        f"The model's own top 10 features are stable (agreement 0.8) from about {summary['estimate']} passes on (95 % "
        f"interval {summary['low']} to {high}). You ran 30; another 30 passes would share "
        f"{summary['agreement']:.2f} of the top 10 ({summary['agreement_low']:.2f} to {summary['agreement_high']:.2f})."
    )


def test_lower_level_takes_fewer_passes(thirty):
    lower = assess_convergence(make_top_sets(passes_of(30, 1), 10), 0.5)
    assert lower.summary["reached"]
    assert lower.summary["estimate"] <= 30 < thirty.summary["estimate"]
    assert lower.curve.equals(thirty.curve)


def test_same_passes_give_the_same_answer():
    first, again = (assess_convergence(make_top_sets(passes_of(9, 1), 10), 0.8) for _ in range(2))
    assert again.summary == first.summary
    assert again.curve.equals(first.curve)


def test_growth_uses_the_agreement_of_the_summary():
    top_sets = make_top_sets(passes_of(9, 1), 10)
    assert convergence.expected_agreement(top_sets).items() <= assess_convergence(top_sets, 0.8).summary.items()


def test_expectation_comes_true():
    """Against what 600 other passes show at as many passes and at twice as many."""
    n = 16
    other = convergence.mean_agreement(
        make_top_sets(passes_of(600, 99), 10), np.arange(600), np.array([n, 2 * n]), 40, np.random.default_rng(0)
    )
    errors, covered = [], []
    for seed in range(4):
        curve = assess_convergence(make_top_sets(passes_of(n, seed), 10), 0.8).curve
        at = [[np.interp(np.log(m), np.log(curve["m"]), curve[c]) for c in ("mean", "low", "high")] for m in (n, 2 * n)]
        errors += [mean - truth for (mean, _, _), truth in zip(at, other, strict=True)]
        covered += [low <= truth <= high for (_, low, high), truth in zip(at, other, strict=True)]
    assert abs(np.mean(errors)) < 0.06
    assert np.sqrt(np.mean(np.square(errors))) < 0.12
    assert np.mean(covered) >= 0.75


def test_noise_alone_never_becomes_stable():
    summary = assess_convergence(make_top_sets(passes_of(16, 3, np.zeros(300)), 10), 0.8).summary
    assert (summary["estimate"], summary["high"], summary["reached"]) == (None, None, False)
    assert "not expected to become stable (agreement 0.8) within 160 passes" in summary["statement"]


def test_passes_that_are_all_the_same_agree_from_the_first():
    summary = assess_convergence(make_top_sets(np.tile(np.arange(50.0), (10, 1)), 5), 0.8).summary
    assert (summary["estimate"], summary["low"], summary["high"], summary["reached"]) == (1, 1, 1, True)
    assert summary["agreement"] > 0.99


@pytest.mark.parametrize(
    ("n", "sizes", "start"),
    [
        (0, [], "No pass was accepted"),
        (1, [], "1 accepted pass is too few"),
        (3, [1], "3 accepted passes are too few"),
        (7, [1, 2, 3], "7 accepted passes are too few"),
    ],
)
def test_too_few_passes_give_no_estimate(n, sizes, start):
    assessed = assess_convergence(make_top_sets(passes_of(n, 1), 10), 0.8)
    assert assessed.curve["m"].tolist() == sizes
    assert assessed.summary["statement"].startswith(start)
    assert [assessed.summary[key] for key in ("estimate", "low", "high", "reached", "agreement")] == [None] * 5


@pytest.mark.parametrize("top_k", [5, 9])
def test_a_top_of_all_features_means_nothing(top_k):
    assessed = assess_convergence(make_top_sets(np.random.default_rng(0).random((9, 5)), top_k), 0.8)
    assert assessed.summary["statement"].startswith("Every pass selects all 5 features")
    assert (assessed.curve["mean"] > 0.99).all()


def test_files_give_the_same_as_importances_in_memory_without_the_rejected(hand_made, tmp_path):
    importances = passes_of(9, 5)
    for seed, row in enumerate(importances):
        hand_made(seed, 0.4 if seed == 3 else 0.9, row).save(tmp_path / f"{seed}.npz")
    top_sets = read_top_sets([tmp_path / f"{seed}.npz" for seed in range(9)], 10, min_accuracy=0.5)
    at_hand = make_top_sets(np.delete(importances, 3, axis=0), 10)
    assert (len(top_sets), top_sets.n_run, top_sets.n_features) == (8, 9, 300)
    np.testing.assert_array_equal(top_sets.tops, at_hand.tops)
    np.testing.assert_array_equal(top_sets.importance, at_hand.importance)
    assert (
        "You ran 9, of which 8 were accepted; another 8 passes"
        in assess_convergence(top_sets, 0.8).summary["statement"]
    )
    rejected = read_top_sets([tmp_path / f"{seed}.npz" for seed in range(9)], 10, min_accuracy=0.95)
    assert assess_convergence(rejected, 0.8).summary["statement"].startswith("No pass was accepted")


def test_the_summary_can_be_written_as_json(thirty):
    assert json.loads(json.dumps(thirty.summary)) == thirty.summary


def test_an_incomplete_file_and_no_file_are_refused(hand_made, tmp_path):
    hand_made().save(tmp_path / "0.npz")
    whole = (tmp_path / "0.npz").read_bytes()
    (tmp_path / "0.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"0\.npz is not a complete pass .*: delete it and run its target again"):
        read_top_sets([tmp_path / "0.npz"], 2, 0.0)
    with pytest.raises(InputError, match="there are no passes"):
        read_top_sets([], 2, 0.0)


def test_with_a_cap_the_statement_begins_with_where_growth_stopped():
    top_sets = make_top_sets(passes_of(30, 1), 10)
    plain, grown = assess_convergence(top_sets, 0.8).summary, assess_convergence(top_sets, 0.8, cap=40).summary
    assert grown["growth"].startswith("Stopped at 30 of at most 40 passes: ")
    assert grown["statement"] == f"{grown['growth']} {plain['statement']}"
    assert {**grown, "statement": plain["statement"]} == {**plain, "growth": grown["growth"]}

"""How many passes are enough: the agreement that is seen, what is expected beyond, what is said when neither is."""

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
    """Give the judgement of thirty passes whose top 10 is not stable yet."""
    return assess_convergence(make_top_sets(passes_of(30, 1), 10), 0.8)


@pytest.mark.parametrize("values", [3, 1000])
def test_a_set_of_passes_is_ranked_as_findings_rank(hand_made, values):
    rng = np.random.default_rng(values)
    importances = rng.integers(0, values, (9, 40)).astype(np.float32)  # of 3 values most are ties
    heads = make_top_sets(importances, 6)
    for chosen in ([4], [0, 1], [2, 5, 7], [0, 1, 3, 6, 8, 2]):
        found = accumulate_passes([hand_made(i, importance=importances[i]) for i in chosen], 6, 0.0)
        kept = np.unique(np.concatenate([np.argsort(-row, kind="stable")[:6] for row in importances]))
        assert set(kept[heads.top(np.array(chosen))]) == set(found.order()[:6])


def test_two_passes_agree_by_what_their_tops_share():
    curve = assess_convergence(make_top_sets(np.array([[9, 8, 7, 1, 0], [9, 1, 8, 0, 7.0]]), 3), 0.8).curve
    assert curve[["m", "kind"]].to_numpy().tolist() == [[1, OBSERVED]]
    assert curve["mean"][0] == pytest.approx(2 / 3)


def test_seen_up_to_half_of_the_passes_and_expected_from_there(thirty):
    curve = thirty.curve
    assert (curve["kind"] == OBSERVED).tolist() == (curve["m"] <= 15).tolist()
    assert curve["m"].is_monotonic_increasing
    assert {1, 15, 30, 300} <= set(curve["m"])
    assert (curve["low"] < curve["mean"]).all()
    assert (curve["mean"] < curve["high"]).all()
    assert curve.loc[curve["kind"] == EXPECTED, "mean"].is_monotonic_increasing


def test_sentence_says_from_when_on_and_what_was_run(thirty):
    about = thirty.about
    assert about["low"] < about["estimate"]
    assert not about["reached"]
    assert about["agreement"] < 0.8 < thirty.curve["mean"].iloc[-1]
    most = f"more than {about['reach']}" if about["high"] is None else about["high"]
    assert about["statement"] == (
        f"The top 10 is stable at 0.8 from about {about['estimate']} passes ({about['low']} to {most}); you ran 30, "
        f"and as many again would share {about['agreement']:.2f} of it ({about['agreement_low']:.2f} to "
        f"{about['agreement_high']:.2f})."
    )


def test_lower_level_takes_fewer_passes(thirty):
    lower = assess_convergence(make_top_sets(passes_of(30, 1), 10), 0.5)
    assert lower.about["reached"]
    assert lower.about["estimate"] <= 30 < thirty.about["estimate"]
    assert lower.curve.equals(thirty.curve)


def test_same_passes_give_the_same_answer():
    first, again = (assess_convergence(make_top_sets(passes_of(9, 1), 10), 0.8) for _ in range(2))
    assert again.about == first.about
    assert again.curve.equals(first.curve)


def test_growing_asks_what_is_said_in_the_end():
    heads = make_top_sets(passes_of(9, 1), 10)
    assert convergence.agreement(heads).items() <= assess_convergence(heads, 0.8).about.items()


def test_expectation_comes_true():
    """Against what 600 other passes show at as many passes and at twice as many."""
    n = 16
    other = convergence._agreement(
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
    about = assess_convergence(make_top_sets(passes_of(16, 3, np.zeros(300)), 10), 0.8).about
    assert (about["estimate"], about["high"], about["reached"]) == (None, None, False)
    assert about["statement"].startswith("The top 10 is not expected to be stable at 0.8 within 160 passes, where 0.")
    assert "at most 0." in about["statement"]


def test_passes_that_are_all_the_same_agree_from_the_first():
    about = assess_convergence(make_top_sets(np.tile(np.arange(50.0), (10, 1)), 5), 0.8).about
    assert (about["estimate"], about["low"], about["high"], about["reached"]) == (1, 1, 1, True)
    assert about["agreement"] > 0.99


@pytest.mark.parametrize(
    ("n", "sizes", "said"),
    [
        (0, [], "No pass was accepted: there is no ranking that could be stable."),
        (1, [], "1 accepted pass is too few to tell how stable the top 10 is: expected at least 8."),
        (3, [1], "3 accepted passes are too few to tell how stable the top 10 is: expected at least 8."),
        (7, [1, 2, 3], "7 accepted passes are too few to tell how stable the top 10 is: expected at least 8."),
    ],
)
def test_few_passes_are_said_to_be_too_few(n, sizes, said):
    told = assess_convergence(make_top_sets(passes_of(n, 1), 10), 0.8)
    assert told.curve["m"].tolist() == sizes
    assert told.about["statement"] == said
    assert [told.about[key] for key in ("estimate", "low", "high", "reached", "agreement")] == [None] * 5


@pytest.mark.parametrize("top_k", [5, 9])
def test_top_that_holds_all_features_says_nothing(top_k):
    told = assess_convergence(make_top_sets(np.random.default_rng(0).random((9, 5)), top_k), 0.8)
    assert told.about["statement"].startswith("Every pass selects all 5 features: the top 5 cannot change")
    assert (told.curve["mean"] > 0.99).all()


def test_files_are_read_as_they_were_saved_without_the_rejected(hand_made, tmp_path):
    importances = passes_of(9, 5)
    for seed, row in enumerate(importances):
        hand_made(seed, 0.4 if seed == 3 else 0.9, row).save(tmp_path / f"{seed}.npz")
    heads = read_top_sets([tmp_path / f"{seed}.npz" for seed in range(9)], 10, min_accuracy=0.5)
    at_hand = make_top_sets(np.delete(importances, 3, axis=0), 10)
    assert (len(heads), heads.n_run, heads.n_features) == (8, 9, 300)
    np.testing.assert_array_equal(heads.tops, at_hand.tops)
    np.testing.assert_array_equal(heads.importance, at_hand.importance)
    assert "you ran 9, of which 8 were accepted" in assess_convergence(heads, 0.8).about["statement"]
    rejected = read_top_sets([tmp_path / f"{seed}.npz" for seed in range(9)], 10, min_accuracy=0.95)
    assert assess_convergence(rejected, 0.8).about["statement"].startswith("No pass was accepted")


def test_what_is_said_can_be_written_as_json(thirty):
    assert json.loads(json.dumps(thirty.about)) == thirty.about


def test_half_a_pass_and_no_pass_are_refused(hand_made, tmp_path):
    hand_made().save(tmp_path / "0.npz")
    whole = (tmp_path / "0.npz").read_bytes()
    (tmp_path / "0.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"0\.npz is not a complete pass .*: delete it and run its target again"):
        read_top_sets([tmp_path / "0.npz"], 2, 0.0)
    with pytest.raises(InputError, match="there is no pass to judge"):
        read_top_sets([], 2, 0.0)


def test_where_the_number_grows_it_is_said_first_where_it_stopped():
    heads = make_top_sets(passes_of(30, 1), 10)
    plain, grown = assess_convergence(heads, 0.8).about, assess_convergence(heads, 0.8, cap=40).about
    assert grown["growth"].startswith("Stopped at 30 of at most 40 passes: ")
    assert grown["statement"] == f"{grown['growth']} {plain['statement']}"
    assert {**grown, "statement": plain["statement"]} == {**plain, "growth": grown["growth"]}

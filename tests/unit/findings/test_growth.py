"""How many passes a model gets if their number grows automatically."""

import pytest

from deepmapper.findings.growth import growth_statement, n_passes_needed

AUTO = {"start": 20, "step": 10, "cap": 45, "level": 0.8}


def agreeing(n_passes, agreement, n_accepted=None):
    n_accepted = n_passes if n_accepted is None else n_accepted
    return {"n_passes_run": n_passes, "n_accepted": n_accepted, "agreement": agreement}


def growing(agreements, n_accepted=None):
    """Give a function that looks up the agreement of n passes, and the list of sizes that it was asked for."""
    asked = []

    def agreement_at(n_passes):
        asked.append(n_passes)
        return agreeing(n_passes, agreements[n_passes], n_accepted)

    return agreement_at, asked


@pytest.mark.parametrize(
    ("agreements", "n", "asked"),
    [
        ({20: 0.8}, 20, [20]),
        ({20: 0.7, 30: 0.85}, 30, [20, 30]),
        ({20: None, 30: 0.75, 40: 0.81}, 40, [20, 30, 40]),
        ({20: 0.5, 30: 0.6, 40: 0.79}, 45, [20, 30, 40]),
    ],
    ids=["at once", "after a step", "too few to tell", "at the cap"],
)
def test_grows_until_stable_or_at_the_cap(agreements, n, asked):
    agreement_at, seen = growing(agreements)
    assert n_passes_needed(agreement_at, **AUTO) == n
    assert seen == asked  # growth stops at the cap whatever the agreement there


def test_start_at_the_cap_asks_nothing():
    agreement_at, seen = growing({})
    assert n_passes_needed(agreement_at, **{**AUTO, "start": 45}) == 45
    assert seen == []


def test_stops_where_no_pass_is_accepted():
    agreement_at, _ = growing({20: None}, n_accepted=0)
    assert n_passes_needed(agreement_at, **AUTO) == 20


def test_higher_cap_or_level_goes_on_from_what_is_there():
    agreements = {20: 0.5, 30: 0.7, 40: 0.79, 50: 0.82, 60: 0.84, 70: 0.9}
    agreement_at, before = growing(agreements)
    assert n_passes_needed(agreement_at, **AUTO) == 45
    agreement_at, after = growing(agreements)
    assert n_passes_needed(agreement_at, **{**AUTO, "cap": 100}) == 50
    assert after[: len(before)] == before
    assert n_passes_needed(agreement_at, **{**AUTO, "cap": 100, "level": 0.9}) == 70


@pytest.mark.parametrize(
    ("agreement", "statement"),
    [
        (agreeing(40, 0.823), "Stopped at 40 of at most 200 passes: agreement 0.82."),
        (
            agreeing(200, 0.799),
            "Stopped at 200 of at most 200 passes: agreement 0.79, below 0.8; raise `passes.auto.cap` to continue.",
        ),
        (agreeing(20, None, 0), "Stopped at 20 of at most 200 passes: none was accepted."),
        (
            agreeing(200, None, 5),
            "Stopped at 200 of at most 200 passes: too few were accepted to estimate their agreement.",
        ),
    ],
    ids=["stable", "at the cap", "none accepted", "too few"],
)
def test_the_statement_says_where_growth_stopped_and_why(agreement, statement):
    assert growth_statement(agreement, 200, 0.8) == statement

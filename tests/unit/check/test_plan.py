"""What would run, and how long it may take."""

from deepmapper.check.outcome import Outcome
from deepmapper.check.plan import Size, describe_plan, passes_of

MODEL = {"kind": "cnn_small", "epochs": 100, "early_stop": True}


def settings(n_passes=30, **models):
    return {
        "models": models or {"cnn_small": MODEL},
        "passes": {"n_passes": n_passes, "n_permuted": 5, "n_shadow": 12, "auto": {"cap": 200}},
        "stability": {"n_pairs": 10},
        "split": {"test_size": 0.25},
        "chords": {"enabled": True, "max_samples": 20_000, "permutations": 39},
        "resources": {"screen_threads": 2},
    }


def test_passes_of_every_kind_are_counted():
    assert sum(passes_of(settings()).values()) == 67
    assert passes_of(settings("auto"))[""] == 200


def test_the_plan_names_models_and_passes_and_more_cells_take_longer():
    lines = {}
    for n in (1_000, 1_000_000):
        outcome = Outcome()
        describe_plan(outcome, settings(a=MODEL, b=MODEL), Size(n, 10_000, 4, 500), cores=4)
        lines[n] = dict(outcome.lines)
    assert lines[1_000]["Would run"].startswith("2 models (a, b): 30 passes each, and 5 on permuted labels")
    assert "134 in all" in lines[1_000]["Would run"]
    assert lines[1_000]["Estimate"].startswith("1 to")
    assert " h " in lines[1_000_000]["Estimate"]
    outcome = Outcome()
    describe_plan(outcome, settings("auto"), Size(), cores=1)
    assert "up to 200 passes" in outcome.lines[0][1]
    assert len(outcome.lines) == 1


def test_a_long_screen_for_chords_is_named():
    outcome = Outcome()
    describe_plan(outcome, settings(), Size(20_000, 15_000, 4, 15_000), cores=2)
    estimate = dict(outcome.lines)["Estimate"]
    assert "h on 2 cores" in estimate
    assert "Most of it is the screen for gene chords (15,000 features)" in estimate

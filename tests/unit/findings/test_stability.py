"""Stability selection: what is counted, and bounds that hold."""

from dataclasses import replace

import numpy as np
import pytest

from deepmapper.errors import InputError
from deepmapper.features.samples import Samples
from deepmapper.findings import selection_bounds
from deepmapper.findings.stability import select_stable
from deepmapper.passes.halves import train_half_pass
from deepmapper.passes.result import HalfPass


def halves(importances):
    return [HalfPass(seed, "", 50, 0.8, np.asarray(row, dtype=np.float32)) for seed, row in enumerate(importances)]


def test_few_samples_are_not_halved_and_the_statement_says_so(planted, quick):
    rows = np.arange(12)
    made = [train_half_pass(Samples(planted.X, planted.y, planted.classes, rows=rows), quick(), s) for s in (0, 1)]
    assert made[0].refused == "12 samples are too few to halve"
    selection = select_stable(made, 5, 0.75, planted.names)
    assert selection.summary["statement"] == "No stability selection: 12 samples are too few to halve."
    made[0] = replace(made[0], refused="too few samples. Add some.")
    assert select_stable(made[:1], 5, 0.75, planted.names).summary["statement"].endswith("samples. Add some.")
    assert selection.table["stability"].isna().all()


def test_probabilities_and_simultaneous_selection_by_hand():
    made = halves([[9, 8, 1, 0], [9, 1, 8, 0], [9, 8, 1, 0], [9, 8, 0, 1]])
    selection = select_stable(made, 2, 0.75, ["a", "b", "c", "d"])
    assert selection.table["feature"].tolist() == ["a", "b", "c", "d"]
    np.testing.assert_allclose(selection.table["stability"], [1, 0.75, 0.25, 0])
    assert selection.summary["selected"] == [
        {"feature": "a", "selection_probability": 1.0, "simultaneous_selection": 1.0},
        {"feature": "b", "selection_probability": 0.75, "simultaneous_selection": 0.5},
    ]
    assert selection.summary["n_pairs"] == 2
    assert selection.summary["statement"] == (
        "2 features are among the model's own first 2 in at least 75 % of 4 passes on halves of the samples; at most "
        "about 2 of them are expected by chance."
    )
    with pytest.raises(InputError, match="seed 2 .* no counterpart: .* seed 3"):
        select_stable(made[:3], 2, 0.75, ["a", "b", "c", "d"])


def test_no_passes_no_selection():
    selection = select_stable([], 5, 0.75, ["a"])
    assert "n_pairs" in selection.summary["statement"]
    assert selection.table["stability"].isna().all()


def test_noise_selects_no_more_than_the_bounds_expect():
    rng = np.random.default_rng(0)
    found = [
        len(select_stable(halves(rng.random((20, 200))), 10, 0.6, list(map(str, range(200)))).summary["selected"])
        for _ in range(30)
    ]
    assert np.mean(found) <= selection_bounds.r_concave_bound(0.6, 10, 200, 10)

"""Random streams: each has a name, no two are the same, and no module makes its own."""

import ast
from pathlib import Path

import numpy as np
import pytest

import deepmapper
from deepmapper.core.draws import Draw, FixedDraw, fixed_stream, integer_seed, stream

PACKAGE = Path(deepmapper.__file__).parent
GENERATORS = {"default_rng", "RandomState", "SeedSequence", "Random", "manual_seed"}
# Top-level definitions that may create a generator themselves, and why.
ALLOWED = {
    "make_study": "its output depends on numpy's legacy streams, which never change",
    "plant": "simulates data; results in benchmarks/README.md refer to exactly these data",
    "load_10x_populations": "the second word is a hash of the population's label",
    "permutation": "the published method of the arrangement",
    "drawing_order": "only the order in which points are plotted",
    "seeded": "seeds torch by the pass",
    "train_pass": "seeds torch by the pass",
    "TrainedEpochs": "seeds torch by the epoch and the process",
}


def first_bits(rng):
    return int(rng.bit_generator.random_raw())


def test_streams_of_all_draws_and_seeds_differ():
    found = {(seed, draw): first_bits(stream(seed, draw)) for draw in Draw for seed in range(201)}
    assert len(set(found.values())) == len(Draw) * 201
    assert len({int(draw) for draw in Draw}) == len(Draw.__members__)
    assert len({first_bits(fixed_stream(draw)) for draw in FixedDraw}) == len(FixedDraw.__members__)


def test_integer_seeds_of_all_draws_and_seeds_differ():
    """No draw of one seed splits samples in the same way as another draw of another seed."""
    assert len({integer_seed(seed, draw) for draw in Draw for seed in range(201)}) == len(Draw) * 201
    assert all(0 <= integer_seed(seed, Draw.PANEL_FOLDS) < 2**31 for seed in range(20))


def test_the_numbers_of_draws_do_not_change():
    """Another number for a draw would change the result of a seed."""
    assert {draw.name: int(draw) for draw in Draw} == {
        "OUT_OF_BAG": 0,
        "VALIDATION": 1,
        "PERMUTATION_TEST": 2,
        "PERMUTED_LABELS": 3,
        "ATTRIBUTED_SAMPLES": 4,
        "TEST_SPLIT": 100,
        "METRIC_RESAMPLES": 101,
        "CONTROL_LABELINGS": 102,
        "MAIN_EFFECT_FOLDS": 103,
        "CHORD_PERMUTATIONS": 104,
        "CHORD_RESAMPLES": 105,
        "CHORD_FOLDS": 106,
        "CHORD_INFLATION": 111,
        "CONTROL_GENES": 107,
        "CONFOUNDER_RESAMPLES": 108,
        "SCREENED_SAMPLES": 109,
        "CONFOUNDER_FOLDS": 110,
        "SHADOWS": 120,
        "PASS_RESAMPLES": 121,
        "HALVES": 122,
        "PANEL_FOLDS": 123,
        "SHARED_FOLDS": 124,
        "SPACE_SAMPLES": 125,
        "DOMAIN_SAMPLES": 126,
        "NEIGHBOUR_PARTS": 127,
        "PERTURBED_SAMPLES": 128,
        "PERTURBED_SHADOWS": 129,
        "MAPPED_SAMPLES": 140,
        "ATTRIBUTED_TARGET": 141,
        "NEW_CLUSTERS": 142,
        "CHANGED_COPIES": 130,
        "SHUFFLED_BASES": 131,
        "MODEL_WEIGHTS": 150,
        "STREAM_ORDER": 151,
        "TRAINED_EPOCH": 152,
        "VALIDATED_CELLS": 153,
        "SCNYM_SPLIT": 160,
        "SIMULATED_COHORTS": 170,
    }
    assert {draw.name: int(draw) for draw in FixedDraw} == {
        "CONVERGENCE": 0,
        "LISTED_LABELINGS": 102,
        "AUDITED_SAMPLES": 123,
        "NULL_TAIL": 124,
        "SIGNS": 126,
        "LIST_PASSES": 127,
        "DIVISIONS": 125,
    }
    assert first_bits(stream(7, Draw.SHADOWS)) == first_bits(np.random.default_rng([7, 120]))
    assert first_bits(stream(7, Draw.CHORD_PERMUTATIONS, 2)) == first_bits(np.random.default_rng([7, 104, 2]))


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match="non-negative"):
        stream(-1, Draw.OUT_OF_BAG)


def test_no_module_creates_its_own_stream():
    made = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for top in ast.parse(path.read_text()).body:
            if path.name == "draws.py" or getattr(top, "name", "") in ALLOWED:
                continue
            made += [f"{path.relative_to(PACKAGE)}:{node.lineno}" for node in ast.walk(top) if creates_a_stream(node)]
    assert not made, f"{', '.join(made)}: expected a member of `draws.Draw` and `draws.stream`"


def creates_a_stream(node):
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name in GENERATORS or any(
        keyword.arg in ("random_state", "seed") and isinstance(keyword.value, ast.BinOp) for keyword in node.keywords
    )

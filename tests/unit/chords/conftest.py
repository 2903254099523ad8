"""Planted data for the chord tests, its screens, and the screen of a run."""

import numpy as np
import pytest

from deepmapper.chords.run import screen_features
from deepmapper.chords.screen import screen_pairs
from deepmapper.chords.types import ScreenOptions
from deepmapper.features.splits import split_off_test
from deepmapper.features.store import DEVELOPMENT, TEST, Features
from deepmapper.simulate.counts import plant


@pytest.fixture(scope="session")
def small():
    """Planted counts of 600 cells × 300 genes, and their normalised values."""
    planted = plant("small", seed=0)
    return planted, planted.log_normalised()


@pytest.fixture(scope="session")
def screen_label(small):
    """Screen all pairs for one label of the planted data: a function of the label, the rows and options."""
    planted, values = small

    def screen(label, *, X=values, rows=None, **options):
        y, classes = planted.codes(label)
        options = ScreenOptions(**{"permutations": 19, **options})
        return screen_pairs(X, y, options, rows=rows, names=planted.names, classes=classes)

    return screen


@pytest.fixture(scope="session")
def run_options():
    """The section `chords` of a configuration."""
    return {
        **{"enabled": True, "permutations": 19, "level": 0.05, "rate": "family", "min_detected": 0.05},
        **{"triplets": False, "max_triplet_features": 30, "keep": 100, "memory_mb": 64, "device": "cpu"},
        "max_samples": 20_000,
    }


@pytest.fixture(scope="session")
def make_features():
    """Make the features of a run: a function of the planted label."""

    def make(label, seed=0) -> Features:
        planted = plant("small", seed)
        y, classes = planted.codes(label)
        split = np.full(len(y), DEVELOPMENT, dtype=np.uint8)
        split[split_off_test(y, 0.25, seed)[1]] = TEST
        X, names = planted.log_normalised(), tuple(planted.names)
        return Features(X, y, classes, names, tuple(planted.obs.index), split)

    return make


@pytest.fixture(scope="session")
def features(make_features):
    """600 cells × 300 genes; the label is the parity of two on/off genes."""
    return make_features("pair")


@pytest.fixture(scope="session")
def screened(features, run_options):
    """The screen of these features."""
    return screen_features(features, run_options)

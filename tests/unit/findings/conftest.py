"""Data shared by tests of several modules: passes made by hand over four features, samples, planted data."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from deepmapper.config import DeepMapperConfig
from deepmapper.features.store import Features
from deepmapper.findings.model_ranking import accumulate_model

NAMES = ("g0", "g1", "g2", "g3")


@pytest.fixture
def passes(hand_made):
    """Four passes over four features; the last has an accuracy below 0.5."""
    return [
        hand_made(0, 0.9, [3, 2, 1, 0]),
        hand_made(1, 0.8, [2, 3, 1, 0]),
        hand_made(2, 0.7, [3, 1, 2, 0]),
        hand_made(3, 0.4, [0, 0, 0, 9]),
    ]


@pytest.fixture
def evaluated(hand_made):
    """Ten samples of two classes, four of them in the test split; two passes that each had two out of bag."""
    split = np.array([0, 0, 1, 0, 1, 0, 0, 1, 0, 1], dtype=np.uint8)
    features = Features(
        np.eye(10, 4, dtype=np.float32),
        np.arange(10) % 2,
        ("a", "b"),
        NAMES,
        tuple(f"cell{i}" for i in range(10)),
        split,
    )
    passes = [
        # rows count within the development samples 0, 1, 3, 5, 6, 8
        hand_made(0, out_of_bag_rows=np.array([0, 2]), out_of_bag_probability=np.array([[0.8, 0.2], [0.4, 0.6]])),
        hand_made(1, out_of_bag_rows=np.array([2, 5]), out_of_bag_probability=np.array([[0.2, 0.8], [0.45, 0.55]])),
    ]
    test_probability = np.array([[0.9, 0.1], [0.7, 0.3], [0.4, 0.6], [0.8, 0.2]])
    return features, passes, test_probability


@pytest.fixture(scope="module")
def features(planted):
    """The planted data, a quarter of it in the test split, adjusted for a confounder without information."""
    n = len(planted.y)
    split = (np.arange(n) % 4 == 0).astype(np.uint8)
    return Features(
        planted.sparse,
        planted.y,
        planted.classes,
        tuple(planted.names),
        tuple(f"cell{i}" for i in range(n)),
        split,
        metadata={"scheme": "fixed", "why": "A test split was set aside."},
        design=np.random.default_rng(0).normal(size=(n, 1)),
        design_names=("batch",),
    )


@pytest.fixture(scope="module")
def nested(features):
    """The same, but of every third sample of the first two classes only a label above both is known, the last class."""
    y = features.y.copy()
    y[(y < 2) & (np.arange(len(y)) % 9 < 3)] = 3
    kinds = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [1, 1, 0, 0]], dtype=bool)
    return replace(features, y=y, classes=(*features.classes, "first or second"), kinds=kinds)


@pytest.fixture(scope="module")
def repeated(features):
    """The first twelve samples, none of them set aside."""
    return Features(
        features.X[:12],
        features.y[:12],
        features.classes,
        features.names,
        features.samples[:12],
        np.zeros(12, dtype=np.uint8),
        metadata={"scheme": "repeated", "why": "12 samples are too few."},
    )


@pytest.fixture
def study():
    """Sixty samples of two classes, a fifth of them in the test split."""
    n = 60
    return Features(
        np.eye(n, 4, dtype=np.float32),
        np.arange(n) % 2,
        ("a", "b"),
        NAMES,
        tuple(f"cell{i}" for i in range(n)),
        (np.arange(n) % 5 == 0).astype(np.uint8),
        metadata={"scheme": "fixed", "why": "A test split was set aside."},
    )


@pytest.fixture
def study_passes(hand_made):
    """Three passes of the study; the last has an accuracy below 0.5."""
    settings = asdict(DeepMapperConfig())
    return [
        hand_made(0, 0.9, [3, 2, 1, 0], settings=settings),
        hand_made(1, 0.8, [2, 3, 1, 0], settings=settings),
        hand_made(2, 0.4, [0, 0, 0, 9], settings=settings),
    ]


@pytest.fixture
def ranked(study, study_passes, hand_made):
    """Findings from the passes of the study."""
    controls = [hand_made(9, 0.5, permuted=True)]
    return accumulate_model("cnn", study, study_passes, controls, top_k=2, min_accuracy=0.5)

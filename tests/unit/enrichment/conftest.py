"""A study of which the genes of one set go together, and the tables that a run writes about it."""

import numpy as np
import pandas as pd
import pytest

from deepmapper.features.store import Features


@pytest.fixture
def study():
    def make(p=60, per_class=12, classes=("a", "b"), groups=None, correlation=0.0, size=10, seed=0):
        rng, n = np.random.default_rng(seed), per_class * len(classes)
        X = rng.standard_normal((n, p))
        X[:, :size] = np.sqrt(1 - correlation) * X[:, :size] + np.sqrt(correlation) * rng.standard_normal((n, 1))
        y, names = np.repeat(np.arange(len(classes)), per_class), tuple(f"g{i}" for i in range(p))
        samples = tuple(f"s{i}" for i in range(n))
        split = np.zeros(n, dtype=np.uint8)
        return Features(X.astype(np.float32), y, tuple(classes), names, samples, split, groups)

    return make


@pytest.fixture
def tables():
    def make(names, found, classes=("a", "b"), tested=None, within=""):
        """The list to report and comparisons of each class with the rest; each class has the next `found` features."""
        tested = len(names) if tested is None else tested
        parts = []
        higher = pd.Series("", index=names)
        pairs = [(classes[1], classes[0])] if len(classes) == 2 else [(name, "rest") for name in classes]
        for i, (name, versus) in enumerate(pairs):
            order = np.roll(np.arange(len(names)), -10 * i)
            statistic = np.full(len(names), np.nan)
            statistic[order] = np.linspace(6, -6, len(names))
            p = np.where(np.arange(len(names)) < tested, 0.5, np.nan)
            rows = pd.DataFrame({"feature": names, "within": within, "class": name, "versus": versus, "p": p})
            parts.append(rows.assign(statistic=statistic))
            higher.iloc[order[:found]] = name
        recommended = pd.DataFrame({
            "feature": names, "reported": higher.to_numpy() != "", "higher_in": higher.to_numpy(),
            "q": np.where(np.arange(len(names)) < tested, 0.05, np.nan),
        })  # fmt: skip
        return recommended, pd.concat(parts, ignore_index=True)

    return make


@pytest.fixture
def model():
    def make(names, significant):
        return pd.DataFrame({
            "rank": range(1, len(names) + 1), "feature": names, "median_importance": 1.0,
            "z": np.linspace(5, -1, len(names)), "p": 0.5, "significant": np.arange(len(names)) < significant,
        })  # fmt: skip

    return make

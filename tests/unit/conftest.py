"""What the unit tests share: small data with planted features, quick settings, passes made by hand."""

import os
import random
import sys
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import scipy.sparse as sp
import threadpoolctl

from deepmapper.config import BackboneSpec, DeepMapperConfig
from deepmapper.features.samples import Samples
from deepmapper.passes.result import PassResult
from deepmapper.runner import run

# The same examples every time, and no clock: a busy machine is no failure.
hypothesis.settings.register_profile("unit", deadline=None, derandomize=True, max_examples=50)
hypothesis.settings.load_profile("unit")

# Enough to learn the planted data, and no more.
QUICK = {
    "linear": {"epochs": 30, "lr": 0.02},
    "mlp": {"epochs": 20, "lr": 0.01},
    "cnn_small": {"epochs": 25, "lr": 0.004},
    "cnn": {"epochs": 12, "lr": 0.003},
    "scnym": {"epochs": 20, "lr": 0.005},
}


@pytest.fixture(scope="session")
def toy_obo():
    """A small ontology of blood cells as .obo file."""
    return Path(__file__).with_name("toy.obo")


def pytest_configure():
    """Give every library one thread: the suite shares its machine, and small matrices gain nothing from more."""
    # numba is named because it sets the threads of the OpenMP that torch uses
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[variable] = "1"
    if numba := sys.modules.get("numba"):  # a plugin of pytest has imported it
        numba.core.config.reload_config()
    threadpoolctl.threadpool_limits(1)  # for what numpy has loaded already


@dataclass(frozen=True)
class Planted:
    """120 samples × 30 features, a third of the values not zero; three classes, each with features of its own."""

    X: np.ndarray
    sparse: sp.csr_matrix
    y: np.ndarray
    names: list
    classes: tuple
    up: dict  # class code -> features raised in this class alone
    down: dict  # class code -> features silent in this class alone
    signal: frozenset  # all of them

    @property
    def samples(self) -> Samples:
        """All samples of the dense matrix."""
        return Samples(self.X, self.y, self.classes)


@pytest.fixture(scope="session")
def planted():
    """Read-only arrays: whoever changes the caller's data in place fails here."""
    rng = np.random.default_rng(0)
    n, p = 120, 30
    up, down = {0: (3, 9), 1: (11, 14), 2: (17, 28)}, {0: (24,)}
    y = np.arange(n) % 3
    X = rng.gamma(1.5, 0.6, (n, p)) * (rng.random((n, p)) < 0.35)
    for code in up:
        for feature in up[code]:
            X[y == code, feature] += rng.normal(2.0, 0.4, (y == code).sum()).clip(0.5)
        for feature in down.get(code, ()):
            X[y != code, feature] += rng.normal(2.0, 0.4, (y != code).sum()).clip(0.5)
            X[y == code, feature] = 0
    X = X.astype(np.float32)
    sparse = sp.csr_matrix(X)
    for array in (X, y, sparse.data, sparse.indices, sparse.indptr):
        array.setflags(write=False)
    signal = frozenset(f for of_class in (*up.values(), *down.values()) for f in of_class)
    return Planted(X, sparse, y, [f"gene{i}" for i in range(p)], ("B", "NK", "T"), up, down, signal)


@pytest.fixture(scope="session")
def quick():
    """Give a function that makes settings which learn the planted data in about a second a pass."""

    def settings(kind="linear", *, img_size=0, in_chans=1, extra=None, **overrides):
        backbone = BackboneSpec(kind=kind, img_size=img_size, in_chans=in_chans, extra=extra or {})
        usual = {"n_passes": 3, "top_k": 7, "batch_size": 16, "early_stop": False, **QUICK[kind]}
        return DeepMapperConfig(**{**usual, "backbone": backbone, **overrides})

    return settings


@pytest.fixture(scope="session")
def found(planted, quick):
    """Give the findings of a kind of network on the planted data, trained once for all tests that look at them."""
    return cache(lambda kind: run(planted.X, planted.y, quick(kind), planted.names))


@pytest.fixture
def hand_made():
    """Give a function that makes a pass without training: what it found is what the test says."""

    def make(seed=0, accuracy=0.9, importance=(3.0, 2.0, 1.0, 0.0), *, permuted=False, classes=("a", "b"), **changed):
        importance = np.asarray(importance, dtype=np.float32)
        p = len(importance)
        values = {
            "seed": seed,
            "permuted": permuted,
            "settings": {},
            "classes": classes,
            "accuracy": accuracy,
            "balanced_accuracy": accuracy,
            "majority_accuracy": 0.5,
            "permuted_accuracy": 0.5,
            "permutation_p": 0.001,
            "stop_epoch": 2,
            "completeness_error": 0.001,
            "history": np.array([[0.7, 0.8, 0.5], [0.5, 0.6, 0.75], [0.4, 0.65, 0.75]]),
            "importance": importance,
            "class_importance": np.tile(importance, (len(classes), 1)),
            "class_gradient": np.array([np.full(p, 1.0 if i == 0 else -1.0) for i in range(len(classes))]),
            "train_rows": np.arange(6),
            "validation_rows": np.arange(6, 8),
            "out_of_bag_rows": np.arange(8, 12),
            "out_of_bag_probability": np.full((4, len(classes)), 1 / len(classes)),
            "weights": {},
        }
        return PassResult(**{**values, **changed})

    return make


def global_state():
    """What belongs to the process, and so to the caller, by name."""
    import torch

    return {
        "torch's generator": torch.get_rng_state().tolist(),
        "numpy's generator": repr(np.random.get_state()),
        "Python's generator": random.getstate(),
        "torch's settings": (
            torch.get_num_threads(),
            torch.get_default_dtype(),
            torch.get_deterministic_debug_mode(),
            torch.utils.deterministic.fill_uninitialized_memory,
            torch.is_grad_enabled(),
        ),
        "numpy's errors": np.geterr(),
        "filters of warnings": list(warnings.filters),
        "environment": dict(os.environ),
        "folder": Path.cwd(),
    }


@pytest.fixture
def leaves_no_trace():
    """Give a context that fails if what is done in it changes the state of the process."""

    @contextmanager
    def check():
        before = global_state()
        yield
        after = global_state()
        assert [name for name in before if after[name] != before[name]] == []

    return check


class Elements(HTMLParser):
    """What a browser makes of a page: how many elements there are of each kind, attributes, links and text."""

    def __init__(self, text: str):
        super().__init__()
        self.counts, self.attributes, self.links, self.text = {}, set(), [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.attributes |= {name for name, _ in attrs}
        self.links += [value for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def elements():
    """Give the parser of pages."""
    return Elements


@pytest.fixture(
    params=[
        "</script><script>document.title='PWNED'</script>",
        "\"'><img src=x onerror=\"document.title='PWNED'\">",
        "{{7*7}}{% raw %}",
        "javascript:document.title='PWNED'",
        "<!--<script>",
        "</title></style><b onclick=alert(1)>&lt;",
    ],
    ids=["script", "attribute", "template", "scheme", "comment", "element"],
)
def hostile(request):
    """Give a name that does harm in a page that does not escape it."""
    return request.param

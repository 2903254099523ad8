"""What the tests of passes share: one trained pass, and a comparison of passes."""

from dataclasses import fields

import numpy as np
import pytest

from deepmapper.passes.result import PassResult
from deepmapper.passes.train import train_pass


@pytest.fixture(scope="session")
def trained(planted, quick):
    """Return a pass that several tests read."""
    return train_pass(planted.samples, quick("mlp", early_stop=True, min_epochs=5, patience=5), 1)


@pytest.fixture(scope="session")
def differing():
    """Return a function that names the fields in which two passes differ."""

    def compare(one, other):
        names = []
        for field in fields(PassResult):
            a, b = getattr(one, field.name), getattr(other, field.name)
            if field.name == "weights":
                same = a.keys() == b.keys() and all(np.array_equal(a[key], b[key]) for key in a)
            else:
                same = np.array_equal(a, b, equal_nan=True) if isinstance(a, np.ndarray) else repr(a) == repr(b)
            if not same:
                names.append(field.name)
        return names

    return compare

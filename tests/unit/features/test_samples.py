"""The samples that a pass may see: what belongs together stays together, and what does not fit is refused."""

import numpy as np
import pytest
import scipy.sparse as sp

from deepmapper.errors import InputError
from deepmapper.features.samples import Samples

X = np.arange(24, dtype=np.float32).reshape(6, 4)
Y = np.array([0, 1, 0, 1, -1, 0])
GROUPS, STRATA = np.array([5, 5, 6, 6, 7, 7]), np.array([0, 1, 0, 1, -1, 1])
ROWS = np.array([0, 1, 3, 5])


def test_labels_groups_and_strata_are_those_of_the_rows():
    samples = Samples(X, Y, ("a", "b"), ROWS, GROUPS, STRATA, n_chords=1)
    assert len(samples) == 4
    assert samples.n_features == 3
    assert samples.labels.tolist() == [0, 1, 1, 0]
    assert samples.group_codes.tolist() == [5, 5, 6, 7]
    assert samples.strata_codes.tolist() == [0, 1, 1, 1]
    plain = Samples(sp.csr_matrix(X[:4]), Y[:4], ("a", "b"))
    assert plain.rows.tolist() == [0, 1, 2, 3]
    assert plain.group_codes is None and plain.strata_codes is None


def test_a_subset_counts_within_the_samples():
    samples = Samples(X, Y, ("a", "b"), ROWS, GROUPS, STRATA).subset(np.array([1, 3]))
    assert samples.rows.tolist() == [1, 5]
    assert samples.labels.tolist() == [1, 0]
    assert samples.group_codes.tolist() == [5, 7]
    assert samples.X is X


def test_other_labels_leave_the_given_ones_as_they_are():
    samples = Samples(X, Y, ("a", "b"), ROWS)
    other = samples.relabel(np.array([1, 1, 0, 0]))
    assert other.labels.tolist() == [1, 1, 0, 0]
    assert samples.labels.tolist() == [0, 1, 1, 0]
    assert other.y.tolist() == [1, 1, 0, 0, -1, 0]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"y": Y[:5]}, r"y has shape \(5,\), X has 6 rows"),
        ({"groups": GROUPS[:4]}, r"groups has shape \(4,\), X has 6 rows"),
        ({"strata": STRATA[ROWS]}, r"strata has shape \(4,\), X has 6 rows"),
        ({"domains": GROUPS[:4]}, r"domains has shape \(4,\), X has 6 rows"),
        ({"rows": np.array([0, 6])}, "rows contains 6, X has 6 rows: expected row indices from 0 to 5"),
        ({"rows": np.array([0, -1])}, "rows contains -1"),
        ({"rows": Y >= 0}, r"rows has dtype bool.*np\.flatnonzero"),
        ({"rows": np.arange(6)}, r"y is -1 in row 4.*Leave samples without a label out of rows"),
        ({"y": np.array([0, 1, 0, 2, -1, 0])}, "y is 2 in row 3: expected the code of one of 2 classes, 0 to 1"),
        ({"n_chords": 5}, "n_chords=5, X has 4 columns"),
    ],
)
def test_what_does_not_fit_is_refused(changed, message):
    with pytest.raises(InputError, match=message):
        Samples(**{"X": X, "y": Y, "classes": ("a", "b"), "rows": ROWS, **changed})

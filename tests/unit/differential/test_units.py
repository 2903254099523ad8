"""Units of the differential test: sums of cells by donor and class."""

import numpy as np
import pandas as pd
import scipy.sparse as sp

from deepmapper.differential.units import make_units, sum_rows, unit_codes

Y = np.array([0, 1, 0, 1, 0, 1])
DONORS = np.array([0, 0, 0, 0, 1, 1])
X = np.arange(12, dtype=np.float32).reshape(6, 2)


def test_without_groups_every_sample_is_a_unit():
    assert unit_codes(Y, None).tolist() == [0, 1, 2, 3, 4, 5]


def test_samples_of_one_donor_and_class_are_one_unit():
    codes = unit_codes(Y, DONORS)
    assert len(set(codes)) == 4
    assert codes[0] == codes[2] != codes[4]
    assert codes[1] == codes[3] != codes[5]


def test_counts_are_added_up_and_values_averaged_dense_or_sparse():
    columns = pd.DataFrame({"batch": ["a", "a", "a", "b", "b", "b"], "age": [10.0, 10, 20, 10, 5, 6]})
    for source in (X, sp.csr_matrix(X)):
        total = make_units(source, np.arange(6), Y, DONORS, columns, pd.DataFrame({"q": np.arange(6.0)}), sums=True)
        assert total.values.tolist() == [[4, 6], [8, 9], [8, 10], [10, 11]]
        assert total.y.tolist() == [0, 0, 1, 1]
        assert total.groups.tolist() == [0, 1, 0, 1]
        assert total.sizes.tolist() == [2, 1, 2, 1]
        assert total.columns["age"].tolist() == [15, 5, 10, 6]
        assert total.covariates["q"].tolist() == [1, 4, 2, 5]
        assert "batch" not in total.columns  # it differs between the cells of one donor
        mean = make_units(source, np.arange(6), Y, DONORS, columns, pd.DataFrame(index=range(6)), sums=False)
        assert mean.values[0].tolist() == [2, 3]


def test_detected_values_are_counted():
    assert sum_rows(sp.csr_matrix(X) != 0, np.zeros(6, dtype=int), 1).tolist() == [[5, 6]]

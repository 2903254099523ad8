"""The column of domains: studies, donors or batches of any type, and no measurement."""

import numpy as np
import pytest

from deepmapper.errors import InputError
from deepmapper.features.domain_column import read_domain_column


def test_columns_of_any_kind_are_read_as_text_and_measurements_refused():
    assert read_domain_column(np.array([1.0, 2.0, np.nan]), "batch").tolist() == ["1", "2", None]
    assert read_domain_column(["s1", "NA", ""], "batch").tolist() == ["s1", None, None]
    donors = np.arange(12) + 1000  # one sample each, as in bulk studies
    assert len(set(read_domain_column(donors, "donor"))) == 12
    plates = [f"1.{i}" for i in range(1, 13)] * 20
    assert len(set(read_domain_column(plates, "plate"))) == 12
    for values in (np.linspace(0, 1, 10), np.arange(2000) % 900):
        with pytest.raises(InputError, match=r"labels.domain: 'n_counts' holds \d+ different numbers .* a measurement"):
            read_domain_column(values, "n_counts")

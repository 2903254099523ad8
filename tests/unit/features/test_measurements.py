"""Which columns of numbers are measurements, and which are names."""

import numpy as np
import pandas as pd
import pytest

from deepmapper.features.measurements import is_measurement
from deepmapper.io.labels import as_categories

N = 100
ROW = np.arange(N)


def measured(values, **options):
    found = as_categories(values)
    return is_measurement(values, found.names, np.bincount(found.codes[~found.missing]), **options)


@pytest.mark.parametrize(
    "values",
    [
        ROW / 7,
        ROW % 12 / 7,  # few fractions, many samples each
        np.where(ROW < 20, np.nan, ROW / 7),
        pd.array(ROW / 7, dtype="Float64"),
        [f"{value:.2f}" for value in ROW / 7],
        ROW - 50,
        ROW.astype(str),
    ],
)
def test_many_fractions_and_numbers_of_few_samples_are_measured(values):
    assert measured(values)


@pytest.mark.parametrize(
    "values",
    [
        ROW % 9 / 2,
        ROW % 12,
        (ROW % 12).astype(float),
        [f"1.{i % 12}" for i in ROW],
        [f"{i}_{i}" for i in ROW],
        [f"d{i}" for i in ROW],
        [None] * N,
    ],
)
def test_few_numbers_numbers_of_many_samples_and_text_are_names(values):
    assert not measured(values)


def test_whole_numbers_may_be_asked_to_be_more():
    assert measured(ROW, many_whole=50) and not measured(ROW[:40], many_whole=50)
    assert measured(ROW[:40] / 7, many_whole=50) and measured((ROW[:40] / 7).astype(str), many_whole=50)

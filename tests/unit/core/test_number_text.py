"""Numbers as they are written in tables."""

import pytest

from deepmapper.core.number_text import advice_on, is_grouped, is_like_number, is_number, uses_decimal_commas


@pytest.mark.parametrize("cell", ["0", "-1", "+1.5", "1.", ".5", "1e5", "1E-05", " 7 ", "007"])
def test_numbers(cell):
    assert is_number(cell) and is_like_number(cell)


@pytest.mark.parametrize(
    ("cell", "advice"),
    [
        ("1,234", "without thousands separators"),
        ("1,234,567.8", "without thousands separators"),
        ("1.234.567", "without thousands separators"),
        ("1 234", "without thousands separators"),
        ("1'234", "without thousands separators"),
        ("1,5", "decimal point"),
        ("1D+05", "with an E, as in 1E"),
        ("12 %", "percent sign"),
        ("-Inf", "infinite"),
        ("TRUE", "1 for true"),
        ("0x1F", ""),
        ("1_000", ""),
    ],
)
def test_what_is_no_number_and_what_to_do(cell, advice):
    assert not is_number(cell)
    assert advice in advice_on(cell)
    assert is_like_number(cell) == (cell != "TRUE")


@pytest.mark.parametrize("cell", ["T cell", "1-Mar", "2024-01-05", "d1", "NA", "", "-", "e5", "1e5x", "CD4"])
def test_text_is_not_like_a_number(cell):
    assert not is_like_number(cell) and not is_number(cell)


@pytest.mark.parametrize(
    ("cells", "decimal"),
    [
        (["1,5", "2", "x"], True),
        (["0,125", "3"], True),
        (["1,234", "2,345"], False),  # or thousands
        (["1,234", "2,3"], True),
        (["1,5", "2.5"], False),
        (["1,234,567", "2,5"], False),
        (["1", "2"], False),
    ],
)
def test_decimal_commas(cells, decimal):
    assert uses_decimal_commas(cells) == decimal


def test_grouped():
    assert is_grouped("1,234") and not is_grouped("0,234") and not is_grouped("1234")

"""Lists of tokens: the documented order, and every documented way to perturb it, by lists made by hand."""

import numpy as np
import pytest
import torch

from deepmapper.errors import InputError
from deepmapper.models.rank_tokens import MASK, PAD, hide, perturbed, rank

GENES = np.array(["A", "B", "C", "D", "E"])  # tokens 2, 3, 4, 5, 6
CELLS = torch.tensor([[1.0, 5, 0, 2, 0], [0, 0, 0, 0, 0], [3, 3, 9, 3, 1]])


def tokens(max_length=10, **perturbation):
    return perturbed(CELLS, max_length, GENES, **perturbation).tolist()


def test_features_are_ordered_by_value_and_zeros_are_padded():
    assert rank(CELLS, 10).tolist() == [[3, 5, 2, 0, 0], [0, 0, 0, 0, 0], [4, 2, 3, 5, 6]]


def test_the_smallest_values_are_left_out_where_the_list_is_full():
    assert rank(CELLS, 2).tolist() == [[3, 5], [0, 0], [4, 2]]


def test_equal_values_stay_in_the_order_of_the_features():
    counts = torch.randint(0, 3, (20, 500), generator=torch.Generator().manual_seed(0)).float()
    for cell, found in zip(counts, rank(counts, 500), strict=True):
        expected = sorted((g for g in range(500) if cell[g] > 0), key=lambda g: (-cell[g], g))
        assert found[found != PAD].tolist() == [g + 2 for g in expected]


def test_deletion_lets_the_others_move_up():
    assert tokens(deletion=["B"]) == [[5, 2, 0, 0, 0], [0, 0, 0, 0, 0], [4, 2, 5, 6, 0]]
    assert tokens(max_length=2, deletion=["C"]) == [[3, 5], [0, 0], [2, 3]]


def test_activation_puts_features_first_in_the_order_of_the_list():
    assert tokens(activation=["E", "A"]) == [[6, 2, 3, 5, 0], [6, 2, 0, 0, 0], [6, 2, 4, 3, 5]]


def test_activation_comes_first_whatever_the_values():
    huge = torch.tensor([[2.0**30, 1, 0]])  # where 2^30 + 1 is 2^30 in float32
    assert perturbed(huge, 5, np.array(["A", "B", "C"]), activation=["C", "B"]).tolist() == [[4, 3, 2]]


def test_a_map_replaces_tokens_in_their_place():
    assert tokens(mapping={"B": MASK}) == [[1, 5, 2, 0, 0], [0, 0, 0, 0, 0], [4, 2, 1, 5, 6]]
    assert tokens(mapping={"D": PAD}) == [[3, 0, 2, 0, 0], [0, 0, 0, 0, 0], [4, 2, 3, 0, 6]]
    assert tokens(mapping={"A": 3, "B": 2}) == [[2, 5, 3, 0, 0], [0, 0, 0, 0, 0], [4, 3, 2, 5, 6]]  # all at once


def test_perturbations_combine_and_leave_the_cells_as_they_are():
    before = CELLS.clone()
    found = tokens(activation=["E"], deletion=["B"], mapping={"E": MASK})
    assert found == [[1, 5, 2, 0, 0], [1, 0, 0, 0, 0], [1, 4, 2, 5, 0]]
    assert torch.equal(CELLS, before)
    assert tokens() == rank(CELLS, 10).tolist()


@pytest.mark.parametrize(
    ("perturbation", "message"),
    [
        ({"deletion": ["X"]}, "feature_deletion: 'X' not among the 5 features of the model"),
        ({"activation": ["A", "A"]}, "feature_activation has 'A' more than once"),
        ({"activation": ["A", "B"], "deletion": ["B"]}, "feature_activation and feature_deletion both have 'B'"),
        ({"mapping": {"X": 1}}, "feature_map: 'X' not among"),
        ({"mapping": {"A": 7}}, r"feature_map has the token 7: expected 0 \(PAD\), 1 \(MASK\), or up to 6"),
    ],
)
def test_impossible_perturbations_are_refused(perturbation, message):
    with pytest.raises(InputError, match=message):
        tokens(**perturbation)


@pytest.mark.parametrize("value", [-1.0, torch.nan])
def test_values_without_a_rank_are_refused(value):
    with pytest.raises(InputError, match="negative or missing values"):
        rank(torch.tensor([[1.0, value]]), 5)


def test_tokens_are_hidden_as_documented():
    torch.manual_seed(0)
    given = torch.arange(2, 402).repeat(1000, 1)
    given[:, 300:] = PAD
    hidden, chosen = hide(given, 0.15, 400)
    assert not chosen[:, 300:].any() and not hidden[:, 300:].any()
    assert chosen[:, :300].float().mean() == pytest.approx(0.15, abs=0.003)
    assert torch.equal(hidden[~chosen], given[~chosen])
    became, was = hidden[chosen], given[chosen]
    assert (became == MASK).float().mean() == pytest.approx(0.8, abs=0.01)
    replaced = became[(became != MASK) & (became != was)]
    assert len(replaced) / len(became) == pytest.approx(0.1, abs=0.005)
    assert (replaced.min(), replaced.max()) == (2, 401)  # every feature, and neither PAD nor MASK

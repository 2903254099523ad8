"""Tokens of CellariumGPT: prompts, queries and right answers of cells made by hand."""

import numpy as np
import pytest
import torch

from deepmapper.errors import InputError
from deepmapper.models.gpt_tokens import PredictTokens, TrainTokens

SIZES = {"gene_id": 6, "gene_value": 4, "assay": 2, "cell_type": 3, "sex": 2}
GENES = np.array(list("ABCDEF"))
CELLS = torch.tensor([[0.0, 1, 2, 3, 4, 5], [9, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0]])
CODES = {"assay_n": torch.tensor([1, 0, 1]), "cell_type_n": torch.tensor([2, 0, -1]), "sex_n": torch.tensor([1, 1, 0])}


def test_training_asks_for_what_it_does_not_give():
    torch.manual_seed(0)
    tokens = TrainTokens(SIZES, 6, ["assay"], ["cell_type", "sex"])
    for _ in range(50):
        found = tokens(CELLS, **CODES)
        values, masks = found["token_value_nc_dict"], found["token_mask_nc_dict"]
        labels, weights, prompt = found["label_nc_dict"], found["label_weight_nc_dict"], found["prompt_mask_nc"]
        genes = slice(0, 4)
        assert masks["gene_id"].int().tolist() == [[1, 1, 1, 1, 0, 0]] * 3
        assert torch.equal(masks["assay"], masks["gene_id"])
        assert masks["cell_type"].int().tolist() == [[0, 0, 0, 0, 1, 0]] * 3
        count = CELLS.gather(1, values["gene_id"][:, genes])
        assert all(len({*ids.tolist()}) == 4 for ids in values["gene_id"][:, genes])
        asked = ~prompt[:, genes]
        assert torch.equal(values["gene_query_mask"][:, genes], asked.float())
        torch.testing.assert_close(values["gene_value"][:, genes], torch.log1p(count) * ~asked)
        assert torch.equal(labels["gene_value"][:, genes], count.long().clamp(max=3))
        torch.testing.assert_close(values["total_mrna_umis"][:, 0], torch.log1p(CELLS.sum(1)))
        assert values["assay"][:, :4].tolist() == [[1] * 4, [0] * 4, [1] * 4]
        weight = weights["gene_value"][:, genes]
        assert (weight[~asked] == 0).all() and asked.any(1).all()
        torch.testing.assert_close(weight.sum(1), torch.full((3,), 1 / 3))
        for i, (key, size) in enumerate((("cell_type", 3), ("sex", 2))):
            is_asked, known = weights[key][:, 4 + i] > 0, CODES[f"{key}_n"] >= 0
            assert torch.equal(is_asked, ~prompt[:, 4 + i] & known)
            assert (values[key][is_asked, 4 + i] == size).all()
            assert torch.equal(labels[key][known, 4 + i], CODES[f"{key}_n"][known])
            given = prompt[:, 4 + i]
            assert torch.equal(values[key][given, 4 + i], CODES[f"{key}_n"][given])
        assert not prompt[2, 4] and not weights["cell_type"][2].any()  # not known: neither given nor asked for


def test_prompts_of_all_lengths_are_drawn_most_often_short_ones():
    torch.manual_seed(0)
    prompt = TrainTokens(SIZES, 6)(CELLS[:1].repeat(20_000, 1))["prompt_mask_nc"].sum(1)
    chance = torch.tensor([0.1, 1, 1 / 2, 1 / 3, 1 / 4, 1 / 5])
    torch.testing.assert_close(torch.bincount(prompt) / 20_000, chance / chance.sum(), atol=0.02, rtol=0)


def test_values_are_thinned_to_the_depth_that_the_token_says():
    torch.manual_seed(0)
    cells = torch.full((400, 6), 100.0)
    found = TrainTokens(SIZES | {"gene_value": 200}, 6, max_total_mrna_umis=300)(cells)
    assert found["token_value_nc_dict"]["total_mrna_umis"].exp().round().unique().tolist() == [301]
    assert found["label_nc_dict"]["gene_value"].float().mean() == pytest.approx(50, abs=0.5)
    thinned = TrainTokens(SIZES | {"gene_value": 200}, 6, gene_downsample_fraction=1, min_total_mrna_umis=60)(cells)
    depth = thinned["token_value_nc_dict"]["total_mrna_umis"].expm1().round()
    assert 60 <= depth.min() < 90 and 570 < depth.max() <= 600
    ratio = thinned["label_nc_dict"]["gene_value"] / depth
    assert ratio.mean() == pytest.approx(1 / 6, abs=0.003)
    empty = TrainTokens(SIZES, 6, gene_downsample_fraction=1)(torch.zeros(5, 6))["token_value_nc_dict"]
    assert not empty["gene_value"].any() and not empty["total_mrna_umis"].any()


def test_chosen_genes_and_metadata_are_given_and_asked_for():
    tokens = PredictTokens(SIZES, GENES, ["D", "B"], ["F"], ["assay"], ["sex"], ["cell_type"])
    found = tokens(CELLS.to_sparse_csr(), GENES, **CODES)
    values = found["token_value_nc_dict"]
    assert values["gene_id"].tolist() == [[3, 1, 5, 0, 0]] * 3
    assert found["prompt_mask_nc"].tolist() == [[True, True, False, True, False]] * 3
    torch.testing.assert_close(values["gene_value"][0].exp(), torch.tensor([4.0, 2, 1, 1, 1]))
    assert values["gene_query_mask"].tolist() == [[0, 0, 1, 0, 0]] * 3
    assert values["sex"].tolist() == [[0, 0, 0, 1, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 0]]
    assert values["cell_type"].tolist() == [[0, 0, 0, 0, 3]] * 3
    assert {*found} == {"token_value_nc_dict", "token_mask_nc_dict", "prompt_mask_nc"}


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (lambda: TrainTokens({"gene_id": 3}, 5), "categorical_token_size_dict lacks 'gene_value'"),
        (
            lambda: TrainTokens(SIZES, 2, metadata=["sex", "cell_type"]),
            "context_len=2: expected more than the 2 tokens",
        ),
        (lambda: TrainTokens(SIZES, 5)(CELLS + 0.5), "values that are no counts"),
        (lambda: TrainTokens(SIZES, 5)(torch.ones(2, 7)), "7 genes, expected at most 6"),
        (lambda: TrainTokens(SIZES, 5, metadata=["sex"])(CELLS), "have no sex_n: pass its column"),
        (
            lambda: TrainTokens(SIZES, 5, metadata=["sex"])(CELLS, sex_n=torch.tensor([0, 1, 2])),
            "codes up to 2: expected",
        ),
        (lambda: PredictTokens(SIZES, GENES, ["X"], ["A"]), "'X' not among the 6 genes"),
        (lambda: PredictTokens(SIZES, GENES, ["A"]), "Nothing is asked for"),
        (lambda: PredictTokens(SIZES, GENES, ["A"], ["A"]), "named twice"),
    ],
)
def test_impossible_arguments_are_refused(work, message):
    with pytest.raises(InputError, match=message):
        work()

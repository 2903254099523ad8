import numpy as np
import pytest
import torch
from torch import nn

from deepmapper.errors import InputError
from deepmapper.scnym.interpret import Salience
from deepmapper.scnym.model import CellTypeCLF

GENES = ["a", "b", "c", "d"]


def linear():
    model = nn.Linear(4, 2, bias=False)
    model.weight.data = torch.tensor([[1.0, -2.0, 3.0, 0.0], [0.0, 1.0, 0.0, 0.0]])
    return model


def test_the_gradient_of_a_linear_score_is_its_weight_and_ranks_genes():
    salience = Salience(linear(), ["x", "y"], GENES)
    x = torch.rand(1, 4)
    assert salience.get_saliency(x, "x").tolist() == [[1.0, -2.0, 3.0, 0.0]]
    ranked = salience.rank_genes_by_saliency(x=x, target_class="x")
    assert ranked.tolist() == ["c", "a", "d", "b"]


def test_guided_gradients_pass_no_negative_one():
    model = nn.Sequential(nn.Linear(1, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False))
    model[0].weight.data = torch.tensor([[1.0], [1.0]])
    model[2].weight.data = torch.tensor([[2.0, -5.0]])
    salience = Salience(model, ["x"])
    assert salience.get_saliency(torch.ones(1, 1), "x").item() == -3
    assert salience.get_saliency(torch.ones(1, 1), "x", guide_backprop=True).item() == 2
    assert salience.get_saliency(torch.ones(1, 1), "x").item() == -3  # the hooks are gone


def test_the_network_keeps_its_mode_and_a_layer_can_be_named():
    model = CellTypeCLF(4, 2, n_hidden=6).train()
    salience = Salience(model, ["x", "y"], GENES, layer_to_hook="embed.0", verbose=True)
    first = salience.get_saliency(torch.rand(1, 4), "y")
    assert first.shape == (1, 256)
    assert model.training
    same = Salience(model, ["x", "y"], layer_to_hook=model.embed[0])
    assert same.get_saliency(torch.zeros(1, 4), "x").shape == (1, 256)


def test_wrong_arguments_are_refused():
    with pytest.raises(InputError, match="x, y"):
        Salience(linear(), ["x", "y"]).get_saliency(torch.rand(1, 4), "z")
    with pytest.raises(InputError, match="layer_to_hook"):
        Salience(CellTypeCLF(4, 2), ["x", "y"], layer_to_hook="nowhere")
    with pytest.raises(InputError, match="gene_names"):
        Salience(linear(), ["x", "y"]).rank_genes_by_saliency(x=torch.rand(1, 4), target_class="x")
    with pytest.raises(InputError, match="shape"):
        Salience(linear(), ["x", "y"]).get_saliency(np.ones(4), "x")

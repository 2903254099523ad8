import pytest
import torch
from torch import nn

from deepmapper.errors import InputError
from deepmapper.scnym.model import DANN, CellTypeCLF, CellTypeCLFConditional, GradReverse, ResBlock


def test_the_classifier_gives_scores_and_the_embedding():
    model = CellTypeCLF(7, 3, n_hidden=8, n_layers=3, n_hidden_init=5)
    scores, embedding = model(torch.rand(4, 7), return_embed=True)
    assert scores.shape == (4, 3)
    assert embedding.shape == (4, 8)
    assert torch.equal(model.classif(embedding), scores)


def test_no_layer_shares_weights_with_another():
    model = CellTypeCLF(7, 3, n_hidden=8, n_layers=4, n_hidden_init=8)
    layers = [module for module in model.embed if isinstance(module, nn.Linear)]
    assert len(layers) == 5
    assert len({layer.weight.data_ptr() for layer in layers}) == 5
    adversary = DANN(model, n_layers=3)
    hidden = [module for module in adversary.domain_clf if isinstance(module, nn.Linear)]
    assert len({layer.weight.data_ptr() for layer in hidden}) == 4


def test_options_of_the_classifier():
    blocks = CellTypeCLF(7, 3, n_hidden=8, n_layers=3, residual=True).embed
    assert sum(isinstance(module, ResBlock) for module in blocks) == 2
    plain = CellTypeCLF(7, 3, batch_norm=False)
    assert not any(isinstance(module, nn.BatchNorm1d) for module in plain.modules())
    assert CellTypeCLF(7, 3, track_running_stats=False).embed[1].running_mean is None
    with pytest.raises(InputError, match="n_layers=0"):
        CellTypeCLF(7, 3, n_layers=0)


def test_initial_dropout_acts_in_training_only_and_normalises_again():
    model = CellTypeCLF(200, 2, init_dropout=0.5)
    counts = torch.rand(4, 200)
    x = torch.log1p(counts / counts.sum(1, keepdim=True) * 1e6)
    dropped = model.train()._dropped(x)
    assert 0.3 < (dropped == 0).float().mean() < 0.7
    assert torch.allclose(torch.expm1(dropped).sum(1), torch.full((4,), 1e6), rtol=1e-3)
    assert model.eval()._dropped(x) is x


def test_the_tissue_skips_the_initial_dropout():
    model = CellTypeCLFConditional(50, 3, n_cell_types=4, init_dropout=0.9).train()
    x = torch.cat([torch.rand(6, 50), torch.eye(3).repeat(2, 1)], dim=1)
    assert torch.equal(model._dropped(x)[:, 50:], x[:, 50:])
    assert model(x).shape == (6, 4)


def test_a_residual_block_adds_its_input():
    block = ResBlock(6, 6).eval()
    for layer in (block.dense1, block.dense2):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    x = torch.rand(3, 6)
    assert torch.allclose(block(x), x)
    with pytest.raises(InputError, match="equal sizes"):
        ResBlock(6, 5)


def test_the_gradient_is_reversed_and_scaled():
    x = torch.rand(3, 2, requires_grad=True)
    (GradReverse.apply(x, 0.3) * 2).sum().backward()
    assert torch.allclose(x.grad, torch.full((3, 2), -0.6))


def test_an_adversary_of_weight_0_teaches_only_itself():
    model = CellTypeCLF(7, 3, n_hidden=8).eval()
    adversary = DANN(model, n_domains=4)
    adversary.set_rev_grad_weight(0.0)
    scores, embedding = adversary(torch.rand(5, 7))
    assert scores.shape == (5, 4)
    assert embedding.shape == (5, 8)
    scores.square().sum().backward()
    assert all(not weight.grad.any() for weight in model.embed.parameters() if weight.grad is not None)
    assert adversary.domain_clf[0].weight.grad.any()
    assert model.classif.weight.grad is None

"""The optimiser: AdamW's steps, with torch's fused kernel and without it."""

from importlib import import_module

import pytest
import torch

from deepmapper.errors import DeepMapperWarning
from deepmapper.training import optimiser
from deepmapper.training.optimiser import AdamW

ADAMW = import_module("torch.optim.adamw")  # torch.optim itself hides the module


@pytest.fixture
def without_the_kernel(monkeypatch):
    """Take the fused kernel's function out of torch."""
    optimiser._fused_adamw.cache_clear()
    monkeypatch.delattr(ADAMW, "adamw")
    yield
    optimiser._fused_adamw.cache_clear()


def weights_after(n_steps, **options):
    """Train a small network a few steps; one layer has no gradient in every second step."""
    torch.manual_seed(0)
    model = torch.nn.ModuleList([torch.nn.Linear(5, 3), torch.nn.Linear(5, 2)])
    adamw = AdamW(model, 0.01, **{"weight_decay": 0.3, "clip_norm": 0.0, **options})
    for turn in range(n_steps):
        values = torch.randn(4, 5)
        (model[0](values).square().sum() + (model[1](values).abs().sum() if turn % 2 else 0)).backward()
        adamw.step(1 / (1 + turn))
    return [weight.detach() for weight in model.parameters()]


def test_the_steps_are_those_of_torchs_adamw():
    """Two layers, one of which has no gradient now and then."""
    torch.manual_seed(0)
    ours, theirs = (torch.nn.ModuleList([torch.nn.Linear(5, 3), torch.nn.Linear(5, 2)]) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    step = AdamW(ours, 0.01, 0.3, clip_norm=0.0)
    reference = torch.optim.AdamW(theirs.parameters(), 0.01, weight_decay=0.3)
    for turn in range(6):
        for layers in (ours, theirs):
            torch.manual_seed(turn)
            seen = torch.randn(4, 5)
            loss = layers[0](seen).square().sum() + (layers[1](seen).abs().sum() if turn % 2 else 0)
            loss.backward()
        reference.param_groups[0]["lr"] = 0.01 / (1 + turn)
        reference.step()
        reference.zero_grad()
        step.step(1 / (1 + turn))
    assert all(weight.grad is None for weight in ours.parameters())
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(("bound", "length"), [(0.0, 50.0), (2.0, 2.0), (100.0, 50.0)])
def test_no_step_follows_a_longer_gradient_than_clip_norm(bound, length):
    model = torch.nn.Linear(2, 1)
    step = AdamW(model, 0.01, 0.0, clip_norm=bound)
    model.weight.grad, model.bias.grad = torch.tensor([[30.0, 40.0]]), torch.zeros(1)
    step.step(1.0)
    followed = 10 * step.exp_avg[0]  # the running mean after one step is a tenth of the gradient
    torch.testing.assert_close(followed, torch.tensor([[0.6, 0.8]]) * length, rtol=1e-4, atol=1e-4)


def test_without_the_fused_kernel_the_steps_are_the_same_to_rounding_with_one_warning(request, recwarn):
    fused = weights_after(20, clip_norm=1.0)
    assert not recwarn.list
    request.getfixturevalue("without_the_kernel")
    with pytest.warns(DeepMapperWarning, match=r"lacks torch\.optim\.adamw\.adamw in .*plain tensor") as warned:
        plain = weights_after(20, clip_norm=1.0)
    assert len(warned) == 1
    for one, other in zip(fused, plain, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_a_kernel_that_takes_other_arguments_is_not_called(monkeypatch):
    def other(params, grads, *, learning_rate):
        raise AssertionError("called with unknown arguments")

    optimiser._fused_adamw.cache_clear()
    monkeypatch.setattr(ADAMW, "adamw", other)
    try:
        with pytest.warns(DeepMapperWarning, match="plain tensor operations"):
            weights_after(1)
    finally:
        optimiser._fused_adamw.cache_clear()


def test_a_restored_optimiser_takes_the_same_steps():
    models = [torch.nn.Linear(3, 2) for _ in range(2)]
    first, second = (AdamW(model, 0.1, 0.1, 1.0) for model in models)
    for turn in range(4):
        if turn == 2:
            models[1].load_state_dict(models[0].state_dict())
            second.load_state_dict(first.state_dict())
        for model, adamw in zip(models, (first, second), strict=True):
            model(torch.arange(6.0).reshape(2, 3) + turn).square().sum().backward()
            adamw.step(1.0)
    assert second.steps == first.steps == 4
    assert torch.equal(models[0].weight, models[1].weight)

"""AdamW with gradient clipping and a learning-rate schedule. Imports torch."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import DeepMapperWarning

_BETA1, _BETA2, _EPS = 0.9, 0.999, 1e-8  # torch's defaults

_STATE = ("exp_avg", "exp_avg_sq", "counts")  # per weight; torch's names for the two averages


class AdamW:
    """AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) over the trainable weights of a model.

    Parameters
    ----------
    model
        On its device. Several networks trained together are held in one module.
    lr, weight_decay
        Learning rate and decoupled weight decay.
    clip_norm
        Maximum norm of the gradient over all weights; a longer one is scaled down to it. 0 for no bound.

    Attributes
    ----------
    steps
        Number of steps taken.
    exp_avg, exp_avg_sq
        Running means of the gradient and of its square, one tensor per weight.
    counts
        Number of steps that each weight took; a weight without a gradient takes none.
    """

    def __init__(self, model: nn.Module, lr: float, weight_decay: float, clip_norm: float):
        self.lr, self.weight_decay, self.clip_norm, self.steps = lr, weight_decay, clip_norm, 0
        self.weights = [weight for weight in model.parameters() if weight.requires_grad]
        self.exp_avg = [torch.zeros_like(weight) for weight in self.weights]
        self.exp_avg_sq = [torch.zeros_like(weight) for weight in self.weights]
        self.counts = [torch.zeros((), device=weight.device) for weight in self.weights]

    @torch.no_grad()
    def step(self, factor: float) -> None:
        """Take one step at `factor` times the learning rate along the gradients, then discard the gradients."""
        self.steps += 1
        used = [i for i, weight in enumerate(self.weights) if weight.grad is not None]
        gradients = [weight.grad for weight in self.weights if weight.grad is not None]
        if self.clip_norm:
            norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
            scale = (self.clip_norm / (norm + 1e-6)).clamp_max(1.0)
            for gradient in gradients:
                gradient.mul_(scale)
        adamw_step(
            [self.weights[i] for i in used],
            gradients,
            *([getattr(self, name)[i] for i in used] for name in _STATE),
            lr=self.lr * factor,
            weight_decay=self.weight_decay,
        )
        for weight in self.weights:
            weight.grad = None

    def state_dict(self) -> dict[str, Tensor]:
        """Return everything that later steps depend on, except the weights."""
        state = {f"{name}/{i}": value for name in _STATE for i, value in enumerate(getattr(self, name))}
        return {"steps": torch.tensor(self.steps), **state}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state_dict` returned."""
        self.steps = int(state["steps"])
        for name in _STATE:
            for i, value in enumerate(getattr(self, name)):
                value.copy_(state[f"{name}/{i}"])


def learning_rate_factor(schedule: str, progress: float) -> float:
    """Return the factor of the learning rate after a share `progress` of all steps."""
    return 0.5 + 0.5 * math.cos(math.pi * progress) if schedule == "cosine" else 1.0


def adamw_step(
    weights: list[Tensor],
    gradients: list[Tensor],
    exp_avg: list[Tensor],
    exp_avg_sq: list[Tensor],
    counts: list[Tensor],
    *,
    lr: float,
    weight_decay: float,
) -> None:
    """Take one step of AdamW in place, with torch's fused kernel if this version of torch has it.

    The kernel is called through a function that torch does not document, because the first use of an optimiser from
    `torch.optim` imports torch's compiler, which takes two seconds, and a job may train a single network.

    Parameters
    ----------
    weights, gradients, exp_avg, exp_avg_sq
        Tensors of equal shapes, list by list.
    counts
        Number of steps taken by each weight, float tensors without dimensions; each is increased by 1.
    lr, weight_decay
        Learning rate of this step and decoupled weight decay.

    Warns
    -----
    DeepMapperWarning
        Once per process, if the kernel is missing and plain tensor operations are used instead.
    """
    fused = _fused_adamw()
    if fused is None:
        _plain_adamw(weights, gradients, exp_avg, exp_avg_sq, counts, lr=lr, weight_decay=weight_decay)
        return
    fused(weights, gradients, exp_avg, exp_avg_sq, [], counts, lr=lr, weight_decay=weight_decay, **_FUSED_ARGUMENTS)


_FUSED_ARGUMENTS = {
    "fused": True,
    "amsgrad": False,
    "beta1": _BETA1,
    "beta2": _BETA2,
    "eps": _EPS,
    "maximize": False,
}


@cache
def _fused_adamw() -> Callable[..., Any] | None:
    """Return torch's functional AdamW, or None with a warning if it is missing or takes other arguments."""
    try:
        from torch.optim.adamw import adamw

        inspect.signature(adamw).bind([], [], [], [], [], [], lr=0.0, weight_decay=0.0, **_FUSED_ARGUMENTS)
    except (ImportError, TypeError) as error:
        warnings.warn(
            f"torch {torch.__version__} lacks torch.optim.adamw.adamw in the expected form ({error}): AdamW uses plain "
            f"tensor operations instead. They are slower, and the last digits of results differ from those of the "
            f"fused kernel. Install a version of torch that envs/python.yaml allows.",
            DeepMapperWarning,
            stacklevel=4,
        )
        return None
    return adamw


def _plain_adamw(weights, gradients, exp_avg, exp_avg_sq, counts, *, lr: float, weight_decay: float) -> None:
    """Take the step documented for `torch.optim.AdamW`, with public tensor operations."""
    for weight, gradient, mean, square, count in zip(weights, gradients, exp_avg, exp_avg_sq, counts, strict=True):
        count += 1
        steps = count.item()
        weight.mul_(1 - lr * weight_decay)
        mean.lerp_(gradient, 1 - _BETA1)
        square.mul_(_BETA2).addcmul_(gradient, gradient, value=1 - _BETA2)
        denominator = (square.sqrt() / math.sqrt(1 - _BETA2**steps)).add_(_EPS)
        weight.addcdiv_(mean, denominator, value=-lr / (1 - _BETA1**steps))

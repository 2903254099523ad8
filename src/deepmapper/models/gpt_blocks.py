"""Transformer in which a token attends to what is known of a cell and to itself, with widths scaled by muP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..core.words import some
from ..errors import InputError
from .arguments import check_positive, check_share, check_whole

Backend = Literal["flex", "math", "mem_efficient", "torch"]
_KERNELS = {"math": SDPBackend.MATH, "mem_efficient": SDPBackend.EFFICIENT_ATTENTION}


@dataclass(frozen=True)
class Widths:
    """Sizes and scales of a transformer.

    Weights start from a normal distribution of standard deviation `initializer_range`, cut at two of them; those of the
    blocks are scaled to the width as muP prescribes for Adam (Yang et al. 2022, arXiv 2203.03466), so that a learning
    rate found at the base widths holds for all.

    Attributes
    ----------
    d_model, d_ffn, n_heads, n_blocks
        Units of a token, of the hidden layer of a feed-forward network; heads of a block; blocks.
    dropout_p, use_bias
        Probability of dropout, and whether layers have intercepts.
    attention_softmax_fp32
        Whether the backend "torch" computes the attention weights in float32.
    initializer_range, attention_logits_scale
        Standard deviation of the first weights; what similarities are multiplied by, beside 1 / units of a head.
    base_d_model, base_d_ffn
        Widths for which the learning rate was chosen; None for these.
    """

    d_model: int
    d_ffn: int
    n_heads: int
    n_blocks: int
    dropout_p: float
    use_bias: bool
    attention_softmax_fp32: bool
    initializer_range: float
    attention_logits_scale: float
    base_d_model: int | None
    base_d_ffn: int | None

    def check(self) -> None:
        """Refuse sizes that do not fit together.

        Raises
        ------
        InputError
            If one is impossible.
        """
        for name in ("d_model", "d_ffn", "n_heads", "n_blocks", "base_d_model", "base_d_ffn"):
            if (value := getattr(self, name)) is not None:
                check_whole(**{name.replace("base_", "mup_base_"): value})
        check_positive(initializer_range=self.initializer_range)
        if self.d_model % self.n_heads:
            raise InputError(f"d_model={self.d_model} is not divisible by n_heads={self.n_heads}.")
        check_share(dropout_p=self.dropout_p)

    @property
    def d_model_ratio(self) -> float:
        """Width relative to that for which the learning rate was chosen."""
        return self.d_model / (self.base_d_model or self.d_model)

    @property
    def d_ffn_ratio(self) -> float:
        """The same of the feed-forward networks."""
        return self.d_ffn / (self.base_d_ffn or self.d_ffn)

    def draw(self, layer: nn.Linear | nn.Embedding, scale: float = 1.0) -> None:
        """Draw the weights of a layer anew, with `initializer_range` times `scale`; intercepts are 0."""
        std = self.initializer_range * scale
        nn.init.trunc_normal_(layer.weight, std=std, a=-2 * std, b=2 * std)
        if getattr(layer, "bias", None) is not None:
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def bytes_of(self, length: int, n_outputs: int) -> int:
        """Approximate bytes that a cell of some tokens takes while its gradient is computed."""
        of_token = self.n_blocks * (3 * self.n_heads * length + 8 * self.d_model + 2 * self.d_ffn)
        return 4 * length * (of_token + 3 * n_outputs)


def check_backend(backend: str) -> None:
    """Refuse an unknown way to compute attention.

    Raises
    ------
    InputError
        If it is unknown.
    """
    if backend not in get_args(Backend):
        raise InputError(f"attention_backend='{backend}': expected {some(get_args(Backend), 4)}")


def prompt_diagonal_mask(prompt_mask_nc: Tensor) -> Tensor:
    """Return (n, c, c) whether a token, by row, attends to another, by column: to all prompts, and to itself."""
    return prompt_mask_nc[:, None, :] | torch.eye(
        prompt_mask_nc.shape[1], dtype=torch.bool, device=prompt_mask_nc.device
    )


class Block(nn.Module):
    """Self-attention and feed-forward network, each of normalised input and added to it.

    Parameters
    ----------
    widths
        Sizes and scales.
    """

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        self.widths, d, bias = widths, widths.d_model, widths.use_bias
        self.query, self.key, self.value, self.mixed = (nn.Linear(d, d, bias) for _ in range(4))
        self.inner, self.outer = nn.Linear(d, widths.d_ffn, bias), nn.Linear(widths.d_ffn, d, bias)
        self.attention_norm, self.norm = (nn.LayerNorm(d, bias=bias) for _ in range(2))

    def reset_parameters(self) -> None:
        """Draw the weights anew, from torch's generator."""
        w = self.widths
        depth = (2 * w.n_blocks) ** -0.5
        for layer in (self.query, self.key, self.value, self.inner):
            w.draw(layer, w.d_model_ratio**-0.5)
        w.draw(self.mixed, w.d_model_ratio**-0.5 * depth)
        w.draw(self.outer, w.d_ffn_ratio**-0.5 * depth)
        self.attention_norm.reset_parameters()
        self.norm.reset_parameters()

    def forward(self, hidden_ncd: Tensor, mask: Any, backend: str) -> Tensor:
        """Return the states (n, c, d) after the block; `mask` is that of the backend (`attention_mask`)."""
        rate = self.widths.dropout_p if self.training else 0.0
        given = self.attention_norm(hidden_ncd)
        hidden_ncd = hidden_ncd + functional.dropout(self.mixed(self._attend(given, mask, backend, rate)), rate)
        inner = functional.gelu(self.inner(self.norm(hidden_ncd)))
        return hidden_ncd + functional.dropout(self.outer(inner), rate)

    def _attend(self, given: Tensor, mask: Any, backend: str, rate: float) -> Tensor:
        n, c, d = given.shape
        heads = self.widths.n_heads
        query, key, value = (
            layer(given).view(n, c, heads, d // heads).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        scale = self.widths.attention_logits_scale * heads / d
        if backend == "torch":
            logits = (scale * query @ key.transpose(-1, -2)).masked_fill(~mask, -torch.inf)
            least = torch.float32 if self.widths.attention_softmax_fp32 else logits.dtype
            exact = torch.promote_types(logits.dtype, least)
            mixed = functional.dropout(torch.softmax(logits, -1, dtype=exact).to(logits.dtype), rate) @ value
        elif backend == "flex":
            mixed = _flex_attention(query, key, value, mask, scale)
        else:
            with sdpa_kernel(_KERNELS[backend]):
                mixed = functional.scaled_dot_product_attention(query, key, value, mask, rate, scale=scale)
        return mixed.transpose(1, 2).reshape(n, c, d)


def attention_mask(prompt_mask_nc: Tensor, backend: str, dropout: float) -> Any:
    """Return what `Block` takes as the mask of a backend.

    Raises
    ------
    InputError
        If the backend cannot compute this.
    """
    if backend == "mem_efficient" and prompt_mask_nc.device.type == "cpu":
        raise InputError('attention_backend=\'mem_efficient\' needs a GPU: use "math" or "torch" on the CPU.')
    if backend != "flex":
        return prompt_diagonal_mask(prompt_mask_nc)[:, None]
    if dropout:
        raise InputError("attention_backend='flex' has no dropout in training: set dropout_p=0, or use another.")
    if prompt_mask_nc.device.type == "cpu" and torch.is_grad_enabled():
        raise InputError('attention_backend=\'flex\' has no gradient on the CPU: train with "math" or "torch".')
    from torch.nn.attention.flex_attention import create_block_mask

    def attends(cell: Tensor, _head: Tensor, token: Tensor, other: Tensor) -> Tensor:
        return prompt_mask_nc[cell, other] | (token == other)

    n, c = prompt_mask_nc.shape
    return create_block_mask(attends, n, None, c, c, device=prompt_mask_nc.device.type)


def _flex_attention(query: Tensor, key: Tensor, value: Tensor, mask: Any, scale: float) -> Any:
    from torch.nn.attention.flex_attention import flex_attention

    # compiled on a GPU only: on the CPU it would need a compiler
    compute: Any = _compiled(flex_attention) if query.is_cuda else flex_attention
    return compute(query, key, value, block_mask=mask, scale=scale)


@cache
def _compiled(function: Callable) -> Callable:
    return torch.compile(function, dynamic=False)

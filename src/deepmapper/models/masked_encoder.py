"""Transformer encoder that recovers masked tokens, as BERT does (Devlin et al. 2019, arXiv 1810.04805)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..core.words import some
from ..errors import InputError
from .arguments import check_positive, check_share, check_whole
from .rank_tokens import PAD

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "gelu_new": nn.GELU(approximate="tanh"),
    "relu": functional.relu,
    "silu": functional.silu,
}
POSITIONS = ("absolute", "relative_key", "relative_key_query")


@dataclass(frozen=True)
class Sizes:
    """Sizes and settings of an encoder; the names are those of BERT's configuration.

    Attributes
    ----------
    vocab_size
        Number of tokens, PAD included.
    hidden_size, num_hidden_layers, num_attention_heads, intermediate_size
        Units of a token, layers, heads of each, and units of the hidden layer of its feed-forward network.
    hidden_act
        Activation: a name in `ACTIVATIONS`, or a function.
    hidden_dropout_prob, attention_probs_dropout_prob
        Probabilities of dropout after every layer, and of the attention weights.
    max_position_embeddings, type_vocab_size
        Maximum number of tokens of a cell, and number of types of tokens, of which the first is used.
    initializer_range
        Standard deviation of the first weights.
    position_embedding_type
        One of `POSITIONS`: embeddings of positions, or of distances between them (Shaw et al. 2018, arXiv 1803.02155;
        Huang et al. 2020, arXiv 2009.13658).
    layer_norm_eps
        Constant of the layer normalisations.
    """

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    hidden_act: str | Callable[[Tensor], Tensor]
    hidden_dropout_prob: float
    attention_probs_dropout_prob: float
    max_position_embeddings: int
    type_vocab_size: int
    initializer_range: float
    position_embedding_type: str
    layer_norm_eps: float

    def check(self) -> None:
        """Refuse sizes that do not fit together.

        Raises
        ------
        InputError
            If one is impossible.
        """
        numbers = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
        for name in (*numbers, "max_position_embeddings", "type_vocab_size"):
            check_whole(**{name: getattr(self, name)})
        check_positive(initializer_range=self.initializer_range, layer_norm_eps=self.layer_norm_eps)
        check_share(
            hidden_dropout_prob=self.hidden_dropout_prob, attention_probs_dropout_prob=self.attention_probs_dropout_prob
        )
        if self.hidden_size % self.num_attention_heads:
            raise InputError(
                f"hidden_size={self.hidden_size} is not divisible by num_attention_heads={self.num_attention_heads}: "
                "every head gets as many units."
            )
        for name, known in (("hidden_act", [*ACTIVATIONS]), ("position_embedding_type", [*POSITIONS])):
            value = getattr(self, name)
            if not callable(value) and value not in known:
                raise InputError(f"{name}='{value}': expected {some(known)}")

    def activation(self) -> Callable[[Tensor], Tensor]:
        """Return the activation as a function."""
        return ACTIVATIONS[self.hidden_act] if isinstance(self.hidden_act, str) else self.hidden_act

    def bytes_of(self, length: int, n_recovered: int = 0) -> int:
        """Approximate bytes that a cell of some tokens takes while its gradient is computed."""
        of_token = 3 * self.num_attention_heads * length + 8 * self.hidden_size + 2 * self.intermediate_size
        return 4 * (length * self.num_hidden_layers * of_token + 3 * n_recovered * self.vocab_size)


class MaskedEncoder(nn.Module):
    """Encoder of tokens, and the network that says which feature a token stands for.

    Parameters
    ----------
    sizes
        Sizes and settings.

    Raises
    ------
    InputError
        If the sizes do not fit together.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        sizes.check()
        self.sizes, d = sizes, sizes.hidden_size
        self.tokens = nn.Embedding(sizes.vocab_size, d, padding_idx=PAD)
        self.types = nn.Embedding(sizes.type_vocab_size, d)
        self.positions = (
            nn.Embedding(sizes.max_position_embeddings, d) if sizes.position_embedding_type == "absolute" else None
        )
        self.norm = nn.LayerNorm(d, sizes.layer_norm_eps)
        self.layers = nn.ModuleList(Layer(sizes) for _ in range(sizes.num_hidden_layers))
        self.head = nn.Linear(d, d)
        self.head_norm = nn.LayerNorm(d, sizes.layer_norm_eps)
        self.head_bias = nn.Parameter(torch.empty(sizes.vocab_size))
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the weights anew, from torch's generator: a normal distribution cut at two standard deviations."""
        scale = self.sizes.initializer_range
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.trunc_normal_(module.weight, std=scale, a=-2 * scale, b=2 * scale)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)
            if isinstance(module, nn.LayerNorm):
                module.reset_parameters()
        self.tokens.weight[PAD] = 0
        nn.init.zeros_(self.head_bias)

    def forward(self, tokens: Tensor, with_attentions: bool = False) -> tuple[list[Tensor], list[Tensor]]:
        """Return the states of the tokens after every layer, and the attention weights.

        Parameters
        ----------
        tokens
            (n, c) tokens; nothing attends to `PAD`.
        with_attentions
            Whether to return the attention weights.

        Returns
        -------
        hidden_states, attentions
            (n, c, d) embedding of the tokens and output of every layer; (n, heads, c, c) weights of every layer, none
            unless asked for.
        """
        hidden = self.tokens(tokens) + self.types.weight[0]
        if self.positions is not None:
            hidden = hidden + self.positions.weight[: tokens.shape[1]]
        hidden = functional.dropout(self.norm(hidden), self.sizes.hidden_dropout_prob, self.training)
        # finite, so that a cell without tokens has equal weights instead of undefined ones
        blocked = torch.zeros(tokens.shape, dtype=hidden.dtype, device=hidden.device)
        blocked = blocked.masked_fill(tokens == PAD, torch.finfo(hidden.dtype).min)[:, None, None]
        states, attentions = [hidden], []
        for layer in self.layers:
            hidden, weights = layer(hidden, blocked, with_attentions)
            states.append(hidden)
            attentions += [weights] if with_attentions else []
        return states, attentions

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the logits (..., vocab_size) of the tokens from their last states (..., d)."""
        features = self.head_norm(self.sizes.activation()(self.head(hidden)))
        return functional.linear(features, self.tokens.weight, self.head_bias)


class Layer(nn.Module):
    """Self-attention and feed-forward network, each added to its input and then normalised.

    Parameters
    ----------
    sizes
        Sizes and settings.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes, d = sizes, sizes.hidden_size
        self.query, self.key, self.value, self.mixed = (nn.Linear(d, d) for _ in range(4))
        self.attention_norm = nn.LayerNorm(d, sizes.layer_norm_eps)
        self.inner, self.outer = nn.Linear(d, sizes.intermediate_size), nn.Linear(sizes.intermediate_size, d)
        self.norm = nn.LayerNorm(d, sizes.layer_norm_eps)
        n_distances, of_head = 2 * sizes.max_position_embeddings - 1, d // sizes.num_attention_heads
        relative = sizes.position_embedding_type != "absolute"
        self.distances = nn.Embedding(n_distances, of_head) if relative else None

    def forward(self, hidden: Tensor, blocked: Tensor, with_weights: bool) -> tuple[Tensor, Tensor | None]:
        """Return the output (n, c, d) and, if asked for, the attention weights (n, heads, c, c)."""
        rate = self.sizes.hidden_dropout_prob
        mixed, weights = self._attend(hidden, blocked, with_weights)
        hidden = self.attention_norm(hidden + functional.dropout(self.mixed(mixed), rate, self.training))
        inner = self.outer(self.sizes.activation()(self.inner(hidden)))
        return self.norm(hidden + functional.dropout(inner, rate, self.training)), weights

    def _attend(self, hidden: Tensor, blocked: Tensor, with_weights: bool) -> tuple[Tensor, Tensor | None]:
        n, c, d = hidden.shape
        heads = self.sizes.num_attention_heads
        query, key, value = (
            layer(hidden).view(n, c, heads, d // heads).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        scale = (d // heads) ** -0.5
        bias = blocked if self.distances is None else blocked + scale * self._by_distance(query, key)
        rate, weights = self.sizes.attention_probs_dropout_prob if self.training else 0.0, None
        if with_weights:
            weights = functional.dropout(torch.softmax(scale * query @ key.transpose(-1, -2) + bias, dim=-1), rate)
            mixed = weights @ value
        else:
            mixed = functional.scaled_dot_product_attention(query, key, value, bias, rate)
        return mixed.transpose(1, 2).reshape(n, c, d), weights

    def _by_distance(self, query: Tensor, key: Tensor) -> Tensor:
        """(n, heads, c, c) what the distance between two tokens adds to their similarity."""
        assert self.distances is not None
        place = torch.arange(query.shape[2], device=query.device)
        between = self.distances(place[:, None] - place + self.sizes.max_position_embeddings - 1)
        added = torch.einsum("nhqd,qkd->nhqk", query, between)
        if self.sizes.position_embedding_type == "relative_key_query":
            added = added + torch.einsum("nhkd,qkd->nhqk", key, between)
        return added

"""A compact convolutional transformer that returns its attention maps.

Source: Hassani et al. 2021 (arXiv:2104.05704): convolutional tokens, learnt positions, encoder layers, sequence
pooling. It differs in these points, because a pixel of a pseudo-image is one feature, unrelated to its neighbours:

- The convolution's stride is its kernel, without max-pooling: cells do not overlap, so a token's relevance is that of
  its own pixels, and a smaller value is not lost to a larger neighbour.
- A position first scales a token and is then added to it, as in the feature tokens of Gorishniy et al. 2021
  (arXiv:2106.11959). If it is only added, the untrained network hardly sees at which pixel a value lies.
- Layers normalise their input, not their output, and the pooled sum is normalised instead of the tokens, so that a
  large value stays larger than a small one. There is no stochastic depth.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..errors import InputError
from .base import Network, check_dropout, check_sizes

# Maximum number of tokens along a side; the memory of attention grows with its fourth power.
_MAX_GRID = 16


class _Layer(nn.Module):
    """Attention between tokens, then a perceptron on each token, both with a residual connection."""

    def __init__(self, dim: int, heads: int, hidden: int, dropout: float):
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_perceptron = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.query_key_value = nn.Linear(dim, 3 * dim, bias=False)
        self.project = nn.Linear(dim, dim)
        self.perceptron = nn.Sequential(
            nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, dim), nn.Dropout(dropout)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return the new tokens, (batch, tokens, dim), and the attention, (batch, heads, tokens, tokens)."""
        batch, count, dim = tokens.shape
        parts = self.query_key_value(self.before_attention(tokens)).reshape(batch, count, 3, self.heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        attention = (query @ key.transpose(-2, -1) * (dim // self.heads) ** -0.5).softmax(-1)
        mixed = (self.dropout(attention) @ value).transpose(1, 2).reshape(batch, count, dim)
        tokens = tokens + self.dropout(self.project(mixed))
        return tokens + self.perceptron(self.before_perceptron(tokens)), attention


class Cct(Network):
    """Compact convolutional transformer.

    A token stands for a cell of the image, `cell` × `cell` pixels. Up to a side of 16 a cell is one pixel; in larger
    images cells grow, so that there are never more than 16 × 16 tokens.
    """

    def __init__(
        self,
        side: int,
        in_chans: int,
        num_classes: int,
        embedding_dim: int = 64,
        num_layers: int = 2,
        num_heads: int = 2,
        mlp_ratio: float = 1.0,
        dropout: float = 0.1,
    ):
        super().__init__()
        check_sizes(embedding_dim=embedding_dim, num_layers=num_layers, num_heads=num_heads)
        check_dropout(dropout)
        if embedding_dim % num_heads:
            raise InputError(
                f"extra embedding_dim={embedding_dim}, num_heads={num_heads}: expected an embedding_dim that is a "
                f"multiple of num_heads"
            )
        if isinstance(mlp_ratio, bool) or not isinstance(mlp_ratio, (int, float)) or not 0 < mlp_ratio <= 64:
            raise InputError(f"extra mlp_ratio={mlp_ratio!r}: expected a number above 0 and up to 64")
        self.side, self.cell = side, math.ceil(side / _MAX_GRID)
        self.grid = math.ceil(side / self.cell)
        padding = self.grid * self.cell - side  # completes the last row and column of cells
        self.tokenizer = nn.Sequential(
            nn.ZeroPad2d((0, padding, 0, padding)),
            nn.Conv2d(in_chans, embedding_dim, self.cell, self.cell, bias=False),
            nn.ReLU(),
        )
        self.scale = nn.Parameter(torch.empty(self.grid**2, embedding_dim))
        self.position = nn.Parameter(torch.empty(self.grid**2, embedding_dim))
        self.dropout = nn.Dropout(dropout)
        hidden = max(1, round(mlp_ratio * embedding_dim))
        self.layers = nn.ModuleList(_Layer(embedding_dim, num_heads, hidden, dropout) for _ in range(num_layers))
        self.pool = nn.Sequential(nn.LayerNorm(embedding_dim), nn.Linear(embedding_dim, 1))
        self.norm = nn.LayerNorm(embedding_dim)
        self._draw_weights()
        self.head = nn.Linear(embedding_dim, num_classes)

    def embed(self, images: Tensor) -> Tensor:
        """Map (batch, channels, side, side) to the normalised sum of the weighted tokens, (batch, embedding_dim)."""
        tokens = self._tokens(images)
        for layer in self.layers:
            tokens, _ = layer(tokens)
        return self._pooled(tokens)[0]

    def attend(self, images: Tensor) -> tuple[Tensor, list[Tensor], Tensor]:
        """Return the scores of images and the attention behind them.

        Returns
        -------
        tuple
            Scores, (batch, num_classes); the attention of every layer, first to last, each (batch, heads, tokens,
            tokens) with rows that add up to 1; and the weight of every token in the pooling, (batch, tokens).
        """
        tokens, attentions = self._tokens(images), []
        for layer in self.layers:
            tokens, attention = layer(tokens)
            attentions.append(attention)
        pooled, weights = self._pooled(tokens)
        return self.head(pooled), attentions, weights

    def spread(self, relevance: Tensor) -> Tensor:
        """Divide every token's relevance evenly among the pixels of its cell.

        Parameters
        ----------
        relevance
            (batch, tokens).

        Returns
        -------
        torch.Tensor
            (batch, 1, side, side), with the same sum.
        """
        lengths = [min(self.cell, self.side - start) for start in range(0, self.side, self.cell)]
        length = torch.tensor(lengths, dtype=relevance.dtype, device=relevance.device)
        share = relevance.reshape(-1, 1, self.grid, self.grid) / (length[:, None] * length)
        pixels = share.repeat_interleave(self.cell, 2).repeat_interleave(self.cell, 3)
        return pixels[..., : self.side, : self.side]

    def _tokens(self, images: Tensor) -> Tensor:
        tokens = self.tokenizer(images).flatten(2).transpose(1, 2)
        return self.dropout(tokens * self.scale + self.position)

    def _pooled(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        weights = self.pool(tokens).squeeze(-1).softmax(-1)
        return self.norm((weights[:, None] @ tokens).squeeze(1)), weights

    def _draw_weights(self) -> None:
        """Draw the initial weights; except for head and scales, as the authors' implementation does."""
        nn.init.trunc_normal_(self.scale, std=1.0)
        nn.init.trunc_normal_(self.position, std=0.2)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
            elif isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)

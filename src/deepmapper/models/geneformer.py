"""Geneformer: a transformer that reads a cell as the list of its features, from the largest value to the smallest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from ..errors import InputError
from . import distributed
from .base import CellariumModel, PredictMixin, evaluated
from .masked_encoder import MaskedEncoder, Sizes
from .rank_tokens import FIRST, PAD, hide, perturbed, rank
from .tensors import check_names

# Memory that the cells that are computed at once may take, about; at least one cell is. Chosen by hand.
CHUNK_BYTES = 1 << 28


class Geneformer(CellariumModel, PredictMixin):
    """Encoder of ranked features that is trained to recover masked ones (Theodoris et al. 2023, Nature 618:616).

    A cell is a list of tokens: its features with values above 0, from the largest to the smallest, then PAD (0). MASK
    is 1, and feature g of `var_names_g` is g + 2. So that features that are high in every cell do not come first in
    every cell, values are divided by a typical value of the feature before (`transforms.DivideByScale` with the median
    of the values that are not 0). The encoder is that of BERT (`masked_encoder`).

    Parameters
    ----------
    var_names_g
        (g,) names of the features.
    hidden_size, num_hidden_layers, num_attention_heads, intermediate_size
        Units of a token, layers, heads of each, and units of the hidden layer of its feed-forward network.
    hidden_act
        Activation: "gelu", "relu", "silu" or "gelu_new", or a function.
    hidden_dropout_prob, attention_probs_dropout_prob
        Probabilities of dropout after every layer, and of the attention weights.
    max_position_embeddings
        Maximum number of tokens of a cell; features of smaller values are left out.
    type_vocab_size
        Number of types of tokens; all tokens are of the first.
    initializer_range
        Standard deviation of the normal distribution, cut at two of them, from which the first weights are drawn.
    position_embedding_type
        "absolute", "relative_key" (Shaw et al. 2018) or "relative_key_query" (Huang et al. 2020).
    layer_norm_eps
        Constant of the layer normalisations.
    mlm_probability
        Share of the tokens that are to be recovered in training.

    Raises
    ------
    InputError
        If sizes do not fit together, or a probability is impossible.
    """

    n_epochs = 10

    def __init__(
        self,
        var_names_g: np.ndarray,
        hidden_size: int = 256,
        num_hidden_layers: int = 6,
        num_attention_heads: int = 4,
        intermediate_size: int = 512,
        hidden_act: str = "relu",
        hidden_dropout_prob: float = 0.02,
        attention_probs_dropout_prob: float = 0.02,
        max_position_embeddings: int = 2048,
        type_vocab_size: int = 2,
        initializer_range: float = 0.02,
        position_embedding_type: str = "absolute",
        layer_norm_eps: float = 1e-12,
        mlm_probability: float = 0.15,
    ) -> None:
        super().__init__()
        if not 0 < mlm_probability < 1:
            raise InputError(f"mlm_probability={mlm_probability}: expected more than 0 and less than 1")
        self.var_names_g, self.mlm_probability = np.asarray(var_names_g), mlm_probability
        self.encoder = MaskedEncoder(
            Sizes(
                len(self.var_names_g) + FIRST,
                hidden_size,
                num_hidden_layers,
                num_attention_heads,
                intermediate_size,
                hidden_act,
                hidden_dropout_prob,
                attention_probs_dropout_prob,
                max_position_embeddings,
                type_vocab_size,
                initializer_range,
                position_embedding_type,
                layer_norm_eps,
            )
        )

    def reset_parameters(self) -> None:
        """Draw the weights anew, from torch's generator."""
        self.encoder.reset_parameters()

    def forward(self, x_ng: Tensor, var_names_g: np.ndarray) -> dict[str, Tensor]:
        """Return the loss of cells in which some tokens are hidden.

        A cell without expressed features has no tokens, and no part in the loss. Batches that need more memory than
        `CHUNK_BYTES` are computed in parts, forwards once more for the gradient.

        Parameters
        ----------
        x_ng
            (n, g) cells, dense; 0 or more.
        var_names_g
            (g,) names of their features.

        Returns
        -------
        dict
            ``loss``: cross-entropy of the hidden tokens, mean over all of them; 0 if there are none. In training by
            several processes it is divided by the mean of their numbers, so that the mean of the losses is that of all
            tokens.

        Raises
        ------
        InputError
            If the features are not those of the model, or a value is negative or missing.
        """
        check_names(var_names_g, self.var_names_g, x_ng.shape[1])
        tokens = rank(x_ng, self.encoder.sizes.max_position_embeddings)
        hidden, chosen = hide(tokens, self.mlm_probability, len(self.var_names_g))
        parts = list(_by_length(tokens, self.encoder.sizes, self.mlm_probability))
        total = torch.zeros((), device=x_ng.device)
        for rows, width in parts:
            given = hidden[rows, :width], tokens[rows, :width], chosen[rows, :width]
            if len(parts) == 1:
                total = total + self._loss_of(*given)
            else:
                total = total + checkpoint(self._loss_of, *given, use_reentrant=False)
        n_hidden = chosen.sum().float()
        if self.training and (n_processes := distributed.rank_and_size()[1]) > 1:
            distributed.add_up(n_hidden)
            n_hidden = n_hidden / n_processes
        return {"loss": total / torch.where(n_hidden > 0, n_hidden, 1.0)}

    def predict(
        self,
        x_ng: Tensor,
        var_names_g: np.ndarray,
        output_hidden_states: bool = True,
        output_attentions: bool = True,
        output_input_ids: bool = True,
        output_attention_mask: bool = True,
        feature_activation: list[str] | None = None,
        feature_deletion: list[str] | None = None,
        feature_map: dict[str, int] | None = None,
    ) -> dict[str, Tensor | np.ndarray]:
        """Return what the encoder makes of cells, which may be perturbed in silico.

        All tokens, c, are the smaller of g and `max_position_embeddings`. The cells given are not changed. A cell
        without expressed features is PAD alone; its attention weights are all equal.

        Parameters
        ----------
        x_ng
            (n, g) cells, dense; 0 or more.
        var_names_g
            (g,) names of their features.
        output_hidden_states, output_attentions, output_input_ids, output_attention_mask
            Whether to return these.
        feature_activation
            Features that come first in every cell, in this order.
        feature_deletion
            Features that count as not expressed: those behind them move up.
        feature_map
            Feature -> token that takes its place after ranking: 1 (MASK), or 0 (PAD), to which nothing attends.

        Returns
        -------
        dict
            ``logits``: (n, c, g + 2) of every token; ``hidden_states``: tuple of (n, c, hidden_size), of the embedding
            of the tokens and of every layer; ``attentions``: tuple of (n, heads, c, c), of every layer; ``input_ids``:
            (n, c) tokens; ``attention_mask``: (n, c) whether a token is attended to.

        Raises
        ------
        InputError
            If the features are not those of the model, a value is negative or missing, or a perturbation is impossible.
        """
        check_names(var_names_g, self.var_names_g, x_ng.shape[1])
        sizes = self.encoder.sizes
        perturbation = self.var_names_g, feature_activation, feature_deletion, feature_map
        tokens = perturbed(x_ng, sizes.max_position_embeddings, *perturbation)
        found: dict[str, list] = {"logits": [], "hidden_states": [], "attentions": []}
        step = max(1, CHUNK_BYTES // sizes.bytes_of(tokens.shape[1], tokens.shape[1]))
        with evaluated(self):
            for part in tokens.split(step):
                states, attentions = self.encoder(part, output_attentions)
                found["logits"].append(self.encoder.logits(states[-1]))
                found["hidden_states"].append(states if output_hidden_states else [])
                found["attentions"].append(attentions)
        results: dict = {"logits": torch.cat(found["logits"])}
        for name, wanted in (("hidden_states", output_hidden_states), ("attentions", output_attentions)):
            if wanted:
                results[name] = tuple(torch.cat(of_layer) for of_layer in zip(*found[name], strict=True))
        results |= {"input_ids": tokens} if output_input_ids else {}
        return results | ({"attention_mask": tokens != PAD} if output_attention_mask else {})

    def _loss_of(self, hidden: Tensor, tokens: Tensor, chosen: Tensor) -> Tensor:
        states, _ = self.encoder(hidden)
        return functional.cross_entropy(self.encoder.logits(states[-1][chosen]), tokens[chosen], reduction="sum")


class CellEmbedding(nn.Module, PredictMixin):
    """Embedding of cells by a trained `Geneformer`: the mean of the states of their features.

    Stands as a model in `run.predict`, and as a transform.

    Parameters
    ----------
    geneformer
        The trained model.
    layer
        Whose output is used: 1 to `num_hidden_layers`, 0 for the embedding of the tokens, or from the last, -1.
    feature_activation, feature_deletion, feature_map
        Perturbation in silico, as in `Geneformer.predict`.

    Raises
    ------
    InputError
        If there is no such layer.
    """

    def __init__(
        self,
        geneformer: Geneformer,
        layer: int = -1,
        feature_activation: Sequence[str] | None = None,
        feature_deletion: Sequence[str] | None = None,
        feature_map: dict[str, int] | None = None,
    ) -> None:
        super().__init__()
        n = geneformer.encoder.sizes.num_hidden_layers
        if not -n - 1 <= layer <= n:
            raise InputError(f"layer={layer}: expected {-n - 1} to {n}")
        self.geneformer, self.layer = geneformer, layer
        self.perturbation = feature_activation, feature_deletion, feature_map

    def predict(self, x_ng: Tensor, var_names_g: np.ndarray) -> dict[str, Tensor | np.ndarray]:
        """Return the embedding; a cell without expressed features is at 0.

        Parameters
        ----------
        x_ng
            (n, g) cells, dense; 0 or more.
        var_names_g
            (g,) names of their features.

        Returns
        -------
        dict
            ``x_ng``: (n, hidden_size) embedding; ``var_names_g``: names of its dimensions.
        """
        model, sizes = self.geneformer, self.geneformer.encoder.sizes
        check_names(var_names_g, model.var_names_g, x_ng.shape[1])
        tokens = perturbed(x_ng, sizes.max_position_embeddings, model.var_names_g, *self.perturbation)
        embedding = torch.zeros((len(tokens), sizes.hidden_size), device=x_ng.device)
        with evaluated(model):
            for rows, width in _by_length(tokens, sizes):
                part = tokens[rows, :width]
                states, _ = model.encoder(part)
                seen = (part != PAD)[:, :, None]
                embedding[rows] = (states[self.layer] * seen).sum(1) / seen.sum(1).clamp(min=1)
        return {"x_ng": embedding, "var_names_g": np.array([f"E{i + 1}" for i in range(sizes.hidden_size)])}


def _by_length(tokens: Tensor, sizes: Sizes, recovered: float = 0.0) -> Iterator[tuple[Tensor, int]]:
    """Divide cells into parts of similar length that fit into `CHUNK_BYTES`: their rows, and the longest length."""
    lengths, order = torch.sort((tokens != PAD).sum(1), stable=True)
    widths = lengths.clamp(min=1).tolist()
    ends = [0]
    for i, width in enumerate(widths):
        if i > ends[-1] and (i + 1 - ends[-1]) * sizes.bytes_of(width, int(recovered * width) + 1) > CHUNK_BYTES:
            ends.append(i)
    for start, stop in pairwise([*ends, len(widths)]):
        yield order[start:stop], widths[stop - 1]

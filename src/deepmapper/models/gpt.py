"""CellariumGPT: what is asked about a cell, features or metadata, from what is given of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from ..core.words import some
from ..errors import InputError
from .arguments import check_whole
from .base import CellariumModel, PredictMixin, ValidateMixin, evaluated
from .gpt_blocks import Backend, Block, Widths, attention_mask, check_backend

# Keys of tokens that are numbers rather than codes.
NUMBERS = ("gene_value", "gene_query_mask", "total_mrna_umis")

# Memory that the cells that are computed at once may take, about; at least one cell is. Chosen by hand.
CHUNK_BYTES = 1 << 28


class CellariumGPT(CellariumModel, PredictMixin, ValidateMixin):
    """Transformer that answers queries about a cell from prompts.

    A cell is a set of tokens, without an order. The token of a gene is the sum of the embeddings of its id, its value,
    a flag that says whether its value is asked for, the total count of the cell, and of experimental conditions; a
    token of metadata is that of its category, or of a category of its own if it is asked for. All tokens attend to the
    prompts and to themselves, so an answer does not depend on what else is asked. `gpt_tokens` makes tokens of cells.

    Parameters
    ----------
    categorical_token_size_dict
        Key of a kind of tokens -> number of its categories. "gene_id" (genes) and "gene_value" (values that are told
        apart, 0, 1, ...; higher ones count as the last) are required; others are experimental conditions ("assay"), and
        metadata ("cell_type").
    d_model, d_ffn, n_heads, n_blocks
        Units of a token, and of the hidden layer of a feed-forward network; heads of a block; blocks.
    dropout_p, use_bias
        Probability of dropout, and whether layers have intercepts.
    attention_backend
        How attention is computed: "torch" (step by step), "math" and "mem_efficient" (torch's kernels; the second needs
        a GPU), or "flex" (flex attention, without dropout).
    attention_softmax_fp32
        Whether "torch" computes the attention weights in float32 if the rest is in lower precision.
    loss_scale_dict
        Key -> weight in the loss, of what can be asked for: "gene_value", and metadata.
    initializer_range
        Standard deviation of the normal distribution, cut at two of them, from which the first weights are drawn.
    embeddings_scale, attention_logits_scale, output_logits_scale
        Multipliers of the embeddings, of the similarities of tokens, and of the logits.
    mup_base_d_model, mup_base_d_ffn
        Widths for which the learning rate was chosen (muP: `gpt_blocks.Widths`); None for these.

    Raises
    ------
    InputError
        If the sizes do not fit together.
    """

    n_epochs = 10
    uses_all_weights = False  # the embedding of a key that the cells do not have

    def __init__(
        self,
        categorical_token_size_dict: dict[str, int],
        d_model: int,
        d_ffn: int,
        n_heads: int,
        n_blocks: int,
        dropout_p: float,
        use_bias: bool,
        attention_backend: Backend,
        attention_softmax_fp32: bool,
        loss_scale_dict: dict[str, float],
        initializer_range: float = 0.02,
        embeddings_scale: float = 1.0,
        attention_logits_scale: float = 1.0,
        output_logits_scale: float = 1.0,
        mup_base_d_model: int | None = None,
        mup_base_d_ffn: int | None = None,
    ) -> None:
        super().__init__()
        sizes = dict(categorical_token_size_dict)
        if missing := [key for key in ("gene_id", "gene_value") if key not in sizes]:
            raise InputError(f"categorical_token_size_dict lacks {some(missing)}.")
        check_whole(**sizes)
        if not loss_scale_dict:
            raise InputError("loss_scale_dict is empty: name what can be asked for, with weights: {'gene_value': 1.0}.")
        if unknown := [key for key in loss_scale_dict if key not in sizes]:
            raise InputError(f"loss_scale_dict has {some(unknown)}, which categorical_token_size_dict has not.")
        check_backend(attention_backend)
        common = dropout_p, use_bias, attention_softmax_fp32, initializer_range, attention_logits_scale
        self.widths = Widths(d_model, d_ffn, n_heads, n_blocks, *common, mup_base_d_model, mup_base_d_ffn)
        self.widths.check()
        self.categorical_token_size_dict, self.loss_scale_dict = sizes, dict(loss_scale_dict)
        self.attention_backend, self.embeddings_scale = attention_backend, embeddings_scale
        self.output_logits_scale = output_logits_scale / self.widths.d_model_ratio
        # a further category stands for what is asked for
        self.codes = nn.ModuleDict(
            {
                key: nn.Embedding(size + (key in loss_scale_dict), d_model)
                for key, size in sizes.items()
                if key != "gene_value"
            }
        )
        self.numbers = nn.ModuleDict({key: nn.Linear(1, d_model, bias=False) for key in NUMBERS})
        self.blocks = nn.ModuleList(Block(self.widths) for _ in range(n_blocks))
        self.norm = nn.LayerNorm(d_model, bias=use_bias)
        self.heads = nn.ModuleDict({key: nn.Linear(d_model, sizes[key], use_bias) for key in loss_scale_dict})
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew, from torch's generator."""
        layers: list[Any] = [*self.codes.values(), *self.numbers.values(), *self.heads.values()]
        for layer in layers:
            self.widths.draw(layer)
        for block in self.blocks:
            block.reset_parameters()  # type: ignore[operator]
        self.norm.reset_parameters()

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return the parameters with their learning rates: smaller in the blocks of wider models, as muP prescribes."""
        rates: dict[int, float] = {}
        for block in self.blocks:
            for name, ratio in (
                ("query key value mixed inner", self.widths.d_model_ratio),
                ("outer", self.widths.d_ffn_ratio),
            ):
                rates |= {id(getattr(block, layer).weight): learning_rate / ratio for layer in name.split()}
        groups: dict[float, list[nn.Parameter]] = {}
        for parameter in self.parameters():
            groups.setdefault(rates.get(id(parameter), learning_rate), []).append(parameter)
        return [{"params": parameters, "lr": rate} for rate, parameters in groups.items()]

    def forward(
        self,
        token_value_nc_dict: dict[str, Tensor],
        token_mask_nc_dict: dict[str, Tensor],
        prompt_mask_nc: Tensor,
        label_nc_dict: dict[str, Tensor],
        label_weight_nc_dict: dict[str, Tensor],
    ) -> dict[str, Tensor]:
        """Return the loss of the answers.

        Parameters
        ----------
        token_value_nc_dict, token_mask_nc_dict, prompt_mask_nc
            As in `predict`.
        label_nc_dict, label_weight_nc_dict
            Key of `loss_scale_dict` -> (n, c) right answers, and the weight of each in the loss: 0 where nothing is
            asked.

        Returns
        -------
        dict
            ``loss``, and by key its parts: weighted sums of cross-entropies.

        Raises
        ------
        InputError
            If a key or a shape is wrong, or the backend cannot compute this.
        """
        if not set(self.loss_scale_dict) == set(label_nc_dict) == set(label_weight_nc_dict):
            raise InputError(
                f"label_nc_dict has {some(label_nc_dict)}, label_weight_nc_dict {some(label_weight_nc_dict)}: expected "
                f"the keys of loss_scale_dict, {some(self.loss_scale_dict)}."
            )
        self._check(token_value_nc_dict, token_mask_nc_dict, prompt_mask_nc)
        parts = list(self._parts(prompt_mask_nc))
        losses: dict[str, Tensor] = {}
        for rows in parts:
            given = (
                _rows(token_value_nc_dict, rows),
                _rows(token_mask_nc_dict, rows),
                prompt_mask_nc[rows],
                _rows(label_nc_dict, rows),
                _rows(label_weight_nc_dict, rows),
            )
            found = self._losses(*given) if len(parts) == 1 else checkpoint(self._losses, *given, use_reentrant=False)
            losses = {key: losses.get(key, 0) + value for key, value in found.items()}
        total = sum((losses[key] * scale for key, scale in self.loss_scale_dict.items()), torch.zeros(()))
        return {**losses, "loss": total}

    def predict(
        self,
        token_value_nc_dict: dict[str, Tensor],
        token_mask_nc_dict: dict[str, Tensor],
        prompt_mask_nc: Tensor,
    ) -> dict[str, np.ndarray | Tensor]:
        """Return the logits of all tokens; those of queries are answers.

        Parameters
        ----------
        token_value_nc_dict
            Key -> (n, c) values of the tokens: codes of ``gene_id``, conditions and metadata (the number of categories
            stands for "asked for"), and numbers: ``gene_value`` (ln(1 + count), 0 if asked for), ``gene_query_mask`` (1
            if the value is asked for, else 0), ``total_mrna_umis`` (ln(1 + total of the cell)).
        token_mask_nc_dict
            Key -> (n, c) which tokens have it.
        prompt_mask_nc
            (n, c) which tokens are given, and attended to by all.

        Returns
        -------
        dict
            Key of `loss_scale_dict` -> (n, c, k) logits of its k categories.

        Raises
        ------
        InputError
            If a key or a shape is wrong, or the backend cannot compute this.
        """
        self._check(token_value_nc_dict, token_mask_nc_dict, prompt_mask_nc)
        with evaluated(self):
            parts = [
                self._logits(_rows(token_value_nc_dict, rows), _rows(token_mask_nc_dict, rows), prompt_mask_nc[rows])
                for rows in self._parts(prompt_mask_nc)
            ]
        return {key: torch.cat([part[key] for part in parts]) for key in self.loss_scale_dict}

    def _logits(self, values: Mapping[str, Tensor], masks: Mapping[str, Tensor], prompt: Tensor) -> dict[str, Tensor]:
        precision = self.norm.weight.dtype
        hidden = torch.zeros((*prompt.shape, self.widths.d_model), dtype=precision, device=prompt.device)
        for key, value in values.items():
            is_number = key in NUMBERS
            token = self.numbers[key](value[..., None].to(precision)) if is_number else self.codes[key](value.long())
            hidden = hidden + token * masks[key][..., None]
        hidden = hidden * self.embeddings_scale
        mask = attention_mask(prompt, self.attention_backend, self.widths.dropout_p if self.training else 0.0)
        for block in self.blocks:
            hidden = block(hidden, mask, self.attention_backend)
        hidden = self.norm(hidden)
        return {key: self.output_logits_scale * head(hidden) for key, head in self.heads.items()}

    def _losses(
        self,
        values: dict[str, Tensor],
        masks: dict[str, Tensor],
        prompt: Tensor,
        labels: dict[str, Tensor],
        weights: dict[str, Tensor],
    ) -> dict[str, Tensor]:
        losses = {}
        for key, logits in self._logits(values, masks, prompt).items():
            each = functional.cross_entropy(logits.flatten(0, 1), labels[key].flatten().long(), reduction="none")
            losses[key] = (each * weights[key].flatten()).sum()
        return losses

    def _check(self, values: Mapping[str, Tensor], masks: Mapping[str, Tensor], prompt: Tensor) -> None:
        known = [*self.codes, *self.numbers]
        if unknown := [key for key in values if key not in known]:
            raise InputError(f"token_value_nc_dict has {some(unknown)}: expected some of {some(known, 20)}.")
        if missing := [key for key in values if key not in masks]:
            raise InputError(f"token_mask_nc_dict lacks {some(missing)}, which token_value_nc_dict has.")
        for key, value in values.items():
            if value.shape != prompt.shape or masks[key].shape != prompt.shape:
                raise InputError(
                    f"'{key}' has values {tuple(value.shape)} and a mask {tuple(masks[key].shape)}: expected the shape "
                    f"of the prompts, {tuple(prompt.shape)}."
                )
            size = self.categorical_token_size_dict.get(key, 0) + (key in self.loss_scale_dict)
            if key in self.codes and value.numel() and not 0 <= int(value.min()) <= int(value.max()) < size:
                raise InputError(
                    f"'{key}' has codes from {int(value.min())} to {int(value.max())}: expected 0 to {size - 1}."
                )

    def _parts(self, prompt: Tensor) -> Iterator[slice]:
        """Divide cells into parts that fit into `CHUNK_BYTES`."""
        n_outputs = sum(self.categorical_token_size_dict[key] for key in self.loss_scale_dict)
        step = max(1, CHUNK_BYTES // self.widths.bytes_of(prompt.shape[1], n_outputs))
        return (slice(start, start + step) for start in range(0, max(len(prompt), 1), step))


def _rows(tensors: Mapping[str, Tensor], rows: slice) -> dict[str, Tensor]:
    return {key: tensor[rows] for key, tensor in tensors.items()}

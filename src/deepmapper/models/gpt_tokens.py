"""Tokens of cells for `CellariumGPT`, as transforms: some are prompts, which are given, and others are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..core.words import some
from ..errors import InputError
from .tensors import check_names

# Probability of a prompt without genes, where that of k genes is 1 / k, before both are scaled to sum to 1.
_NO_GENES = 0.1


class TrainTokens(nn.Module):
    """Random genes of each cell as prompts or queries, and random metadata, with the right answers.

    Genes come in random order; the first k are prompts, k drawn with probabilities that fall as 1 / k, and the others
    are asked for. Of the metadata a random number is given, and the others are asked for; what is not known of a cell
    (a negative code) is neither. Draws are from torch's generator.

    Parameters
    ----------
    categorical_token_size_dict
        That of the model.
    context_len
        Maximum number of tokens of a cell, metadata included.
    conditions, metadata
        Keys of experimental conditions, which every token of a gene has, and of metadata. Their codes are read as
        ``<key>_n`` (``obs={"cell_type_n": "type"}`` of `run.fit`).
    gene_downsample_fraction
        Share of the values that are counted at a depth between `min_total_mrna_umis` and that of the cell, drawn for
        each; 0 for none. The model learns from it what depth does.
    min_total_mrna_umis, max_total_mrna_umis
        Smallest depth to which values are thinned; depth to which deeper cells are thinned, None for none.

    Raises
    ------
    InputError
        If a key is unknown, or a number is impossible.
    """

    def __init__(
        self,
        categorical_token_size_dict: Mapping[str, int],
        context_len: int,
        conditions: Sequence[str] = (),
        metadata: Sequence[str] = (),
        gene_downsample_fraction: float = 0.0,
        min_total_mrna_umis: int = 1,
        max_total_mrna_umis: int | None = None,
    ) -> None:
        super().__init__()
        self.sizes = _known(categorical_token_size_dict, conditions, metadata)
        self.conditions, self.metadata, self.n_genes = [*conditions], [*metadata], context_len - len(metadata)
        if self.n_genes < 1:
            raise InputError(f"context_len={context_len}: expected more than the {len(metadata)} tokens of metadata")
        if not 0 <= gene_downsample_fraction <= 1:
            raise InputError(f"gene_downsample_fraction={gene_downsample_fraction}: expected 0 to 1")
        self.fraction, self.lowest, self.highest = gene_downsample_fraction, min_total_mrna_umis, max_total_mrna_umis

    def forward(self, x_ng: Tensor, **batch: Any) -> dict[str, Any]:
        """Return the arguments of `CellariumGPT.forward`.

        Parameters
        ----------
        x_ng
            (n, g) counts, dense or CSR; genes in the order of their ids.
        batch
            ``<key>_n``: (n,) codes of conditions and metadata.

        Raises
        ------
        InputError
            If the values are no counts, there are more genes than ids, or codes are missing or unknown.
        """
        x_ng = _counts(x_ng, self.sizes)
        n, g = x_ng.shape
        ids = torch.rand((n, g)).argsort(1)[:, : self.n_genes]
        value, depth = self._thinned(x_ng.gather(1, ids), x_ng.sum(1, keepdim=True))
        chance = torch.cat([torch.tensor([_NO_GENES]), 1 / torch.arange(1, ids.shape[1])])
        asked = torch.arange(ids.shape[1]) >= torch.multinomial(chance, n, replacement=True)[:, None]
        codes = {key: _codes(batch, key, self.sizes[key], n) for key in [*self.conditions, *self.metadata]}
        known = _stacked([codes[key] >= 0 for key in self.metadata], n)
        given = torch.rand(known.shape).argsort(1) < torch.randint(0, len(self.metadata) + 1, (n, 1))
        asked_for = {key: (~given & known)[:, i] for i, key in enumerate(self.metadata)}
        tokens = _tokens(ids, value, asked, depth, codes, self.conditions, self.sizes, asked_for, given & known)
        weight = asked / asked.sum(1, keepdim=True).clamp(min=1) / n
        labels = {"gene_value": value.long().clamp(max=self.sizes["gene_value"] - 1)}
        return tokens | _answers(labels | {key: codes[key].clamp(min=0) for key in self.metadata}, weight, asked_for)

    def _thinned(self, value: Tensor, total: Tensor) -> tuple[Tensor, Tensor]:
        """Values of the genes and the depth at which each is counted."""
        depth = total.expand(value.shape)
        if self.highest is not None:
            depth = depth.clamp(max=self.highest)
        if self.fraction:
            share = (torch.rand(value.shape) / self.fraction).clamp(max=1)
            lowest = depth.clamp(max=self.lowest)
            depth = (lowest + share * (depth - lowest)).round()
        if depth.equal(total.expand(value.shape)):
            return value, depth
        return torch.binomial(value, torch.where(total > 0, depth / total.clamp(min=1), 1.0)), depth


class PredictTokens(nn.Module):
    """Chosen genes and metadata of each cell as prompts, and others as queries.

    Parameters
    ----------
    categorical_token_size_dict
        That of the model.
    var_names_g
        (g,) names of the genes, in the order of their ids.
    prompt_genes, query_genes
        Genes whose values are given, and asked for.
    conditions
        Keys of experimental conditions.
    prompt_metadata, query_metadata
        Keys of metadata that are given, and asked for. Codes of what is given, and of the conditions, are read as
        ``<key>_n``.

    Raises
    ------
    InputError
        If a key or a gene is unknown, nothing is asked for, or something is given and asked for.
    """

    def __init__(
        self,
        categorical_token_size_dict: Mapping[str, int],
        var_names_g: np.ndarray,
        prompt_genes: Sequence[str] = (),
        query_genes: Sequence[str] = (),
        conditions: Sequence[str] = (),
        prompt_metadata: Sequence[str] = (),
        query_metadata: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.metadata = [*prompt_metadata, *query_metadata]
        self.sizes = _known(categorical_token_size_dict, conditions, self.metadata)
        self.var_names_g, self.conditions = np.asarray(var_names_g), [*conditions]
        genes, place = [*prompt_genes, *query_genes], {name: i for i, name in enumerate(self.var_names_g)}
        if unknown := [name for name in genes if name not in place]:
            raise InputError(f"{some(unknown)} not among the {len(place)} genes of var_names_g.")
        if len({*genes}) < len(genes) or len({*self.metadata}) < len(self.metadata):
            raise InputError("A gene or metadata is named twice: everything is either given or asked for, once.")
        if not len(query_genes) and not len(query_metadata):
            raise InputError("Nothing is asked for: name query_genes or query_metadata.")
        self.ids = torch.tensor([place[name] for name in genes], dtype=torch.int64)
        self.asked = torch.arange(len(genes)) >= len(prompt_genes)
        self.prompted = [*prompt_metadata]

    def forward(self, x_ng: Tensor, var_names_g: np.ndarray, **batch: Any) -> dict[str, Any]:
        """Return the arguments of `CellariumGPT.predict`; tokens are in the order of the arguments, metadata last.

        Parameters
        ----------
        x_ng, var_names_g
            (n, g) counts, dense or CSR, and the names of their genes. The total of a cell is that of all genes.
        batch
            ``<key>_n``: (n,) codes of conditions and of metadata that are given.

        Raises
        ------
        InputError
            If the values are no counts, genes are others, or codes are missing or unknown.
        """
        check_names(var_names_g, self.var_names_g, x_ng.shape[1])
        x_ng = _counts(x_ng, self.sizes)
        n = len(x_ng)
        ids, asked = self.ids.expand(n, -1), self.asked.expand(n, -1)
        codes = {key: _codes(batch, key, self.sizes[key], n) for key in [*self.conditions, *self.prompted]}
        codes |= {key: torch.zeros(n, dtype=torch.int64) for key in self.metadata if key not in self.prompted}
        unasked = torch.zeros(n, dtype=torch.bool)
        asked_for = {key: unasked if key in self.prompted else ~unasked for key in self.metadata}
        given = _stacked([(codes[key] >= 0) & ~asked_for[key] for key in self.metadata], n)
        depth = x_ng.sum(1, keepdim=True).expand(ids.shape)
        return _tokens(ids, x_ng.gather(1, ids), asked, depth, codes, self.conditions, self.sizes, asked_for, given)


def _tokens(
    ids: Tensor,
    value: Tensor,
    asked: Tensor,
    depth: Tensor,
    codes: Mapping[str, Tensor],
    conditions: Sequence[str],
    sizes: Mapping[str, int],
    asked_for: Mapping[str, Tensor],
    given: Tensor,
) -> dict[str, Any]:
    """Tokens of genes (n, j), followed by those of metadata (n, m), as the model reads them."""
    (n, j), m = ids.shape, len(asked_for)
    numbers = {
        "gene_value": torch.log1p(value) * ~asked,
        "gene_query_mask": asked,
        "total_mrna_umis": torch.log1p(depth),
    }
    of_genes = {"gene_id": ids, **{key: codes[key].clamp(min=0)[:, None].expand(n, j) for key in conditions}}
    of_genes |= {key: numbers[key].float() for key in numbers}
    is_gene = torch.arange(j + m).expand(n, -1) < j
    values = {key: torch.cat([part, part.new_zeros((n, m))], 1) for key, part in of_genes.items()}
    masks = dict.fromkeys(of_genes, is_gene)
    for i, (key, is_asked) in enumerate(asked_for.items()):
        at = torch.arange(j + m).expand(n, -1) == j + i
        values[key] = torch.where(at, torch.where(is_asked, sizes[key], codes[key].clamp(min=0))[:, None], 0)
        masks[key] = at
    prompt = torch.cat([~asked, given], 1)
    return {"token_value_nc_dict": values, "token_mask_nc_dict": masks, "prompt_mask_nc": prompt}


def _answers(labels: Mapping[str, Tensor], weight: Tensor, asked_for: Mapping[str, Tensor]) -> dict[str, Any]:
    """Right answers at the tokens that are asked for, and their weights."""
    (n, j), m = weight.shape, len(asked_for)
    right = {"gene_value": torch.cat([labels["gene_value"], torch.zeros((n, m), dtype=torch.int64)], 1)}
    weights = {"gene_value": torch.cat([weight, torch.zeros((n, m))], 1)}
    for i, (key, is_asked) in enumerate(asked_for.items()):
        right[key] = torch.zeros((n, j + m), dtype=torch.int64)
        right[key][:, j + i] = labels[key]
        weights[key] = torch.zeros((n, j + m))
        weights[key][:, j + i] = is_asked / n
    return {"label_nc_dict": right, "label_weight_nc_dict": weights}


def _stacked(columns: list[Tensor], n: int) -> Tensor:
    return torch.stack(columns, 1) if columns else torch.zeros((n, 0), dtype=torch.bool)


def _known(sizes: Mapping[str, int], conditions: Sequence[str], metadata: Sequence[str]) -> dict[str, int]:
    if missing := [key for key in ("gene_id", "gene_value", *conditions, *metadata) if key not in sizes]:
        raise InputError(f"categorical_token_size_dict lacks {some(missing)}.")
    return dict(sizes)


def _counts(x_ng: Tensor, sizes: Mapping[str, int]) -> Tensor:
    x_ng = x_ng.to_dense() if x_ng.layout == torch.sparse_csr else x_ng
    if x_ng.shape[1] > sizes["gene_id"]:
        raise InputError(f"The cells have {x_ng.shape[1]} genes, expected at most {sizes['gene_id']} (gene_id).")
    if not bool(((x_ng >= 0) & (x_ng == x_ng.round())).all()):
        raise InputError("x_ng has values that are no counts: expected whole numbers of at least 0.")
    return x_ng.float()


def _codes(batch: Mapping[str, Any], key: str, size: int, n: int) -> Tensor:
    if f"{key}_n" not in batch:
        raise InputError(f"The cells have no {key}_n: pass its column, obs={{'{key}_n': ...}}.")
    codes = torch.as_tensor(batch[f"{key}_n"])
    if codes.is_floating_point():
        raise InputError(
            f"{key}_n has numbers such as {float(codes[0]):g}: expected a column of text or whole numbers."
        )
    codes = codes.long()
    if len(codes) != n or (n and int(codes.max()) >= size):
        raise InputError(f"{key}_n has codes up to {int(codes.max())}: expected {n} below {size}.")
    return codes

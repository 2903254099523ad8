"""Cells as lists of tokens: one for each expressed feature, from the largest value to the smallest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from ..core.words import some
from ..errors import InputError
from .arguments import names_of

PAD, MASK = 0, 1

# Token of the first feature; that of feature g is g + 2.
FIRST = 2

# Of the tokens that are to be recovered: share that is masked, and share that another feature replaces. As in BERT
# (Devlin et al. 2019, arXiv 1810.04805).
_MASKED, _REPLACED = 0.8, 0.1


def rank(x_ng: Tensor, max_length: int, first: Sequence[int] = ()) -> Tensor:
    """Return the tokens of cells in the order of their values; of equal values the earlier feature comes first.

    Parameters
    ----------
    x_ng
        (n, g) dense values, 0 or more.
    max_length
        Maximum number of tokens of a cell; the smallest values are left out.
    first
        Features that come first in every cell, in this order, whatever their values.

    Returns
    -------
    torch.Tensor
        (n, c) int64, with c the smaller of g and `max_length`; `PAD` after the last feature above 0.

    Raises
    ------
    InputError
        If a value is negative or missing.
    """
    if not bool((x_ng >= 0).all()):
        raise InputError(
            "x_ng has negative or missing values, which have no rank among expressed features: expected counts, or "
            "counts that are normalised but not centred."
        )
    chosen = torch.tensor(first, dtype=torch.int64)
    others = torch.ones(x_ng.shape[1], dtype=torch.bool)
    others[chosen] = False
    columns = torch.cat([chosen, torch.nonzero(others).ravel()]).to(x_ng.device)
    values = x_ng[:, columns]  # a copy
    values[:, : len(first)] = torch.inf
    values, order = torch.sort(values, dim=1, descending=True, stable=True)
    tokens = torch.where(values > 0, columns[order] + FIRST, PAD)
    return tokens[:, :max_length].contiguous()


def perturbed(
    x_ng: Tensor,
    max_length: int,
    var_names_g: np.ndarray,
    activation: Sequence[str] | None = None,
    deletion: Sequence[str] | None = None,
    mapping: Mapping[str, int] | None = None,
) -> Tensor:
    """Return the tokens of cells that are perturbed in silico; the cells stay as they are.

    Parameters
    ----------
    x_ng, max_length
        As in `rank`.
    var_names_g
        (g,) names of the features.
    activation
        Features that come first, in this order.
    deletion
        Features that are not expressed: those behind move up.
    mapping
        Feature -> token that takes its place after ranking: `MASK` or `PAD`, or that of another feature.

    Raises
    ------
    InputError
        If a feature is unknown, named twice, or both activated and deleted, or a token does not exist.
    """
    activated, deleted = _places(activation, var_names_g, "activation"), _places(deletion, var_names_g, "deletion")
    if both := sorted({*activated} & {*deleted}):
        raise InputError(
            f"feature_activation and feature_deletion both have {some(var_names_g[both])}: name a feature in one."
        )
    if deleted:
        x_ng = x_ng.clone()
        x_ng[:, deleted] = 0
    tokens = rank(x_ng, max_length, activated)
    if not mapping:
        return tokens
    largest = len(var_names_g) + FIRST - 1
    tokens_known = range(largest + 1)
    if wrong := [token for token in mapping.values() if isinstance(token, float) or token not in tokens_known]:
        raise InputError(f"feature_map has the token {wrong[0]!r}: expected 0 (PAD), 1 (MASK), or up to {largest}.")
    table = torch.arange(largest + 1)
    table[torch.tensor(_places([*mapping], var_names_g, "map")) + FIRST] = torch.tensor([*mapping.values()])
    return table.to(tokens.device)[tokens]


def hide(tokens: Tensor, probability: float, n_features: int) -> tuple[Tensor, Tensor]:
    """Choose the tokens that are to be recovered, and replace most of them, by torch's generator.

    Parameters
    ----------
    tokens
        (n, c) tokens of the cells.
    probability
        Probability of a token to be chosen.
    n_features
        Number of features, from which replacements are drawn.

    Returns
    -------
    hidden, chosen
        (n, c) tokens, 80 % of the chosen ones masked and 10 % replaced by that of a random feature; and which are
        chosen.
    """
    uniform, fate = torch.rand(tokens.shape, device=tokens.device), torch.rand(tokens.shape, device=tokens.device)
    chosen = (uniform < probability) & (tokens != PAD)
    random = torch.randint(FIRST, n_features + FIRST, tokens.shape, device=tokens.device)
    replacement = torch.where(fate < _MASKED, MASK, torch.where(fate < _MASKED + _REPLACED, random, tokens))
    return torch.where(chosen, replacement, tokens), chosen


def _places(names: Sequence[str] | None, var_names_g: np.ndarray, what: str) -> list[int]:
    """Numbers of features."""
    names = [] if names is None else names_of(names, f"feature_{what}")
    place = {name: i for i, name in enumerate(var_names_g)}
    if unknown := [name for name in names if name not in place]:
        raise InputError(f"feature_{what}: {some(unknown)} not among the {len(place)} features of the model.")
    if len({*names}) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"feature_{what} has '{twice}' more than once: name a feature once.")
    return [place[name] for name in names]

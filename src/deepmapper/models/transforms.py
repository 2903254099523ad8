"""Transforms of cells before they reach a model: torch modules that take some keys of a batch and return new values.

They keep CSR tensors sparse. `apply` also accepts a trained model, whose `predict` is used.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..core.words import some
from ..errors import InputError
from .arguments import check_positive, check_share, names_of
from .tensors import check_names, to_matrix, to_tensor


class NormalizeTotal(nn.Module):
    """Scale every cell to the same total.

    Parameters
    ----------
    target_count
        The total.
    eps
        Smallest total that a cell is divided by, so that empty cells stay 0.
    """

    def __init__(self, target_count: int = 10_000, eps: float = 1e-6) -> None:
        super().__init__()
        check_positive(target_count=target_count)
        self.target_count, self.eps = target_count, eps

    def forward(self, x_ng: Tensor, total_mrna_umis_n: Tensor | None = None) -> dict[str, Tensor]:
        """Scale by the sums of the cells, or by the totals that are given, (n,)."""
        if x_ng.layout != torch.sparse_csr:
            totals = x_ng.sum(dim=-1) if total_mrna_umis_n is None else total_mrna_umis_n
            return {"x_ng": x_ng * (self.target_count / totals.clamp(min=self.eps)).to(x_ng.dtype)[:, None]}
        counts = x_ng.crow_indices().diff()
        if total_mrna_umis_n is None:
            totals = torch.segment_reduce(x_ng.values(), "sum", lengths=counts)
        else:
            totals = total_mrna_umis_n
        factors = (self.target_count / totals.clamp(min=self.eps)).to(x_ng.dtype)
        # numpy repeats several times as fast as torch
        repeated = torch.from_numpy(np.repeat(factors.numpy(), counts.numpy()))
        return {"x_ng": _with_values(x_ng, x_ng.values() * repeated)}


class Log1p(nn.Module):
    """Natural logarithm of 1 + value."""

    def forward(self, x_ng: Tensor) -> dict[str, Tensor]:
        """Return the logarithms."""
        if x_ng.layout == torch.sparse_csr:
            return {"x_ng": _with_values(x_ng, torch.log1p(x_ng.values()))}
        return {"x_ng": torch.log1p(x_ng)}


class DivideByScale(nn.Module):
    """Divide every feature by a scale of its own, such as the median of its values that are not 0, for `Geneformer`.

    Parameters
    ----------
    scale_g
        (g,) scale of each feature.
    var_names_g
        (g,) names of the features.
    eps
        What is added to the scales.

    Raises
    ------
    InputError
        If a scale is missing, or is not positive once `eps` is added.
    """

    scale_g: Tensor

    def __init__(self, scale_g: Tensor, var_names_g: np.ndarray, eps: float = 1e-6) -> None:
        super().__init__()
        self.var_names_g, self.eps = np.asarray(var_names_g), eps
        scale_g = torch.as_tensor(scale_g)
        if len(scale_g) != len(self.var_names_g):
            raise InputError(f"scale_g has {len(scale_g)} values, expected one for each of {len(self.var_names_g)}.")
        if bool((wrong := ~(scale_g + eps > 0)).any()):
            first = int(torch.nonzero(wrong)[0])
            raise InputError(
                f"scale_g of '{self.var_names_g[first]}' is {float(scale_g[first])}: expected a positive number; a "
                "feature without values may have any, such as 1."
            )
        self.register_buffer("scale_g", scale_g)

    def forward(self, x_ng: Tensor, var_names_g: np.ndarray) -> dict[str, Tensor]:
        """Return the scaled values; the features must be those of the scales, in their order."""
        check_names(var_names_g, self.var_names_g, x_ng.shape[1])
        if x_ng.layout != torch.sparse_csr:
            return {"x_ng": x_ng / (self.scale_g + self.eps).to(x_ng.dtype)}
        scale = (self.scale_g + self.eps).to(x_ng.dtype)[x_ng.col_indices().long()]
        return {"x_ng": _with_values(x_ng, x_ng.values() / scale)}


class Filter(nn.Module):
    """Select features by name.

    Parameters
    ----------
    filter_list
        Names of the features to keep; they stay in the order of the cells.
    """

    def __init__(self, filter_list: Iterable[str]) -> None:
        super().__init__()
        self.filter_list = names_of(filter_list, "filter_list")
        if not self.filter_list:
            raise InputError("filter_list is empty: expected the names of the features to keep")
        self._columns: tuple[Any, np.ndarray] = (None, np.empty(0, dtype=np.int64))

    def forward(self, x_ng: Tensor, var_names_g: np.ndarray) -> dict[str, Tensor | np.ndarray]:
        """Return the selected features and their names.

        Raises
        ------
        InputError
            If a feature is missing.
        """
        if self._columns[0] is not var_names_g:
            if missing := set(self.filter_list) - set(var_names_g):
                raise InputError(
                    f"{len(missing)} of {len(self.filter_list)} features of filter_list are not among the cells', such "
                    f"as '{sorted(missing)[0]}': correct the names."
                )
            columns = np.flatnonzero(np.isin(np.asarray(var_names_g, dtype=str), self.filter_list))
            self._columns, self._names = (var_names_g, columns), np.asarray(var_names_g)[columns]
        return {"x_ng": to_tensor(to_matrix(x_ng)[:, self._columns[1]]), "var_names_g": self._names}


class Duplicate(nn.Module):
    """Put a second copy of all cells behind the first, for `ContrastiveMLP`; random transforms follow it."""

    def forward(self, x_ng: Tensor) -> dict[str, Tensor]:
        """Return dense cells, (2 n, g)."""
        dense = x_ng.to_dense() if x_ng.layout == torch.sparse_csr else x_ng
        return {"x_ng": torch.cat([dense, dense])}


class Dropout(nn.Module):
    """Set a random part of the values to 0, by torch's generator; the others stay as they are.

    Parameters
    ----------
    dropout_prob
        Share of the values that are set to 0.
    """

    def __init__(self, dropout_prob: float) -> None:
        super().__init__()
        check_share(dropout_prob=dropout_prob)
        self.dropout_prob = dropout_prob

    def forward(self, x_ng: Tensor) -> dict[str, Tensor]:
        """Return the cells with fewer values."""
        if x_ng.layout == torch.sparse_csr:
            return {"x_ng": _with_values(x_ng, self.forward(x_ng.values())["x_ng"])}
        return {"x_ng": x_ng * (torch.rand_like(x_ng) >= self.dropout_prob)}


def apply(transforms: Iterable[Any], batch: dict[str, Any]) -> dict[str, Any]:
    """Pass a batch through transforms: each gets the keys that it names, and its results replace those of the batch.

    Raises
    ------
    InputError
        If a transform needs a key that is not there, or returns no dictionary.
    """
    for transform in transforms:
        function = _function_of(transform)
        found = function(**select(function, batch))
        if not isinstance(found, dict):
            raise InputError(
                f"The transform {_name_of(function)} returned {type(found).__name__}: expected a dictionary, such as "
                "{'x_ng': values}."
            )
        batch = batch | found
    return batch


def listed(transforms: Any) -> tuple[Any, ...]:
    """Return transforms as a tuple.

    Raises
    ------
    InputError
        If it is no list, or something in it cannot be applied to cells.
    """
    if isinstance(transforms, str | nn.Module) or not isinstance(transforms, Iterable):
        raise InputError(f"transforms is {_shown(transforms)}: expected a list, such as [NormalizeTotal(), Log1p()].")
    found = tuple(transforms)
    for transform in found:
        if isinstance(transform, type) or not callable(_function_of(transform)):
            raise InputError(
                f"transforms has {_shown(transform)}: expected modules such as Log1p(), functions of the keys of a "
                "batch, or trained models."
            )
    return found


def takes(transform: Any, key: str) -> bool:
    """Whether a transform, model or function has a parameter of this name, or takes all."""
    found = inspect.signature(_function_of(transform)).parameters
    return key in found or _takes_all(found)


def select(function: Any, batch: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of a batch that are parameters of a function; all if it takes any (``**batch``).

    Raises
    ------
    InputError
        If the batch lacks a key that the function needs.
    """
    found = inspect.signature(function).parameters
    needed = [name for name, parameter in found.items() if parameter.default is parameter.empty]
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    if missing := [name for name in needed if name not in batch and found[name].kind not in several]:
        raise InputError(
            f"{_name_of(function)} needs {some(missing)}, which the cells do not have: name the column that holds it, "
            f"obs={{'{missing[0]}': ...}}, or put the transform that makes it among transforms."
        )
    return batch if _takes_all(found) else {name: batch[name] for name in found if name in batch}


def _name_of(function: Any) -> str:
    return getattr(function, "__qualname__", type(function).__name__)


def _shown(value: Any) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else f"{value!r} ({type(value).__name__})"


def _takes_all(parameters: Any) -> bool:
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())


def _function_of(transform: Any) -> Any:
    return transform.predict if hasattr(transform, "predict") else getattr(transform, "forward", transform)


def _with_values(x_ng: Tensor, values: Tensor) -> Tensor:
    parts = x_ng.crow_indices(), x_ng.col_indices(), values
    return torch.sparse_csr_tensor(*parts, size=x_ng.shape, check_invariants=False)

"""Cells as torch tensors and as numpy or scipy matrices: checks and conversions that all models share."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from ..core.draws import Draw, stream
from ..core.words import count
from ..errors import InputError


def to_matrix(x_ng: Tensor) -> np.ndarray | sp.csr_matrix:
    """Return cells as an array or, of a CSR tensor, as a CSR matrix; on the CPU the values are shared, not copied."""
    x_ng = x_ng.detach().cpu()
    if x_ng.layout == torch.sparse_csr:
        parts = x_ng.values().numpy(), x_ng.col_indices().numpy(), x_ng.crow_indices().numpy()
        return sp.csr_matrix(parts, shape=tuple(x_ng.shape), copy=False)
    return x_ng.numpy()


def to_tensor(block: Any, dense: bool = False) -> Tensor:
    """Return cells as a tensor: a CSR tensor of a sparse matrix, unless `dense`."""
    if not sp.issparse(block):
        return torch.from_numpy(np.ascontiguousarray(block))
    if dense:
        return torch.from_numpy(block.toarray())
    csr = sp.csr_matrix(block)
    if not csr.has_canonical_format:
        csr = csr.copy()
        csr.sum_duplicates()
    ends, columns, values = (torch.from_numpy(np.ascontiguousarray(a)) for a in (csr.indptr, csr.indices, csr.data))
    with _no_beta_warning():
        return torch.sparse_csr_tensor(ends, columns, values, size=csr.shape, check_invariants=False)


def to_csr(x_ng: Tensor) -> Tensor:
    """Return cells as a CSR tensor."""
    if x_ng.layout == torch.sparse_csr:
        return x_ng
    with _no_beta_warning():
        return x_ng.to_sparse_csr()


@contextmanager
def _no_beta_warning() -> Iterator[None]:
    """Leave out torch's notice, once in a process, that CSR tensors are in beta state."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta", UserWarning)
        yield


def is_finite(x_ng: Tensor) -> bool:
    """Whether no value of dense or CSR cells is missing or infinite."""
    values = x_ng.values() if x_ng.layout == torch.sparse_csr else x_ng
    if not values.is_floating_point() or bool(torch.isfinite(values.sum())):
        return True
    return bool(torch.isfinite(values).all())  # the sum alone may be too large


def rows_between(block: Any, start: int, stop: int) -> Any:
    """Return consecutive rows of an array or a canonical CSR matrix, whose values are shared, not copied."""
    if not sp.issparse(block):
        return block[start:stop]
    ends = block.indptr[start : stop + 1]
    part = slice(ends[0], ends[-1])
    rows = sp.csr_matrix(
        (block.data[part], block.indices[part], ends - ends[0]), shape=(len(ends) - 1, block.shape[1]), copy=False
    )
    rows.has_canonical_format = block.has_canonical_format
    return rows


@torch.no_grad()
def fill_normal(tensor: Tensor, scale: float, seed: int) -> None:
    """Fill a parameter with random normal numbers of mean 0 and standard deviation `scale`."""
    tensor.copy_(torch.from_numpy(stream(seed, Draw.MODEL_WEIGHTS).normal(0.0, scale, tuple(tensor.shape))))


def check_names(found: Any, expected: np.ndarray, n_columns: int) -> None:
    """Refuse cells whose features are not those of the model, in the same order.

    Raises
    ------
    InputError
        If a feature is missing, unknown or elsewhere.
    """
    if n_columns != len(expected):
        raise InputError(
            f"The cells have {count(n_columns, 'feature')}, expected the {len(expected)} of the model. Select those "
            "first, in the model's order."
        )
    if found is expected:
        return
    found = np.asarray(found)
    if np.array_equal(found, expected):
        return
    if len(found) != len(expected):
        raise InputError(f"var_names_g has {count(len(found), 'name')}, expected one for each of {len(expected)}.")
    first = int(np.flatnonzero(found != expected)[0])
    advice = "in the model's order" if set(found) == set(expected) else "with their names"
    raise InputError(
        f"Feature {first} of the cells is '{found[first]}', expected '{expected[first]}': pass the features of the "
        f"model, {advice}."
    )


def check_batches(batch_index_n: Tensor | None, n: int, n_batch: int) -> np.ndarray | None:
    """Return the batch of each of n cells, or None if there is a single batch.

    Raises
    ------
    InputError
        If the batches are missing or others than those of the model.
    """
    if n_batch == 1:
        if batch_index_n is not None and len(batch_index_n) and int(batch_index_n.max()) > 0:
            raise InputError(
                f"batch_index_n has codes up to {int(batch_index_n.max())}, but n_batch=1: pass the number of batches "
                "as n_batch, or leave batch_index_n out."
            )
        return None
    if batch_index_n is None:
        raise InputError(f"n_batch={n_batch}, but no batch_index_n was given: pass the batch (0 to {n_batch - 1}).")
    codes = batch_index_n.detach().cpu().numpy().astype(np.int64).ravel()
    if len(codes) != n or (n and (codes.min() < 0 or codes.max() >= n_batch)):
        spread = f"from {codes.min()} to {codes.max()}" if len(codes) else "none"
        raise InputError(
            f"batch_index_n has {count(len(codes), 'value')}, {spread}; expected {n} from 0 to {n_batch - 1}."
        )
    return codes

"""Cells as a torch data set, and augmentations of expression profiles. Imports torch.

A sample is a dict of tensors: "input" (..., genes), "output" (..., classes), "domain" (..., domains) or -1.
Augmentations take and return such a dict, of one cell or of a batch, and change no tensor in place. All draws come
from torch's generator, so `torch.manual_seed` fixes them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..backbones.semi_supervised import draw_gamma, mixup
from ..errors import InputError

Sample: TypeAlias = dict[str, Tensor]


class SingleCellDS(Dataset):
    """Single-cell profiles with their classes and, perhaps, domains.

    Parameters
    ----------
    X
        (cells, genes), numpy array or sparse matrix.
    y
        (cells,) integer classes, 0 or more.
    transform
        Function of a sample, applied when it is read.
    num_classes
        Number of classes; -1 for the number of different values in `y`.
    domain
        (cells,) integer domains; None if there are none.
    num_domains
        Number of domains; -1 for the number of different values in `domain`.

    Attributes
    ----------
    X, y_labels, y
        The profiles, the classes, and the classes as (cells, classes) float32 with a one per row.

    Raises
    ------
    InputError
        If lengths do not match, or a class is outside the range.
    """

    def __init__(
        self,
        X: np.ndarray | sp.csr_matrix,
        y: np.ndarray,
        transform: Callable[[Sample], Sample] | None = None,
        num_classes: int = -1,
        domain: np.ndarray | None = None,
        num_domains: int = -1,
    ) -> None:
        self.X: Any = sp.csr_matrix(X) if sp.issparse(X) else np.asarray(X)
        self.y_labels = np.asarray(y)
        self.y = one_hot(self.y_labels, num_classes, "y", self.X.shape[0])
        self.num_classes = self.y.shape[1]
        self.transform = transform
        self.dom = None if domain is None else one_hot(np.asarray(domain), num_domains, "domain", self.X.shape[0])

    def __len__(self) -> int:
        """Number of cells."""
        return self.X.shape[0]

    def __getitem__(self, index: int | Sequence[int] | np.ndarray) -> Sample:
        """Return one cell, (genes,), or several as a batch, (cells, genes)."""
        rows = self.X[index]
        values = rows.toarray() if sp.issparse(rows) else rows
        if np.ndim(index) == 0:
            values = np.ravel(values)
        sample = {"input": torch.as_tensor(np.asarray(values, dtype=np.float32)), "output": self.y[index]}
        none = torch.full(() if np.ndim(index) == 0 else (len(values),), -1.0)
        sample["domain"] = none if self.dom is None else self.dom[index]
        return sample if self.transform is None else self.transform(sample)


def one_hot(codes: np.ndarray, n: int, name: str, n_cells: int) -> Tensor:
    """Return integer codes as (cells, n) float32; n = -1 for as many columns as there are different codes."""
    if codes.shape != (n_cells,):
        raise InputError(f"{name} has shape {codes.shape}, X has {n_cells} rows: expected one value per cell")
    if not np.issubdtype(codes.dtype, np.integer):
        raise InputError(f"{name} has dtype {codes.dtype}: expected whole numbers from 0")
    n = len(np.unique(codes)) if n == -1 else n
    if len(codes) and not 0 <= codes.min() <= codes.max() < n:
        raise InputError(f"{name} holds values from {codes.min()} to {codes.max()}: expected 0 to {n - 1}")
    return torch.nn.functional.one_hot(torch.as_tensor(codes.astype(np.int64)), n).float()


def balance_classes(y: np.ndarray, class_min: int = 256) -> np.ndarray:
    """Draw as many cells of every class: the size of the smallest class, but at least `class_min`.

    Parameters
    ----------
    y
        (cells,) classes.
    class_min
        Smallest number per class; classes with fewer cells are drawn with replacement.

    Returns
    -------
    numpy.ndarray
        Indices into `y`, class by class.
    """
    y = np.asarray(y)
    classes, sizes = np.unique(y, return_counts=True)
    size, drawn = max(int(sizes.min()), class_min), []
    for label in classes:
        members = np.flatnonzero(y == label)
        enough = len(members) >= size
        order = torch.randperm(len(members))[:size] if enough else torch.randint(len(members), (size,))
        drawn.append(members[order.numpy()])
    return np.concatenate(drawn)


class Compose:
    """Several transforms, one after another."""

    def __init__(self, transforms: Sequence[Callable[[Sample], Sample]]) -> None:
        self.transforms = tuple(transforms)

    def __call__(self, sample: Sample) -> Sample:
        """Apply them in their order."""
        for transform in self.transforms:
            sample = transform(sample)
        return sample


class LibrarySizeNormalize:
    """Bring every cell to the same sum; a cell without any count stays as it is.

    Parameters
    ----------
    counts_per_cell_after
        The sum.
    log1p
        Whether to take ln(1 + x) afterwards.
    """

    def __init__(self, counts_per_cell_after: int = 1000000, log1p: bool = True) -> None:
        self.counts_per_cell_after, self.log1p = counts_per_cell_after, log1p

    def __call__(self, sample: Sample) -> Sample:
        """Normalise the input of a sample of counts."""
        x = sample["input"]
        size = x.sum(-1, keepdim=True)
        x = x * (self.counts_per_cell_after / torch.where(size > 0, size, torch.ones_like(size)))
        return {**sample, "input": torch.log1p(x) if self.log1p else x}


class ExpMinusOne:
    """The inverse of log1p: exp(x) - 1."""

    def __call__(self, sample: Sample) -> Sample:
        """Transform the input of a sample."""
        return {**sample, "input": torch.expm1(sample["input"])}


class MultinomialSample:
    """Draw the molecules of a cell anew, in proportion to its counts.

    Parameters
    ----------
    depth
        Smallest and largest number of molecules, between which every cell's is drawn.
    depth_ratio
        The same as shares of the cell's own sum; takes the place of `depth`.
    """

    def __init__(
        self, depth: tuple[int, int] = (10000, 100000), depth_ratio: tuple[float, float] | None = None
    ) -> None:
        low, high = depth if depth_ratio is None else depth_ratio
        if not 0 < low <= high:
            raise InputError(f"depth {(low, high)!r}: expected two numbers above 0, the smaller first")
        self.depth, self.depth_ratio = depth, depth_ratio

    def __call__(self, sample: Sample) -> Sample:
        """Draw from a sample of counts."""
        x = sample["input"]
        rows = x.reshape(-1, x.shape[-1])
        low, high = self.depth if self.depth_ratio is None else self.depth_ratio
        drawn = torch.zeros_like(rows)
        for i, row in enumerate(rows):
            size = low + (high - low) * torch.rand(()).item()
            n = int(round(size if self.depth_ratio is None else size * row.sum().item()))
            if row.sum() > 0 and n:
                molecules = torch.multinomial(row, n, replacement=True)
                drawn[i] = torch.bincount(molecules, minlength=len(row)).to(x.dtype)
        return {**sample, "input": drawn.reshape(x.shape)}


class PoissonSample:
    """Draw every count from a Poisson distribution whose mean is the observed count.

    Parameters
    ----------
    depth
        Factor of the mean; of two numbers, a factor between them is drawn for every cell.
    """

    def __init__(self, depth: float | tuple[float, float] = 1.0) -> None:
        self.low, self.high = (depth, depth) if isinstance(depth, int | float) else depth

    def __call__(self, sample: Sample) -> Sample:
        """Draw from a sample of counts."""
        x = sample["input"]
        factor = self.low + (self.high - self.low) * torch.rand((*x.shape[:-1], 1))
        return {**sample, "input": torch.poisson(x * factor.to(x.device))}


class GeneMasking:
    """Set some genes of some cells to zero.

    Parameters
    ----------
    p_drop
        Probability that a gene of a chosen cell is masked.
    p_apply
        Probability that a cell is chosen; cells of a batch are chosen one by one.
    sample_p_drop
        Draw the probability for every cell, from 0 to `p_drop`.
    """

    def __init__(self, p_drop: float = 0.1, p_apply: float = 0.5, sample_p_drop: bool = False) -> None:
        self.p_drop, self.p_apply, self.sample_p_drop = p_drop, p_apply, sample_p_drop

    def __call__(self, sample: Sample) -> Sample:
        """Mask the input of a sample."""
        x = sample["input"]
        per_cell = (*x.shape[:-1], 1)
        p_drop = self.p_drop * (torch.rand(per_cell) if self.sample_p_drop else torch.ones(per_cell))
        masked = (torch.rand(per_cell) < self.p_apply) & (torch.rand(x.shape) < p_drop)
        return {**sample, "input": x.masked_fill(masked.to(x.device), 0)}


class InputDropout:
    """Set values to zero with probability `p_drop`, and divide the others by 1 - p_drop."""

    def __init__(self, p_drop: float = 0.1) -> None:
        self.p_drop = p_drop

    def __call__(self, sample: Sample) -> Sample:
        """Drop from the input of a sample."""
        return {**sample, "input": torch.nn.functional.dropout(sample["input"], self.p_drop, training=True)}


class SampleMixUp:
    """Mix the cells of a batch with one another, in a random order.

    Parameters
    ----------
    alpha
        Of the distribution Beta(alpha, alpha) of the shares; 0 mixes nothing.
    keep_dominant_obs
        Whether every row keeps at least half of its own cell.
    """

    def __init__(self, alpha: float = 0.2, keep_dominant_obs: bool = False) -> None:
        self.alpha, self.keep_dominant_obs = alpha, keep_dominant_obs

    def __call__(self, sample: Sample) -> Sample:
        """Mix all tensors of a batch alike; adds "random_idx", the cell that each row was mixed with."""
        x = sample["input"]
        order = torch.randperm(len(x))
        gamma = draw_gamma(len(x), self.alpha, self.keep_dominant_obs).to(x.device)
        mixed = {
            name: mixup(value, value[order], gamma) if value.is_floating_point() else value
            for name, value in sample.items()
        }
        return {**mixed, "random_idx": order}


def identity(x: Any) -> Any:
    """Return the argument."""
    return x


def _on_counts(*transforms: Callable[[Sample], Sample]) -> Compose:
    return Compose([ExpMinusOne(), *transforms, LibrarySizeNormalize()])


# By name: of ln(1 + counts per million), and "count_poisson" of counts.
AUGMENTATIONS: dict[str, Callable[[Sample], Sample]] = {
    "none": identity,
    "log1p_drop": _on_counts(InputDropout(p_drop=0.1)),
    "log1p_mask": _on_counts(GeneMasking()),
    "log1p_poisson": _on_counts(PoissonSample()),
    "log1p_poisson_drop": _on_counts(PoissonSample(depth=(0.1, 2.0)), InputDropout(p_drop=0.1)),
    "count_poisson": PoissonSample(),
}

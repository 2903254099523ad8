"""Pseudo-images in one arrangement, built a batch at a time, dense or sparse."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
import torch

from ..core.blocks import Reader
from ..core.moments import Moments

# Below this share of values that are not zero, products with the values alone are quicker than with whole images.
_SPARSE = 0.15


@dataclass(frozen=True)
class Images:
    """From row numbers to images.

    Attributes
    ----------
    X
        (n, p) dense or CSR; read a batch at a time.
    pixel
        (p,) the pixel of every feature, counted row by row.
    side, channels
        Of the images; every channel holds the same values.
    where
        Device of the dense images.
    rows
        Rows of `X` that the numbers count within; None for all.
    """

    X: np.ndarray | sp.csr_matrix
    pixel: np.ndarray
    side: int
    channels: int
    where: torch.device
    rows: np.ndarray | None = None

    def __call__(self, numbers: np.ndarray) -> torch.Tensor:
        """Give (batch, channels, side, side) float32: the values scattered to their pixels, the rest zero."""
        values = self._read(numbers)
        flat = np.zeros((len(numbers), self.side**2), dtype=np.float32)
        if sp.issparse(values):
            flat[np.repeat(np.arange(len(numbers)), np.diff(values.indptr)), self.pixel[values.indices]] = values.data
        else:
            flat[:, self.pixel] = values
        one = torch.from_numpy(flat.reshape(-1, 1, self.side, self.side)).to(self.where)
        return one.expand(-1, self.channels, -1, -1)

    def sparse(self, numbers: np.ndarray) -> sp.csr_matrix:
        """Give the values that are not zero, (batch, side * side) float32, the same for sparse and for dense data."""
        values = self._values(numbers)
        shape = (len(numbers), self.side**2)
        return sp.csr_matrix((values.data, self.pixel[values.indices], values.indptr), shape=shape)

    @cached_property
    def mostly_zero(self) -> bool:
        """Whether `sparse` is the quicker way: one channel, on the processor, few values that are not zero.

        Judged on about a thousand rows.
        """
        if self.channels > 1 or self.where.type != "cpu":
            return False
        rows = np.arange(self.X.shape[0]) if self.rows is None else self.rows
        some = self.X[rows[:: 1 + len(rows) // 1024]]
        there = np.count_nonzero(some.data if sp.issparse(some) else some)
        return there < _SPARSE * some.shape[0] * some.shape[1]

    def mean(self, numbers: np.ndarray, batch: int = 1024) -> torch.Tensor:
        """Average image of some rows, (channels, side, side) float32 on `where`; batches are added up in float64."""
        # not `Moments`: within a batch scipy adds float32 up in float32, and attributions rest on these very numbers
        total = np.zeros(self.X.shape[1])
        for start in range(0, len(numbers), batch):
            total += np.asarray(self._values(numbers[start : start + batch]).sum(axis=0, dtype=np.float64)).ravel()
        return self.scatter(total / len(numbers)).expand(self.channels, -1, -1)

    def statistics(
        self, y: np.ndarray, numbers: np.ndarray, batch: int = 1024
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Measure every pixel over some rows: its spread, and what it tells of the classes.

        Three (side, side) float32 tensors on `where`; sums are kept in float64. The standard deviation; the correlation
        ratio, the root of the share of variance that lies between the classes, freed of what chance adds (Kelley 1935,
        doi 10.1073/pnas.21.9.554); and `evidence`. The last two are from 0 to 1; with no more samples than classes both
        are 1: nothing is known against any pixel.

        Parameters
        ----------
        y
            Class code of every row.
        numbers
            The rows.
        batch
            Rows read at once.
        """
        codes, member = np.unique(y[numbers], return_inverse=True)
        n, n_classes = len(numbers), len(codes)
        moments = Moments(self.X.shape[1], keep=("squares",), n_groups=n_classes)
        for start in range(0, n, batch):
            moments.update(self._values(numbers[start : start + batch]), member[start : start + batch])
        mean = moments.mean
        total = (moments.square_sum - n * mean**2).clip(0)
        between = ((moments.group_mean - mean) ** 2 * moments.group_n[:, None]).sum(axis=0)
        spread = np.sqrt(total / n)
        varies = spread > 1e-6
        ratio, known = varies.astype(float), varies.astype(float)
        if n > n_classes > 1:
            within = (total - between)[varies]
            ratio[varies] = np.sqrt((1 - within / total[varies] * (n - 1) / (n - n_classes)).clip(0))
            known[varies] = evidence(between[varies], within, n_classes - 1, n - n_classes)
        return self.scatter(spread), self.scatter(ratio), self.scatter(known)

    def scatter(self, values: np.ndarray) -> torch.Tensor:
        """One value a feature to its pixel, (side, side) float32 on `where`; padding is zero."""
        flat = np.zeros(self.side**2, dtype=np.float32)
        flat[self.pixel] = values
        return torch.from_numpy(flat.reshape(self.side, self.side)).to(self.where)

    def _values(self, numbers: np.ndarray) -> sp.csr_matrix:
        """Rows of the matrix without explicit zeros, so that sparse and dense data give the same sums."""
        values = sp.csr_matrix(self._read(numbers), dtype=np.float32)
        if not values.has_canonical_format or (values.data == 0).any():
            values = values.copy()
            values.sum_duplicates()
            values.eliminate_zeros()
        return values

    def _read(self, numbers: np.ndarray):
        return self._reader(numbers if self.rows is None else self.rows[numbers])

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self.X)


def evidence(between: np.ndarray, within: np.ndarray, df_between: int, df_within: int) -> np.ndarray:
    """How far each feature's difference between classes can be trusted, from 0 to 1.

    The share of the variation between its class means that is not chance, 1 - 1/F (the factor by which James and Stein
    1961 shrink a mean), times 1 - q, q being the share of false ones among features with an F as large (Storey 2002,
    with lambda = 0.5). So the weight of a weak feature follows from all others: among many that tell classes apart it
    is believed, among thousands that do not it is not.

    Parameters
    ----------
    between, within
        (p,) sums of squares.
    df_between, df_within
        Their degrees of freedom.
    """
    from scipy.special import fdtrc

    ratio = between / df_between / (within.clip(1e-12) / df_within)
    p_value = fdtrc(df_between, df_within, ratio)
    order = np.argsort(p_value, kind="stable")
    null = min(1.0, 2 * (p_value > 0.5).mean()) * len(p_value)
    q_value = np.empty(len(p_value))
    expected = null * p_value[order] / np.arange(1, len(p_value) + 1)
    q_value[order] = np.minimum.accumulate(expected[::-1])[::-1].clip(0, 1)
    return (1 - 1 / ratio.clip(1)) * (1 - q_value)

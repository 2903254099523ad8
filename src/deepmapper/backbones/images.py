"""Pseudo-images in one arrangement of the features, made a batch at a time, dense or sparse."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
import torch

from ..core.blocks import Reader
from ..core.moments import Moments

# If a smaller share of the values is non-zero, sparse products are faster than dense ones.
_MAX_SPARSE_SHARE = 0.15


@dataclass(frozen=True)
class Images:
    """Maps row numbers to images.

    Attributes
    ----------
    X
        (n, p) dense or CSR; read a batch at a time.
    pixel
        (p,) the pixel of every feature, counted row by row.
    side, channels
        Side of the images in pixels, and their channels, which all hold the same values.
    device
        Of the dense images.
    rows
        Rows of `X` that row numbers refer to: number i means row ``rows[i]``. None for all rows.
    """

    X: np.ndarray | sp.csr_matrix
    pixel: np.ndarray
    side: int
    channels: int
    device: torch.device
    rows: np.ndarray | None = None

    def __call__(self, idx: np.ndarray) -> torch.Tensor:
        """Return (batch, channels, side, side) float32: every value on its feature's pixel, padding zero."""
        values = self._read(idx)
        flat = np.zeros((len(idx), self.side**2), dtype=np.float32)
        if sp.issparse(values):
            flat[np.repeat(np.arange(len(idx)), np.diff(values.indptr)), self.pixel[values.indices]] = values.data
        else:
            flat[:, self.pixel] = values
        single = torch.from_numpy(flat.reshape(-1, 1, self.side, self.side)).to(self.device)
        return single.expand(-1, self.channels, -1, -1)

    def sparse(self, idx: np.ndarray) -> sp.csr_matrix:
        """Return the non-zero values, (batch, side * side) float32, the same from sparse and dense data."""
        values = self._values(idx)
        shape = (len(idx), self.side**2)
        return sp.csr_matrix((values.data, self.pixel[values.indices], values.indptr), shape=shape)

    @cached_property
    def mostly_zero(self) -> bool:
        """Whether `sparse` is faster: one channel, on the CPU, few non-zero values in about a thousand rows."""
        if self.channels > 1 or self.device.type != "cpu":
            return False
        rows = np.arange(self.X.shape[0]) if self.rows is None else self.rows
        sample = self.X[rows[:: 1 + len(rows) // 1024]]
        n_nonzero = np.count_nonzero(sample.data if sp.issparse(sample) else sample)
        return n_nonzero < _MAX_SPARSE_SHARE * sample.shape[0] * sample.shape[1]

    def mean(self, idx: np.ndarray, batch: int = 1024) -> torch.Tensor:
        """Return the mean image of some rows, (channels, side, side) float32 on `device`, summed in float64."""
        # not `Moments`: scipy sums float32 differently within a batch, and attributions depend on these exact numbers
        total = np.zeros(self.X.shape[1])
        for start in range(0, len(idx), batch):
            total += np.asarray(self._values(idx[start : start + batch]).sum(axis=0, dtype=np.float64)).ravel()
        return self.scatter(total / len(idx)).expand(self.channels, -1, -1)

    def statistics(
        self, y: np.ndarray, idx: np.ndarray, batch: int = 1024
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Measure over some rows how much every pixel varies, and how much it varies between the classes.

        Returns three (side, side) float32 tensors on `device`, computed in float64: the standard deviation; the
        correlation ratio, the root of the share of variance that lies between the classes, corrected for chance (Kelley
        1935, doi 10.1073/pnas.21.9.554); and the `shrinkage`. The last two are from 0 to 1. If there are no more
        samples than classes, both are 1, since nothing is known about any pixel.

        Parameters
        ----------
        y
            Class code of every row.
        idx
            The rows.
        batch
            Rows read at once.
        """
        codes, member = np.unique(y[idx], return_inverse=True)
        n, n_classes = len(idx), len(codes)
        moments = Moments(self.X.shape[1], keep=("squares",), n_groups=n_classes)
        for start in range(0, n, batch):
            moments.update(self._values(idx[start : start + batch]), member[start : start + batch])
        mean = moments.mean
        total = (moments.square_sum - n * mean**2).clip(0)
        between = ((moments.group_mean - mean) ** 2 * moments.group_n[:, None]).sum(axis=0)
        spread = np.sqrt(total / n)
        varies = spread > 1e-6
        ratio, trust = varies.astype(float), varies.astype(float)
        if n > n_classes > 1:
            within = (total - between)[varies]
            ratio[varies] = np.sqrt((1 - within / total[varies] * (n - 1) / (n - n_classes)).clip(0))
            trust[varies] = shrinkage(between[varies], within, n_classes - 1, n - n_classes)
        return self.scatter(spread), self.scatter(ratio), self.scatter(trust)

    def scatter(self, values: np.ndarray) -> torch.Tensor:
        """Place one value per feature on its pixel, (side, side) float32 on `device`; padding is zero."""
        flat = np.zeros(self.side**2, dtype=np.float32)
        flat[self.pixel] = values
        return torch.from_numpy(flat.reshape(self.side, self.side)).to(self.device)

    def _values(self, idx: np.ndarray) -> sp.csr_matrix:
        """Return rows as CSR without explicit zeros, so that sparse and dense data give the same sums."""
        values = sp.csr_matrix(self._read(idx), dtype=np.float32)
        if not values.has_canonical_format or (values.data == 0).any():
            values = values.copy()
            values.sum_duplicates()
            values.eliminate_zeros()
        return values

    def _read(self, idx: np.ndarray):
        return self._reader(idx if self.rows is None else self.rows[idx])

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self.X)


def shrinkage(between: np.ndarray, within: np.ndarray, df_between: int, df_within: int) -> np.ndarray:
    """Return how far each feature's difference between the classes can be trusted, from 0 to 1.

    This is 1 - 1/F, the share of the variation between its class means that is not due to chance (the factor by which
    James and Stein 1961 shrink a mean), times 1 - q, where q is the false discovery rate at its F (Storey 2002, with
    lambda = 0.5). So the weight of a weak feature depends on all others: it is high if many features differ between the
    classes, and low if thousands do not.

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

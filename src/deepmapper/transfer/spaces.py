"""Spaces in which samples are near to or far from the classes: principal components, with distances to class centres.

Distances of Mahalanobis with one covariance within all classes: Lee et al. 2018 (arXiv:1807.03888).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from ..core.arrays import dense
from ..core.moments import Moments

# Features of largest variance, and principal components of these: measured with benchmarks/transfer.py.
_N_COLUMNS, _N_COMPONENTS = 2000, 20

_N_OWN = 30  # components in which neighbours are near; chosen by hand


@dataclass(frozen=True, eq=False)
class Space:
    """Principal components of training samples, with the centres of the classes.

    Attributes
    ----------
    columns
        (m,) columns of the matrix that are used.
    mean
        (m,) float32 means over the training samples.
    axes
        (m, k) float32 principal axes.
    centres
        (C, k) means of the classes; NaN for a class without training samples.
    precision
        (k, k) inverse of the covariance within classes.
    """

    columns: np.ndarray
    mean: np.ndarray
    axes: np.ndarray
    centres: np.ndarray
    precision: np.ndarray

    def place(self, values: np.ndarray | sp.csr_matrix) -> np.ndarray:
        """Return the (n, k) coordinates of samples, float64."""
        chosen = values[:, self.columns]
        return ((dense(chosen) - self.mean) @ self.axes).astype(np.float64)

    def distances(self, coordinates: np.ndarray) -> np.ndarray:
        """Return the (n, C) squared distances of Mahalanobis to the classes; infinite for classes without centre."""
        found = np.empty((len(coordinates), len(self.centres)))
        for code, centre in enumerate(self.centres):
            offset = coordinates - centre
            found[:, code] = np.einsum("ij,jk,ik->i", offset, self.precision, offset)
        return np.where(np.isnan(found), np.inf, found)

    def whitened(self, coordinates: np.ndarray) -> np.ndarray:
        """Return (n, k) coordinates in which distances are those of Mahalanobis."""
        values, vectors = np.linalg.eigh(self.precision)
        return coordinates @ (vectors * np.sqrt(values.clip(0)))

    def arrays(self, prefix: str) -> dict[str, np.ndarray]:
        """Return the arrays by name, for a record."""
        return {f"{prefix}{name}": value for name, value in vars(self).items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], prefix: str) -> Space:
        """Restore a space from the arrays of a record."""
        return cls(**{name: arrays[f"{prefix}{name}"] for name in cls.__dataclass_fields__})


def fit_space(values: np.ndarray | sp.csr_matrix, labels: np.ndarray, n_classes: int) -> Space:
    """Fit a space to training samples.

    Parameters
    ----------
    values
        (n, p) values of the training samples.
    labels
        (n,) their class codes.
    n_classes
        Number of classes C.
    """
    from sklearn.covariance import ledoit_wolf

    columns = _most_variable(values)
    chosen = values[:, columns]
    wide = dense(chosen)
    mean = wide.mean(0, dtype=np.float64).astype(np.float32)
    wide = wide - mean
    axes = _principal_axes(wide)
    coordinates = (wide @ axes).astype(np.float64)
    centres = np.full((n_classes, axes.shape[1]), np.nan)
    within = coordinates.copy()
    for code in np.unique(labels):
        centres[code] = coordinates[labels == code].mean(0)
        within[labels == code] -= centres[code]
    covariance, _ = ledoit_wolf(within, assume_centered=True)
    return Space(columns, mean, axes, centres, np.linalg.pinv(covariance, hermitian=True))


def _most_variable(values: np.ndarray | sp.csr_matrix) -> np.ndarray:
    """Columns of the largest variance, ascending."""
    moments = Moments(values.shape[1], keep=("deviations",))
    for start in range(0, values.shape[0], 1024):
        moments.update(values[start : start + 1024])
    order = np.argsort(-moments.variance(), kind="stable")
    return np.sort(order[:_N_COLUMNS]).astype(np.int32)


def place_by_own(values: np.ndarray | sp.csr_matrix) -> np.ndarray:
    """Return the (n, k) coordinates of samples in principal components of their own."""
    columns, mean, axes = own_axes(values)
    return (dense(values[:, columns]) - mean) @ axes


def own_axes(
    values: np.ndarray | sp.csr_matrix, n_components: int = _N_OWN
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the columns of the largest variance, their means, and the (m, k) principal axes of these."""
    columns = _most_variable(values)
    wide = dense(values[:, columns])
    mean = wide.mean(0, dtype=np.float64).astype(np.float32)
    return columns, mean, _principal_axes(wide - mean, n_components)


def _principal_axes(centred: np.ndarray, n_components: int = _N_COMPONENTS) -> np.ndarray:
    """Principal axes of centred rows, (m, k) float32 with fixed signs."""
    from scipy.linalg import eigh

    m = centred.shape[1]
    k = min(n_components, m, max(1, len(centred) - 1))
    covariance = (centred.T @ centred).astype(np.float64) / len(centred)
    axes = eigh(covariance, subset_by_index=[m - k, m - 1])[1][:, ::-1]
    signs = np.sign(axes[np.abs(axes).argmax(0), np.arange(k)])
    return (axes * np.where(signs == 0, 1, signs)).astype(np.float32)

"""Leading eigenvectors of the covariance of streamed cells, exact where the covariance matrix fits into memory.

With at most `EXACT` features the second moments are summed and decomposed at the end of one pass. With more, the first
pass keeps the leading singular vectors of the cells so far, twice as many as there are components, and merges each
block into them (Ross et al. 2008, doi 10.1007/s11263-007-0075-7). Every further pass multiplies the covariance exactly
with the vectors found so far; the components are then taken from all these products (block Lanczos with a Nyström
approximation; Musco & Musco 2015, arXiv 1504.05477), and their residual is known.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from scipy.linalg import eigh, qr, svd
from scipy.linalg.blas import dsyrk
from torch import Tensor, nn

from ..errors import InputError
from . import distributed
from .arguments import check_whole

# Maximum number of features whose covariance matrix is kept (32 MB); chosen by hand.
EXACT = 2048

# Rows that are summed at once, and that are merged at once into the singular vectors; chosen by hand.
_ROWS_SUMMED, _ROWS_MERGED = 8192, 500

# Seconds for a product of two values, in units of those of two arrays: of a sparse matrix and an array, of two sparse
# matrices. Measured on 8192 rows; they decide about time alone.
_COST_MIXED, _COST_SPARSE = 25, 95

# Eigenvalues below this share of the largest are rounding error.
_NEGLIGIBLE = 1e-12


class Spectrum(nn.Module):
    """Sums over cells from which the leading eigenvectors of their covariance follow; all float64.

    Parameters
    ----------
    n_features, n_components
        Number of features g and of eigenvectors k.
    n_refinements
        Number of passes after the first, if the features are more than `EXACT`.

    Attributes
    ----------
    n, sum_g, square_sum_g
        Number of cells, sums and sums of squares of the features.
    eigenvalue_k, vector_gk
        The result: eigenvalues of the covariance (divisor n), descending, and orthonormal eigenvectors. The entry of
        largest absolute value of each vector is positive.
    residual_k
        Norm of the covariance times an eigenvector minus its multiple, relative to the eigenvalue: 0 if exact, NaN if
        there was only one pass over more than `EXACT` features.
    """

    n: Tensor
    sum_g: Tensor
    square_sum_g: Tensor
    eigenvalue_k: Tensor
    vector_gk: Tensor
    residual_k: Tensor
    moment_gg: Tensor
    singular_r: Tensor
    right_gr: Tensor
    basis_pgr: Tensor
    image_pgr: Tensor

    def __init__(self, n_features: int, n_components: int, n_refinements: int) -> None:
        super().__init__()
        check_whole(n_components=n_components)
        check_whole(0, svd_lowrank_niter=n_refinements)
        if n_components > n_features:
            raise InputError(f"n_components={n_components}: expected 1 to {n_features}, the number of features")
        g, k = n_features, n_components
        self.is_exact = g <= EXACT
        self.n_epochs = 1 if self.is_exact else 1 + n_refinements
        self.epoch = 0
        self.register_buffer("n", torch.zeros((), dtype=torch.int64))
        shapes: dict[str, tuple[int, ...]] = {"sum_g": (g,), "square_sum_g": (g,), "eigenvalue_k": (k,)}
        shapes |= {"residual_k": (k,), "vector_gk": (g, k)}
        r = min(2 * k, g)
        if self.is_exact:
            shapes["moment_gg"] = (g, g)
        else:
            shapes |= {"singular_r": (r,), "right_gr": (g, r)}
            shapes |= {"basis_pgr": (n_refinements, g, r), "image_pgr": (n_refinements, g, r)}
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(shape, dtype=torch.float64))

    def start_epoch(self, epoch: int) -> None:
        """Prepare for reading all cells for the first time (0) or once more.

        Raises
        ------
        InputError
            If there are more passes than were planned for.
        """
        if epoch >= self.n_epochs and not self.is_exact:
            raise InputError(f"Epoch {epoch}: the components were found in {self.n_epochs} epochs. Train for as many.")
        self.epoch = 0 if self.is_exact else epoch
        if self.epoch == 0:
            for buffer in self.buffers():
                buffer.zero_()
        else:
            self._array("image_pgr")[epoch - 1] = 0

    def add(self, block: Any) -> None:
        """Add cells, CSR or dense."""
        step = _ROWS_SUMMED if self.is_exact or self.epoch else _ROWS_MERGED
        for start in range(0, block.shape[0], step):
            rows: Any = block[start : start + step]
            rows = (sp.csr_matrix(rows) if sp.issparse(rows) else np.asarray(rows)).astype(np.float64)
            if self.epoch:
                basis = self._array("basis_pgr")[self.epoch - 1]
                self._array("image_pgr")[self.epoch - 1] += rows.T @ (rows @ basis)
                continue
            self.n += rows.shape[0]
            squares = rows.multiply(rows) if sp.issparse(rows) else rows**2
            self._array("sum_g")[:] += np.asarray(rows.sum(axis=0)).ravel()
            self._array("square_sum_g")[:] += np.asarray(squares.sum(axis=0)).ravel()
            if self.is_exact:
                add_products(self._array("moment_gg"), rows)
            else:
                self._merge_rows(rows)

    def end_epoch(self, centre: np.ndarray | None = None) -> None:
        """Add the cells of the other processes and find the eigenvectors.

        Parameters
        ----------
        centre
            (g,) point about which the covariance is taken; None for the mean.

        Raises
        ------
        InputError
            If there are no cells.
        """
        self._merge_processes()
        n = int(self.n)
        if n == 0:
            raise InputError("There are no cells: pass at least one.")
        mean = self._array("sum_g") / n
        centre = mean if centre is None else centre
        if self.is_exact:
            once = self._array("moment_gg")
            lower = np.tril(once) + np.triu(once, 1).T
            covariance = lower + np.tril(lower, -1).T
            covariance /= n
            covariance -= np.outer(mean - centre, centre) + np.outer(centre, mean)
            first = len(mean) - len(self.eigenvalue_k)
            values, vectors = eigh(covariance, subset_by_index=[first, len(mean) - 1], overwrite_a=True)
            self._keep(values[::-1], vectors[:, ::-1], np.zeros(len(values)))
            return
        if self.epoch == 0:
            values, vectors = self._from_singular(n, mean, centre)
            residual = np.full(len(values), np.nan)
        else:
            values, vectors, residual = self._from_products(n, mean, centre)
        self._keep(values, vectors, residual)
        if self.epoch + 1 < self.n_epochs:
            basis = self._array("basis_pgr")
            known = np.hstack(list(basis[: self.epoch])) if self.epoch else None
            basis[self.epoch] = _orthonormal(vectors, basis.shape[2], known)

    def total_variance(self, centre: np.ndarray | None = None) -> float:
        """Sum of the variances of all features (divisor n) about the mean or `centre`."""
        n = int(self.n)
        mean = self._array("sum_g") / n
        centre = mean if centre is None else centre
        return float((self._array("square_sum_g") / n - 2 * mean * centre + centre**2).sum())

    def _merge_rows(self, rows: Any) -> None:
        """Merge rows into the leading singular vectors, by the inner products of all of them."""
        kept = self._array("singular_r") > 0
        right, singular = self._array("right_gr")[:, kept], self._array("singular_r")[kept]
        mixed = np.asarray(rows @ right) * singular
        inner = rows @ rows.T
        inner = inner.toarray() if sp.issparse(inner) else inner
        values, left = np.linalg.eigh(np.block([[np.diag(singular**2), mixed.T], [mixed, inner]]))
        values, left = values[::-1][: len(kept)], left[:, ::-1][:, : len(kept)]
        real = values > _NEGLIGIBLE * values[0] if values[0] > 0 else values > 0
        values, left = np.sqrt(values[real]), left[:, real]
        old = right @ (left[: len(singular)] * singular[:, None])
        self._array("singular_r")[:] = np.pad(values, (0, len(kept) - len(values)))
        self._array("right_gr")[:, : len(values)] = (old + np.asarray(rows.T @ left[len(singular) :])) / values

    def _merge_processes(self) -> None:
        if self.epoch:
            distributed.add_up(self.image_pgr[self.epoch - 1])
            return
        for name in ("n", "sum_g", "square_sum_g", *(("moment_gg",) if self.is_exact else ())):
            distributed.add_up(getattr(self, name))
        if not self.is_exact:
            parts = list(zip(*(distributed.gather(part) for part in (self.singular_r, self.right_gr)), strict=True))
            for rank, (singular, right) in enumerate(parts):
                if rank == 0:
                    self.singular_r.copy_(singular)
                    self.right_gr.copy_(right)
                else:
                    self._merge_rows((right * singular).numpy().T)

    def _from_singular(self, n: int, mean: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvectors within the span of the singular vectors, the mean and the centre."""
        right, singular = self._array("right_gr"), self._array("singular_r")
        span = np.column_stack([right[:, singular > 0], mean, centre])[:, : len(mean)]
        basis = _orthonormal(span, span.shape[1])
        scaled = (right.T @ basis) * singular[:, None]
        at_mean, at_centre = basis.T @ mean, basis.T @ centre
        inner = scaled.T @ scaled / n - np.outer(at_mean - at_centre, at_centre) - np.outer(at_centre, at_mean)
        values, vectors = np.linalg.eigh(inner)
        return values[::-1], (basis @ vectors)[:, ::-1]

    def _from_products(self, n: int, mean: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Eigenvectors from all products of the covariance so far, and their residuals."""
        used = slice(0, self.epoch)
        basis = np.hstack(list(self._array("basis_pgr")[used]))
        image = np.hstack(list(self._array("image_pgr")[used])) / n
        at_mean, at_centre = mean @ basis, centre @ basis
        image -= np.outer(mean - centre, at_centre) + np.outer(centre, at_mean)
        inner = basis.T @ image
        ritz, mix = np.linalg.eigh((inner + inner.T) / 2)
        ritz, mix = ritz[::-1], mix[:, ::-1]
        k = len(self.eigenvalue_k)
        off = np.linalg.norm(image @ mix[:, :k] - (basis @ mix[:, :k]) * ritz[:k], axis=0)
        residual = np.divide(off, ritz[:k], out=np.zeros(k), where=ritz[:k] > _NEGLIGIBLE * ritz[0])
        real = ritz > 1e-10 * ritz[0]  # a smaller one would be divided by
        vectors, values, _ = svd(image @ (mix[:, real] / np.sqrt(ritz[real])), full_matrices=False)
        return values**2, vectors, residual

    def _keep(self, values: np.ndarray, vectors: np.ndarray, residual: np.ndarray) -> None:
        """Store the first k eigenvectors with their signs; those of a covariance of lower rank are 0."""
        k = min(len(self.eigenvalue_k), len(values))
        largest = np.abs(vectors[:, :k]).argmax(axis=0)
        signs = np.where(vectors[largest, np.arange(k)] < 0, -1.0, 1.0)
        for buffer in (self.eigenvalue_k, self.vector_gk, self.residual_k):
            buffer.zero_()
        self._array("eigenvalue_k")[:k] = np.maximum(values[:k], 0)
        self._array("vector_gk")[:, :k] = vectors[:, :k] * signs
        self._array("residual_k")[:k] = residual[:k]

    def _array(self, name: str) -> np.ndarray:
        return getattr(self, name).numpy()


def add_products(total: np.ndarray, rows: Any) -> None:
    """Add the products of all pairs of columns, summed over rows, to a (g, g) matrix, each at one of its two places.

    Of sparse rows the densest columns are multiplied as an array and the others as a sparse matrix.
    """
    n, g = rows.shape
    order, n_dense = _dense_columns(rows) if sp.issparse(rows) else (np.arange(g), g)
    if n_dense == g:
        dense = rows.toarray() if sp.issparse(rows) else np.ascontiguousarray(rows)
        # in place; only the lower triangle, since BLAS reads by column
        dsyrk(1.0, dense.T, beta=1.0, c=total.T, overwrite_c=1)
        return
    first, last = np.sort(order[:n_dense]), np.sort(order[n_dense:])
    sparse = rows[:, last]
    among = sp.tril(sparse.T @ sparse, format="coo")
    total[last[among.row], last[among.col]] += among.data
    if n_dense:
        dense = rows[:, first].toarray()
        total[np.ix_(first, first)] += np.tril(dense.T @ dense)
        total[np.ix_(last, first)] += sparse.T @ dense


def _dense_columns(rows: Any) -> tuple[np.ndarray, int]:
    """Columns by decreasing number of values, and how many of them to take as an array so that it costs least."""
    n, g = rows.shape
    stored = rows.getnnz(axis=0)
    order = np.argsort(-stored, kind="stable")
    left = np.concatenate([[rows.nnz], rows.nnz - np.cumsum(stored[order])])  # values of the other columns
    size = np.arange(g + 1)
    cost = n * size**2 + _COST_MIXED * left * size + _COST_SPARSE * left**2 / max(n, 1)
    return order, int(cost.argmin())


def _orthonormal(vectors: np.ndarray, width: int, known: np.ndarray | None = None) -> np.ndarray:
    """Orthonormal basis (g, width) of some vectors, orthogonal to those known; columns of 0 where there are fewer."""
    vectors = vectors[:, :width]
    length = np.linalg.norm(vectors, axis=0)
    for _ in range(2 if known is not None else 0):  # twice, since once leaves rounding errors
        vectors = vectors - known @ (known.T @ vectors)  # type: ignore[union-attr]
    basis, triangle = qr(vectors, mode="economic")
    basis[:, np.abs(np.diag(triangle)) <= 1e-10 * length] = 0
    return np.pad(basis, ((0, 0), (0, width - basis.shape[1])))

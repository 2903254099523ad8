"""How strongly the genes of a set correlate between the independent samples of a class.

Correlated genes change together by chance, too, so a test that takes them for independent finds too many sets. The
correlation that counts is that of the samples behind the findings: of samples, or means of groups, of the same class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from ..core.blocks import MappedRows, blocks
from ..features.levels import draw_samples
from ..features.store import Features

# Mean correlation that is assumed at least, and if there are too few samples to estimate one: the default of camera in
# limma, which is an average over sets of genes.
LEAST = 0.01

_MIN_FREE = 2  # degrees of freedom, chosen by hand

_MAX_SAMPLES = 1000  # of which correlations are computed, chosen by hand


@dataclass(frozen=True, eq=False)
class Residuals:
    """Values of some genes without the differences between the classes.

    Attributes
    ----------
    values
        (n, genes) float32, each column of length 1; 0 for a gene that does not vary.
    column
        (all genes,) column of each gene in `values`; -1 for others.
    n_free
        Degrees of freedom: samples or groups less what was removed.
    """

    values: np.ndarray
    column: np.ndarray
    n_free: int


def residuals_of(features: Features, gene_of: np.ndarray, genes: np.ndarray, seed: int = 0) -> Residuals:
    """Remove the means of the classes, and the confounders, from the values of some genes.

    Parameters
    ----------
    features
        The features of a run; all samples with a label are used, of many a draw. With groups the values of each group
        and class are averaged first.
    gene_of
        (p,) code of each feature's gene, -1 for none; the values of a gene are the mean of its features.
    genes
        Codes of the genes.
    seed
        Seed of the draw.
    """
    rows = features.labelled
    if features.groups is None:
        rows = draw_samples(rows, features.y, len(features.classes), _MAX_SAMPLES, seed)
        unit, n_units = np.arange(len(rows)), len(rows)
    else:
        pairs = np.column_stack([features.y[rows], features.groups[rows]])
        unit = np.unique(pairs, axis=0, return_inverse=True)[1].ravel()
        n_units = int(unit.max()) + 1
    column = np.full(int(gene_of.max(initial=-1)) + 1, -1)
    column[genes] = np.arange(len(genes))
    place = np.where(gene_of >= 0, column[gene_of], -1)
    kept = np.flatnonzero(place >= 0)
    to_gene = sp.csr_matrix((np.ones(len(kept)), (np.arange(len(kept)), place[kept])), (len(kept), len(genes)))
    values = np.zeros((n_units, len(genes)))
    for where, block in blocks(MappedRows(features.X, rows)):
        own = sp.csr_matrix(block[:, kept]) @ to_gene
        sums = sp.csr_matrix((np.ones(own.shape[0]), (unit[where], np.arange(own.shape[0]))), (n_units, own.shape[0]))
        values += (sums @ own).toarray()
    values /= np.bincount(unit)[:, None]
    first = np.unique(unit, return_index=True)[1]
    known = np.eye(len(features.classes))[features.y[rows][first]]
    if features.design is not None:
        known = np.hstack([known, _means(features.design[rows], unit)])
    size = np.linalg.norm(values, axis=0)
    values -= known @ np.linalg.lstsq(known, values, rcond=None)[0]
    length = np.linalg.norm(values, axis=0)
    varies = length > 1e-6 * size  # what is left of a constant is rounding
    values = np.where(varies, values / np.where(varies, length, 1.0), 0.0).astype(np.float32)
    return Residuals(values, column, n_units - int(np.linalg.matrix_rank(known)))


def mean_correlation(residuals: Residuals, genes: Sequence[int] | np.ndarray, signed: bool) -> tuple[float, float]:
    """Mean correlation of the scores of two genes of a set by chance, at least `LEAST`, and its degrees of freedom.

    Signed scores, such as t statistics, correlate like the values of the genes (r); scores of strength alone, such as
    importances, like their squares (r squared, of which the expectation without correlation is subtracted).

    Parameters
    ----------
    residuals
        Of all genes of the set.
    genes
        Codes of the genes of the set.
    signed
        Whether the scores have a sign.
    """
    values = residuals.values[:, residuals.column[np.asarray(genes)]]
    varies = values.any(axis=0)
    m, n_free = int(varies.sum()), residuals.n_free
    if m < 2 or n_free < _MIN_FREE:
        return LEAST, np.inf
    values = values[:, varies].astype(np.float64)
    if signed:
        mean = (np.square(values.sum(axis=1)).sum() - m) / (m * (m - 1))
    else:
        gram = values.T @ values if m < len(values) else values @ values.T
        squares = (np.square(gram).sum() - m) / (m * (m - 1))
        mean = (squares - 1 / n_free) / (1 - 1 / n_free)
    return float(np.clip(mean, LEAST, 1.0)), float(n_free)


def _means(values: np.ndarray, unit: np.ndarray) -> np.ndarray:
    sums = np.zeros((int(unit.max()) + 1, values.shape[1]))
    np.add.at(sums, unit, values)
    return sums / np.bincount(unit)[:, None]

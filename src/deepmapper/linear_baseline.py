"""Penalised logistic regression on all features: the linear reference for every network.

For a linear model the arrangement does not matter, the optimum is unique, and integrated gradients equal coefficient ×
(x − baseline): further passes would only repeat the first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from .core.blocks import blocks
from .core.moments import Moments
from .features.inputs import as_labels, as_matrix
from .features.samples import Samples
from .features.splits import draw_out_of_bag

# A matrix with at most this many stored values (all of a dense one; 1 GB as CSR) is copied, scaled and fitted in
# memory. A larger one is read block by block in every iteration.
MAX_VALUES_IN_MEMORY = 2**27

# Maximum number of iterations of the fit in blocks, each of which reads the complete matrix.
MAX_BLOCK_ITERATIONS = 100


@dataclass(frozen=True)
class Fitted:
    """A logistic regression fitted on some rows of a matrix.

    Attributes
    ----------
    predict
        Maps a matrix and row indices to (n, classes) probabilities.
    ranking
        (name, importance) by decreasing importance, as `fit` returns it.
    solver
        How it was fitted, in one sentence.
    """

    predict: Callable[..., np.ndarray]
    ranking: list[tuple]
    solver: str


def fit(X, y, feature_names: Sequence[str] | None = None, C: float = 1.0, max_iter: int = 5000):
    """Fit multinomial logistic regression on standardised features.

    Parameters
    ----------
    X
        (n_samples, n_features), dense or sparse. A sparse matrix is scaled but not centred, so that it stays sparse.
        The coefficients are the same, since the intercept is not penalised and absorbs the shift.
    y
        (n_samples,) labels.
    feature_names
        Names of the features; None for their indices.
    C
        Inverse strength of the L2 penalty.
    max_iter
        Maximum number of L-BFGS iterations.

    Returns
    -------
    tuple
        The classifier (which predicts the given labels), the scaler, and the ranking: (name, importance) by decreasing
        importance, which is the largest absolute standardised coefficient over the classes.

    Raises
    ------
    InputError
        If the data cannot be used.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If the fit does not converge within `max_iter` iterations.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    matrix, names = as_matrix(X, feature_names)
    as_labels(y, matrix.shape[0])  # only to check them: the classifier predicts the labels as given
    # not `fit_ridge_logistic`, which centres sparse values and does not return classifier and scaler
    scaler = StandardScaler(with_mean=not sp.issparse(matrix)).fit(matrix)
    clf = LogisticRegression(C=C, max_iter=max_iter).fit(scaler.transform(matrix), np.asarray(y))
    importance = np.abs(clf.coef_).max(0)
    order = np.argsort(-importance, kind="stable")
    return clf, scaler, [(names[i] if names is not None else int(i), float(importance[i])) for i in order]


def fit_rows(
    X,
    y: np.ndarray,
    rows: np.ndarray,
    feature_names: Sequence[str] | None = None,
    C: float = 1.0,
    max_iter: int = 5000,
    progress: Callable[[str], None] = lambda line: None,
) -> Fitted:
    """Fit the same model as `fit` on some rows; a large matrix is read in blocks and not copied.

    Parameters
    ----------
    X
        (n_samples, n_features), dense or CSR, possibly memory-mapped.
    y
        (n_samples,) class codes, 0 .. n_classes - 1, each of which occurs in `rows`.
    rows
        Row indices to fit on, ascending.
    feature_names, C, max_iter
        As in `fit`; in blocks there are at most `MAX_BLOCK_ITERATIONS` iterations.
    progress
        Called with one line per iteration of a fit in blocks.
    """
    stored = int(np.diff(X.indptr)[rows].sum()) if sp.issparse(X) else len(rows) * X.shape[1]
    if stored <= MAX_VALUES_IN_MEMORY:
        clf, scaler, ranking = fit(X[rows], y[rows], feature_names, C, max_iter)

        def predict(X, rows: np.ndarray) -> np.ndarray:
            return clf.predict_proba(scaler.transform(X[rows]))

        return Fitted(predict, ranking, "L-BFGS on the matrix in memory.")
    return _fit_in_blocks(X, y, rows, feature_names, C, min(max_iter, MAX_BLOCK_ITERATIONS), stored, progress)


def out_of_bag(
    samples: Samples,
    share: float,
    seeds: Sequence[int],
    C: float = 1.0,
    max_iter: int = 5000,
) -> np.ndarray:
    """Predict every sample out of bag, using the same out-of-bag draws as the passes.

    Parameters
    ----------
    samples
        The samples that the passes were given.
    share
        Out-of-bag share of a pass.
    seeds
        Seeds of the passes.
    C, max_iter
        As in `fit`.

    Returns
    -------
    numpy.ndarray
        (len(samples), classes) probabilities, averaged over draws; NaN for a sample that was never out of bag.
    """
    X, rows, labels = samples.X, samples.rows, samples.labels
    total, counts = np.zeros((len(labels), int(labels.max()) + 1)), np.zeros(len(labels))
    for seed in seeds:
        kept, left_out = draw_out_of_bag(labels, share, seed, samples.group_codes)
        fitted = fit_rows(X, samples.y, rows[kept], C=C, max_iter=max_iter)
        total[left_out] += fitted.predict(X, rows[left_out])
        counts[left_out] += 1
    return np.divide(total, counts[:, None], out=np.full_like(total, np.nan), where=counts[:, None] > 0)


def top_genes(ranking: Sequence[tuple], k: int) -> list:
    """Return the names of the first `k` features of a ranking from `fit`."""
    return [name for name, _ in ranking[:k]]


@dataclass(frozen=True, eq=False)
class _Objective:
    """scikit-learn's objective, the mean log loss plus the penalty, and its gradient, summed block by block.

    Attributes
    ----------
    X, y, rows
        Matrix, class codes, and the rows to fit on.
    target
        (classes, width) indicators of the classes; with two classes, of the second class only (width 1).
    mean, deviation
        (p,) what is subtracted from each feature, and what it is divided by.
    penalty
        Factor of half the sum of squared weights.
    """

    X: np.ndarray | sp.csr_matrix
    y: np.ndarray
    rows: np.ndarray
    target: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    penalty: float

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the parameters: weights of the features, then a row of intercepts."""
        return len(self.mean) + 1, self.target.shape[1]

    def parts(self, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Split a vector of all parameters into weights (p, width) and intercepts (width,)."""
        parameters = flat.reshape(self.shape)
        return parameters[:-1], parameters[-1]

    def scores(self, block, weight: np.ndarray, intercept: np.ndarray) -> np.ndarray:
        """Scores (logits) of some rows, (n, width)."""
        scaled = weight / self.deviation[:, None]
        return np.asarray(block @ scaled.astype(np.float32), dtype=np.float64) + (intercept - self.mean @ scaled)

    def __call__(self, flat: np.ndarray) -> tuple[float, np.ndarray]:
        """Value and gradient at these parameters; reads all rows once."""
        from scipy.special import expit, logsumexp, softmax

        weight, intercept = self.parts(flat)
        n, (p, width) = len(self.rows), weight.shape
        loss, gradient = 0.0, np.zeros(self.shape)
        for span, block in blocks(self.X, self.rows):
            score, truth = self.scores(block, weight, intercept), self.target[self.y[self.rows[span]]]
            if width == 1:
                loss += float((np.logaddexp(0, score) - truth * score).sum())
                error = expit(score) - truth
            else:
                loss += float((logsumexp(score, axis=1) - (truth * score).sum(1)).sum())
                error = softmax(score, axis=1) - truth
            gradient[:p] += np.asarray(block.T @ error.astype(np.float32), dtype=np.float64)
            gradient[p] += error.sum(0)
        gradient[:p] = (gradient[:p] - np.outer(self.mean, gradient[p])) / self.deviation[:, None]
        gradient /= n
        gradient[:p] += self.penalty * weight
        return loss / n + self.penalty / 2 * float((weight**2).sum()), gradient.ravel()


def _fit_in_blocks(X, y, rows, feature_names, C: float, max_iter: int, stored: int, progress) -> Fitted:
    """Minimise scikit-learn's objective, reading the matrix block by block in every iteration."""
    from scipy.optimize import minimize
    from scipy.special import expit, softmax

    n_classes = int(y.max()) + 1
    width = 1 if n_classes == 2 else n_classes  # two classes need one score
    objective = _Objective(X, y, rows, np.eye(n_classes)[:, -width:], *_scales(X, rows), penalty=1 / (C * len(rows)))
    iteration = 0

    def report(*_) -> None:
        nonlocal iteration
        iteration += 1
        progress(f"logistic regression in blocks: iteration {iteration} of at most {max_iter}")

    options = {"maxiter": max_iter, "maxls": 50, "gtol": 1e-4, "ftol": 64 * np.finfo(float).eps}  # as in scikit-learn
    start = np.zeros(objective.shape).ravel()
    optimum = minimize(objective, start, method="L-BFGS-B", jac=True, callback=report, options=options)
    weight, intercept = (part.copy() for part in objective.parts(optimum.x))

    def predict(X, rows: np.ndarray) -> np.ndarray:
        score = np.concatenate([objective.scores(block, weight, intercept) for _, block in blocks(X, rows)])
        if width == 1:
            return np.hstack([expit(-score), expit(score)])
        return softmax(score, axis=1)

    importance = np.abs(weight).max(1)
    order = np.argsort(-importance, kind="stable")
    names = range(X.shape[1]) if feature_names is None else feature_names
    ended = "and converged to the same tolerance" if optimum.status == 0 else "and stopped before it converged"
    solver = (
        f"L-BFGS in blocks, since {stored} stored values exceed {MAX_VALUES_IN_MEMORY}: the matrix was read in each of "
        f"{optimum.nit} iterations (at most {max_iter}), {ended}."
    )
    return Fitted(predict, [(names[int(i)], float(importance[i])) for i in order], solver)


def _scales(X, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (0 for a sparse matrix) and scale of every feature, as in scikit-learn's StandardScaler."""
    moments = Moments(X.shape[1], keep=("squares",))
    for _, block in blocks(X, rows):
        moments.update(block)
    mean = moments.mean
    variance = np.maximum(moments.square_sum / moments.n - mean**2, 0)
    constant = variance <= 1e-12 * np.maximum(mean**2, 1e-12)
    return np.zeros_like(mean) if sp.issparse(X) else mean, np.where(constant, 1.0, np.sqrt(variance))

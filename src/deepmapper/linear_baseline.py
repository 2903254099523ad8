"""Penalised logistic regression on all features: the linear reference.

For a linear model the arrangement does not matter, the optimum is unique, and integrated gradients equal coefficient ×
(x − baseline): passes would only repeat it. It is the honest reference for every network here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from .core.blocks import blocks
from .core.moments import Moments
from .features.samples import Samples
from .features.splits import draw_out_of_bag

# Stored values (zeros counted where the matrix is dense) up to which the matrix is copied, scaled and fitted in memory:
# 1 GB as CSR. Beyond, it is read block by block at every step.
IN_MEMORY = 2**27

# Steps of the fit in blocks, each a reading of the whole matrix.
STEPS = 100


@dataclass(frozen=True)
class Fitted:
    """A fit on some rows of a matrix.

    Attributes
    ----------
    predict
        Maps a matrix and rows of it to (n, classes) probabilities.
    ranking
        As of `fit`.
    solver
        How it was fitted, in a sentence.
    """

    predict: Callable[..., np.ndarray]
    ranking: list[tuple]
    solver: str


def fit(X, y, feature_names: Sequence[str] | None = None, C: float = 1.0, max_iter: int = 5000):
    """Fit multinomial logistic regression on standardised features.

    Parameters
    ----------
    X
        (n_samples, n_features), dense or sparse. Sparse input is scaled, not centred, and stays sparse: the intercept,
        which is not penalised, takes up the difference, so that the coefficients are the same.
    y
        (n_samples,) labels.
    feature_names
        Names of the features; None gives their positions.
    C
        Inverse strength of the L2 penalty.
    max_iter
        Most iterations of lbfgs.

    Returns
    -------
    tuple
        The classifier (which predicts the labels as given), the scaler, and the ranking: (name, importance) by falling
        importance, the largest size of the feature's standardised coefficient over the classes.

    Raises
    ------
    InputError
        If the data cannot be used.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If `max_iter` ends the fit.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    from .features.inputs import as_labels, as_matrix

    matrix, names = as_matrix(X, feature_names)
    as_labels(y, matrix.shape[0])  # refuses what cannot be a label; the classifier keeps the labels as they are given
    # not `fit_ridge_logistic`: sparse values are not centred, and the classifier and the scaler are given out
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
    """Fit the same model as `fit` on some rows; on a large matrix in blocks, without a copy of it.

    Parameters
    ----------
    X
        (n_samples, n_features), dense or CSR, possibly memory-mapped.
    y
        (n_samples,) class codes, 0 .. C - 1, each of which occurs in `rows`.
    rows
        Rows to fit on, rising.
    feature_names, C, max_iter
        As in `fit`; in blocks at most `STEPS` steps are taken.
    progress
        Receives a line a step where it is done in blocks.
    """
    stored = int(np.diff(X.indptr)[rows].sum()) if sp.issparse(X) else len(rows) * X.shape[1]
    if stored <= IN_MEMORY:
        clf, scaler, ranking = fit(X[rows], y[rows], feature_names, C, max_iter)
        return Fitted(
            lambda X, rows: clf.predict_proba(scaler.transform(X[rows])), ranking, "L-BFGS on the matrix in memory."
        )
    return _fit_in_blocks(X, y, rows, feature_names, C, min(max_iter, STEPS), stored, progress)


@dataclass(frozen=True, eq=False)
class _Objective:
    """Mean loss of all rows and the penalty, and their slope, added up block by block: what scikit-learn minimises.

    Attributes
    ----------
    X, y, rows
        As of `fit_rows`.
    target
        (classes, width) what the scores of each class should be; of two classes only the second has a score.
    mean, deviation
        (p,) what features are centred to and divided by.
    penalty
        Of half the squared weights.
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
        """Shape of the parameters: the weights of the features, the intercepts in the last row."""
        return len(self.mean) + 1, self.target.shape[1]

    def parts(self, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights (p, width) and intercepts (width,) in a vector of all parameters."""
        table = flat.reshape(self.shape)
        return table[:-1], table[-1]

    def scores(self, block, weight: np.ndarray, intercept: np.ndarray) -> np.ndarray:
        """(n, width) scores of some rows."""
        scaled = weight / self.deviation[:, None]
        return np.asarray(block @ scaled.astype(np.float32), dtype=np.float64) + (intercept - self.mean @ scaled)

    def __call__(self, flat: np.ndarray) -> tuple[float, np.ndarray]:
        """Value and slope at these parameters; one reading of the rows."""
        from scipy.special import expit, logsumexp, softmax

        weight, intercept = self.parts(flat)
        n, (p, width) = len(self.rows), weight.shape
        loss, slope = 0.0, np.zeros(self.shape)
        for place, block in blocks(self.X, self.rows):
            score, truth = self.scores(block, weight, intercept), self.target[self.y[self.rows[place]]]
            if width == 1:
                loss += float((np.logaddexp(0, score) - truth * score).sum())
                error = expit(score) - truth
            else:
                loss += float((logsumexp(score, axis=1) - (truth * score).sum(1)).sum())
                error = softmax(score, axis=1) - truth
            slope[:p] += np.asarray(block.T @ error.astype(np.float32), dtype=np.float64)
            slope[p] += error.sum(0)
        slope[:p] = (slope[:p] - np.outer(self.mean, slope[p])) / self.deviation[:, None]
        slope /= n
        slope[:p] += self.penalty * weight
        return loss / n + self.penalty / 2 * float((weight**2).sum()), slope.ravel()


def _fit_in_blocks(X, y, rows, feature_names, C: float, steps: int, stored: int, progress) -> Fitted:
    """Minimise what scikit-learn minimises, the loss and its slope being added up block by block."""
    from scipy.optimize import minimize
    from scipy.special import expit, softmax

    n_classes = int(y.max()) + 1
    width = 1 if n_classes == 2 else n_classes  # scores; of two classes that of the second
    objective = _Objective(X, y, rows, np.eye(n_classes)[:, -width:], *_scales(X, rows), penalty=1 / (C * len(rows)))
    taken = 0

    def step(*_) -> None:
        nonlocal taken
        taken += 1
        progress(f"logistic regression in blocks: step {taken} of at most {steps}")

    options = {"maxiter": steps, "maxls": 50, "gtol": 1e-4, "ftol": 64 * np.finfo(float).eps}  # scikit-learn's
    start = np.zeros(objective.shape).ravel()
    done = minimize(objective, start, method="L-BFGS-B", jac=True, callback=step, options=options)
    weight, intercept = (part.copy() for part in objective.parts(done.x))

    def predict(X, rows: np.ndarray) -> np.ndarray:
        score = np.concatenate([objective.scores(block, weight, intercept) for _, block in blocks(X, rows)])
        if width == 1:
            return np.hstack([expit(-score), expit(score)])
        return softmax(score, axis=1)

    importance = np.abs(weight).max(1)
    order = np.argsort(-importance, kind="stable")
    names = range(X.shape[1]) if feature_names is None else feature_names
    ended = "to the same tolerance" if done.status == 0 else "and ended there, before the tolerance was met"
    solver = (
        f"L-BFGS in blocks, since {stored} stored values are more than {IN_MEMORY}: the matrix is read anew for every "
        f"one of {done.nit} steps (at most {steps}), {ended}."
    )
    return Fitted(predict, [(names[int(i)], float(importance[i])) for i in order], solver)


def _scales(X, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What features are centred to (0 where sparse) and divided by, as scikit-learn's StandardScaler has it."""
    moments = Moments(X.shape[1], keep=("squares",))
    for _, block in blocks(X, rows):
        moments.update(block)
    mean = moments.mean
    variance = np.maximum(moments.square_sum / moments.n - mean**2, 0)
    constant = variance <= 1e-12 * np.maximum(mean**2, 1e-12)
    return np.zeros_like(mean) if sp.issparse(X) else mean, np.where(constant, 1.0, np.sqrt(variance))


def out_of_bag(
    samples: Samples,
    share: float,
    seeds: Sequence[int],
    C: float = 1.0,
    max_iter: int = 5000,
) -> np.ndarray:
    """Predict every sample by fits that have not seen it, on the draws of the passes with these seeds.

    Parameters
    ----------
    samples
        Those that the passes were given.
    share
        Out-of-bag share of a pass.
    seeds
        Seeds of the passes.
    C, max_iter
        As in `fit`.

    Returns
    -------
    numpy.ndarray
        (len(samples), classes) probabilities, averaged; NaN for a sample that was out of bag in no draw.
    """
    X, rows, labels = samples.X, samples.rows, samples.labels
    total, times = np.zeros((len(labels), int(labels.max()) + 1)), np.zeros(len(labels))
    for seed in seeds:
        kept, left_out = draw_out_of_bag(labels, share, seed, samples.group_codes)
        fitted = fit_rows(X, samples.y, rows[kept], C=C, max_iter=max_iter)
        total[left_out] += fitted.predict(X, rows[left_out])
        times[left_out] += 1
    return np.divide(total, times[:, None], out=np.full_like(total, np.nan), where=times[:, None] > 0)


def top_genes(ranking: Sequence[tuple], k: int) -> list:
    """Names of the first `k` features of a ranking that `fit` returned."""
    return [name for name, _ in ranking[:k]]

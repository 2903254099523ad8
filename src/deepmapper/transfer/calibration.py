"""Probabilities that mean what they say: a temperature fitted to samples that no pass trained on.

Source: Guo et al. 2017 (arXiv:1706.04599).
"""

from __future__ import annotations

import numpy as np

# Probabilities below this count as this: a single sample of a class that all passes exclude would decide alone.
_SMALLEST = 1e-6

# Bounds of the logarithm of the temperature; chosen by hand.
_BOUNDS = (-2.5, 2.5)


def apply_temperature(probability: np.ndarray, temperature: float) -> np.ndarray:
    """Divide the logarithms of (n, C) probabilities by a temperature, in float64; rows sum to 1 again."""
    logs = np.log(probability.astype(np.float64).clip(_SMALLEST)) / temperature
    scaled = np.exp(logs - logs.max(1, keepdims=True))
    return scaled / scaled.sum(1, keepdims=True)


def fit_temperature(probability: np.ndarray, labels: np.ndarray) -> float:
    """Find the temperature with the largest likelihood of the labels.

    Parameters
    ----------
    probability
        (n, C) averaged probabilities of samples by passes that did not train on them; rows of NaN are left out.
    labels
        (n,) their class codes.

    Returns
    -------
    float
        1 without samples.
    """
    from scipy.optimize import minimize_scalar

    known = ~np.isnan(probability[:, 0])
    probability, labels = probability[known], labels[known]
    if not len(labels):
        return 1.0
    rows = np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        scaled = apply_temperature(probability, float(np.exp(log_temperature)))
        return -float(np.log(scaled[rows, labels]).mean())

    return float(np.exp(minimize_scalar(loss, bounds=_BOUNDS, method="bounded").x))

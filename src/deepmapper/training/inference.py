"""Scores and embeddings of a trained network, in batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .runtime import halving


def predict(
    model: nn.Module, images: Callable[[np.ndarray], Tensor], rows: np.ndarray, batch_size: int = 256
) -> np.ndarray:
    """Return the scores of `rows` before softmax: (n, classes) float32."""
    return _in_batches(model, model, images, rows, batch_size)


def embed(
    model: nn.Module, images: Callable[[np.ndarray], Tensor], rows: np.ndarray, batch_size: int = 256
) -> np.ndarray:
    """Return the embedding of `rows`, the input of the last layer: (n, d) float32."""
    return _in_batches(model, model.embed, images, rows, batch_size)


def reader(model: nn.Module, images: Any) -> Callable[[np.ndarray], Any]:
    """Return the function that reads the model's input by row: sparse, if the model takes that and it is faster."""
    sparse = getattr(model, "takes_sparse", False) and getattr(images, "mostly_zero", False)
    return images.sparse if sparse else images


def _in_batches(model, function, images, rows, batch_size) -> np.ndarray:
    model.eval()
    read = reader(model, images)

    def results(size: int) -> np.ndarray:
        with torch.no_grad():
            parts = [function(read(rows[i : i + size])).cpu().numpy() for i in range(0, len(rows), size)]
        return np.concatenate(parts)

    return halving(results, batch_size, "prediction")

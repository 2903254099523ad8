"""Perturbation in silico: what a trained network predicts if some of its features are changed.

Nothing is trained. Features of samples that the pass did not train on are deleted, activated or masked, and the change
of the class probabilities is measured. It says what the network reads, and is no proof of what causes what.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from .restore import Trained, image_maker, restore_model, softmax

if TYPE_CHECKING:
    import torch

HOW = ("deletion", "activation", "mask")

# Kinds whose change of a class's probability is that of its own samples (`perturb_samples`).
OF_OWN_CLASS = ("mask",)

# Standard deviations above its mean that an activated feature gets, and values predicted at once; chosen by hand.
_ACTIVATED, _AT_ONCE = 2.0, 2**23


@dataclass(frozen=True, eq=False)
class Effects:
    """What n perturbations change on average over m samples, for C classes.

    Attributes
    ----------
    probability
        (n, C) change of the probability of each class, over all samples or its own (`perturb_samples`).
    flipped
        (n,) share of the samples whose most probable class changes.
    shift
        (n,) distance by which samples move in the embedding, in units of their root mean square distance from its
        centre; NaN if not asked for.
    dose
        (n,) root mean square of the change of the values.
    """

    probability: np.ndarray
    flipped: np.ndarray
    shift: np.ndarray
    dose: np.ndarray


def replacements(X: Any, columns: np.ndarray, how: str) -> np.ndarray:
    """Values that some features get instead of their own.

    Parameters
    ----------
    X
        (n, p) values of unperturbed samples, dense or sparse.
    columns
        Positions of the features.
    how
        "deletion": 0, or the lowest value of a feature that has negative ones; "activation": its mean and two standard
        deviations, but not more than its largest value; "mask": its mean.

    Returns
    -------
    numpy.ndarray
        (len(columns),) float32.
    """
    if how not in HOW:
        raise ValueError(f"how={how!r}: expected one of {', '.join(HOW)}")
    found = np.empty(len(columns), dtype=np.float32)
    by_column = sp.csc_matrix(X) if sp.issparse(X) else X
    for i, column in enumerate(columns):
        values = by_column[:, [column]]
        values = values.toarray().ravel() if sp.issparse(values) else np.ravel(values)
        mean = values.mean(dtype=np.float64)
        if how == "mask":
            found[i] = mean
        elif how == "deletion":
            found[i] = min(float(values.min()), 0.0)
        else:
            # not a quantile of the values above 0: of a feature that few samples have, that is a value like no other
            found[i] = min(mean + _ACTIVATED * values.std(dtype=np.float64), float(values.max()))
    return found


def perturb_samples(
    trained: Trained,
    values: np.ndarray,
    items: Sequence[Sequence[int]],
    new_values: np.ndarray,
    *,
    own_class: np.ndarray | None = None,
    update: Callable[[np.ndarray], None] | None = None,
    embedded: bool = True,
    device: torch.device | str | None = "cpu",
) -> Effects:
    """Perturb samples one item at a time, and predict them with the network of a pass.

    Parameters
    ----------
    trained
        The pass.
    values
        (m, columns) float32 samples as the network reads them, m above 0.
    items
        Columns that are perturbed together, for each perturbation.
    new_values
        (columns,) value that a perturbed column gets; only those in `items` are read.
    own_class
        (m,) code of the class of each sample; the change of a class's probability is then that of its own samples. A
        masked feature raises it in some samples as much as it lowers it in others, so the mean over all would be about
        0. None for all samples.
    update
        Sets columns that are computed from others, such as chords, in a block of changed samples.
    embedded
        Whether to measure the shift in the embedding.
    device
        To compute on.
    """
    seen = _watch(trained, values.shape[1], embedded, device)
    probability, places = seen(values)
    spread = np.sqrt(np.square(places - places.mean(0)).sum(1).mean()) if embedded else np.nan
    m, n, best = len(values), len(items), probability.argmax(1)
    weight = np.full((m, probability.shape[1]), 1 / m)
    if own_class is not None:
        weight = np.eye(probability.shape[1])[own_class]
        weight /= np.maximum(weight.sum(0), 1)
    change, flipped, shift = np.zeros((n, probability.shape[1])), np.zeros(n), np.zeros(n)
    for of_item, rows, block in _changed_blocks(values, items, new_values):
        if update is not None:
            update(block)
        new_probability, new_places = seen(block)
        np.add.at(change, of_item, (new_probability - probability[rows]) * weight[rows])
        np.add.at(flipped, of_item, (new_probability.argmax(1) != best[rows]) / m)
        np.add.at(shift, of_item, np.sqrt(np.square(new_places - places[rows]).sum(1)) / m)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = shift / spread
    return Effects(change, flipped, relative, np.array([_dose(values, item, new_values) for item in items]))


def most_probable(trained: Trained, values: np.ndarray, device: torch.device | str | None = "cpu") -> np.ndarray:
    """Code of the class that the network of a pass predicts for each of (m, columns) samples."""
    return _watch(trained, values.shape[1], False, device)(values)[0].argmax(1)


def _watch(
    trained: Trained, n_columns: int, embedded: bool, device: torch.device | str | None
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return a function of samples that returns their probabilities, and their places in the embedding if asked for."""
    network = restore_model(trained, n_columns, device)

    def seen(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        from ..training import inference
        from ..training.runtime import as_device

        images, rows = image_maker(block, trained.config, trained.seed, as_device(device)), np.arange(len(block))
        places = inference.embed(network, images, rows) if embedded else np.zeros((len(block), 1))
        return softmax(inference.predict(network, images, rows)), places.astype(np.float64)

    return seen


def _dose(values: np.ndarray, item: Sequence[int], new_values: np.ndarray) -> float:
    columns = list(item)
    change = new_values[columns].astype(np.float64) - values[:, columns]
    return float(np.sqrt(np.square(change).sum(1).mean()))


def _changed_blocks(
    values: np.ndarray, items: Sequence[Sequence[int]], new_values: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield blocks of the samples that are changed: the item and the row of each, and its new values."""
    waiting: list[tuple[int, np.ndarray]] = []
    most, n_waiting = max(1, _AT_ONCE // values.shape[1]), 0

    def block() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows = np.concatenate([rows for _, rows in waiting])
        of_item = np.repeat([i for i, _ in waiting], [len(rows) for _, rows in waiting])
        made, start = values[rows], 0
        for i, own in waiting:
            columns = list(items[i])
            made[start : start + len(own), columns] = new_values[columns]
            start += len(own)
        return of_item, rows, made

    for i, item in enumerate(items):
        columns = list(item)
        rows = np.flatnonzero((values[:, columns] != new_values[columns]).any(1))
        for part in np.array_split(rows, max(1, -(-len(rows) // most))):
            if n_waiting and n_waiting + len(part) > most:
                yield block()
                waiting, n_waiting = [], 0
            if len(part):
                waiting.append((i, part))
                n_waiting += len(part)
    if n_waiting:
        yield block()

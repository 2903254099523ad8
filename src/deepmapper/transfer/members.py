"""A trained pass as a member of a model: its network, and its out-of-bag samples, with which others are compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..config import DeepMapperConfig
from ..core.draws import Draw, stream
from ..passes.restore import image_maker, restore_model, softmax
from ..passes.result import PassFile, PassResult, config_from_dict, pass_settings
from .spaces import Space, fit_space

if TYPE_CHECKING:
    import torch

# Training samples to which the space of a pass is fitted, out-of-bag samples that are kept, and samples read at once.
_MOST_FITTED, _MOST_HELD, _AT_ONCE = 20_000, 10_000, 2048

_ENERGY_WEIGHT = 2.0


@dataclass(frozen=True, eq=False)
class Views:
    """What a pass says about n samples.

    Attributes
    ----------
    probability
        (n, C) probabilities, float64.
    scores
        (2, n) how strange every sample is: the energy of the class scores, and the distance to the nearest class.
    coordinates
        (n, k) its place in the space of the pass.
    """

    probability: np.ndarray
    scores: np.ndarray
    coordinates: np.ndarray


@dataclass(frozen=True, eq=False)
class Member:
    """A trained pass.

    Attributes
    ----------
    seed, settings, classes, weights
        As in `passes.result.PassResult`.
    space
        Space of its training samples.
    labels
        (m,) classes of its out-of-bag samples.
    groups
        (m,) groups of these, -1 without groups.
    scores, probability, coordinates
        `Views` of these.
    """

    seed: int
    settings: dict
    classes: tuple[str, ...]
    weights: Mapping[str, np.ndarray]
    space: Space
    labels: np.ndarray
    groups: np.ndarray
    scores: np.ndarray
    probability: np.ndarray
    coordinates: np.ndarray

    @property
    def config(self) -> DeepMapperConfig:
        """The settings as a `DeepMapperConfig`."""
        return config_from_dict(self.settings)

    @property
    def strange(self) -> np.ndarray:
        """(m,) `strangeness` of the out-of-bag samples."""
        return strangeness(self.scores, self.scores)


def strangeness(scores: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Combine energy and distance into one score: the larger of their ranks among reference samples.

    The distance to the classes finds identities that the network takes for a known one; the energy finds those between
    known ones. As the first is the stronger in most data, the rank of the energy counts half: a sample in its most
    extreme share a is as strange as one in the share 2 a of the distance (benchmarks/transfer.py compares others).

    Parameters
    ----------
    scores
        (2, n) energy and distance of n samples.
    reference
        (2, m) those of the reference.

    Returns
    -------
    numpy.ndarray
        (n,) up to 1; samples beyond the whole reference are ordered by both ranks.
    """
    energy, distance = (
        np.searchsorted(np.sort(known), values, side="left") / len(known)
        for known, values in zip(reference, scores, strict=True)
    )
    return np.maximum(distance, 1 - _ENERGY_WEIGHT * (1 - energy)) + 1e-6 * (energy + distance)


def make_member(
    result: PassResult | PassFile,
    X: Any,
    labels: np.ndarray,
    groups: np.ndarray | None,
    n_columns: int,
    device: Any = "cpu",
) -> Member:
    """Make a member of a model from a finished pass.

    Parameters
    ----------
    result
        The pass; its row numbers are positions in `X`.
    X
        Rows that the pass was given, as it reads them: `core.blocks.Reader` or a matrix.
    labels, groups
        (n,) classes and groups of these rows.
    n_columns
        Number of columns of `X`.
    device
        To compute on.
    """
    train, held = result.train_rows, result.out_of_bag_rows
    if len(train) > _MOST_FITTED:
        chosen = stream(result.seed, Draw.SPACE_SAMPLES).choice(len(train), _MOST_FITTED, replace=False)
        train = train[np.sort(chosen)]
    if len(held) > _MOST_HELD:
        chosen = stream(result.seed, Draw.SPACE_SAMPLES, 1).choice(len(held), _MOST_HELD, replace=False)
        held = held[np.sort(chosen)]
    space = fit_space(X[train], labels[train], len(result.classes))
    weights = {name: np.array(value) for name, value in result.weights.items()}
    settings = pass_settings(result.config)
    of_none = np.full(len(held), -1, dtype=np.int64)
    shell = Member(
        result.seed,
        settings,
        tuple(result.classes),
        weights,
        space,
        labels[held],
        of_none if groups is None else groups[held],
        *(np.empty(0), np.empty(0), np.empty(0)),
    )
    parts = (X[held[start : start + _AT_ONCE]] for start in range(0, len(held), _AT_ONCE))
    seen = view(shell, parts, n_columns, device)
    values = {**vars(shell), "scores": seen.scores, "probability": seen.probability, "coordinates": seen.coordinates}
    return Member(**values)


def view(member: Member, blocks: Iterable[Any], n_columns: int, device: torch.device | str | None = "cpu") -> Views:
    """Compute what a pass says about samples.

    Parameters
    ----------
    member
        The pass.
    blocks
        Values of the samples, dense or CSR, some samples at a time; at least one block.
    n_columns
        Their number of columns.
    device
        To compute on.
    """
    from ..training import inference
    from ..training.runtime import as_device

    device = as_device(device)
    network = restore_model(member, n_columns, device)
    parts = []
    for block in blocks:
        images = image_maker(block, member.config, member.seed, device)
        raw = inference.predict(network, images, np.arange(block.shape[0])).astype(np.float64)
        coordinates = member.space.place(block)
        nearest = member.space.distances(coordinates).min(1)
        parts.append((softmax(raw), np.stack([_energy(raw), nearest]), coordinates))
    probabilities, scores, places = zip(*parts, strict=True)
    return Views(np.concatenate(probabilities), np.concatenate(scores, axis=1), np.concatenate(places))


def _energy(raw: np.ndarray) -> np.ndarray:
    """Negative logarithm of the sum of the exponentials of the class scores (Liu et al. 2020, arXiv:2010.03759)."""
    largest = raw.max(1)
    return -(largest + np.log(np.exp(raw - largest[:, None]).sum(1)))

"""Passes on complementary halves of the samples, for stability selection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..config import DeepMapperConfig
from ..core.draws import Draw, stream
from ..errors import InputError
from ..features.samples import Samples
from ..features.splits import hold_out, is_small
from ..training.checkpoint import Checkpoint
from .result import HalfPass
from .train import draw_split, train_pass

if TYPE_CHECKING:
    import torch


def draw_half(y: np.ndarray, groups: np.ndarray | None, seed: int, classes: Sequence[str] = ()) -> np.ndarray:
    """Return the positions of the half that pass `seed` reads, stratified by class, with groups kept whole.

    Seeds 2k and 2k + 1 read complementary halves.
    """
    return hold_out(y, 0.5, stream(seed // 2, Draw.HALVES), groups, classes)[seed % 2]


def train_half_pass(
    samples: Samples,
    config: DeepMapperConfig,
    seed: int,
    *,
    checkpoint: Checkpoint | None = None,
    progress: Callable[[str], None] = lambda line: None,
    device: torch.device | str | None = None,
) -> HalfPass:
    """Train pass `seed` on its half of the samples, and draw validation and out-of-bag samples from that half.

    If there are few samples (`splits.is_small`), or a half cannot be split further, no pass is trained and `refused`
    gives the reason.

    Parameters
    ----------
    samples, config, seed, checkpoint, progress, device
        See `train.train_pass`.
    """
    labels, groups, classes = samples.labels, samples.group_codes, samples.classes
    refused = f"{len(samples)} samples are too few to halve" if is_small(labels) else ""
    half = samples.subset(np.arange(0))
    if not refused:
        try:
            half = samples.subset(draw_half(labels, groups, seed, classes))
            draw_split(half.labels, config, seed, half.group_codes, classes)
        except InputError as error:
            refused = f"the samples cannot be halved and split again: {error}"
    if refused:
        progress(f"no pass: {refused}")
        return HalfPass(seed, refused, len(half), float("nan"), np.empty(0, dtype=np.float32))
    result = train_pass(half, config, seed, checkpoint=checkpoint, progress=progress, device=device)
    return HalfPass(seed, "", len(half), result.accuracy, result.importance)

"""Control passes: the same training on permuted labels, which shows the accuracy of a network without signal.

With few samples, one pass on one permutation says little: it is tested on one or two samples of each class, and there
are few distinct permutations (`label_permutations.count_permutations`). So such a control takes several permutations of
the labels, with several passes on each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..config import DeepMapperConfig
from ..features.label_permutations import PASSES_PER_PERMUTATION, draw_permutations
from ..features.samples import Samples
from ..features.splits import is_small
from ..training.checkpoint import Checkpoint
from .result import ControlPart, PassResult, mean_probability
from .train import train_pass

if TYPE_CHECKING:
    import torch


def train_control(
    samples: Samples,
    config: DeepMapperConfig,
    seed: int,
    *,
    checkpoint: Checkpoint | None = None,
    progress: Callable[[str], None] = lambda line: None,
    device: torch.device | str | None = None,
) -> PassResult:
    """Train pass `seed` on permuted labels; with few samples, also train passes on further permutations.

    Parameters
    ----------
    samples, config, seed, checkpoint, progress, device
        See `train.train_pass`.

    Returns
    -------
    PassResult
        With `control` if there are few samples (`splits.is_small`).
    """
    control = train_pass(
        samples, config, seed, permute_labels=True, checkpoint=checkpoint, progress=progress, device=device
    )
    if not is_small(samples.labels):
        return control
    # the importances of these passes are not used, so the cheapest attribution will do
    cheap = replace(config, attribution="saliency", attribution_samples=1, baseline="zero")
    permutations = draw_permutations(samples.labels, samples.group_codes, seed, samples.strata_codes)
    accuracy, probability = np.zeros(len(permutations)), np.zeros(len(permutations))
    for i, labels in enumerate(permutations):
        relabelled = samples.relabel(labels)
        for offset in range(PASSES_PER_PERMUTATION):
            result = train_pass(relabelled, cheap, seed + offset, device=device)
            accuracy[i] += result.accuracy / PASSES_PER_PERMUTATION
            probability[i] += mean_probability(result, labels, samples.kinds) / PASSES_PER_PERMUTATION
        progress(
            f"control {seed}, permutation {i + 1} of {len(permutations)}: out-of-bag accuracy {accuracy[i]:.3f}, "
            f"probability of the true class {probability[i]:.3f}"
        )
    return replace(control, control=ControlPart(permutations, accuracy, probability))

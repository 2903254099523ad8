"""Control passes: the same training on permuted labels, which shows what is reached without a signal.

Few samples can be labelled in few ways, and one pass judges one or two of each class. So a control on few samples
takes several labelings, with several passes on each, and `count_labelings` says how many there are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..config import DeepMapperConfig
from ..features.label_permutations import PASSES, draw_permutations
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
    """Train pass `seed` on permuted labels; on few samples, further passes on further labelings as well.

    Parameters
    ----------
    samples, config, seed, checkpoint, progress, device
        As in `passes.train_pass`.

    Returns
    -------
    PassResult
        With `control` where samples are few (`splits.few_samples`).
    """
    control = train_pass(
        samples, config, seed, permute_labels=True, checkpoint=checkpoint, progress=progress, device=device
    )
    if not is_small(samples.labels):
        return control
    # importances of a control are not read: the cheapest attribution will do
    plain = replace(config, attribution="saliency", attribution_samples=1, baseline="zero")
    labelings = draw_permutations(samples.labels, samples.group_codes, seed, samples.strata_codes)
    accuracy, probability = np.zeros(len(labelings)), np.zeros(len(labelings))
    for i, labels in enumerate(labelings):
        relabelled = samples.relabel(labels)
        for turn in range(PASSES):
            result = train_pass(relabelled, plain, seed + turn, device=device)
            accuracy[i] += result.accuracy / PASSES
            probability[i] += mean_probability(result, labels) / PASSES
        progress(
            f"control {seed}, labeling {i + 1} of {len(labelings)}: out-of-bag accuracy {accuracy[i]:.3f}, "
            f"probability of the right class {probability[i]:.3f}"
        )
    return replace(control, control=ControlPart(labelings, accuracy, probability))

"""What passes reach when there is nothing to find: the same training on permuted labels.

Few samples can be labelled in few ways, and one pass judges one or two of each class. So a control on few samples
takes several labelings, with several passes on each, and `count_labelings` says how many there are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .checkpoint import Checkpoint
from .config import DeepMapperConfig
from .draws import Draw, FixedDraw, fixed_stream, stream
from .pass_result import ControlPart, PassResult, mean_probability
from .passes import shuffle_labels, train_pass
from .samples_view import Samples
from .splits import few_samples

if TYPE_CHECKING:
    import torch

LABELINGS, PASSES = 8, 4  # labelings of one control, and passes on each of them: five controls make 40 labelings
_LISTED = 1000  # up to so many, labelings are listed, so that controls share them out without repeating one


def train_control(
    samples: Samples,
    config: DeepMapperConfig,
    seed: int,
    *,
    checkpoint: Checkpoint | None = None,
    tell: Callable[[str], None] = lambda line: None,
    device: torch.device | str | None = None,
) -> PassResult:
    """Train pass `seed` on permuted labels; on few samples, further passes on further labelings as well.

    Parameters
    ----------
    samples, config, seed, checkpoint, tell, device
        As in `passes.train_pass`.

    Returns
    -------
    PassResult
        With `control` where samples are few (`splits.few_samples`).
    """
    control = train_pass(samples, config, seed, permute_labels=True, checkpoint=checkpoint, tell=tell, device=device)
    if not few_samples(samples.labels):
        return control
    # importances of a control are not read: the cheapest attribution will do
    plain = replace(config, attribution="saliency", attribution_samples=1, baseline="zero")
    labelings = draw_labelings(samples.labels, samples.group_codes, seed, samples.strata_codes)
    accuracy, probability = np.zeros(len(labelings)), np.zeros(len(labelings))
    for i, labels in enumerate(labelings):
        relabelled = samples.relabel(labels)
        for turn in range(PASSES):
            result = train_pass(relabelled, plain, seed + turn, device=device)
            accuracy[i] += result.accuracy / PASSES
            probability[i] += mean_probability(result, labels) / PASSES
        tell(
            f"control {seed}, labeling {i + 1} of {len(labelings)}: out-of-bag accuracy {accuracy[i]:.3f}, "
            f"probability of the right class {probability[i]:.3f}"
        )
    return replace(control, control=ControlPart(labelings, accuracy, probability))


def draw_labelings(y: np.ndarray, groups: np.ndarray | None, seed: int, strata: np.ndarray | None = None) -> np.ndarray:
    """Permuted labels for control `seed`, (at most `LABELINGS`, n): all different, none like the true ones.

    Where there are at most 1000, controls of consecutive seeds take them in turn, and together all before any twice.
    """
    possible = count_labelings(y, groups, strata)
    if possible <= _LISTED:
        others = _distinct(y, groups, strata, possible - 1, fixed_stream(FixedDraw.LISTED_LABELINGS))
        turns = (seed * LABELINGS + np.arange(min(LABELINGS, len(others)))) % max(len(others), 1)
        return others[turns]
    return _distinct(y, groups, strata, LABELINGS, stream(seed, Draw.CONTROL_LABELINGS))


def count_labelings(y: np.ndarray, groups: np.ndarray | None = None, strata: np.ndarray | None = None) -> int:
    """Count the ways to deal the labels out, the true one included, as a permutation of them may.

    Without groups: all arrangements of the labels. Where every group has one class: of the groups' labels. Else within
    each group; where `strata` are given, within each of them. Labelings that only exchange the names of classes are
    one: 4 and 4 samples have 35.
    """
    within = groups if strata is None else strata
    if within is None:
        tables = [np.unique(y, return_counts=True)[1]]
    else:
        codes = np.unique(y)
        by_group = [np.array([(y[within == group] == code).sum() for code in codes]) for group in np.unique(within)]
        if strata is None and all((counts > 0).sum() == 1 for counts in by_group):
            tables = [np.sum([counts > 0 for counts in by_group], axis=0)]
        else:
            tables = by_group
    ways = math.prod(_multinomial(counts) for counts in tables)
    return ways // _renamings(tables)


def distinct_rows(labelings: np.ndarray) -> np.ndarray:
    """Positions of the first of every labeling, (m, n); those that only exchange the names of classes are one."""
    if not len(labelings):
        return np.arange(0)
    return np.sort(np.unique([_named_by_order(row) for row in labelings], axis=0, return_index=True)[1])


def _distinct(y, groups, strata, wanted: int, rng: np.random.Generator) -> np.ndarray:
    """Draw until `wanted` different labelings are found."""
    seen = {tuple(_named_by_order(y))}
    found: list[np.ndarray] = []
    while len(found) < wanted:
        labels = shuffle_labels(y, groups, rng, strata)
        key = tuple(_named_by_order(labels))
        if key not in seen:
            seen.add(key)
            found.append(labels)
    return np.array(found, dtype=y.dtype).reshape(len(found), len(y))


def _named_by_order(labels: np.ndarray) -> np.ndarray:
    """Code classes by where they first appear, so that an exchange of names changes nothing."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def _multinomial(counts: np.ndarray) -> int:
    """Ways to arrange so many of each; beyond 10^30, which no test can tell apart, 10^30."""
    logarithm = math.lgamma(counts.sum() + 1) - sum(math.lgamma(count + 1) for count in counts)
    if logarithm > 30 * math.log(10):
        return 10**30
    return math.factorial(int(counts.sum())) // math.prod(math.factorial(int(count)) for count in counts)


def _renamings(tables: list[np.ndarray]) -> int:
    """Count the exchanges of class names that change nothing: of classes of the same size in every table."""
    of_class = list(zip(*(table.tolist() for table in tables), strict=True))
    return math.prod(math.factorial(of_class.count(sizes)) for sizes in set(of_class))

"""Whether adaptation to the target helps, judged by reverse transfer; labels of the target are not needed.

A pass names the target samples, a plain network learns from these names, and names the out-of-bag samples of the pass:
the more of them it gets right, the better were the names (Zhong et al. 2010, doi 10.1007/978-3-642-15939-8_35).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..config import DeepMapperConfig
from ..errors import InputError
from ..features.samples import Samples
from .restore import image_maker, restore_model
from .train import train_pass

if TYPE_CHECKING:
    import torch

# What is compared; the first is kept unless another is better.
ARMS = ("none", "mixmatch", "both")

# Passes of every arm.
N_SEEDS = 5

# A class that fewer target samples are named by cannot be divided into training, validation and out-of-bag samples.
_SMALLEST = 3


def choose_arm(
    samples: Samples,
    config: DeepMapperConfig,
    seeds: Sequence[int],
    progress: Callable[[str], None] = lambda line: None,
    device: torch.device | str | None = None,
) -> dict[str, Any]:
    """Compare the arms on the same seeds, and choose one.

    Parameters
    ----------
    samples
        With unlabelled samples (`features.samples.with_target`).
    config
        Settings of the model; its option `adapt` is replaced.
    seeds
        Of the passes of every arm.
    progress
        Receives one line per arm.
    device
        To compute on.

    Returns
    -------
    dict
        "adapt", the arm; "accuracy", the reverse accuracies of every arm, by seed; "why", a sentence.
    """
    accuracy: dict[str, list[float]] = {}
    for arm in ARMS:
        accuracy[arm] = [reverse_accuracy(samples, config, arm, seed, device) for seed in seeds]
        progress(f"{arm}: reverse accuracy {np.mean(accuracy[arm]):.3f}")
    arm, why = best_arm(accuracy)
    return {"adapt": arm, "why": why, "seeds": list(seeds), "accuracy": accuracy}


def best_arm(accuracy: dict[str, list[float]]) -> tuple[str, str]:
    """Choose the arm with the highest mean, if it is above `none` by more than one standard error of the difference.

    Parameters
    ----------
    accuracy
        Of every arm, one value per seed.

    Returns
    -------
    tuple
        The arm, and a sentence that says why.
    """
    means = {arm: float(np.mean(values)) for arm, values in accuracy.items()}
    best = max(means, key=means.__getitem__)
    plain = f"{means['none']:.3f} without adaptation"
    if best == "none":
        return "none", f"Not adapted: the reverse accuracy was highest {plain}."
    gain = np.subtract(accuracy[best], accuracy["none"])
    error = float(gain.std(ddof=1) / np.sqrt(len(gain))) if len(gain) > 1 else float("inf")
    found = f"reverse accuracy {means[best]:.3f} with {best}, {plain} (standard error of the difference {error:.3f})"
    if gain.mean() > error:
        return best, f"Adapted by {best}: {found}."
    return "none", f"Not adapted, since it was not clear that it helps: {found}."


def reverse_accuracy(
    samples: Samples, config: DeepMapperConfig, arm: str, seed: int, device: torch.device | str | None = None
) -> float:
    """Return the accuracy on the out-of-bag samples of a pass, of a network that learned from its names of the target.

    0 if the target is named by fewer than two classes from which a network can learn.
    """
    from ..training.inference import predict
    from ..training.runtime import as_device

    assert samples.unlabelled is not None
    device = as_device(device)
    # nothing of the attributions is used, so the cheapest will do
    config = replace(config, attribution="saliency", attribution_samples=1, baseline="zero")
    result = train_pass(samples, with_arm(config, arm), seed, device=device)
    model = restore_model(result, samples.X.shape[1], device)
    target = image_maker(samples.X, result.config, seed, device, samples.unlabelled)
    named = predict(model, target, np.arange(len(samples.unlabelled))).argmax(1)
    kept = np.flatnonzero(np.bincount(named, minlength=len(samples.classes)) >= _SMALLEST)
    if len(kept) < 2:
        return 0.0
    code = np.full(len(samples.classes), -1)
    code[kept] = np.arange(len(kept))
    y = np.full(samples.X.shape[0], -1, dtype=np.int64)
    y[samples.unlabelled] = code[named]
    rows = samples.unlabelled[code[named] >= 0]
    classes = tuple(samples.classes[i] for i in kept)
    back = train_pass(Samples(samples.X, y, classes, rows), with_arm(config, "none"), seed, device=device)
    model = restore_model(back, samples.X.shape[1], device)
    out_of_bag = samples.rows[result.out_of_bag_rows]
    images = image_maker(samples.X, back.config, seed, device, out_of_bag)
    found = kept[predict(model, images, np.arange(len(out_of_bag))).argmax(1)]
    return float((found == samples.y[out_of_bag]).mean())


def with_arm(config: DeepMapperConfig, arm: str) -> DeepMapperConfig:
    """Return the settings with another way of adaptation."""
    backbone = config.backbone
    return replace(config, backbone=replace(backbone, extra={**backbone.extra, "adapt": arm}))


def resolve_arm(config: DeepMapperConfig, choice: dict[str, Any] | None) -> DeepMapperConfig:
    """Replace the option ``adapt: auto`` by what was chosen.

    Parameters
    ----------
    config
        Settings of a model that learns from target samples.
    choice
        Result of `choose_arm`; None if the settings name an arm.

    Raises
    ------
    InputError
        If nothing was chosen.
    """
    if config.backbone.extra.get("adapt", "auto") != "auto":
        return config
    if choice is None:
        raise InputError(
            "extra adapt='auto': nothing was chosen for this target. Use `passes.adaptation.choose_arm`, or set adapt "
            f"to one of {', '.join(ARMS)}."
        )
    return with_arm(config, choice["adapt"])

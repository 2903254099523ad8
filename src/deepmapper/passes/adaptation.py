"""Whether adaptation to the target helps, judged by reverse transfer; labels of the target are not needed.

A pass names the target samples, a plain network learns from these names, and names the out-of-bag samples of the pass:
the more of them it gets right, the better were the names ("reverse validation": Zhong et al. 2010, Cross validation
framework to choose amongst models and datasets for transfer learning).

MixMatch and the adversary assume that target and reference have the same composition. If it differs, they name cells by
the composition of the reference, and reverse transfer rewards that (measured: benchmarks/README.md). So it has to be
alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..config import DeepMapperConfig
from ..errors import InputError
from ..features.domains import refuse_adversary, why_no_adversary
from ..features.kinds import has_lowest_label, to_lowest
from ..features.samples import Samples
from .restore import image_maker, restore_model, softmax
from .train import train_pass

if TYPE_CHECKING:
    import torch

# What is compared; the first is kept unless another is better.
ARMS = ("none", "mixmatch", "both")

# Passes of every arm.
N_SEEDS = 5

# Most that the composition may differ: half of the sum of the differences between the shares of the classes.
MOST_DIFFERENT = 0.2

# Standard errors by which an arm has to be better than none.
N_ERRORS = 2

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
        "adapt", the arm; "accuracy", the reverse accuracies of every arm, by seed; "difference", that between the
        compositions of target and reference, as named without adaptation; "why", a sentence.
    """
    accuracy: dict[str, list[float]] = {}
    difference, useless = 0.0, _why_no_adversary(samples)
    for arm in ARMS[:-1] if useless else ARMS:
        found = [reverse_accuracy(samples, config, arm, seed, device) for seed in seeds]
        accuracy[arm] = [value for value, _ in found]
        progress(f"{arm}: reverse accuracy {np.mean(accuracy[arm]):.3f}")
        if arm == "none":
            named = np.mean([shares for _, shares in found], axis=0)
            own = np.bincount(samples.labels, minlength=len(named)) / len(samples)
            own = to_lowest(own[None], samples.kinds)[0]
            difference = float(np.abs(named - own).sum() / 2)
    arm, why = best_arm(accuracy, difference)
    if useless:
        why += f" The adversary was left out: {useless}."
    return {"adapt": arm, "why": why, "seeds": list(seeds), "difference": difference, "accuracy": accuracy}


def best_arm(accuracy: dict[str, list[float]], difference: float = 0.0) -> tuple[str, str]:
    """Choose the arm with the highest mean, if it is clearly above `none` and the compositions are alike.

    Parameters
    ----------
    accuracy
        Of every arm, one value per seed.
    difference
        Between the compositions of target and reference, from 0 to 1.

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
    if difference > MOST_DIFFERENT:
        return "none", (
            f"Not adapted: the shares of the classes differ by {difference:.2f} between target and reference (more "
            f"than {MOST_DIFFERENT}), and adaptation assumes that they are the same."
        )
    gain = np.subtract(accuracy[best], accuracy["none"])
    error = float(gain.std(ddof=1) / np.sqrt(len(gain))) if len(gain) > 1 else float("inf")
    found = f"reverse accuracy {means[best]:.3f} with {best}, {plain} (standard error of the difference {error:.3f})"
    if gain.mean() > N_ERRORS * error:
        return best, f"Adapted by {best}: {found}."
    return "none", f"Not adapted, since it was not clear that it helps: {found}."


def reverse_accuracy(
    samples: Samples, config: DeepMapperConfig, arm: str, seed: int, device: torch.device | str | None = None
) -> tuple[float, np.ndarray]:
    """Name the target, and measure how well a network that learned from these names does on the out-of-bag samples.

    Returns
    -------
    tuple
        The accuracy, 0 if the target is named by fewer than two classes from which a network can learn; and the shares
        of the classes in the target, (C,). Where classes are kinds of others (`samples.kinds`), both are those of the
        lowest labels.
    """
    from ..training.inference import predict
    from ..training.runtime import as_device

    assert samples.unlabelled is not None
    device = as_device(device)
    # nothing of the attributions is used, so the cheapest will do
    config = replace(config, attribution="saliency", attribution_samples=1, baseline="zero")
    result = train_pass(samples, with_domains(with_arm(config, arm), samples), seed, device=device)
    model = restore_model(result, samples.X.shape[1], device)
    target = image_maker(samples.X, result.config, seed, device, samples.unlabelled)
    named = _lowest(predict(model, target, np.arange(len(samples.unlabelled))), samples.kinds)
    sizes = np.bincount(named, minlength=len(samples.classes))
    shares, kept = sizes / len(named), np.flatnonzero(sizes >= _SMALLEST)
    if len(kept) < 2:
        return 0.0, shares
    code = np.full(len(samples.classes), -1)
    code[kept] = np.arange(len(kept))
    y = np.full(samples.X.shape[0], -1, dtype=np.int64)
    y[samples.unlabelled] = code[named]
    rows = samples.unlabelled[code[named] >= 0]
    classes = tuple(samples.classes[i] for i in kept)
    back = train_pass(Samples(samples.X, y, classes, rows), with_arm(config, "none"), seed, device=device)
    model = restore_model(back, samples.X.shape[1], device)
    out_of_bag = samples.rows[result.out_of_bag_rows]
    out_of_bag = out_of_bag[has_lowest_label(samples.y[out_of_bag], samples.kinds)]
    images = image_maker(samples.X, back.config, seed, device, out_of_bag)
    found = kept[predict(model, images, np.arange(len(out_of_bag))).argmax(1)]
    return float((found == samples.y[out_of_bag]).mean()), shares


def _lowest(scores: np.ndarray, kinds: np.ndarray | None) -> np.ndarray:
    """(n,) codes of the most probable classes without kinds, from (n, C) scores."""
    return (scores if kinds is None else to_lowest(softmax(scores), kinds)).argmax(1)


def with_arm(config: DeepMapperConfig, arm: str) -> DeepMapperConfig:
    """Return the settings with another way of adaptation."""
    backbone = config.backbone
    return replace(config, backbone=replace(backbone, extra={**backbone.extra, "adapt": arm}))


def with_domains(config: DeepMapperConfig, samples: Samples) -> DeepMapperConfig:
    """Return the settings with the number of domains that the adversary, if there is one, tells apart.

    Raises
    ------
    InputError
        If there are none (`features.domains.why_no_adversary`).
    """
    adapt = config.backbone.extra.get("adapt", "auto")
    if samples.domains is None or adapt not in ("adversary", "both"):
        return config
    if useless := _why_no_adversary(samples):
        raise InputError(refuse_adversary(adapt, useless))
    backbone = config.backbone
    return replace(config, backbone=replace(backbone, extra={**backbone.extra, "n_domains": samples.n_domains}))


def _why_no_adversary(samples: Samples) -> str:
    if samples.domains is None or samples.unlabelled is None:
        return ""
    return why_no_adversary(samples.domains[np.concatenate([samples.rows, samples.unlabelled])])


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

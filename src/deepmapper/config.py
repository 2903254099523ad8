"""Settings of a run as three plain dataclasses. Standard library only.

Fields and defaults are those of the published DeepMapper; those from `weight_decay` on are ours.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from .errors import InputError
from .training_options import PRECISIONS, SCHEDULES, TrainingOptions

GENERAL_METHODS = ("integrated_gradients", "saliency", "input_x_gradient", "occlusion")  # fit every network

ATTENTION_METHODS = ("attention_rollout", "chefer")  # fit networks that show their attention: these kinds

ATTENTION_KINDS = ("vit_cct",)

ATTRIBUTION_METHODS = (*GENERAL_METHODS, *ATTENTION_METHODS)

BASELINES = ("zero", "mean")

CLASS_WEIGHTS = ("none", "balanced")


@dataclass(frozen=True)
class AttributionOptions:
    """How a trained network is attributed.

    Attributes
    ----------
    method
        One of `ATTRIBUTION_METHODS`.
    n_samples
        Samples attributed at most.
    baseline
        Reference image: "zero" (nothing expressed) or "mean" (the average training sample).
    ig_steps
        Nodes of the quadrature of integrated gradients.
    batch_size
        Images evaluated at once.
    """

    method: str = "integrated_gradients"
    n_samples: int = 64
    baseline: str = "zero"
    ig_steps: int = 32
    batch_size: int = 16


@dataclass
class AugmentConfig:
    """Augmentation of training images; off by default.

    Only noise on the values is offered: a flip or a crop would move features to other features' pixels.

    Attributes
    ----------
    enabled
        Whether anything is done at all.
    gaussian_noise_std
        Standard deviation of the noise, in units of the (normalised) values.
    """

    enabled: bool = False
    gaussian_noise_std: float = 0.0


@dataclass
class BackboneSpec:
    """Which network reads the pseudo-image.

    Attributes
    ----------
    kind
        A name that `backbones.available()` lists, or ``timm:<name>``.
    img_size
        Side of the image in pixels; 0 takes the smallest square that holds all features.
    in_chans
        Channels of the image; the same values are repeated in each.
    pretrained
        Ask for pretrained weights; refused by kinds that have none.
    extra
        Options of the builder, for example ``{"hidden": 256}``; an unknown one is refused.
    """

    kind: str = "cnn_small"
    img_size: int = 0
    in_chans: int = 1
    pretrained: bool = False
    extra: dict = field(default_factory=dict)


@dataclass
class DeepMapperConfig:
    """A whole run: arrange, train, attribute, N times over, then accumulate.

    Attributes
    ----------
    n_passes
        Passes to accumulate.
    min_accuracy
        A pass whose out-of-bag accuracy is below this is not accumulated.
    max_tries
        Passes to train at most, rejected ones included; 0 means `n_passes`.
    top_k
        Size of the head of each pass's ranking that counts as "selected".
    buffer
        Extra pixels beyond the features.
    index_features
        Keep the features in their given order in every pass (no permutation).
    epochs, batch_size, lr, weight_decay
        Training of each pass: most epochs, samples a batch, AdamW's learning rate and decoupled weight decay.
    test_size
        Out-of-bag share of each pass: never trained on, gives the pass's accuracy and attributions.
    early_stop, patience, min_epochs, min_delta, val_size
        Stop when the loss on a validation share (`val_size` of what is left after the out-of-bag share)
        has not fallen by `min_delta` for `patience` epochs, never before `min_epochs`; keep the best weights.
    attribution, attribution_samples, ig_steps, ig_internal_batch, baseline
        Method ("attention_rollout" and "chefer" for "vit_cct" alone); most out-of-bag samples attributed; quadrature
        nodes and images a batch of integrated gradients; the reference image: "zero" (nothing expressed) or "mean"
        (the average training sample).
    backbone, augment
        The network and the augmentation.
    seed
        Pass t uses ``seed + t``, for everything.
    schedule
        "constant", or "cosine": the learning rate falls to zero over `epochs` along half a cosine.
    clip_norm
        Longest gradient that a step follows, longer ones are shortened to it; 0 for no bound.
    class_weights
        "none", or "balanced": every class counts the same in the loss.
    precision
        "float32", or "bfloat16" where torch's autocast uses it in training; quicker on processors made for it.
    weight_average
        Share of the running average of the weights that every epoch keeps; validated and kept is the average. 0 for
        none.
    """

    n_passes: int = 30
    min_accuracy: float = 0.0
    max_tries: int = 0
    top_k: int = 20
    buffer: int = 0
    index_features: bool = False
    epochs: int = 20
    batch_size: int = 64
    lr: float = 1e-3
    test_size: float = 0.25
    early_stop: bool = True
    patience: int = 20
    min_epochs: int = 40
    min_delta: float = 1e-3
    val_size: float = 0.15
    attribution: str = "integrated_gradients"
    attribution_samples: int = 64
    ig_steps: int = 32
    ig_internal_batch: int = 16
    backbone: BackboneSpec = field(default_factory=BackboneSpec)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    seed: int = 0
    weight_decay: float = 0.0
    baseline: str = "zero"
    schedule: str = "constant"
    clip_norm: float = 0.0
    class_weights: str = "none"
    precision: str = "float32"
    weight_average: float = 0.0

    def effective_max_tries(self) -> int:
        """Passes that may be trained at most, rejected ones included."""
        return self.max_tries if self.max_tries > 0 else self.n_passes

    def training_options(self) -> TrainingOptions:
        """Return the fields that the training loop reads; early stopping follows the validation loss."""
        own = {item.name for item in fields(TrainingOptions)} - {"monitor"}
        return TrainingOptions(monitor="loss", **{name: getattr(self, name) for name in own})

    def attribution_options(self) -> AttributionOptions:
        """Return the fields that the attribution reads."""
        return AttributionOptions(
            method=self.attribution,
            n_samples=self.attribution_samples,
            baseline=self.baseline,
            ig_steps=self.ig_steps,
            batch_size=self.ig_internal_batch,
        )

    def check(self) -> None:
        """Refuse values that cannot work.

        Raises
        ------
        InputError
            One message that lists every such field, what it holds and what it may hold.
        """
        faults = _type_faults(self) or _range_faults(self)
        if faults:
            raise InputError("DeepMapperConfig cannot be used:\n  " + "\n  ".join(faults))

    def inert_settings(self) -> list[str]:
        """Say which settings cannot act, one sentence each; empty when all can."""
        said = []
        if self.early_stop and self.epochs < self.min_epochs:
            said.append(
                f"early stopping never acts: epochs={self.epochs} < min_epochs={self.min_epochs}, so every pass trains "
                f"{self.epochs} epochs, keeps its last weights and holds back {self.val_size:.0%} of its training "
                f"share for nothing. Raise epochs above min_epochs + patience, lower min_epochs, or set "
                f"early_stop=False."
            )
        elif self.early_stop and self.epochs <= self.min_epochs + self.patience - 1:
            said.append(
                f"early stopping cannot end a pass early: epochs={self.epochs} does not exceed "
                f"min_epochs={self.min_epochs} + patience={self.patience} - 1; it only chooses the best of epochs "
                f"{self.min_epochs}-{self.epochs}."
            )
        if self.augment.enabled and self.augment.gaussian_noise_std == 0:
            said.append("augment.enabled=True does nothing while augment.gaussian_noise_std is 0.")
        if not self.augment.enabled and self.augment.gaussian_noise_std > 0:
            said.append(
                f"augment.gaussian_noise_std={self.augment.gaussian_noise_std} does nothing while augment.enabled is "
                f"False."
            )
        if self.baseline != "zero" and self.attribution not in ("integrated_gradients", "occlusion"):
            said.append(f"baseline={self.baseline!r} does nothing: {self.attribution} looks at the sample alone.")
        if 0 < self.max_tries < self.n_passes:
            said.append(f"n_passes={self.n_passes} cannot be reached: max_tries={self.max_tries} ends the run first.")
        return said


def _type_faults(config: Any, prefix: str = "") -> list[str]:
    """Fields whose value is of another type than their default's."""
    faults = []
    for item in fields(config):
        value, name = getattr(config, item.name), prefix + item.name
        default = item.default_factory() if callable(item.default_factory) else item.default
        if is_dataclass(default):
            if not isinstance(value, type(default)):
                faults.append(f"{name}={value!r}: expected a {type(default).__name__}")
            else:
                faults += _type_faults(value, f"{name}.")
        elif isinstance(default, float):
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                faults.append(f"{name}={value!r}: expected a number")
        elif isinstance(default, bool) or not isinstance(default, int):
            if not isinstance(value, type(default)):
                faults.append(f"{name}={value!r}: expected {type(default).__name__}")
        elif isinstance(value, bool) or not isinstance(value, int):
            faults.append(f"{name}={value!r}: expected a whole number")
    return faults


def _range_faults(c: DeepMapperConfig) -> list[str]:
    faults = []

    def need(holds: bool, name: str, expected: str) -> None:
        if not holds:
            value = c
            for part in name.split("."):
                value = getattr(value, part)
            faults.append(f"{name}={value!r}: expected {expected}")

    for name in (
        "n_passes",
        "top_k",
        "epochs",
        "batch_size",
        "patience",
        "min_epochs",
        "attribution_samples",
        "ig_steps",
        "ig_internal_batch",
        "backbone.in_chans",
    ):
        value = getattr(c.backbone, name.partition(".")[2]) if "." in name else getattr(c, name)
        need(value >= 1, name, "1 or more")
    for name in (
        "max_tries",
        "buffer",
        "min_delta",
        "weight_decay",
        "clip_norm",
        "seed",
        "augment.gaussian_noise_std",
        "backbone.img_size",
    ):
        value = c
        for part in name.split("."):
            value = getattr(value, part)
        need(value >= 0, name, "0 or more")
    need(c.lr > 0, "lr", "more than 0")
    need(0 <= c.min_accuracy <= 1, "min_accuracy", "between 0 and 1")
    need(0 < c.test_size < 1, "test_size", "a share between 0 and 1")
    need(0 < c.val_size < 1, "val_size", "a share between 0 and 1")
    need(c.attribution in ATTRIBUTION_METHODS, "attribution", "one of " + ", ".join(ATTRIBUTION_METHODS))
    if c.attribution in ATTENTION_METHODS and c.backbone.kind not in ATTENTION_KINDS:
        faults.append(
            f"attribution={c.attribution!r} does not fit backbone.kind={c.backbone.kind!r}, which shows no attention: "
            f"expected one of {', '.join(GENERAL_METHODS)}, or backbone.kind={' or '.join(ATTENTION_KINDS)}"
        )
    for name, known in (
        ("baseline", BASELINES),
        ("schedule", SCHEDULES),
        ("class_weights", CLASS_WEIGHTS),
        ("precision", PRECISIONS),
    ):
        need(getattr(c, name) in known, name, "one of " + ", ".join(known))
    need(0 <= c.weight_average < 1, "weight_average", "a share from 0 to less than 1")
    return faults


def inert_notes(config: DeepMapperConfig, n_features: int, top_k: int | None = None) -> list[str]:
    """Settings that cannot act on `n_features` features, one sentence each; `top_k` where not the configuration's."""
    notes = config.inert_settings()
    top_k = config.top_k if top_k is None else top_k
    if top_k >= n_features:
        notes.append(
            f"top_k={top_k} takes all {n_features} features: every selection frequency is 1 and says nothing. "
            f"Set top_k below the number of features; the ranking falls back on median importance."
        )
    return notes


BACKBONE_KEYS = ("kind", "img_size", "in_chans", "pretrained", "extra")


def to_config(model_settings: dict, seed: int = 0) -> DeepMapperConfig:
    """Return the package's configuration of one model, for the pass with this seed."""
    options = copy.deepcopy(model_settings)
    backbone = BackboneSpec(**{key: options.pop(key) for key in BACKBONE_KEYS})
    augment = AugmentConfig(**options.pop("augment"))
    return DeepMapperConfig(**options, backbone=backbone, augment=augment, seed=seed)

"""The settings of a run, as plain dataclasses. Standard library only.

Fields and defaults are those of the published DeepMapper; the fields from `weight_decay` on are additions.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, fields, is_dataclass
from operator import attrgetter
from typing import Any

from .errors import InputError
from .training_options import PRECISIONS, SCHEDULES, TrainingOptions

# Attribution methods for any network, and those that need the attention of one of ATTENTION_KINDS.
GENERAL_METHODS = ("integrated_gradients", "saliency", "input_x_gradient", "occlusion")

ATTENTION_METHODS = ("attention_rollout", "chefer")

ATTENTION_KINDS = ("vit_cct",)

ATTRIBUTION_METHODS = (*GENERAL_METHODS, *ATTENTION_METHODS)

BASELINES = ("zero", "mean")

CLASS_WEIGHTS = ("none", "balanced")

# Passes that read the same draw of the shadows: seeds 3k, 3k + 1 and 3k + 2; chosen by hand.
SHADOWS_SHARED = 3


@dataclass(frozen=True)
class AttributionOptions:
    """How a trained network is attributed.

    Attributes
    ----------
    method
        One of `ATTRIBUTION_METHODS`.
    n_samples
        Maximum number of samples to attribute.
    baseline
        Reference image: "zero" (nothing expressed) or "mean" (the average training sample).
    ig_steps
        Quadrature nodes of integrated gradients.
    batch_size
        Images per batch.
    """

    method: str = "integrated_gradients"
    n_samples: int = 64
    baseline: str = "zero"
    ig_steps: int = 32
    batch_size: int = 16


@dataclass
class AugmentConfig:
    """Augmentation of training images; off by default.

    Only noise is available: a flip or crop would move features to the pixels of other features.

    Attributes
    ----------
    enabled
        Whether images are augmented.
    gaussian_noise_std
        Standard deviation of the noise, in units of the (normalised) values.
    """

    enabled: bool = False
    gaussian_noise_std: float = 0.0


@dataclass
class BackboneSpec:
    """The network that is trained on the pseudo-images.

    Attributes
    ----------
    kind
        A name from `backbones.available()`, or ``timm:<name>``.
    img_size
        Side of the image in pixels; 0 for the smallest square that holds all features.
    in_chans
        Channels of the image; each holds the same values.
    pretrained
        Use pretrained weights; an error for kinds that have none.
    extra
        Options of the network, for example ``{"hidden": 256}``; unknown ones are an error.
    """

    kind: str = "cnn_small"
    img_size: int = 0
    in_chans: int = 1
    pretrained: bool = False
    extra: dict = field(default_factory=dict)


@dataclass
class DeepMapperConfig:
    """A complete run: arrange, train and attribute N times, then accumulate.

    Attributes
    ----------
    n_passes
        Passes to accumulate.
    min_accuracy
        A pass with an out-of-bag accuracy below this is rejected.
    max_tries
        Maximum number of passes to train, rejected ones included; 0 for `n_passes`.
    top_k
        Number of top features of each pass that count as selected.
    buffer
        Extra pixels beyond the features.
    index_features
        Keep the features in the given order in every pass (no permutation).
    epochs, batch_size, lr, weight_decay
        Training of each pass: maximum number of epochs, samples per batch, AdamW's learning rate and decoupled weight
        decay.
    test_size
        Out-of-bag share of each pass: not trained on, used for the pass's accuracy and attributions.
    early_stop, patience, min_epochs, min_delta, val_size
        Stop when the loss on the validation samples (a share of `val_size` of those that are not out of bag) has not
        fallen by `min_delta` for `patience` epochs, but never before `min_epochs`; keep the best weights.
    attribution, attribution_samples, ig_steps, ig_internal_batch, baseline
        Method ("attention_rollout" and "chefer" for "vit_cct" only); maximum number of out-of-bag samples to attribute;
        quadrature nodes and images per batch of integrated gradients; the reference image: "zero" (nothing expressed)
        or "mean" (the average training sample).
    backbone, augment
        The network and the augmentation.
    seed
        Pass t uses ``seed + t`` for everything random.
    schedule
        "constant", or "cosine": the learning rate decays to zero over `epochs` along half a cosine.
    clip_norm
        Gradients are scaled down to this norm; 0 for no clipping.
    class_weights
        "none", or "balanced": every class has the same total weight in the loss.
    precision
        "float32", or "bfloat16" in the operations for which torch's autocast uses it; faster on hardware that supports
        it.
    weight_average
        Decay per epoch of the exponential moving average of the weights, which is what is validated and kept; 0 for no
        averaging.
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
        """Return the maximum number of passes to train, rejected ones included."""
        return self.max_tries if self.max_tries > 0 else self.n_passes

    def training_options(self) -> TrainingOptions:
        """Return the options of the training loop; early stopping follows the validation loss."""
        names = {field.name for field in fields(TrainingOptions)} - {"monitor"}
        return TrainingOptions(monitor="loss", **{name: getattr(self, name) for name in names})

    def attribution_options(self) -> AttributionOptions:
        """Return the options of the attribution."""
        return AttributionOptions(
            method=self.attribution,
            n_samples=self.attribution_samples,
            baseline=self.baseline,
            ig_steps=self.ig_steps,
            batch_size=self.ig_internal_batch,
        )

    def check(self) -> None:
        """Check all values.

        Raises
        ------
        InputError
            If a value is invalid; the message lists every such field, its value and what is expected.
        """
        faults = _type_faults(self) or _range_faults(self)
        if faults:
            raise InputError("DeepMapperConfig cannot be used:\n  " + "\n  ".join(faults))

    def inert_settings(self) -> list[str]:
        """List the settings that have no effect, one sentence each; empty if all have one.

        That early stopping cannot act is not said of the defaults: nobody chose them to.
        """
        notes = [] if self._stops_by_default() else self._stopping_notes()
        if self.augment.enabled and self.augment.gaussian_noise_std == 0:
            notes.append("augment.enabled=True does nothing while augment.gaussian_noise_std is 0.")
        if not self.augment.enabled and self.augment.gaussian_noise_std > 0:
            notes.append(
                f"augment.gaussian_noise_std={self.augment.gaussian_noise_std} does nothing while augment.enabled is "
                f"False."
            )
        if self.baseline != "zero" and self.attribution not in ("integrated_gradients", "occlusion"):
            notes.append(f"baseline={self.baseline!r} does nothing: {self.attribution} does not use a baseline.")
        if 0 < self.max_tries < self.n_passes:
            notes.append(f"n_passes={self.n_passes} cannot be reached: max_tries={self.max_tries} ends the run before.")
        return notes

    def _stops_by_default(self) -> bool:
        """Whether all settings on which early stopping depends have their defaults."""
        default = DeepMapperConfig()
        names = ("epochs", "early_stop", "patience", "min_epochs")
        return all(getattr(self, name) == getattr(default, name) for name in names)

    def _stopping_notes(self) -> list[str]:
        """Say what early stopping cannot do."""
        if not self.early_stop or self.epochs >= self.min_epochs + self.patience:
            return []
        if self.epochs < self.min_epochs:
            return [
                f"early stopping never acts: epochs={self.epochs} < min_epochs={self.min_epochs}, so every pass trains "
                f"{self.epochs} epochs, keeps its last weights and holds back {100 * self.val_size:g} % of its "
                f"training samples for nothing. Raise epochs to min_epochs + patience or more, lower min_epochs, or "
                f"set early_stop=False."
            ]
        return [
            f"early stopping cannot end a pass early: epochs={self.epochs} is less than min_epochs={self.min_epochs} + "
            f"patience={self.patience}; it only chooses the best of epochs {self.min_epochs}-{self.epochs}."
        ]


def inert_notes(config: DeepMapperConfig, n_features: int, top_k: int | None = None) -> list[str]:
    """List the settings that have no effect on `n_features` features, one sentence each.

    `top_k` replaces that of the configuration, if given.
    """
    notes = config.inert_settings()
    top_k = config.top_k if top_k is None else top_k
    if top_k >= n_features:
        notes.append(
            f"top_k={top_k} selects all {n_features} features: every selection frequency is 1 and carries no "
            f"information. Set top_k below the number of features; until then the ranking is by median importance."
        )
    return notes


BACKBONE_KEYS = ("kind", "img_size", "in_chans", "pretrained", "extra")


def to_config(model_settings: dict, seed: int = 0) -> DeepMapperConfig:
    """Convert the workflow's settings of one model, in which the backbone's options are not nested."""
    options = copy.deepcopy(model_settings)
    backbone = BackboneSpec(**{key: options.pop(key) for key in BACKBONE_KEYS})
    augment = AugmentConfig(**options.pop("augment"))
    return DeepMapperConfig(**options, backbone=backbone, augment=augment, seed=seed)


def _type_faults(config: Any, prefix: str = "") -> list[str]:
    """List the fields whose value does not have the type of the default."""
    faults = []
    for field_ in fields(config):
        value, name = getattr(config, field_.name), prefix + field_.name
        default = field_.default_factory() if callable(field_.default_factory) else field_.default
        if is_dataclass(default):
            if isinstance(value, type(default)):
                faults += _type_faults(value, f"{name}.")
            else:
                faults.append(f"{name}={value!r}: expected {type(default).__name__}")
        elif isinstance(default, float):
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                faults.append(f"{name}={value!r}: expected a number")
        elif isinstance(default, int) and not isinstance(default, bool):
            if isinstance(value, bool) or not isinstance(value, int):
                faults.append(f"{name}={value!r}: expected a whole number")
        elif not isinstance(value, type(default)):
            faults.append(f"{name}={value!r}: expected {type(default).__name__}")
    return faults


_AT_LEAST_1 = (
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
)

_AT_LEAST_0 = (
    "max_tries",
    "buffer",
    "min_delta",
    "weight_decay",
    "clip_norm",
    "seed",
    "augment.gaussian_noise_std",
    "backbone.img_size",
)


def _range_faults(c: DeepMapperConfig) -> list[str]:
    """List the fields whose value is out of range or unknown."""
    faults = []

    def need(is_valid: bool, name: str, expected: str) -> None:
        if not is_valid:
            faults.append(f"{name}={attrgetter(name)(c)!r}: expected {expected}")

    for name in _AT_LEAST_1:
        need(attrgetter(name)(c) >= 1, name, "1 or more")
    for name in _AT_LEAST_0:
        need(attrgetter(name)(c) >= 0, name, "0 or more")
    need(c.lr > 0, "lr", "more than 0")
    need(0 <= c.min_accuracy <= 1, "min_accuracy", "between 0 and 1")
    need(0 < c.test_size < 1, "test_size", "a share between 0 and 1")
    need(0 < c.val_size < 1, "val_size", "a share between 0 and 1")
    need(c.attribution in ATTRIBUTION_METHODS, "attribution", "one of " + ", ".join(ATTRIBUTION_METHODS))
    if c.attribution in ATTENTION_METHODS and c.backbone.kind not in ATTENTION_KINDS:
        faults.append(
            f"attribution={c.attribution!r} does not fit backbone.kind={c.backbone.kind!r}, which has no attention: "
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

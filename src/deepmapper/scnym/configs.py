"""The named configurations, and how a configuration is merged with one. Needs no torch."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from ..core.words import did_you_mean
from ..errors import InputError

DEFAULT = "new_identity_discovery"

_COMMON: dict[str, Any] = {
    "description": "",
    "n_epochs": 100,
    "min_epochs": 20,
    "patience": 40,
    "batch_size": 256,
    "optimizer": "adadelta",
    "lr": 1.0,
    "weight_decay": 1e-4,
    "balanced_classes": False,
    "weighted_classes": False,
    "mixup_alpha": 0.3,
    "unsup_max_weight": 1.0,
    "unsup_mean_teacher": False,
    "seed": 0,
    "use_gpu": False,
    "verbose": False,
    "ssl_kwargs": {
        "augment": "log1p_drop",
        "augment_pseudolabels": False,
        "n_augmentations": 1,
        "T": 0.5,
        "pseudolabel_min_confidence": 0.0,
        "ramp_epochs": 100,
        "burn_in_epochs": 0,
        "dan_criterion": True,
        "dan_max_weight": 0.1,
        "dan_ramp_epochs": 20,
        "dan_use_conf_pseudolabels": False,
        "dan_scale_loss_pseudoconf": False,
    },
    "model_kwargs": {"n_hidden": 256, "n_layers": 2, "init_dropout": 0.0, "residual": False},
}

# Name -> its differences from what all have in common.
_NAMED: dict[str, dict[str, Any]] = {
    "new_identity_discovery": {
        "description": "Only target cells with sure pseudolabels teach the network: new identities stay unsure.",
        "ssl_kwargs": {"pseudolabel_min_confidence": 0.9, "dan_use_conf_pseudolabels": True},
    },
    "no_new_identity": {"description": "All target cells are of classes of the training data, and teach the network."},
    "no_dan": {"description": "MixMatch without the domain adversary.", "ssl_kwargs": {"dan_criterion": False}},
    "no_ssl": {
        "description": "Labelled cells alone: neither MixMatch nor the domain adversary.",
        "unsup_max_weight": 0.0,
        "ssl_kwargs": {"dan_criterion": False},
    },
}


def list_configs() -> dict[str, str]:
    """Return the named configurations, and what each is for."""
    return {name: config["description"] for name, config in _NAMED.items()}


def named_config(name: str) -> dict[str, Any]:
    """Return a named configuration, a new dict.

    Raises
    ------
    InputError
        If there is none of this name.
    """
    if name not in _NAMED:
        raise InputError(
            f"config={name!r} is no configuration: expected {', '.join(_NAMED)}, or a dict.{did_you_mean(name, _NAMED)}"
        )
    return merged(_COMMON, _NAMED[name])


def resolve_config(config: str | Mapping[str, Any]) -> dict[str, Any]:
    """Return the whole configuration that a name or a dict stands for, a new dict.

    A dict holds what differs from `DEFAULT`, or from the configuration that its key "config" names. Nested dicts are
    merged key by key, and the argument is not changed.

    Raises
    ------
    InputError
        If a name or a key is unknown.
    """
    if isinstance(config, str):
        return named_config(config)
    given = dict(config)
    base = named_config(given.pop("config", DEFAULT))
    _refuse_unknown(given, base, "config")
    return merged(base, given)


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of nested dicts with some values replaced."""
    result = copy.deepcopy(dict(base))
    for key, value in changes.items():
        nested = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if nested else copy.deepcopy(value)
    return result


# Keys that the entry points add.
ADDED = ("out_path", "groupby", "domain_groupby", "key_added", "trained_model")


def _refuse_unknown(given: Mapping[str, Any], known: Mapping[str, Any], place: str) -> None:
    for key, value in given.items():
        if key not in known and not (place == "config" and key in ADDED):
            raise InputError(
                f"{place}: unknown key {key!r}, expected some of {', '.join(known)}.{did_you_mean(key, known)}"
            )
        if isinstance(known.get(key), Mapping):
            if not isinstance(value, Mapping):
                raise InputError(f"{place}: {key}={value!r}, expected a dict")
            if key != "model_kwargs":  # the network checks its own
                _refuse_unknown(value, known[key], f"{place} {key}")

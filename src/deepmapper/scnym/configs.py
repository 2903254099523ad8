"""The named configurations, and how a configuration is merged with one. Needs no torch."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np

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


# What values may be; those that are not named are true or false.
_WHOLE = {
    **{"n_epochs": 1, "min_epochs": 0, "patience": 0, "batch_size": 2, "seed": 0, "n_augmentations": 1},
    **{"ramp_epochs": 0, "burn_in_epochs": 0, "dan_ramp_epochs": 0, "n_hidden": 1, "n_layers": 1, "n_hidden_init": 1},
}
_NOT_NEGATIVE = ("weight_decay", "mixup_alpha", "unsup_max_weight", "dan_max_weight")
_ABOVE_ZERO = ("lr", "T")
_SHARES = ("pseudolabel_min_confidence", "init_dropout")
_WORDS = {
    "augment": (*("none", "log1p_drop", "log1p_mask", "log1p_poisson", "log1p_poisson_drop", "count_poisson"),),
}
_OF_NETWORK = ("n_hidden", "n_layers", "init_dropout", "residual", "batch_norm", "track_running_stats", "n_hidden_init")


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
        If a name or a key is unknown, or a value is of no use.
    """
    if isinstance(config, str):
        return named_config(config)
    if not isinstance(config, Mapping):
        raise InputError(
            f"config is of type {type(config).__name__}: expected one of {', '.join(_NAMED)}, or a dict of what differs"
        )
    given = dict(config)
    base = named_config(given.pop("config", DEFAULT))
    _refuse_unknown(given, base, "config")
    result = merged(base, given)
    _refuse_values(result, "config")
    return result


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
            names = dict.fromkeys(_OF_NETWORK) if key == "model_kwargs" else known[key]
            _refuse_unknown(value, names, f"{place} {key}")


def _refuse_values(config: Mapping[str, Any], place: str) -> None:
    for key, value in config.items():
        if isinstance(value, Mapping):
            _refuse_values(value, f"{place} {key}")
        elif key not in ADDED and (expected := _expected(key, value)):
            raise InputError(f"{place}: {key}={value!r}, expected {expected}")


def _expected(key: str, value: Any) -> str:
    """Say what a value should have been; "" if it may be."""
    is_number = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if key in _WHOLE:
        fits = isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= _WHOLE[key]
        return "" if fits or (key == "patience" and value is None) else f"a whole number of at least {_WHOLE[key]}"
    if key in _NOT_NEGATIVE:
        return "" if is_number and value >= 0 else "a number of at least 0"
    if key in _ABOVE_ZERO:
        return "" if is_number and value > 0 else "a number above 0"
    if key in _SHARES:
        fits = is_number and 0 <= value <= 1 and (key != "init_dropout" or value < 1)
        return "" if fits else "a number from 0 to 1" + (", but not 1" if key == "init_dropout" else "")
    if key in _WORDS:
        return "" if value in _WORDS[key] else f"one of {', '.join(_WORDS[key])}"
    if key in ("description", "optimizer"):  # the optimiser is checked where it is made
        return "" if isinstance(value, str) else "a word"
    return "" if isinstance(value, bool | np.bool_) else "True or False"

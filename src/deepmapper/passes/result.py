"""The record of one pass and its file. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..config import AugmentConfig, BackboneSpec, DeepMapperConfig
from ..core.records import MappedRecord, read_record, refuse_damage, write_record

# Above this, the quadrature of integrated gradients is too coarse for the contributions to be what they are called.
COMPLETENESS_BOUND = 0.05


@dataclass(frozen=True)
class ChordPart:
    """Attributions of the gene chords that a network read as further pixels, as those of the features.

    Attributes
    ----------
    importance
        (chords,).
    class_importance, class_gradient
        (C, chords).
    """

    importance: np.ndarray
    class_importance: np.ndarray
    class_gradient: np.ndarray


@dataclass(frozen=True)
class ShadowPart:
    """What a pass with shadow features found beside them (`shadows.train_shadow_pass`).

    Attributes
    ----------
    class_gradient
        (C, p) as that of the features, of each feature's shadow.
    draw
        Which draw of the shadows the pass read.
    """

    class_gradient: np.ndarray
    draw: int


@dataclass(frozen=True)
class ControlPart:
    """Further labelings of a control on few samples (`controls.train_control`).

    Attributes
    ----------
    labels
        (labelings, n) permuted labels of the samples.
    accuracy, probability
        (labelings,) means over the passes on each: out-of-bag accuracy, and probability of the right class.
    """

    labels: np.ndarray
    accuracy: np.ndarray
    probability: np.ndarray


# parts that only some passes have, by attribute: their type, and what the names of their members in the file begin with
_PARTS: dict[str, tuple[type, str]] = {
    "chords": (ChordPart, "chord_"),
    "shadows": (ShadowPart, "shadow_"),
    "control": (ControlPart, "control_"),
}


@dataclass(frozen=True)
class PassResult:
    """Everything one pass found.

    p features, C classes. Rows count within the samples that the pass was given.

    Attributes
    ----------
    seed
        Seed of everything the pass drew.
    permuted
        Whether it trained on permuted labels (a control).
    settings
        The configuration, as a plain dictionary.
    classes
        Names of the classes.
    accuracy, balanced_accuracy
        On the out-of-bag samples; balanced is the mean recall of the classes.
    majority_accuracy
        What always naming the largest class of the training samples reaches there.
    permuted_accuracy, permutation_p
        Mean accuracy of the pass's own predictions against the shuffled out-of-bag labels, and the share of
        shuffles (999, plus one) that reach `accuracy`.
    stop_epoch
        Epoch whose weights were kept.
    completeness_error
        Of integrated gradients (see `attribution.PixelAttribution`), else NaN.
    history
        (epochs, 3) training loss, validation loss, validation accuracy.
    importance
        (p,) mean size of the feature's contribution over the attributed samples, classes weighted as they occur.
    class_importance
        (C, p) the same over the samples of each class; NaN for a class without attributed samples.
    class_gradient
        (C, p) mean gradient of the class's score by the feature; its sign is the direction.
    train_rows, validation_rows, out_of_bag_rows
        Samples that the pass trained on, validated on and was judged on.
    out_of_bag_probability
        (n out-of-bag, C) predicted probabilities.
    weights
        The network's state, by name.
    chords, shadows, control
        What only some passes have, else None.
    key
        Of a pass of the workflow: a hash of all that it depends on (`pass_jobs.pass_key`). Else empty.
    """

    seed: int
    permuted: bool
    settings: dict
    classes: tuple[str, ...]
    accuracy: float
    balanced_accuracy: float
    majority_accuracy: float
    permuted_accuracy: float
    permutation_p: float
    stop_epoch: int
    completeness_error: float
    history: np.ndarray
    importance: np.ndarray
    class_importance: np.ndarray
    class_gradient: np.ndarray
    train_rows: np.ndarray
    validation_rows: np.ndarray
    out_of_bag_rows: np.ndarray
    out_of_bag_probability: np.ndarray
    weights: dict[str, np.ndarray] = field(repr=False)
    chords: ChordPart | None = None
    shadows: ShadowPart | None = None
    control: ControlPart | None = None
    key: str = ""

    def save(self, path: str | Path) -> None:
        """Write all of it to an .npz without pickles; the file appears whole or not at all."""
        values = {name: value for name, value in vars(self).items() if name != "weights" and name not in _PARTS}
        for name, (_, prefix) in _PARTS.items():
            part = getattr(self, name)
            values |= {f"{prefix}{key}": value for key, value in (vars(part) if part is not None else {}).items()}
        values |= {f"weights/{name}": array for name, array in self.weights.items()}
        arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
        write_record(path, {name: value for name, value in values.items() if name not in arrays}, arrays)

    @classmethod
    def load(cls, path: str | Path, weights: bool = True) -> PassResult:
        """Read what `save` wrote; `weights=False` leaves them out, which is quicker.

        Raises
        ------
        InputError
            If the file is not a whole pass.
        """
        about, arrays = read_record(path, "pass", lambda name: weights or not name.startswith("weights/"))
        state = {name: arrays.pop(name) for name in list(arrays) if name.startswith("weights/")}
        with refuse_damage(path, "pass"):
            values = about | arrays
            parts = {name: _part(name, values, values.__getitem__) for name in _PARTS}
            values = {name: value for name, value in values.items() if not name.startswith(_PREFIXES)}
            values["classes"] = tuple(values["classes"])
            return cls(**values, **parts, weights={name.removeprefix("weights/"): a for name, a in state.items()})

    @property
    def config(self) -> DeepMapperConfig:
        """The settings as the dataclass they came from."""
        return config_from_dict(self.settings)


_PREFIXES = tuple(prefix for _, prefix in _PARTS.values())


class PassFile:
    """A pass left in its file, with the attributes of a `PassResult`: what bounds the memory of many passes.

    Numbers and texts are read at once. Every array is mapped into memory anew whenever it is asked for, so that a part
    of it costs what the part costs, and nothing is held.

    Raises
    ------
    InputError
        If the file is not a whole pass.
    """

    def __init__(self, path: str | Path):
        self._record = MappedRecord(path, "pass")
        with refuse_damage(path, "pass"):
            about = self._record.metadata
            vars(self).update(
                {name: value for name, value in about.items() if not name.startswith(_PREFIXES)},
                classes=tuple(about["classes"]),
            )

    def __getattr__(self, name: str) -> Any:
        """Map an array."""
        if name.startswith("_") or name not in self._record:
            raise AttributeError(f"{self._record.path} holds no {name}")
        return self._record.array(name)

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """The network's state, by name."""
        names = [name for name in self._record.names if name.startswith("weights/")]
        return {name.removeprefix("weights/"): self._record.array(name) for name in names}

    @property
    def chords(self) -> ChordPart | None:
        """As of a `PassResult`."""
        return self._mapped_part("chords")

    @property
    def shadows(self) -> ShadowPart | None:
        """As of a `PassResult`."""
        return self._mapped_part("shadows")

    @property
    def control(self) -> ControlPart | None:
        """As of a `PassResult`."""
        return self._mapped_part("control")

    @property
    def config(self) -> DeepMapperConfig:
        """The settings as the dataclass they came from."""
        return config_from_dict(self._record.metadata["settings"])

    def _mapped_part(self, name: str) -> Any:
        about = self._record.metadata
        known = about | dict.fromkeys(self._record.names)
        return _part(name, known, lambda key: about[key] if key in about else self._record.array(key))


def _part(name: str, known: Mapping[str, Any], value_of: Callable[[str], Any]) -> Any:
    """Make a part from the values in a file, or None where they hold none of it."""
    of, prefix = _PARTS[name]
    if not any(key.startswith(prefix) for key in known):
        return None
    return of(**{one.name: value_of(f"{prefix}{one.name}") for one in fields(of)})


@dataclass(frozen=True)
class HalfPass:
    """What stability selection needs of a pass on half of the samples.

    Attributes
    ----------
    seed
        Of the pass; seeds 2k and 2k + 1 read complementary halves.
    refused
        Why there is no such pass, in a sentence; empty where there is.
    n_samples
        Samples of the half.
    accuracy
        On its out-of-bag samples, which lie in the half as well.
    importance
        (p,) float32; empty where refused.
    key
        As in `PassResult`.
    """

    seed: int
    refused: str
    n_samples: int
    accuracy: float
    importance: np.ndarray
    key: str = ""

    def save(self, path: str | Path) -> None:
        """Write to an .npz without pickles, whole or not at all."""
        about = {name: value for name, value in vars(self).items() if name != "importance"}
        write_record(path, about, {"importance": self.importance})

    @classmethod
    def load(cls, path: str | Path) -> HalfPass:
        """Read what `save` wrote.

        Raises
        ------
        InputError
            If the file is not whole.
        """
        about, arrays = read_record(path, "pass")
        with refuse_damage(path, "pass"):
            return cls(**about, importance=arrays["importance"])


def read_importance(path: str | Path) -> tuple[float, np.ndarray]:
    """Accuracy and (p,) importances of a pass; nothing else of the file is read.

    Raises
    ------
    InputError
        If the file is not a whole pass.
    """
    about, arrays = read_record(path, "pass", lambda name: name == "importance")
    with refuse_damage(path, "pass"):
        return about["accuracy"], arrays["importance"]


def mean_probability(result: PassResult | PassFile, y: np.ndarray) -> float:
    """Mean probability that a pass gives to the right class of its out-of-bag samples.

    Of two samples right or wrong says little; this tells a pass that knows from one that was lucky.
    """
    rows = result.out_of_bag_rows
    return float(result.out_of_bag_probability[np.arange(len(rows)), y[rows]].mean())


def pass_settings(config: DeepMapperConfig) -> dict:
    """The settings as plain builtins, without those that do not touch a single pass."""
    beyond = {"n_passes", "min_accuracy", "max_tries", "top_k", "seed"}
    return {name: value for name, value in asdict(config).items() if name not in beyond}


def config_from_dict(settings: dict) -> DeepMapperConfig:
    """Inverse of `dataclasses.asdict` for a `DeepMapperConfig`."""
    nested = {"backbone": BackboneSpec(**settings["backbone"]), "augment": AugmentConfig(**settings["augment"])}
    return DeepMapperConfig(**{**settings, **nested})

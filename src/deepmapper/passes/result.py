"""The record of one pass and its file. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..config import AugmentConfig, BackboneSpec, DeepMapperConfig
from ..core.records import MappedRecord, read_record, refuse_damage, write_record
from ..features.kinds import to_lowest

# Above this completeness error, the quadrature of integrated gradients is too coarse to trust; chosen by hand.
COMPLETENESS_BOUND = 0.05


@dataclass(frozen=True)
class ChordPart:
    """Attributions of the gene chords (interaction gene sets) that a network read as additional pixels.

    Attributes
    ----------
    importance
        (chords,); defined as for features, see `PassResult`.
    class_importance, class_gradient
        (C, chords); likewise.
    """

    importance: np.ndarray
    class_importance: np.ndarray
    class_gradient: np.ndarray


@dataclass(frozen=True)
class ShadowPart:
    """Attributions of the shadow features of a pass (`shadows.train_shadow_pass`).

    Attributes
    ----------
    class_gradient
        (C, p) mean gradient of each class's score by each feature's shadow.
    draw
        Number of the draw of shadows that the pass read.
    """

    class_gradient: np.ndarray
    draw: int


@dataclass(frozen=True)
class ControlPart:
    """Further permutations of the labels in a control with few samples (`controls.train_control`).

    Attributes
    ----------
    labels
        (permutations, n) permuted labels of the samples.
    accuracy, probability
        (permutations,) means over the passes on each: out-of-bag accuracy, and probability of the true class.
    """

    labels: np.ndarray
    accuracy: np.ndarray
    probability: np.ndarray


# optional parts of a pass, by attribute: their type, and the prefix of their names in the file
_PARTS: dict[str, tuple[type, str]] = {
    "chords": (ChordPart, "chord_"),
    "shadows": (ShadowPart, "shadow_"),
    "control": (ControlPart, "control_"),
}


@dataclass(frozen=True)
class PassResult:
    """The record of one pass: its settings, accuracy, attributions and weights.

    p features, C classes. Row numbers are positions among the samples that the pass was given.

    Attributes
    ----------
    seed
        Seed of all random numbers of the pass.
    permuted
        Whether it trained on permuted labels (a control).
    settings
        The configuration, as a plain dictionary.
    classes
        Names of the classes.
    accuracy, balanced_accuracy
        On the out-of-bag samples with a lowest label; balanced is the mean recall of the classes. These and the next
        three are NaN if there are none, which only labels of different depth and groups can lead to.
    majority_accuracy
        Out-of-bag accuracy of always predicting the largest class of the training samples.
    permuted_accuracy, permutation_p
        Mean accuracy of the predictions on shuffled out-of-bag labels, and the share of shuffles (999, plus one)
        that reach `accuracy`.
    stop_epoch
        1-based epoch whose weights were kept.
    completeness_error
        Of integrated gradients (`attribution.PixelAttribution`); NaN for other methods.
    history
        (epochs, 3) training loss, validation loss, validation accuracy.
    importance
        (p,) mean absolute contribution of the feature over the attributed samples, classes weighted as they occur.
    class_importance
        (C, p) mean absolute contribution over the samples of each class; NaN for a class without attributed samples.
    class_gradient
        (C, p) mean gradient of the class's score by the feature; its sign is the direction.
    train_rows, validation_rows, out_of_bag_rows
        Samples used for training, validation and testing.
    out_of_bag_probability
        (n out-of-bag, C) predicted probabilities.
    weights
        The network's `state_dict`.
    chords, shadows, control
        Parts that only some passes have; else None.
    key
        Hash of everything that a pass of the workflow depends on (`pass_jobs.pass_key`); else empty.
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
        """Write the record to an .npz without pickles; the write is atomic."""
        values = {name: value for name, value in vars(self).items() if name != "weights" and name not in _PARTS}
        for name, (_, prefix) in _PARTS.items():
            part = getattr(self, name)
            if part is not None:
                values |= {f"{prefix}{key}": value for key, value in vars(part).items()}
        values |= {f"weights/{name}": array for name, array in self.weights.items()}
        arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
        write_record(path, {name: value for name, value in values.items() if name not in arrays}, arrays)

    @classmethod
    def load(cls, path: str | Path, weights: bool = True) -> PassResult:
        """Read what `save` wrote; ``weights=False`` leaves out the weights, which is faster.

        Raises
        ------
        InputError
            If the file is not a complete pass.
        """
        header, arrays = read_record(path, "pass", lambda name: weights or not name.startswith("weights/"))
        state = {name: arrays.pop(name) for name in list(arrays) if name.startswith("weights/")}
        with refuse_damage(path, "pass"):
            values = header | arrays
            parts = {name: _part(name, values, values.__getitem__) for name in _PARTS}
            values = {name: value for name, value in values.items() if not name.startswith(_PREFIXES)}
            values["classes"] = tuple(values["classes"])
            return cls(
                **values, **parts, weights={name.removeprefix("weights/"): value for name, value in state.items()}
            )

    @property
    def config(self) -> DeepMapperConfig:
        """The settings as a `DeepMapperConfig`."""
        return config_from_dict(self.settings)


_PREFIXES = tuple(prefix for _, prefix in _PARTS.values())


class PassFile:
    """A pass that stays in its file, with the attributes of a `PassResult`; bounds the memory of many passes.

    Numbers and texts are read at once. Arrays are memory-mapped anew at every access, so that only the parts that are
    used are read, and nothing is kept in memory.

    Raises
    ------
    InputError
        If the file is not a complete pass.
    """

    def __init__(self, path: str | Path):
        self._record = MappedRecord(path, "pass")
        with refuse_damage(path, "pass"):
            header = self._record.metadata
            vars(self).update(
                {name: value for name, value in header.items() if not name.startswith(_PREFIXES)},
                classes=tuple(header["classes"]),
            )

    def __getattr__(self, name: str) -> Any:
        """Memory-map an array."""
        if name.startswith("_") or name not in self._record:
            raise AttributeError(f"{self._record.path} has no {name}")
        return self._record.array(name)

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """The network's `state_dict`."""
        names = [name for name in self._record.names if name.startswith("weights/")]
        return {name.removeprefix("weights/"): self._record.array(name) for name in names}

    @property
    def chords(self) -> ChordPart | None:
        """Attributions of the gene chords, or None."""
        return self._mapped_part("chords")

    @property
    def shadows(self) -> ShadowPart | None:
        """Attributions of the shadow features, or None."""
        return self._mapped_part("shadows")

    @property
    def control(self) -> ControlPart | None:
        """Further permutations of the labels, or None."""
        return self._mapped_part("control")

    @property
    def config(self) -> DeepMapperConfig:
        """The settings as a `DeepMapperConfig`."""
        return config_from_dict(self._record.metadata["settings"])

    def _mapped_part(self, name: str) -> Any:
        header = self._record.metadata
        names = {*header, *self._record.names}
        return _part(name, names, lambda key: header[key] if key in header else self._record.array(key))


def _part(name: str, names: Iterable[str], value_of: Callable[[str], Any]) -> Any:
    """Return an optional part of a pass, or None if none of the names in its file belongs to that part."""
    part_type, prefix = _PARTS[name]
    if not any(key.startswith(prefix) for key in names):
        return None
    return part_type(**{item.name: value_of(f"{prefix}{item.name}") for item in fields(part_type)})


@dataclass(frozen=True)
class HalfPass:
    """The record of a pass on half of the samples, as far as stability selection needs it.

    Attributes
    ----------
    seed
        Of the pass; seeds 2k and 2k + 1 read complementary halves.
    refused
        Why no pass was trained, in a sentence; empty if one was.
    n_samples
        Number of samples in the half.
    accuracy
        On its out-of-bag samples, which are part of the half.
    importance
        (p,) float32; empty if no pass was trained.
    key
        Hash of everything that a pass of the workflow depends on (`pass_jobs.pass_key`); else empty.
    """

    seed: int
    refused: str
    n_samples: int
    accuracy: float
    importance: np.ndarray
    key: str = ""

    def save(self, path: str | Path) -> None:
        """Write the record to an .npz without pickles; the write is atomic."""
        header = {name: value for name, value in vars(self).items() if name != "importance"}
        write_record(path, header, {"importance": self.importance})

    @classmethod
    def load(cls, path: str | Path) -> HalfPass:
        """Read what `save` wrote.

        Raises
        ------
        InputError
            If the file is not complete.
        """
        header, arrays = read_record(path, "pass")
        with refuse_damage(path, "pass"):
            return cls(**header, importance=arrays["importance"])


def read_importance(path: str | Path) -> tuple[float, np.ndarray]:
    """Read only the accuracy and the (p,) importances of a pass from its file.

    Raises
    ------
    InputError
        If the file is not a complete pass.
    """
    header, arrays = read_record(path, "pass", lambda name: name == "importance")
    with refuse_damage(path, "pass"):
        return header["accuracy"], arrays["importance"]


def mean_probability(result: PassResult | PassFile, y: np.ndarray, kinds: np.ndarray | None = None) -> float:
    """Return the mean probability that a pass gives to the true class of its out-of-bag samples.

    With two out-of-bag samples, accuracy says little; the probability still separates skill from luck. With `kinds`
    (`features.samples.Samples.kinds`) that of a label above others is the sum of those of its kinds.
    """
    rows = result.out_of_bag_rows
    if kinds is not None:
        return float((to_lowest(result.out_of_bag_probability, kinds) * kinds[y[rows]]).sum(1).mean())
    return float(result.out_of_bag_probability[np.arange(len(rows)), y[rows]].mean())


def pass_settings(config: DeepMapperConfig) -> dict:
    """Return the settings as plain builtins, without those that do not affect a single pass."""
    of_the_run = {"n_passes", "min_accuracy", "max_tries", "top_k", "seed"}
    return {name: value for name, value in asdict(config).items() if name not in of_the_run}


def config_from_dict(settings: dict) -> DeepMapperConfig:
    """Rebuild the `DeepMapperConfig` that `dataclasses.asdict` converted to `settings`."""
    nested = {"backbone": BackboneSpec(**settings["backbone"]), "augment": AugmentConfig(**settings["augment"])}
    return DeepMapperConfig(**{**settings, **nested})

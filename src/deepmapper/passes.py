"""One pass: arrange the features, train a network, attribute back to the features.

A pass depends on the features, the settings, its seed and this package's source, and on nothing else.
"""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from . import backbones
from .checkpoint import Checkpoint
from .config import AttributionOptions, BackboneSpec, DeepMapperConfig
from .draws import Draw, stream
from .errors import InputError
from .splits import check_class_sizes, draw_out_of_bag, draw_validation, spares_validation
from .store import whole_file
from .transform import inverse_permutation, permutation

if TYPE_CHECKING:
    import torch

    from ._images import Images

# Above this, the quadrature of integrated gradients is too coarse for the contributions to be what they are called.
COMPLETENESS_BOUND = 0.05
_PERMUTATIONS = 999


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
    history
        (epochs, 3) training loss, validation loss, validation accuracy.
    importance
        (p,) mean size of the feature's contribution over the attributed samples, classes weighted as they occur.
    class_importance
        (C, p) the same over the samples of each class; NaN for a class without attributed samples.
    class_slope
        (C, p) mean of how the class's score moves when the feature rises; its sign is the direction.
    completeness_error
        Of integrated gradients (see `attribution.PixelAttribution`), else NaN.
    train_rows, validation_rows, out_of_bag_rows
        Who trained, validated, judged.
    out_of_bag_probability
        (n out-of-bag, C) predicted probabilities.
    weights
        The network's state, by name.
    chord_importance, chord_class_importance, chord_class_slope
        (chords,) and (C, chords), as of the features, of gene chords that the network read as further pixels.
    shadow_class_slope, shadow_draw
        Of a pass with shadow features (`shadows.train_shadow_pass`): (C, p) as `class_slope`, of each feature's shadow,
        and which draw of the shadows it read. Else empty, and -1.
    key
        Of a pass of the workflow: a hash of all that it depends on (`pass_jobs.pass_key`). Else empty.
    control_labels, control_accuracy, control_probability
        Of a control on few samples (`controls.train_control`): (labelings, n) further permuted labels of its samples,
        and for each, as means over passes, the out-of-bag accuracy and the probability of the right class. Else empty.
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
    class_slope: np.ndarray
    train_rows: np.ndarray
    validation_rows: np.ndarray
    out_of_bag_rows: np.ndarray
    out_of_bag_probability: np.ndarray
    weights: dict[str, np.ndarray] = field(repr=False)
    chord_importance: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.float32))
    chord_class_importance: np.ndarray = field(default_factory=lambda: np.empty((0, 0), dtype=np.float32))
    chord_class_slope: np.ndarray = field(default_factory=lambda: np.empty((0, 0), dtype=np.float32))
    shadow_class_slope: np.ndarray = field(default_factory=lambda: np.empty((0, 0), dtype=np.float32))
    shadow_draw: int = -1
    key: str = ""
    control_labels: np.ndarray = field(default_factory=lambda: np.empty((0, 0), dtype=np.int64))
    control_accuracy: np.ndarray = field(default_factory=lambda: np.empty(0))
    control_probability: np.ndarray = field(default_factory=lambda: np.empty(0))

    def save(self, path: str | Path) -> None:
        """Write all of it to an .npz without pickles; the file appears whole or not at all."""
        scalars: dict[str, Any] = {}
        arrays: dict[str, Any] = {}
        for name, value in vars(self).items():
            if name == "weights":
                arrays |= {f"weights/{key}": array for key, array in value.items()}
            elif isinstance(value, np.ndarray):
                arrays[name] = value
            else:
                scalars[name] = value
        with whole_file(path) as tmp:
            np.savez(tmp, about=np.array(json.dumps(scalars)), **arrays)

    @classmethod
    def load(cls, path: str | Path, weights: bool = True) -> PassResult:
        """Read what `save` wrote; `weights=False` leaves them out, which is quicker.

        Raises
        ------
        InputError
            If the file is not a whole pass.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                scalars = json.loads(str(file["about"]))
                arrays = {
                    name: file[name] for name in file.files if name != "about" and not name.startswith("weights/")
                }
                state = {
                    n.removeprefix("weights/"): file[n] for n in file.files if weights and n.startswith("weights/")
                }
            scalars["classes"] = tuple(scalars["classes"])
            return cls(**scalars, **arrays, weights=state)
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise InputError(f"{path} is not a whole pass ({error}): delete it and run its target again") from error
        except Exception as error:  # zipfile.BadZipFile and zlib.error, without importing both for one line
            raise InputError(f"{path} is not a whole pass ({error}): delete it and run its target again") from error

    @property
    def config(self) -> DeepMapperConfig:
        """The settings as the dataclass they came from."""
        return config_from_dict(self.settings)


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
        self._path = path
        self._places: dict[str, tuple[int, tuple[int, ...], np.dtype]] = {}
        try:
            with zipfile.ZipFile(path) as archive, Path(path).open("rb") as file:
                for member in archive.infolist():
                    name = member.filename.removesuffix(".npy")
                    file.seek(member.header_offset + 26)
                    file.seek(sum(struct.unpack("<HH", file.read(4))), 1)  # names between the header and the array
                    if np.lib.format.read_magic(file) != (1, 0) or member.compress_type != zipfile.ZIP_STORED:
                        raise ValueError(f"{name} is not stored as it was written")
                    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
                    self._places[name] = file.tell(), shape, dtype
            about = json.loads(str(np.array(self._array("about"))))
        except FileNotFoundError:
            raise
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, struct.error) as error:
            raise InputError(f"{path} is not a whole pass ({error}): delete it and run its target again") from error
        vars(self).update(about, classes=tuple(about["classes"]))

    def __getattr__(self, name: str) -> Any:
        """Map an array."""
        if name.startswith("_") or name not in self._places:
            raise AttributeError(f"{self._path} holds no {name}")
        return self._array(name)

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """The network's state, by name."""
        names = [name for name in self._places if name.startswith("weights/")]
        return {name.removeprefix("weights/"): self._array(name) for name in names}

    @property
    def config(self) -> DeepMapperConfig:
        """The settings as the dataclass they came from."""
        return config_from_dict(vars(self)["settings"])

    def _array(self, name: str) -> np.ndarray:
        start, shape, dtype = self._places[name]
        if 0 in shape:
            return np.empty(shape, dtype)
        return np.memmap(self._path, dtype, "r", start, shape)


def config_from_dict(settings: dict) -> DeepMapperConfig:
    """Inverse of `dataclasses.asdict` for a `DeepMapperConfig`."""
    from .config import AugmentConfig

    nested = {"backbone": BackboneSpec(**settings["backbone"]), "augment": AugmentConfig(**settings["augment"])}
    return DeepMapperConfig(**{**settings, **nested})


def train_pass(
    X: np.ndarray | sp.csr_matrix,
    y: np.ndarray,
    classes: tuple[str, ...],
    config: DeepMapperConfig,
    seed: int,
    *,
    rows: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    strata: np.ndarray | None = None,
    n_chords: int = 0,
    permute_labels: bool = False,
    checkpoint: Checkpoint | None = None,
    tell: Callable[[str], None] = lambda line: None,
    device: torch.device | str | None = None,
) -> PassResult:
    """Arrange, split, train, judge and attribute, all by `seed`.

    Parameters
    ----------
    X
        (n, p) float32, dense or CSR; read a batch at a time.
    y
        (n,) class codes, 0 .. len(classes) - 1.
    classes
        Names of the classes.
    config
        Settings; `n_passes`, `min_accuracy`, `max_tries`, `top_k` and `seed` do not touch a single pass.
    seed
        Of the arrangement, the split, the weights, the batch order and everything else.
    rows
        Rows of `X` that the pass may see (the development part); None for all.
    groups
        (n,) group codes; whole groups go to training, validation or out-of-bag.
    strata
        (n,) codes within which labels are permuted, where confounders are to be held; see `shuffle_labels`.
    n_chords
        How many of the last columns of `X` hold values of gene chords. They take the pixels that `config.buffer`
        reserves, as far as it goes, and their importances are kept apart from those of the features.
    permute_labels
        Shuffle the labels first: a control, whose accuracy is what this network reaches without any signal.
    checkpoint
        Where the training is kept while it runs, and taken up again.
    tell
        Receives progress, a line an epoch.
    device
        What to compute on; None for the accelerator that torch sees, else the CPU.

    Raises
    ------
    InputError
        If a class is too small to divide, or training diverges.

    Warns
    -----
    DeepMapperWarning
        If the memory of a GPU is too small: the training starts again with half of `config.batch_size`, which the
        settings of the result say, since the result is another one; what comes after it takes smaller batches, too.
    """
    import torch

    from .inference import predict
    from .pass_loss import train_network
    from .runtime import as_device, halving, seeded

    rows = np.arange(X.shape[0]) if rows is None else rows
    y = y[rows]
    groups = None if groups is None else groups[rows]
    config = replace(config, buffer=max(config.buffer - n_chords, 0))
    if permute_labels:
        strata = None if strata is None else strata[rows]
        y = shuffle_labels(y, groups, stream(seed, Draw.PERMUTED_LABELS), strata)
    train, validation, out_of_bag = draw_split(y, config, seed, groups, classes)
    device, n_classes = as_device(device), len(classes)

    def fitted(batch_size: int) -> tuple:
        torch.manual_seed(seed)
        network = backbones.build(_sized(config, X.shape[1]), n_classes, X.shape[1]).to(device)
        chosen = replace(config, batch_size=batch_size)
        trained = train_network(network, images, y, n_classes, train, validation, chosen, tell, checkpoint)
        return network, chosen, trained

    with seeded(seed):
        images = image_maker(X, config, seed, device, rows)
        model, config, trained = halving(fitted, config.batch_size, "training")
        probability = softmax(predict(model, images, out_of_bag))
        judged = _judge(probability, y[out_of_bag], y[train], seed)
        options = config.attribution_options()
        found = _attribute(model, images, y, train, out_of_bag, options, seed, X.shape[1], n_classes)
        found |= _parted(found, X.shape[1] - n_chords)
        state = {name: value.detach().cpu().numpy() for name, value in model.state_dict().items()}
    tell(
        f"{'control ' if permute_labels else ''}pass {seed}: out-of-bag accuracy {judged['accuracy']:.3f} "
        f"(largest class {judged['majority_accuracy']:.3f}, shuffled {judged['permuted_accuracy']:.3f}), "
        f"weights of epoch {trained.stop_epoch} of {len(trained.history)}"
    )
    return PassResult(
        seed=seed,
        permuted=permute_labels,
        settings=pass_settings(config),
        classes=tuple(classes),
        stop_epoch=trained.stop_epoch,
        history=trained.history,
        train_rows=train,
        validation_rows=validation,
        out_of_bag_rows=out_of_bag,
        out_of_bag_probability=probability,
        weights=state,
        **judged,
        **found,
    )


def pass_settings(config: DeepMapperConfig) -> dict:
    """The settings as plain builtins, without those that do not touch a single pass."""
    beyond = {"n_passes", "min_accuracy", "max_tries", "top_k", "seed"}
    return {name: value for name, value in asdict(config).items() if name not in beyond}


def draw_split(
    y: np.ndarray, config: DeepMapperConfig, seed: int, groups: np.ndarray | None, classes: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw training, validation and out-of-bag rows, stratified by class.

    There is no validation without early stopping, and where samples are too few (`splits.spares_validation`).
    """
    validated = config.early_stop and spares_validation(y, groups)
    parts = (
        "one each to train, validate and judge out of bag" if validated else "one each to train and judge out of bag"
    )
    check_class_sizes(y, 3 if validated else 2, parts, classes)
    kept, out_of_bag = draw_out_of_bag(y, config.test_size, seed, groups, classes)
    if not validated:
        return kept, kept[:0], out_of_bag
    train, validation = draw_validation(y, kept, config.val_size, seed, groups, classes)
    return train, validation, out_of_bag


def image_maker(X, config: DeepMapperConfig, seed: int, where: torch.device, rows: np.ndarray | None = None) -> Images:
    """Return what makes images from row numbers in the arrangement of `seed`.

    The images, (batch, in_chans, side, side) float32 on `where`, are made a batch at a time.

    Parameters
    ----------
    X
        (n, p) dense or CSR.
    config
        Gives image size, buffer, channels and whether features are permuted.
    seed
        Of the arrangement.
    where
        Device of the images.
    rows
        Rows of `X` that the numbers count within; None for all.
    """
    from ._images import Images

    n_features = X.shape[1]
    side = backbones.resolve_side(config.backbone, n_features, config.buffer)
    pixel = np.asarray(inverse_permutation(arrangement(config, seed, n_features)), dtype=np.int32)
    return Images(X, pixel, side, config.backbone.in_chans, where, rows)


def arrangement(config: DeepMapperConfig, seed: int, n_features: int) -> list[int]:
    """The order of the features on the pixels of pass `seed`."""
    return list(range(n_features)) if config.index_features else permutation(seed, n_features)


def restore_model(result: PassResult | PassFile, n_features: int, device: torch.device | str | None = None):
    """Rebuild the network of a pass with its weights, in evaluation mode.

    On `device`; None stands for the accelerator that torch sees, else the CPU.
    """
    import torch

    from .runtime import as_device, seeded

    config = result.config
    with seeded(result.seed):
        model = backbones.build(_sized(config, n_features), len(result.classes), n_features)
    model.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in result.weights.items()})
    return model.to(as_device(device)).eval()


def softmax(scores: np.ndarray) -> np.ndarray:
    """Probabilities of (n, C) scores, in float64."""
    scores = scores.astype(np.float64)
    exponential = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponential / exponential.sum(axis=1, keepdims=True)


def _sized(config: DeepMapperConfig, n_features: int) -> BackboneSpec:
    """The backbone with its image size derived, extra pixels included."""
    side = backbones.resolve_side(config.backbone, n_features, config.buffer)
    return BackboneSpec(**{**vars(config.backbone), "img_size": side})


def shuffle_labels(
    y: np.ndarray, groups: np.ndarray | None, rng: np.random.Generator, strata: np.ndarray | None = None
) -> np.ndarray:
    """Shuffle labels: freely; within groups that hold several classes; between groups where each holds one.

    Where `strata`, (n,) codes, are given, labels are shuffled within them and nowhere else (they lie within groups, see
    `confounders.draw_null_strata`).
    """
    within = groups if strata is None else strata
    if within is None:
        return rng.permutation(y)
    codes, first = np.unique(within, return_index=True)
    if strata is None and all(len(np.unique(y[within == code])) == 1 for code in codes):
        label_of = dict(zip(codes.tolist(), rng.permutation(y[first]).tolist(), strict=True))
        return np.array([label_of[code] for code in within.tolist()], dtype=y.dtype)
    shuffled = y.copy()
    for code in codes:
        members = np.flatnonzero(within == code)
        shuffled[members] = rng.permutation(y[members])
    return shuffled


def _judge(probability: np.ndarray, truth: np.ndarray, training_labels: np.ndarray, seed: int) -> dict:
    """Accuracy on the out-of-bag samples beside what it takes no model to reach."""
    predicted = probability.argmax(1)
    accuracy = float((predicted == truth).mean())
    rng = stream(seed, Draw.PERMUTATION_TEST)
    shuffled = np.array([(predicted == rng.permutation(truth)).mean() for _ in range(_PERMUTATIONS)])
    return {
        "accuracy": accuracy,
        "balanced_accuracy": float(np.mean([(predicted[truth == c] == c).mean() for c in np.unique(truth)])),
        "majority_accuracy": float((truth == np.bincount(training_labels).argmax()).mean()),
        "permuted_accuracy": float(shuffled.mean()),
        "permutation_p": float((1 + (shuffled >= accuracy - 1e-12).sum()) / (1 + _PERMUTATIONS)),
    }


def _attribute(
    model, images, y, train, out_of_bag, options: AttributionOptions, seed: int, n_features: int, n_classes: int
) -> dict:
    from .attribution import attribute
    from .runtime import halving

    chosen = _spread(out_of_bag, y, options.n_samples, stream(seed, Draw.ATTRIBUTED_SAMPLES))
    baseline = images.mean(train) if options.baseline == "mean" else None
    found = halving(
        lambda size: attribute(model, images(chosen), y[chosen], options.method, baseline, options.ig_steps, size),
        options.batch_size,
        "attribution",
    )
    size, slope = np.abs(found.contribution[:, images.pixel]), found.slope[:, images.pixel]
    # the chosen are spread over the classes; the overall importance weights classes as they occur out of bag
    share = np.bincount(y[out_of_bag], minlength=n_classes) / len(out_of_bag)
    class_size = np.full((n_classes, n_features), np.nan, dtype=np.float32)
    class_slope = np.full((n_classes, n_features), np.nan, dtype=np.float32)
    overall, weight = np.zeros(n_features), 0.0
    for code in np.unique(y[chosen]):
        of_class = y[chosen] == code
        class_size[code] = size[of_class].mean(0)
        class_slope[code] = slope[of_class].mean(0)
        overall += share[code] * class_size[code]
        weight += share[code]
    return {
        "importance": (overall / weight).astype(np.float32),
        "class_importance": class_size,
        "class_slope": class_slope,
        "completeness_error": found.completeness_error,
    }


def _parted(found: dict, n_features: int) -> dict:
    """Part the attributions of features from those of the chords behind them."""
    names = ("importance", "class_importance", "class_slope")
    return {name: found[name][..., :n_features] for name in names} | {
        f"chord_{name}": found[name][..., n_features:] for name in names
    }


def _spread(rows: np.ndarray, y: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Choose at most `most` rows, taking from the classes in turn until they run out."""
    if len(rows) <= most:
        return rows
    rows = rng.permutation(rows)
    turn = np.empty(len(rows), dtype=np.int64)
    for code in np.unique(y[rows]):
        members = np.flatnonzero(y[rows] == code)
        turn[members] = np.arange(len(members))
    return np.sort(rows[np.argsort(turn, kind="stable")[:most]])

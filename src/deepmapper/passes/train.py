"""One pass: arrange the features, train a network, attribute its scores back to the features.

A pass depends only on the features, the settings, its seed and this package's source.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..config import AttributionOptions, DeepMapperConfig
from ..core.draws import Draw, stream
from ..features.folds import shared_fold
from ..features.kinds import has_lowest_label, to_lowest
from ..features.label_permutations import control_labels
from ..features.samples import Samples
from ..features.splits import check_class_sizes, draw_out_of_bag, draw_validation, has_validation
from ..training.checkpoint import Checkpoint
from .attributed import attribute_classes
from .restore import build_network, image_maker, softmax
from .result import ChordPart, PassResult, pass_settings

if TYPE_CHECKING:
    import torch

# Shuffles of the out-of-bag labels behind `permutation_p`, whose smallest value is then 0.001.
_N_SHUFFLES = 999

_ACCURACIES = ("accuracy", "balanced_accuracy", "majority_accuracy", "permuted_accuracy", "permutation_p")


def train_pass(
    samples: Samples,
    config: DeepMapperConfig,
    seed: int,
    *,
    permute_labels: bool = False,
    folds: bool = False,
    checkpoint: Checkpoint | None = None,
    progress: Callable[[str], None] = lambda line: None,
    device: torch.device | str | None = None,
) -> PassResult:
    """Train, evaluate and attribute one network; `seed` determines everything random.

    Parameters
    ----------
    samples
        Those that the pass may see (the development part). Gene chords (interaction gene sets) take the pixels that
        `config.buffer` reserves, as far as it goes; their importances are kept apart from those of the features.
    config
        Settings; `n_passes`, `min_accuracy`, `max_tries`, `top_k` and `seed` do not affect a single pass.
    seed
        Of the arrangement, the split, the weights, the batch order and all other random numbers.
    permute_labels
        Permute the labels first: a control, whose accuracy is what this network reaches without any signal.
    folds
        Share a partition with consecutive passes (`folds.shared_fold`), instead of an out-of-bag draw of its own.
    checkpoint
        Saves the state during training and resumes from it.
    progress
        Receives one line per epoch and a summary.
    device
        To compute on; None for the accelerator that torch finds, else the CPU.

    Raises
    ------
    InputError
        If a class is too small to split, or training diverges.

    Warns
    -----
    DeepMapperWarning
        If a GPU runs out of memory: training starts again with half of `config.batch_size`. This changes the result, so
        its settings hold the smaller batch size. Predictions and attributions also take smaller batches.
    """
    import torch

    from ..training.inference import predict
    from ..training.runtime import as_device, halving, seeded
    from .loss import Unlabelled, train_network

    y, groups, classes, n_chords = samples.labels, samples.group_codes, samples.classes, samples.n_chords
    config = replace(config, buffer=max(config.buffer - n_chords, 0))
    if permute_labels:
        y = control_labels(samples, seed)
    train, validation, out_of_bag = draw_split(y, config, seed, groups, classes, folds)
    device, n_classes = as_device(device), len(classes)

    def train_in_batches(batch_size: int) -> tuple:
        torch.manual_seed(seed)
        network = build_network(config, images, n_classes).to(device)
        used = replace(config, batch_size=batch_size)
        training = train_network(
            network, images, y, n_classes, train, validation, used, progress, checkpoint, unlabelled, samples.kinds
        )
        return network, used, training

    rows, unlabelled = samples.rows, None
    if samples.unlabelled is not None:
        rows = np.concatenate([samples.rows, samples.unlabelled])
        domain = np.repeat([0, 1], [len(y), len(rows) - len(y)]) if samples.domains is None else samples.domains[rows]
        # out-of-bag samples take part like target samples, without their labels: only so are the two comparable
        unlabelled = Unlabelled(np.concatenate([out_of_bag, np.arange(len(y), len(rows))]), domain)
    with seeded(seed):
        images = image_maker(samples.X, config, seed, device, rows)
        model, config, training = halving(train_in_batches, config.batch_size, "training")
        probability = softmax(predict(model, images, out_of_bag))
        judged, taught = (np.flatnonzero(has_lowest_label(y[rows], samples.kinds)) for rows in (out_of_bag, train))
        of_judged = to_lowest(probability[judged], samples.kinds)
        metrics = _evaluate(of_judged, y[out_of_bag[judged]], y[train[taught]], seed)
        attributed = out_of_bag[judged] if model.learns_kinds and len(judged) else out_of_bag
        options = config.attribution_options()
        attributions = _attribute(model, images, y, train, attributed, options, seed, n_classes)
        attributions = _split_off_chords(attributions, n_chords)
        weights = {name: value.detach().cpu().numpy() for name, value in model.state_dict().items()}
    progress(
        f"{'control ' if permute_labels else ''}pass {seed}: {_describe(metrics, len(out_of_bag))}, "
        f"weights of epoch {training.stop_epoch} of {len(training.history)}"
    )
    return PassResult(
        seed=seed,
        permuted=permute_labels,
        settings=pass_settings(config),
        classes=tuple(classes),
        stop_epoch=training.stop_epoch,
        history=training.history,
        train_rows=train,
        validation_rows=validation,
        out_of_bag_rows=out_of_bag,
        out_of_bag_probability=probability,
        weights=weights,
        **metrics,
        **attributions,
    )


def draw_split(
    y: np.ndarray,
    config: DeepMapperConfig,
    seed: int,
    groups: np.ndarray | None,
    classes: tuple[str, ...],
    folds: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw training, validation and out-of-bag rows, stratified by class.

    There are no validation rows without early stopping, or with too few samples (`splits.has_validation`). With `folds`
    the out-of-bag rows are a fold of a shared partition, where there is one.
    """
    validate = config.early_stop and has_validation(y, groups)
    if validate:
        check_class_sizes(y, 3, "one each for training, validation and the out-of-bag test", classes)
    else:
        check_class_sizes(y, 2, "one each for training and the out-of-bag test", classes)
    fold = shared_fold(y, config.test_size, seed, groups) if folds else None
    development, out_of_bag = fold or draw_out_of_bag(y, config.test_size, seed, groups, classes)
    if not validate:
        return development, development[:0], out_of_bag
    train, validation = draw_validation(y, development, config.val_size, seed, groups, classes)
    return train, validation, out_of_bag


def _evaluate(probability: np.ndarray, labels: np.ndarray, training_labels: np.ndarray, seed: int) -> dict:
    """Return the accuracy on the out-of-bag samples, and the accuracies reached there without a model.

    All of them are NaN without samples that can be judged.
    """
    if not len(labels):
        return dict.fromkeys(_ACCURACIES, float("nan"))
    predicted = probability.argmax(1)
    accuracy = float((predicted == labels).mean())
    rng = stream(seed, Draw.PERMUTATION_TEST)
    shuffled = np.array([(predicted == rng.permutation(labels)).mean() for _ in range(_N_SHUFFLES)])
    recalls = [(predicted[labels == code] == code).mean() for code in np.unique(labels)]
    largest = np.bincount(training_labels).argmax() if len(training_labels) else -1
    return {
        "accuracy": accuracy,
        "balanced_accuracy": float(np.mean(recalls)),
        "majority_accuracy": float((labels == largest).mean()),
        "permuted_accuracy": float(shuffled.mean()),
        "permutation_p": float((1 + (shuffled >= accuracy - 1e-12).sum()) / (1 + _N_SHUFFLES)),
    }


def _describe(metrics: dict, n: int) -> str:
    """Say how good a pass is on its n out-of-bag samples."""
    if np.isnan(metrics["accuracy"]):
        return (
            f"none of its {n} out-of-bag samples has a label without others below it (labels.ontology), so that it "
            "cannot be judged and is not accepted"
        )
    return (
        f"out-of-bag accuracy {metrics['accuracy']:.3f} (largest class {metrics['majority_accuracy']:.3f}, shuffled "
        f"{metrics['permuted_accuracy']:.3f})"
    )


def _attribute(model, images, y, train, out_of_bag, options: AttributionOptions, seed: int, n_classes: int) -> dict:
    """Attribute the scores of out-of-bag samples to the columns of the matrix, over all and class by class."""
    chosen = choose_over_classes(out_of_bag, y, options.n_samples, stream(seed, Draw.ATTRIBUTED_SAMPLES))
    baseline = images.mean(train) if options.baseline == "mean" else None
    # samples were chosen evenly over the classes; the overall importance weights classes as they occur out of bag
    share = np.bincount(y[out_of_bag], minlength=n_classes) / len(out_of_bag)
    return attribute_classes(model, images, chosen, y[chosen], share, baseline, options)


def choose_over_classes(rows: np.ndarray, y: np.ndarray, max_rows: int, rng: np.random.Generator) -> np.ndarray:
    """Choose at most `max_rows` rows at random, taking from the classes in turn until they run out."""
    if len(rows) <= max_rows:
        return rows
    rows = rng.permutation(rows)
    turn = np.empty(len(rows), dtype=np.int64)
    for code in np.unique(y[rows]):
        members = np.flatnonzero(y[rows] == code)
        turn[members] = np.arange(len(members))
    return np.sort(rows[np.argsort(turn, kind="stable")[:max_rows]])


def _split_off_chords(attributions: dict, n_chords: int) -> dict:
    """Separate the attributions of the features from those of the chords, the last columns."""
    if not n_chords:
        return attributions
    names = ("importance", "class_importance", "class_gradient")
    features = {name: attributions[name][..., :-n_chords] for name in names}
    chords = ChordPart(**{name: attributions[name][..., -n_chords:] for name in names})
    return {**attributions, **features, "chords": chords}

"""One pass: arrange the features, train a network, attribute its scores back to the features.

A pass depends on the features, the settings, its seed and this package's source, and on nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..backbones import registry
from ..config import AttributionOptions, DeepMapperConfig
from ..core.draws import Draw, stream
from ..features.label_permutations import shuffle_labels
from ..features.samples import Samples
from ..features.splits import check_class_sizes, draw_out_of_bag, draw_validation, has_validation
from ..training.checkpoint import Checkpoint
from .restore import image_maker, sized, softmax
from .result import ChordPart, PassResult, pass_settings

if TYPE_CHECKING:
    import torch

_PERMUTATIONS = 999


def train_pass(
    samples: Samples,
    config: DeepMapperConfig,
    seed: int,
    *,
    permute_labels: bool = False,
    checkpoint: Checkpoint | None = None,
    progress: Callable[[str], None] = lambda line: None,
    device: torch.device | str | None = None,
) -> PassResult:
    """Arrange, split, train, judge and attribute, all by `seed`.

    Parameters
    ----------
    samples
        Those that the pass may see (the development part). Chords take the pixels that `config.buffer` reserves, as
        far as it goes, and their importances are kept apart from those of the features.
    config
        Settings; `n_passes`, `min_accuracy`, `max_tries`, `top_k` and `seed` do not touch a single pass.
    seed
        Of the arrangement, the split, the weights, the batch order and everything else.
    permute_labels
        Shuffle the labels first: a control, whose accuracy is what this network reaches without any signal.
    checkpoint
        Where the training is kept while it runs, and taken up again.
    progress
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

    from ..training.inference import predict
    from ..training.runtime import as_device, halving, seeded
    from .loss import train_network

    X, y, classes, groups, n_chords = samples.X, samples.labels, samples.classes, samples.group_codes, samples.n_chords
    config = replace(config, buffer=max(config.buffer - n_chords, 0))
    if permute_labels:
        y = shuffle_labels(y, groups, stream(seed, Draw.PERMUTED_LABELS), samples.strata_codes)
    train, validation, out_of_bag = draw_split(y, config, seed, groups, classes)
    device, n_classes = as_device(device), len(classes)

    def fitted(batch_size: int) -> tuple:
        torch.manual_seed(seed)
        network = registry.build(sized(config, X.shape[1]), n_classes, X.shape[1]).to(device)
        chosen = replace(config, batch_size=batch_size)
        trained = train_network(network, images, y, n_classes, train, validation, chosen, progress, checkpoint)
        return network, chosen, trained

    with seeded(seed):
        images = image_maker(X, config, seed, device, samples.rows)
        model, config, trained = halving(fitted, config.batch_size, "training")
        probability = softmax(predict(model, images, out_of_bag))
        judged = _judge(probability, y[out_of_bag], y[train], seed)
        options = config.attribution_options()
        found = _attribute(model, images, y, train, out_of_bag, options, seed, X.shape[1], n_classes)
        found = _part_chords(found, n_chords)
        state = {name: value.detach().cpu().numpy() for name, value in model.state_dict().items()}
    progress(
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


def draw_split(
    y: np.ndarray, config: DeepMapperConfig, seed: int, groups: np.ndarray | None, classes: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw training, validation and out-of-bag rows, stratified by class.

    There is no validation without early stopping, and where samples are too few (`splits.spares_validation`).
    """
    validated = config.early_stop and has_validation(y, groups)
    parts = (
        "one each to train, validate and judge out of bag" if validated else "one each to train and judge out of bag"
    )
    check_class_sizes(y, 3 if validated else 2, parts, classes)
    kept, out_of_bag = draw_out_of_bag(y, config.test_size, seed, groups, classes)
    if not validated:
        return kept, kept[:0], out_of_bag
    train, validation = draw_validation(y, kept, config.val_size, seed, groups, classes)
    return train, validation, out_of_bag


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
    from ..attribution import attribute
    from ..training.runtime import halving

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
    class_gradient = np.full((n_classes, n_features), np.nan, dtype=np.float32)
    overall, weight = np.zeros(n_features), 0.0
    for code in np.unique(y[chosen]):
        of_class = y[chosen] == code
        class_size[code] = size[of_class].mean(0)
        class_gradient[code] = slope[of_class].mean(0)
        overall += share[code] * class_size[code]
        weight += share[code]
    return {
        "importance": (overall / weight).astype(np.float32),
        "class_importance": class_size,
        "class_gradient": class_gradient,
        "completeness_error": found.completeness_error,
    }


def _part_chords(found: dict, n_chords: int) -> dict:
    """Part the attributions of features from those of the chords behind them."""
    if not n_chords:
        return found
    names = ("importance", "class_importance", "class_gradient")
    features = {name: found[name][..., :-n_chords] for name in names}
    return {**found, **features, "chords": ChordPart(**{name: found[name][..., -n_chords:] for name in names})}


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

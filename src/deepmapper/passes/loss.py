"""The objective of a pass: the network's loss on the images, with class weights and augmentation. Imports torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..augment import make_train_transform
from ..backbones.base import Network
from ..backbones.class_loss import class_loss
from ..backbones.components import OnComponents
from ..backbones.encoder import OnEncoder
from ..backbones.images import Images
from ..backbones.pixels import StoredPixels
from ..config import DeepMapperConfig
from ..training.checkpoint import Checkpoint
from ..training.inference import predict, reader
from ..training.loop import Objective, Training, fit

# Pixels of the training images that are kept in memory, at 20 bytes each; more are read batch by batch.
_MAX_STORED = 2**23

_ROWS_READ = 1024


@dataclass
class PassObjective(Objective):
    """The network's own loss (`Network.loss`) on augmented images; validation by cross-entropy and accuracy.

    Attributes
    ----------
    model
        The network.
    y
        (n,) class codes.
    validation
        Validation rows; empty for no validation.
    batch_size
        Rows per batch of the validation.
    read, augment
        Give the network's training input for rows, and augment it at random.
    read_validation
        Gives the network's input for validation rows.
    class_weight
        (C,) float32 weights of the classes in the training loss; None for equal weights.
    kinds
        (C, C) of which classes the samples of each class can be (`features.samples.Samples.kinds`); None for none but
        their own.
    """

    model: Network
    y: np.ndarray
    validation: np.ndarray
    batch_size: int
    read: Callable
    augment: Callable
    read_validation: Callable
    class_weight: Tensor | None
    kinds: Tensor | None

    score_name = "accuracy"

    def batch_loss(self, rows: np.ndarray) -> Tensor:
        """Return the network's loss on the augmented images of `rows`."""
        device = next(self.model.parameters()).device
        targets = torch.from_numpy(self.y[rows]).to(device)
        return self.model.loss(self.augment(self.read(rows)), targets, self.class_weight, self.kinds)

    def validate(self) -> tuple[float, float] | None:
        """Return the unweighted loss of the classes and the accuracy on the validation rows."""
        if not len(self.validation):
            return None
        scores = predict(self.model, self.read_validation, self.validation, self.batch_size)
        labels = self.y[self.validation]
        kinds = None if self.kinds is None else self.kinds.cpu()
        loss = class_loss(torch.from_numpy(scores), torch.from_numpy(labels), None, kinds)
        found = scores.argmax(1)
        right = found == labels if kinds is None else kinds.numpy()[labels, found]
        return loss.item(), float(right.mean())


@dataclass(frozen=True, eq=False)
class Unlabelled:
    """Samples from which a network learns without their labels.

    Attributes
    ----------
    rows
        Their row numbers.
    domain
        (n,) domain codes of all samples, those with a label included; -1 for none.
    """

    rows: np.ndarray
    domain: np.ndarray


@dataclass
class AdaptedObjective(PassObjective):
    """The loss of a network that also learns from unlabelled samples; every batch has as many of these.

    Attributes
    ----------
    unlabelled
        The samples; with fewer than a batch, they are drawn with replacement.
    steps_per_epoch
        Batches of an epoch.
    step
        Batches so far, on which the weight of the unlabelled samples depends.
    """

    unlabelled: Unlabelled
    steps_per_epoch: float
    step: int = 0

    def batch_loss(self, rows: np.ndarray) -> Tensor:
        """Return the loss of the labelled samples of `rows` with unlabelled ones drawn for them."""
        network = self.model
        device, n = next(network.parameters()).device, len(self.unlabelled.rows)
        drawn = torch.randint(n, (self.batch_size,)) if n < self.batch_size else torch.randperm(n)[: self.batch_size]
        targets, unlabelled = torch.from_numpy(self.y[rows]).to(device), self.unlabelled.rows[drawn.numpy()]
        domain = torch.from_numpy(self.unlabelled.domain[np.concatenate([rows, unlabelled])]).to(device)
        epoch = self.step / self.steps_per_epoch
        self.step += 1
        return network.adapted_loss(
            self.augment(self.read(rows)),
            targets,
            self.augment(self.read(unlabelled)),
            domain,
            epoch,
            self.class_weight,
        )

    def state_dict(self) -> dict[str, Tensor]:
        """Return the number of batches so far."""
        return {"step": torch.tensor(self.step)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restore it."""
        self.step = int(state["step"])


def pass_objective(
    model: Network,
    images: Images,
    y: np.ndarray,
    n_classes: int,
    train: np.ndarray,
    validation: np.ndarray,
    config: DeepMapperConfig,
    unlabelled: Unlabelled | None = None,
    kinds: np.ndarray | None = None,
) -> PassObjective:
    """Return the objective of a pass from its settings; see `train_network` for the arguments."""
    weight, device = None, next(model.parameters()).device
    allowed = None if kinds is None or not model.learns_kinds else torch.from_numpy(kinds).to(device)
    if config.class_weights == "balanced":
        weight = balanced_weights(y[train], n_classes).to(device)
    augment = make_train_transform(config.augment)
    # augmentation adds noise, which leaves no value at zero: nothing would be sparse
    plain = images if config.augment.enabled else reader(model, images)
    if unlabelled is not None and model.learns_from_unlabelled:
        parts = (model, y, validation, config.batch_size, plain, augment, reader(model, images), weight, allowed)
        return AdaptedObjective(*parts, unlabelled, len(train) / config.batch_size)
    read = images if config.augment.enabled else repeated_reader(model, images, train)
    read_validation = repeated_reader(model, images, validation)
    return PassObjective(model, y, validation, config.batch_size, read, augment, read_validation, weight, allowed)


def repeated_reader(model: Network, images: Images, rows: np.ndarray) -> Callable:
    """Return the function that gives the network's input for `rows`, which are read in every epoch.

    If few pixels are stored, they are read now, and kept with all that the network computes of them only once.
    """
    read = reader(model, images)
    if read is images or not len(rows):
        return read
    parts, n_stored = [], 0
    for start in range(0, len(rows), _ROWS_READ):
        parts.append(model.store(read(rows[start : start + _ROWS_READ])))
        n_stored += len(parts[-1].values)
        if n_stored > _MAX_STORED:
            return read
    stored = StoredPixels.join(parts)
    position = np.full(rows.max() + 1, -1)
    position[rows] = np.arange(len(rows))
    return lambda batch: stored.take(position[batch])


def train_network(
    model: Network,
    images: Images,
    y: np.ndarray,
    n_classes: int,
    train: np.ndarray,
    validation: np.ndarray,
    config: DeepMapperConfig,
    progress: Callable[[str], None] = lambda line: None,
    checkpoint: Checkpoint | None = None,
    unlabelled: Unlabelled | None = None,
    kinds: np.ndarray | None = None,
) -> Training:
    """Train the network of a pass in place and leave it with its best weights, in evaluation mode.

    Parameters
    ----------
    model
        On its device.
    images
        The samples, on the model's device.
    y
        (n,) class codes, 0 .. n_classes - 1.
    n_classes
        Outputs of the network.
    train, validation
        Row numbers; without validation rows the network trains for `config.epochs` and keeps its last weights.
    config
        Gives the training options, class weights and augmentation.
    progress, checkpoint
        See `training.loop.fit`.
    unlabelled
        Samples without a label; None for none. Networks that do not learn from them take no notice. For those that do,
        no epoch before the end of their ramp is chosen, since the labelled samples alone would choose an early one.
    kinds
        Of which classes the samples of each class can be (`features.samples.Samples.kinds`); None for their own alone.

    Raises
    ------
    InputError
        If training diverges or a batch is too small for the network (`training.loop.fit`).
    """
    if isinstance(model, OnComponents):
        from .components import fit_components

        fit_components(model, images, y, train)
    elif isinstance(model, OnEncoder):
        from .encoders import fit_encoder

        fit_encoder(model, images, y, train)
    elif model.prime is not None:
        model.prime(*images.statistics(y, train))
    sparse = not config.augment.enabled and reader(model, images) is not images
    with model.training_weights(sparse):
        objective = pass_objective(model, images, y, n_classes, train, validation, config, unlabelled, kinds)
        options = config.training_options()
        if isinstance(objective, AdaptedObjective):
            latest = min(model.ramp_epochs, options.epochs)
            options = replace(options, min_epochs=max(options.min_epochs, latest))
        return fit(model, objective, train, options, progress, checkpoint)


def balanced_weights(y: np.ndarray, n_classes: int) -> Tensor:
    """Return class weights that make every class count the same; their mean over samples is 1, absent classes get 0.

    Returns
    -------
    torch.Tensor
        (n_classes,) float32.
    """
    counts = np.bincount(y, minlength=n_classes)
    weight = np.divide(len(y), counts * (counts > 0).sum(), out=np.zeros(n_classes), where=counts > 0)
    return torch.from_numpy(weight.astype(np.float32))

"""One training run of the documented interface: loaders, losses, optimiser, trainer. Imports torch."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, SequentialSampler

from ..core.words import did_you_mean
from ..errors import InputError
from .adversary import DANLoss
from .cells import Labelled
from .consistency import MixMatchLoss
from .dataprep import AUGMENTATIONS, Compose, SampleMixUp, SingleCellDS, balance_classes
from .losses import ICLWeight, cross_entropy, get_class_weight
from .model import CellTypeCLF
from .trainer import SemiSupervisedTrainer, Trainer

_OPTIMISERS = {"adadelta": torch.optim.Adadelta, "adam": torch.optim.Adam, "sgd": torch.optim.SGD}


class Repeated(torch.utils.data.Sampler):
    """Indices in a random order; if they are fewer than a batch, drawn with replacement until one is full."""

    def __init__(self, n: int, batch_size: int) -> None:
        self.n, self.batch_size = n, batch_size

    def __len__(self) -> int:
        """Number of indices in a round."""
        return max(self.n, self.batch_size)

    def __iter__(self):
        short = self.n < self.batch_size
        order = torch.randint(self.n, (self.batch_size,)) if short else torch.randperm(self.n)
        return iter(order.tolist())


def loader(
    cells: SingleCellDS, batch_size: int, shuffle: bool, drop_last: bool = False, sampler: Any = None
) -> DataLoader:
    """Return batches of a data set, each read at once."""
    order = sampler or (RandomSampler(cells) if shuffle else SequentialSampler(cells))
    return DataLoader(cells, sampler=BatchSampler(order, batch_size, drop_last), batch_size=None)


def train_run(
    data: Labelled,
    train: np.ndarray,
    validation: np.ndarray,
    config: Mapping[str, Any],
    out_path: str,
) -> CellTypeCLF:
    """Train a classifier; torch's generator should be seeded.

    Parameters
    ----------
    data
        The cells; those with y = -1 are unlabelled.
    train, validation
        Rows.
    config
        Of `configs.resolve_config`.
    out_path
        Folder of weights and log.

    Returns
    -------
    CellTypeCLF
        With its best weights, in evaluation mode.
    """
    n_classes = len(data.classes)
    model = CellTypeCLF(data.X.shape[1], n_classes, **config["model_kwargs"])
    if config["use_gpu"]:
        if not torch.cuda.is_available():
            raise InputError(f"config: use_gpu=True, but torch {torch.__version__} finds no GPU: expected False")
        model.cuda()
    n_domains = 2 if data.domain is None else int(data.domain.max()) + 1

    def cells(rows: np.ndarray) -> SingleCellDS:
        domain = None if data.domain is None else data.domain[rows]
        return SingleCellDS(data.X[rows], data.y[rows].clip(0), None, n_classes, domain, n_domains)

    if config["balanced_classes"]:
        train = train[balance_classes(data.y[train])]
    target = np.flatnonzero(data.y < 0)
    semi = len(target) > 0 and (config["unsup_max_weight"] > 0 or config["ssl_kwargs"]["dan_criterion"])
    if semi and config["ssl_kwargs"]["dan_criterion"] and n_domains < 2:
        raise InputError(
            "domain_groupby: all cells are of one domain, so the adversary has nothing to tell apart. Leave it out, "
            "and labelled and unlabelled cells are told apart, or take a configuration without the adversary (no_dan)."
        )
    size = min(config["batch_size"], len(train))
    # batch normalisation needs two cells, so a last batch of one is left out
    train_loader = loader(cells(train), size, True, drop_last=len(train) % size == 1)
    criterion = _supervised_criterion(data.y[train], n_classes, config, model)
    common = {
        "model": model,
        "criterion": criterion,
        "dataloaders": {"train": train_loader, "val": loader(cells(validation), size, False)},
        "out_path": out_path,
        "n_epochs": config["n_epochs"],
        "min_epochs": config["min_epochs"],
        "patience": config["patience"],
        "verbose": config["verbose"],
        "use_gpu": config["use_gpu"],
    }
    if not semi:
        change = Compose([AUGMENTATIONS[config["ssl_kwargs"]["augment"]], SampleMixUp(config["mixup_alpha"])])
        trainer = Trainer(
            optimizer=_optimiser(list(model.parameters()), config), batch_transformers={"train": change}, **common
        )
    else:
        trainer = _semi_supervised(model, cells(target), criterion, config, n_domains, common)
    trainer.train()
    return model


def _semi_supervised(
    model: CellTypeCLF,
    target: SingleCellDS,
    criterion: Any,
    config: Mapping[str, Any],
    n_domains: int,
    common: dict[str, Any],
) -> SemiSupervisedTrainer:
    """Return the trainer with both losses of the target cells."""
    options = config["ssl_kwargs"]
    match = MixMatchLoss(
        n_augmentations=options["n_augmentations"],
        T=options["T"],
        augment_pseudolabels=options["augment_pseudolabels"],
        pseudolabel_min_confidence=options["pseudolabel_min_confidence"],
        unsup_criterion=nn.MSELoss(reduction="none"),
        sup_criterion=criterion,
        mean_teacher=config["unsup_mean_teacher"],
        augment=AUGMENTATIONS[options["augment"]],
        alpha=config["mixup_alpha"],
    )
    adversary, weights = None, list(model.parameters())
    if options["dan_criterion"]:
        adversary = DANLoss(
            cross_entropy,
            model,
            options["dan_use_conf_pseudolabels"],
            options["dan_scale_loss_pseudoconf"],
            n_domains,
        )
        weights += list(adversary.parameters())
    size = config["batch_size"]
    return SemiSupervisedTrainer(
        unsup_criterion=match,
        unsup_dataloader=loader(target, size, True, drop_last=True, sampler=Repeated(len(target), size)),
        unsup_weight=ICLWeight(options["ramp_epochs"], options["burn_in_epochs"], config["unsup_max_weight"]),
        dan_criterion=adversary,
        dan_weight=ICLWeight(options["dan_ramp_epochs"], 0, options["dan_max_weight"], sigmoid=True),
        optimizer=_optimiser(weights, config),
        **common,
    )


def _supervised_criterion(y: np.ndarray, n_classes: int, config: Mapping[str, Any], model: CellTypeCLF) -> Any:
    if not config["weighted_classes"]:
        return cross_entropy
    weight = np.ones(n_classes)
    weight[np.unique(y)] = get_class_weight(y)
    device = next(model.parameters()).device
    return partial(cross_entropy, class_weight=torch.as_tensor(weight, dtype=torch.float32, device=device))


def _optimiser(weights: list[nn.Parameter], config: Mapping[str, Any]) -> torch.optim.Optimizer:
    name = str(config["optimizer"]).lower()
    if name not in _OPTIMISERS:
        known = ", ".join(_OPTIMISERS)
        raise InputError(f"config: optimizer={name!r}, expected one of {known}.{did_you_mean(name, _OPTIMISERS)}")
    return _OPTIMISERS[name](weights, lr=config["lr"], weight_decay=config["weight_decay"])


@torch.no_grad()
def predict_cells(model: CellTypeCLF, X: Any, batch_size: int = 1024) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities (cells, classes), float64, and the embedding (cells, n_hidden) of cells."""
    model.eval()
    device = next(model.parameters()).device
    none = np.zeros(X.shape[0], dtype=np.int64)
    scores: list[Tensor] = []
    embeddings: list[Tensor] = []
    for batch in loader(SingleCellDS(X, none, None, 1), batch_size, shuffle=False):
        score, embedding = model(batch["input"].to(device), return_embed=True)
        scores.append(torch.softmax(score.double(), dim=1).cpu())
        embeddings.append(embedding.cpu())
    return torch.cat(scores).numpy(), torch.cat(embeddings).numpy()

"""Train and apply models on cells that are read in batches, in one process or several."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from . import distributed
from .arguments import check_positive, check_whole
from .base import CellariumModel, evaluated
from .cells import DENSE_BATCH, SPARSE_BATCH, Cells, open_for
from .transforms import listed, select, takes


@dataclass
class Progress:
    """Where training stands, as the hooks of a model see it."""

    world_size: int
    global_rank: int
    current_epoch: int = 0


def fit(
    model: CellariumModel,
    data: Any,
    *,
    transforms: Iterable[Any] = (),
    obs: Mapping[str, str | Sequence[str]] | None = None,
    layer: str = "X",
    epochs: int | None = None,
    batch_size: int | None = None,
    devices: int = 1,
    learning_rate: float = 1e-3,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    trainer: Mapping[str, Any] | None = None,
) -> CellariumModel:
    """Train a model, or let it collect its statistics, on cells that need not fit into memory.

    Models that are trained by gradients (`ContrastiveMLP`, `SingleCellVariationalInference`) need Lightning (the extra
    "train"); they read the cells in random order. The others read them in the order in which they are stored.

    Parameters
    ----------
    model
        A model of this package, or any `CellariumModel`.
    data
        An AnnData, an h5ad or zarr, a feature store, or a list of these (`cells.open_cells`).
    transforms
        Modules or functions applied to each batch before the model (`transforms`).
    obs
        Key of a batch -> column of the cells, such as ``{"batch_index_n": "donor"}`` or ``{"y_n": "cell_type"}``; of
        covariates also a list of columns (`cells.open_cells`).
    layer
        Matrix of an AnnData to read: "X", a layer or "raw".
    epochs
        How often all cells are read; of a model with `solve`, the maximum. None for as often as the model needs.
    batch_size
        Maximum number of cells that the model gets at once, over all processes if it is trained by gradients; None for
        8192 sparse or 512 dense ones.
    devices
        Number of processes to start on this machine, each of which reads its share of the cells. In a run of several
        processes (``torchrun``, or tasks of Slurm's ``srun``) leave it at 1: they are found.
    learning_rate, seed
        Learning rate of AdamW, and seed of the order of the cells and of everything else that is random.
    checkpoint
        Folder for a checkpoint after each epoch; a training that finds one goes on from there.
    trainer
        Further arguments of ``lightning.pytorch.Trainer``, such as ``{"precision": "bf16-mixed"}``.

    Returns
    -------
    CellariumModel
        The model, changed in place; in a run of several processes all have the same.

    Raises
    ------
    InputError
        If the cells cannot be used by the model, or it cannot be trained this way.
    """
    if not isinstance(model, CellariumModel):
        raise InputError(f"model is {model!r}: expected a model, such as models.IncrementalPCA(genes, 50).")
    given = {"epochs": epochs, "batch_size": batch_size, "devices": devices}
    check_whole(**{name: value for name, value in given.items() if value is not None})
    check_whole(0, seed=seed)
    check_positive(learning_rate=learning_rate)
    transforms = listed(transforms)
    if not hasattr(model, "solve") and any(parameter.requires_grad for parameter in model.parameters()):
        _require_lightning(model)
        from .trained_model import Training, train

        settings = batch_size or DENSE_BATCH, epochs or model.n_epochs, learning_rate, seed, devices
        folder = None if checkpoint is None else Path(checkpoint)
        open_for(model, data, obs, layer)  # so that a model knows its batches, also if other processes train it
        train(model, Training(data, obs or {}, layer, transforms, *settings, folder, dict(trainer or {})))
        return model
    for name, value in (("checkpoint", checkpoint), ("trainer", trainer)):
        if value is not None:
            raise InputError(f"{type(model).__name__} is not trained by gradients, and takes no {name}: leave it out.")
    how = _How(transforms, obs or {}, layer, epochs, batch_size)
    if devices > 1:
        _fit_in_processes(model, data, how, devices)
        return model
    distributed.join()
    _fit_here(model, data, how)
    return model


@torch.no_grad()
def predict(
    model: Any,
    data: Any,
    *,
    transforms: Iterable[Any] = (),
    obs: Mapping[str, str | Sequence[str]] | None = None,
    layer: str = "X",
    batch_size: int | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Apply a model to cells that need not fit into memory; the results must.

    Parameters
    ----------
    model
        A trained model with a method `predict`.
    data, transforms, obs, layer, batch_size
        As in `fit`. In a run of several processes each reads its share, and all get all results.
    options
        Further arguments of the model's `predict`, such as ``feature_deletion=["CD3E"]``.

    Returns
    -------
    dict
        Everything that `predict` returns, by its documented name: of what differs between cells, one row for every cell
        in their order; and ``obs_names``, the names of the cells.

    Raises
    ------
    InputError
        If the model does not predict, has no such option, or cannot read the cells.
    """
    if isinstance(model, type) or not hasattr(model, "eval"):
        raise InputError(f"model is {model!r}: expected a trained model.")
    if batch_size is not None:
        check_whole(batch_size=batch_size)
    transforms = listed(transforms)
    if not hasattr(model, "predict"):
        raise InputError(f"{type(model).__name__} has no method predict: it collects statistics only.")
    if unknown := [name for name in options if not takes(model, name)]:
        raise InputError(f"{type(model).__name__}.predict has no argument '{unknown[0]}'.")
    distributed.join()
    cells = open_for(model, data, obs, layer)
    rank, size = distributed.rank_and_size()
    read = _reader(model, cells, model.predict, transforms, batch_size, distributed.share_of(cells.n, rank, size))
    with evaluated(model):
        parts: list[dict[str, Any]] = [_predicted(model, batch, options) for batch in read()]
    found = [part for parts_of_rank in distributed.gather_objects(parts) for part in parts_of_rank]
    results = {name: _joined([part[name] for part in found]) for name in found[0]}
    return {**results, "obs_names": cells.obs_names}


def _predicted(model: Any, batch: dict[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """What a model predicts of a batch."""
    found = model.predict(**batch, **options)
    if not isinstance(found, dict):
        raise InputError(
            f"{type(model).__name__}.predict returned {type(found).__name__}: expected a dictionary of results by name."
        )
    return found


@dataclass(frozen=True)
class _How:
    """Arguments of `fit` that all processes share."""

    transforms: tuple[Any, ...]
    obs: Mapping[str, Any]
    layer: str
    epochs: int | None
    batch_size: int | None


def _fit_here(model: CellariumModel, data: Any, how: _How) -> None:
    """Train in this process, on its share of the cells."""
    cells = open_for(model, data, how.obs, how.layer)
    rank, size = distributed.rank_and_size()
    share = distributed.share_of(cells.n, rank, size)
    read = _reader(model, cells, model.forward, how.transforms, how.batch_size, share)
    epochs = model.n_epochs if how.epochs is None else how.epochs
    model.train()
    solve: Any = getattr(model, "solve", None)
    if solve is not None:
        solve(read, epochs)
        return
    progress = Progress(size, rank)
    model.on_train_start(progress)
    for progress.current_epoch in range(epochs):
        model.on_train_epoch_start(progress)
        for batch in read():
            model(**batch)
        model.on_train_epoch_end(progress)
    model.on_train_end(progress)


def _reader(
    model: Any, cells: Cells, function: Any, transforms: tuple[Any, ...], batch_size: int | None, share: slice
) -> Callable[[], Iterator[dict[str, Any]]]:
    """Return a function that starts reading the cells of this process, with the keys that `function` takes."""
    for key in cells.columns:
        if not any(takes(other, key) for other in (function, *transforms)):
            raise InputError(f"obs: neither {type(model).__name__} nor a transform takes '{key}': remove it.")
    dense = not getattr(model, "reads_sparse", False)
    size = batch_size or (DENSE_BATCH if dense else SPARSE_BATCH)

    def read() -> Iterator[dict[str, Any]]:
        for batch in cells.batches(share, size, dense, transforms):
            yield select(function, batch)

    return read


def _joined(values: list[Any]) -> np.ndarray | tuple:
    """Stack the results of all batches; what is not a tensor, such as names, is the same in each."""
    if isinstance(values[0], tuple):  # one tensor for each layer of the model
        return tuple(_joined(list(of_layer)) for of_layer in zip(*values, strict=True))
    if isinstance(values[0], Tensor):
        return torch.cat(values).numpy()
    return np.asarray(values[0])


def _require_lightning(model: CellariumModel) -> None:
    try:
        import lightning  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{type(model).__name__} is trained by gradients, which needs Lightning ({error}): pip install "
            "'deepmapper[train]'."
        ) from error


def _fit_in_processes(model: CellariumModel, data: Any, how: _How, devices: int) -> None:
    """Train in several processes of this machine, and take over what the first has learnt."""
    import torch.multiprocessing as mp

    if distributed.rank_and_size()[1] > 1:
        raise InputError(f"devices={devices} within a run of several processes: leave it at 1.")
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "start", Path(folder) / "end"
        with distributed.refused_as_here():
            mp.spawn(_fit_one, (model, data, how, devices, *given), nprocs=devices)
        trained = torch.load(given[1], weights_only=False)  # written by the process started above
    model.load_state_dict(trained.state_dict())
    model.__dict__.update({name: value for name, value in vars(trained).items() if not name.startswith("_")})


def _fit_one(rank: int, model: CellariumModel, data: Any, how: _How, size: int, meeting: Path, out: Path) -> None:
    torch.set_num_threads(max(1, torch.get_num_threads() // size))
    torch.distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=size)
    model = deepcopy(model)  # tensors that a process is given are shared with the others
    _fit_here(model, data, how)
    if rank == 0:
        torch.save(model, out)
    torch.distributed.destroy_process_group()

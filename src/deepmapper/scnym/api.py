"""scNym's interface for AnnData: train on labelled and unlabelled cells, predict with a trained model. Imports torch.

Nothing that is read executes code, a configuration changes no default, and the seed of the configuration determines
everything: the split, the weights, the batches, the augmentations.
"""

from __future__ import annotations

import shutil
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..core.files import atomic_write
from ..core.words import count, listed, some
from ..errors import DeepMapperWarning, InputError
from ..training.runtime import seeded
from .cells import UNLABELED, align_genes, check_values, labelled_cells, split_labelled
from .configs import DEFAULT, list_configs, resolve_config
from .fetch import fetch
from .model import CellTypeCLF
from .trainer import BEST_WEIGHTS, load_weights, save_plain
from .training import predict_cells, train_run

__all__ = [
    "atlas2target",
    "get_pretrained_weights",
    "list_configs",
    "scnym_api",
    "scnym_predict",
    "scnym_train",
]

RESULTS = "scnym_train_results.pkl"

# What of it a prediction needs.
_NEEDED = ("n_genes", "n_cell_types", "model_kwargs", "gene_names", "class_names")

SPECIES = ("human", "mouse", "rat")

# Below this number of shared genes an atlas says little about the cells.
_FEW_GENES = 100


def scnym_api(
    adata: Any,
    task: str = "train",
    groupby: str | None = None,
    out_path: str = "./scnym_outputs",
    trained_model: str | None = None,
    config: dict | str = DEFAULT,
    key_added: str = "scNym",
    copy: bool = False,
    domain_groupby: str | None = None,
) -> Any | None:
    """Train a model on cells of which some are labelled, or name cells with a trained model.

    Parameters
    ----------
    adata
        AnnData with ln(1 + counts per million) in `X`.
    task
        "train" or "predict".
    groupby
        Column of `obs` with the labels; "Unlabeled" for cells that are to be named, from which a semi-supervised
        model learns, too.
    out_path
        Folder of the weights and the log.
    trained_model
        For predictions: the folder of a training run, or what `get_pretrained_weights` takes.
    config
        Name of a configuration (`configs.list_configs`), or a dict of what differs from the default one, or from that
        which its key "config" names.
    key_added
        Column of `obs` for the predictions.
    copy
        Return a changed copy, and leave `adata` as it is.
    domain_groupby
        Column of `obs` with the domains that the adversary tells apart; None for labelled against unlabelled cells.

    Returns
    -------
    AnnData or None
        The copy, if one was asked for. Training adds ``uns["scNym_train_results"]``; a prediction adds
        ``obs[key_added]``, ``obs[key_added + "_confidence"]``, ``obsm["X_scnym"]`` and ``uns["scNym_probabilities"]``.

    Raises
    ------
    InputError
        If arguments or values cannot be used; the message says what to change.
    """
    if task not in ("train", "predict"):
        raise InputError(f"task={task!r}: expected train or predict")
    settings = resolve_config(config)
    adata = adata.copy() if copy else adata
    check_values(adata)
    settings |= {"out_path": str(out_path), "key_added": key_added, "domain_groupby": domain_groupby}
    if task == "train":
        scnym_train(adata, {**settings, "groupby": groupby})
    else:
        if trained_model is None:
            raise InputError("trained_model is missing: give the folder of a training run")
        scnym_predict(adata, {**settings, "trained_model": trained_model})
    return adata if copy else None


def scnym_train(adata: Any, config: dict) -> None:
    """Train a model, write it to ``config["out_path"]``, and describe it in ``adata.uns["scNym_train_results"]``.

    Parameters
    ----------
    adata
        As in `scnym_api`.
    config
        As there, with the keys "out_path", "groupby" and perhaps "domain_groupby".

    Warns
    -----
    DeepMapperWarning
        If no cell is unlabelled: the model then learns from labelled cells alone.
    """
    settings = {"out_path": "./scnym_outputs", "groupby": None, "domain_groupby": None, **_whole(config)}
    data = labelled_cells(adata, settings["groupby"], settings["domain_groupby"])
    if not (data.y < 0).any():
        warnings.warn(
            f"no cell of adata.obs['{settings['groupby']}'] is '{UNLABELED}': the model learns from labelled cells "
            "alone, without MixMatch and without the domain adversary",
            DeepMapperWarning,
            stacklevel=2,
        )
    train, validation, test = split_labelled(adata, data.y, settings["seed"])
    folder = _made(settings["out_path"])
    with seeded(settings["seed"]):
        model = train_run(data, train, validation, settings, str(folder))
    judged = test if len(test) else validation
    accuracy, loss = float("nan"), float("nan")
    if len(judged):
        probability, _ = predict_cells(model, data.X[judged])
        accuracy = float((probability.argmax(1) == data.y[judged]).mean())
        of_label = probability[np.arange(len(judged)), data.y[judged]]
        loss = float(-np.log(of_label.clip(1e-300)).mean())
    results = {
        "model_path": str(folder / BEST_WEIGHTS),
        "final_acc": accuracy,
        "final_loss": loss,
        "n_genes": data.X.shape[1],
        "n_cell_types": len(data.classes),
        "class_names": list(data.classes),
        "gene_names": [str(name) for name in adata.var_names],
        "model_kwargs": dict(settings["model_kwargs"]),
        "seed": settings["seed"],
        "train_idx": train.tolist(),
        "val_idx": validation.tolist(),
        "test_idx": test.tolist(),
    }
    save_plain(results, folder / RESULTS)
    for name in ("train_idx", "val_idx", "test_idx"):
        with atomic_write(folder / f"{name}.csv") as tmp:
            tmp.write_text("".join(f"{row}\n" for row in results[name]))
    arrays = {name: np.array(value) if isinstance(value, list) else value for name, value in results.items()}
    adata.uns["scNym_train_results"] = arrays


def scnym_predict(adata: Any, config: dict) -> None:
    """Name cells with a trained model; adds what `scnym_api` describes.

    The sizes of the network are those of the model, whatever the configuration says.

    Parameters
    ----------
    adata
        As in `scnym_api`; genes that the model knows and that are absent are taken as 0.
    config
        As there, with the keys "trained_model" and perhaps "key_added".
    """
    settings = {"key_added": "scNym", "out_path": "./scnym_outputs", **_whole(config)}
    place = settings.get("trained_model") or settings["out_path"]
    folder = Path(place)
    if not folder.is_dir():
        get_pretrained_weights(str(place), settings["out_path"])
        folder = Path(settings["out_path"])
    model, results = load_model(folder)
    probability, embedding = predict_cells(model, align_genes(adata, results["gene_names"]))
    key, names = settings["key_added"], np.array(results["class_names"])
    adata.obs[key] = names[probability.argmax(1)]
    adata.obs[f"{key}_confidence"] = probability.max(1)
    adata.obsm["X_scnym"] = embedding
    adata.uns["scNym_probabilities"] = pd.DataFrame(probability, index=adata.obs_names, columns=names)


def load_model(folder: str | Path) -> tuple[CellTypeCLF, dict[str, Any]]:
    """Read a trained model: the network, in evaluation mode, and what `scnym_train` says about it.

    Raises
    ------
    InputError
        If the folder holds none.
    """
    folder = Path(folder)
    results = load_weights(folder / RESULTS)
    if not isinstance(results, dict) or (absent := [name for name in _NEEDED if name not in results]):
        found = f"lacks {listed(absent)}" if isinstance(results, dict) else "is no dict"
        raise InputError(f"{folder / RESULTS} {found}: expected the results of a training run. Train the model again.")
    model = CellTypeCLF(results["n_genes"], results["n_cell_types"], **results["model_kwargs"])
    try:
        model.load_state_dict(load_weights(folder / BEST_WEIGHTS))
    except (RuntimeError, TypeError) as error:
        raise InputError(
            f"{folder}: the weights do not belong to {RESULTS} ({error}). Train the model again."
        ) from error
    return model.eval(), results


def _made(out_path: str) -> Path:
    """Return a folder that exists."""
    folder = Path(out_path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"out_path={str(out_path)!r} cannot be made a folder ({error}): give another") from error
    return folder


def _whole(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with every key; "description" tells one that was resolved already."""
    return dict(config) if isinstance(config, Mapping) and "description" in config else resolve_config(config)


def get_pretrained_weights(trained_model: str, out_path: str) -> str:
    """Put a trained model into a folder.

    Parameters
    ----------
    trained_model
        A folder, a .zip with its files, or the address of one with its checksum, ``https://...#sha256=...``. The names
        "pretrained_human", "pretrained_mouse" and "pretrained_rat" stand for weights that no public address serves.
    out_path
        The folder.

    Returns
    -------
    str
        The species, if the name of the folder or file is pretrained_{species}; else that name.

    Raises
    ------
    InputError
        If the weights cannot be had; the message says how to give them.
    """
    if trained_model in [f"pretrained_{species}" for species in SPECIES]:
        raise InputError(
            f"trained_model='{trained_model}': these weights are at no public address. Give the path of a folder or "
            f".zip with {BEST_WEIGHTS} and {RESULTS}, or its address https://...#sha256=..."
        )
    source = fetch(trained_model, out_path, "trained_model")
    target = _made(out_path)
    for name in (BEST_WEIGHTS, RESULTS):
        with atomic_write(target / name) as tmp:
            try:
                if source.is_dir():
                    shutil.copyfile(source / name, tmp)
                else:
                    with zipfile.ZipFile(source) as archive:
                        tmp.write_bytes(archive.read(name))
            except (OSError, KeyError, zipfile.BadZipFile) as error:
                raise InputError(f"trained_model={trained_model!r}: no {name} in it ({error})") from error
    return source.name.partition(".")[0].removeprefix("pretrained_")


def atlas2target(
    adata: Any, species: str, key_added: str = "annotations", atlas_column: str = "", out_path: str = "./scnym_outputs"
) -> Any:
    """Put an atlas and unlabelled cells into one AnnData, to train on.

    Parameters
    ----------
    adata
        The cells, with ln(1 + counts per million); stays as it is.
    species
        Path of the atlas, an .h5ad with ln(1 + counts per million), or its address with its checksum,
        ``https://...#sha256=...``. "human", "mouse" and "rat" stand for atlases that no public address serves.
    key_added
        Column of `obs` with the labels of the atlas, and "Unlabeled" for the cells.
    atlas_column
        Column with the labels in the atlas; "" for `key_added`, or "cell_ontology_class".
    out_path
        Folder for an atlas that is fetched.

    Returns
    -------
    AnnData
        Cells of the atlas, then `adata`; the genes that both have.

    Raises
    ------
    InputError
        If the atlas cannot be had or read, a cell of it has no label, they share no gene, or one of the two does not
        hold ln(1 + counts per million) or names genes twice.

    Warns
    -----
    DeepMapperWarning
        If it shares less than 100 genes.
    """
    import anndata

    if species in SPECIES:
        raise InputError(
            f"species='{species}': the atlas is at no public address. Give the path of an .h5ad with ln(1 + counts per "
            "million), or its address https://...#sha256=..."
        )
    path = fetch(species, out_path, "species")
    try:
        atlas = anndata.read_h5ad(path)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"species: {path} cannot be read as an .h5ad ({str(error).splitlines()[0]})") from error
    check_values(atlas, "the atlas")
    check_values(adata)
    columns = [atlas_column] if atlas_column else [key_added, "cell_ontology_class"]
    column = next((name for name in columns if name in atlas.obs), None)
    if column is None:
        raise InputError(
            f"the atlas {species} has no column {' or '.join(columns)}, but {some(atlas.obs.columns, 8)}: set "
            "atlas_column"
        )
    labels = atlas.obs[column]
    if n_without := int(labels.isna().sum()):
        raise InputError(
            f"the atlas {species} has no value in obs['{column}'] for {count(n_without, 'cell')}: remove them, or name "
            f"them '{UNLABELED}'"
        )
    shared = atlas.var_names.intersection(adata.var_names)
    if not len(shared):
        raise InputError(
            f"the atlas and the cells share no gene (atlas: {some(atlas.var_names)}; cells: {some(adata.var_names)}): "
            "both have to name them alike"
        )
    if len(shared) < _FEW_GENES:
        warnings.warn(
            f"the atlas and the cells share only {count(len(shared), 'gene')}", DeepMapperWarning, stacklevel=2
        )
    joined = anndata.concat([atlas[:, shared], adata[:, shared]], join="inner", index_unique=None)
    joined.obs_names_make_unique()
    joined.obs[key_added] = [*labels.astype(str), *[UNLABELED] * adata.n_obs]
    return joined

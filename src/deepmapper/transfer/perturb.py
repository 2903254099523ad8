"""Perturbation in silico with a model folder: what the model predicts of given samples if features are changed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..core.arrays import dense
from ..core.words import count, did_you_mean
from ..errors import InputError
from ..findings.perturbation import effect_table, summarise
from ..io.align import align, feature_table
from ..passes.perturbation import HOW, OF_OWN_CLASS, most_probable, perturb_samples, replacements
from . import model_folder
from .model import Model


def perturb(
    model: Model | str | Path,
    adata: Any,
    features: Sequence[str | Sequence[str]],
    how: Sequence[str] = ("deletion",),
    *,
    n_samples: int = 1000,
    device: Any = "cpu",
) -> pd.DataFrame:
    """Change features of samples, and predict them with a trained model.

    Parameters
    ----------
    model
        The folder of the model (results/model/NAME of a run), or what `model_folder.load` returned.
    adata
        AnnData with values of the same kind as those of the reference (usually raw counts in `X`).
    features
        Names of features; those of a list or tuple are changed together.
    how
        Some of "deletion", "activation" and "mask"; the values that features get are those of these samples
        (`passes.perturbation.replacements`). If they are masked, the change of a class's probability is that of the
        samples that the network of a pass assigns to it.
    n_samples
        Samples that are used, evenly spaced, if there are more.
    device
        To compute on.

    Returns
    -------
    pandas.DataFrame
        The columns of perturbation.tsv, one row per item, kind and class. There are no p-values, which need passes with
        shadow features: set `perturb.how` in the configuration of a run. ``attrs["summary"]`` holds the summary.

    Raises
    ------
    InputError
        If the folder is no model, the values do not fit it, or a feature is unknown.
    """
    loaded = model_folder.load(model) if isinstance(model, str | Path) else model
    if isinstance(how, str):
        raise InputError(f"how={how!r}: expected a list of some of {', '.join(HOW)}, such as [{how!r}].")
    if n_samples < 1 or not adata.n_obs:
        raise InputError(f"n_samples={n_samples} of {count(adata.n_obs, 'sample')}: expected one or more to predict.")
    if unknown := [way for way in how if way not in HOW] or ([] if len(how) else ["nothing"]):
        raise InputError(f"how: found {unknown[0]!r}, expected some of {', '.join(HOW)}.")
    items = _items(loaded, features)
    step = max(1, -(-adata.n_obs // n_samples))
    rows = np.arange(0, adata.n_obs, step)
    aligned = align(adata, feature_table(loaded.features, loaded.ids), loaded.scale, "the matrix", rows)
    values = np.concatenate([dense(block, np.float32) for _, block in aligned.values.blocks()])
    values[:, aligned.missing] = loaded.mean[aligned.missing]
    columns, p = sorted({*chain(*items.values())}), len(loaded.features)

    def update(block: np.ndarray) -> None:
        block[:, p:] = loaded.with_chords(block[:, :p])[:, p:]

    seen, parts = np.asarray(loaded.with_chords(values), dtype=np.float32), []
    for way in how:
        new_values = np.full(p, np.nan, dtype=np.float32)
        new_values[columns] = replacements(values, np.array(columns), way)
        effects = [
            perturb_samples(
                member,
                seen,
                list(items.values()),
                new_values,
                own_class=most_probable(member, seen, device) if way in OF_OWN_CLASS else None,
                update=update if loaded.chords else None,
                device=device,
            )
            for member in loaded.members
        ]
        parts.append(effect_table(items, way, effects, loaded.classes))
    table = pd.concat(parts, ignore_index=True)
    table.attrs["summary"] = summarise(table, len(loaded.members), 0)
    return table


def _items(model: Model, features: Sequence[str | Sequence[str]]) -> dict[str, tuple[int, ...]]:
    """Columns of what is changed together, by name; several features are joined with "+"."""
    if isinstance(features, str) or not len(features):
        raise InputError(f"features: found {features!r}, expected a list of names of features.")
    place = {name: i for i, name in enumerate(model.features)}
    items = {}
    for item in features:
        names = [item] if isinstance(item, str) else list(item)
        for name in names:
            if name not in place:
                raise InputError(
                    f"features: the model has no feature {name!r}.{did_you_mean(name, place)} Give names that it has."
                )
        items["+".join(names)] = tuple(place[name] for name in names)
    return items

"""How much of a class would have been found if it were new: passes that never see the labels of one class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..config import DeepMapperConfig
from ..core.auc import auc
from ..errors import InputError
from ..features.kinds import may_be_same, to_lowest
from ..features.samples import Samples
from ..passes.train import train_pass
from .conformal import n_at_least
from .members import make_member, view
from .model import RowsOf
from .strange import strange_parts

if TYPE_CHECKING:
    import torch


def withhold_classes(
    samples: Samples,
    config: DeepMapperConfig,
    seed: int,
    level: float,
    progress: Callable[[str], None] = lambda line: None,
    device: torch.device | str | None = None,
) -> pd.DataFrame:
    """Withhold each class in turn: `withheld.tsv`, one row per class.

    With a class that has kinds among the classes, these are withheld, too.

    Parameters
    ----------
    samples
        The development part.
    config, seed
        Settings and seed of the passes, one per class.
    level
        Level of the p-values.
    progress
        Receives one line per class.
    device
        To compute on.
    """
    rows = []
    for code, name in enumerate(samples.classes):
        row = {"class": name, "n_cells": int(divide_classes(samples, code)[1][samples.labels].sum())}
        try:
            row |= train_withheld_pass(samples, code, config, seed, level, device)
            progress(f"without {name}: {row['power']:.2f} of it found at {level:g}, AUC {row['auc']:.2f}")
        except InputError as error:
            row["note"] = str(error)
            progress(f"without {name}: {error}")
        rows.append(row)
    return pd.DataFrame(rows, columns=["class", "n_cells", "power", "auc", "taken_for", "note"])


def divide_classes(samples: Samples, code: int) -> tuple[np.ndarray, np.ndarray]:
    """Say which classes stay, and which are withheld, if one class were new; (C,) masks.

    A class and its kinds are withheld. Samples of classes above it may be of it, so they are neither.
    """
    same = may_be_same(samples.kinds, len(samples.classes))
    kinds = np.eye(len(same), dtype=bool) if samples.kinds is None else samples.kinds
    withheld = ~(kinds & ~kinds[code]).any(1)
    return ~same[code], withheld


def train_withheld_pass(
    samples: Samples, code: int, config: DeepMapperConfig, seed: int, level: float, device=None
) -> dict[str, float | str]:
    """Train a pass without one class, and judge the samples of that class: power, AUC, and what they are taken for.

    Raises
    ------
    InputError
        If fewer than two classes are left, or they cannot be divided.
    """
    stay, hidden = divide_classes(samples, code)
    known, withheld = (np.flatnonzero(mask[samples.labels]) for mask in (stay, hidden))
    others = np.flatnonzero(stay)
    kinds = None if samples.kinds is None else samples.kinds[np.ix_(others, others)]
    lowest = np.ones(len(others), dtype=bool) if kinds is None else kinds.diagonal()
    if lowest.sum() < 2:
        left = "only one class" if lowest.any() else "no class"
        raise InputError(f"{left} would be left: expected at least three classes to withhold one of them")
    new_code = np.full(len(samples.classes), -1)
    new_code[others] = np.arange(len(others))
    kept = replace(samples, kinds=None, strata=None).subset(known).relabel(new_code[samples.labels[known]])
    kept = replace(kept, classes=tuple(samples.classes[i] for i in others), kinds=None if lowest.all() else kinds)
    result = train_pass(kept, replace(config, attribution="saliency"), seed, device=device)
    member = make_member(result, RowsOf(kept.X, kept.rows), kept.labels, kept.group_codes, kept.X.shape[1])
    seen = view(member, [samples.X[samples.rows[withheld]]], kept.X.shape[1])
    p, area = np.empty(len(withheld)), 0.0
    for rows, strange, reference in strange_parts(member, seen, seed):
        p[rows] = (1 + n_at_least(reference, strange)) / (1 + len(reference))
        is_new = np.repeat([True, False], [len(strange), len(reference)])
        area += auc(np.concatenate([strange, reference]), is_new) * len(rows) / len(withheld)
    return {
        "power": float((p <= level).mean()),
        "auc": area,
        "taken_for": kept.classes[int(np.bincount(to_lowest(seen.probability, kept.kinds).argmax(1)).argmax())],
    }

"""Points that a page names when they are pointed at: places in the list, and fold changes against p-values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..core.words import percent
from .models import Model
from .page import rate_of

# Points on a page, so that it stays quick to open.
MAX_RANKED, MAX_TESTED = 300, 6000

# What a volcano plot can be beyond which p is not told apart.
_SMALLEST = 1e-300


def ranked_points(models: Sequence[Model], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """The first features of the list to report by their importance to every model.

    Importance is relative to shadow features (z) if it was tested, else the median over the passes.

    Parameters
    ----------
    models
        Results of each model.
    names
        Readable name of every feature that has one, by name.
    """
    groups = []
    for model in models:
        tested = model.tested and bool(model.features["z"].notna().any())
        column, said = ("z", "importance, z") if tested else ("median_importance", "importance")
        first = model.features[model.features[column].notna()].nsmallest(MAX_RANKED, "rank")
        if first.empty:
            continue
        points = [
            [_name(row["feature"], names), int(row["rank"]), _short(row[column]),
             1 if tested and row["significant"] else 0,
             f"selected by {percent(row['selection_frequency'], 0)} of the passes"]
            for row in first.to_dict("records")
        ]  # fmt: skip
        groups.append({"title": model.name, "y": said, "points": points})
    return groups


def tested_points(
    comparisons: Iterable[tuple[str, pd.DataFrame, np.ndarray]], level: float, names: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Features of each comparison by fold change and p-value: all of the smallest p, and some of the others.

    Parameters
    ----------
    comparisons
        What is compared, the rows of differential.tsv, and their fold changes within the reach of the plot.
    level
        False discovery rate at which a feature counts as different.
    names
        Readable name of every feature that has one, by name.
    """
    known = list(comparisons)
    most = max(60, MAX_TESTED // max(len(known), 1))
    groups = []
    for title, rows, x in known:
        p = rows["p"].to_numpy(dtype=float)
        order = np.argsort(p, kind="stable")
        rest = order[most * 2 // 3 :]
        some = rest[np.unique(np.linspace(0, len(rest) - 1, most // 3).astype(int))] if len(rest) else rest
        chosen = np.concatenate([order[: most * 2 // 3], some])
        features, q = rows["feature"].astype(str).to_numpy(), rows["q"].to_numpy(dtype=float)
        points = [
            [_name(features[i], names), _short(x[i]), _short(-np.log10(max(p[i], _SMALLEST))),
             0 if not q[i] <= level else 1 if x[i] >= 0 else -1, rate_of("q", q[i])]
            for i in chosen
        ]  # fmt: skip
        groups.append({"title": title, "y": "\u2212log10 p", "points": points})
    return groups


def _name(feature: Any, names: Mapping[str, str]) -> str:
    return names.get(str(feature)) or str(feature)


def _short(value: float) -> float:
    """A number in four digits."""
    return float(f"{value:.4g}")

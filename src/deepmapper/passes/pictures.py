"""What the network of one pass reads, and where in it its decisions lie: images of a few classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..backbones.registry import resolve_side
from ..core.arrays import dense
from ..features.class_values import spread_rows
from ..features.store import Features
from .restore import arrangement
from .result import PassFile, PassResult

MAX_CLASSES = 4  # shown, the largest

_MARKED = 6  # pixels named for each class

_AVERAGED = 500  # samples behind the mean of a class


def pictures_of(
    passed: PassResult | PassFile, features: Features, names: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Lay out samples, class means and attributions in the arrangement of a pass.

    Parameters
    ----------
    passed
        The pass.
    features
        The features that it read, without chords.
    names
        Readable name of every feature that has one, by name.

    Returns
    -------
    list of dict
        For each of the largest classes: ``class``, ``sample`` (the sample closest to the mean), ``mean`` and
        ``attribution``, each (side, side), and ``marked``, the pixels of the largest attribution: row, column, name.
        Values are absolute.
    """
    p, config = features.n_features, passed.config
    # chords that it read had pixels among those of the features
    n_columns = p + (passed.chords.importance.shape[-1] if passed.chords is not None else 0)
    side = resolve_side(config.backbone, n_columns, config.buffer)
    order = np.asarray(arrangement(config, passed.seed, n_columns))
    is_feature = order < p
    pixels = np.flatnonzero(is_feature)
    importance = np.asarray(passed.class_importance, dtype=float)
    pictures = []
    for code in _largest(features, importance):
        rows = spread_rows(features.development[features.y[features.development] == code], _AVERAGED)
        values = _rows(features, rows)
        mean = values.mean(axis=0)
        closest = int(((values - mean) ** 2).sum(axis=1).argmin())

        def image(of_features: np.ndarray) -> np.ndarray:
            flat = np.zeros(side * side)
            flat[pixels] = np.abs(of_features[order[is_feature]])
            return flat.reshape(side, side)

        first = np.argsort(-importance[code], kind="stable")[:_MARKED]
        places = {int(feature): int(pixel) for pixel, feature in enumerate(order) if feature in set(first.tolist())}
        shown = {i: (names or {}).get(features.names[i]) or features.names[i] for i in first.tolist()}
        pictures.append({
            "class": features.classes[code], "sample": image(values[closest]), "mean": image(mean),
            "attribution": image(np.nan_to_num(importance[code])),
            "marked": [(*divmod(places[i], side), shown[i]) for i in first.tolist() if importance[code][i] > 0],
        })  # fmt: skip
    return pictures


def _largest(features: Features, importance: np.ndarray) -> Sequence[int]:
    """Codes of the largest classes that have an attribution, in the order of the classes."""
    sizes = np.bincount(features.y[features.development], minlength=len(features.classes))
    known = [code for code in np.argsort(-sizes, kind="stable") if np.isfinite(importance[code]).any() and sizes[code]]
    return sorted(int(code) for code in known[:MAX_CLASSES])


def _rows(features: Features, rows: np.ndarray) -> np.ndarray:
    """Values of some samples, (rows, p)."""
    return dense(features.X[rows], float)[:, : features.n_features]

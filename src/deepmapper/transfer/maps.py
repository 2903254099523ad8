"""Reference and target samples together on a map of two dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..core.blocks import blocks
from ..core.draws import Draw, stream
from ..features.store import Features
from ..findings.ensemble import map_embedding
from .spaces import Space

# Samples of either side that are drawn at most; chosen by hand.
_MOST = 10_000


def map_target(
    space: Space, features: Features, table: pd.DataFrame, coordinates: np.ndarray, seed: int = 0
) -> pd.DataFrame:
    """Map reference and target in the space of the first pass: `target_map.tsv`.

    Parameters
    ----------
    space
        The space, in which the classes are apart as far as principal components show them.
    features
        Features of the run; its labelled samples of the development part are the reference.
    table
        `target.tsv`.
    coordinates
        (n, k) places of the target samples in the space.
    seed
        Of the samples that are drawn if there are many, and of the map.
    """
    rng = stream(seed, Draw.MAPPED_SAMPLES)
    labelled, target = features.development, np.arange(len(table))
    chosen, shown = _some(labelled, rng), _some(target, rng)
    places = [space.place(block) for _, block in blocks(features.X, chosen)]
    points, basis = map_embedding(np.vstack([*places, coordinates[shown]]).astype(np.float32), seed)
    classes = np.array(features.classes, dtype=object)
    reference = {
        "cell": features.names_of(chosen) or chosen.astype(str),
        "part": "reference",
        "label": classes[features.y[chosen]],
        "verdict": None,
    }
    named = table.iloc[shown]
    new: dict[str, Any] = {
        "cell": named["cell"],
        "part": "target",
        "label": named["label"],
        "verdict": named["verdict"],
    }
    found = pd.concat([pd.DataFrame(reference), pd.DataFrame(new)], ignore_index=True)
    return found.assign(x=points[:, 0], y=points[:, 1], basis=basis)


def _some(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the rows, or as many as are shown, ascending."""
    return rows if len(rows) <= _MOST else np.sort(rng.permutation(rows)[:_MOST])

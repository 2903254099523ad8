"""Files of the embeddings of a run that jobs hand on: embedded samples, and what is kept beside a fitted embedding."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..core.blocks import release
from ..core.files import atomic_write
from ..core.records import read_record
from ..core.words import count
from ..errors import InputError
from ..features.store import Features

# Files in the folder of an embedding, beside the embedding itself.
AXES, DRAWS = "axes.npz", "draws.npz"


def read_draws(folder: str | Path) -> np.ndarray:
    """Read the embedding of the development part as fitted for every draw, which there is without a test split.

    Raises
    ------
    InputError
        If the folder has none.
    """
    path = Path(folder) / DRAWS
    if not path.exists():
        raise InputError(
            f"{path} is missing: expected the embedding as fitted for every draw, since no test split is set aside. "
            "Run the rule fit_embedding again."
        )
    return read_record(path, "embedding")[1]["scores"]


def write_embedding(path: str | Path, scores: np.ndarray, features: Features, folder: str | Path) -> None:
    """Write embedded samples with the names of samples and features as .npz, without pickles.

    Parameters
    ----------
    path
        The file to write.
    scores
        (n, k) embedding of all samples.
    features
        Features of the run.
    folder
        Folder of the embedding, whose axes are written, too, if it is linear.
    """
    axes = Path(folder) / AXES
    arrays = {
        "scores": scores,
        **(read_record(axes, "embedding")[1] if axes.exists() else {}),
        "samples": np.array(features.samples, dtype=str),
        "features": np.array(features.names, dtype=str),
    }
    with atomic_write(path) as tmp, tmp.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def write_part(path: str | Path, scores: np.ndarray) -> None:
    """Write the (n, k) embedding of some samples as .npy."""
    with atomic_write(path) as tmp, tmp.open("wb") as file:
        np.save(file, scores)


def join_parts(paths: Sequence[str | Path], n_samples: int) -> np.ndarray:
    """Join the embeddings of all parts, which are given in the order of their samples, one after the other.

    No more than one part is in memory beside the result.

    Raises
    ------
    InputError
        If they are not those of all samples.
    """
    parts = [np.load(path, mmap_mode="r", allow_pickle=False) for path in paths]
    n_found = sum(map(len, parts))
    if n_found != n_samples:
        raise InputError(
            f"The embedding of {count(n_found, 'sample')} in {count(len(parts), 'part')} was found, expected "
            f"{n_samples}: run the rule embed_cells again."
        )
    scores = np.empty((n_samples, parts[0].shape[1]), dtype=np.float32)
    start = 0
    for part in parts:
        scores[start : start + len(part)] = part
        release(part)
        start += len(part)
    return scores

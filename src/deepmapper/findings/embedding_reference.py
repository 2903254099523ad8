"""What samples that come later need to be embedded: how the run named its features and normalised its values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.blocks import blocks
from ..core.records import read_record, refuse_damage, write_record
from ..errors import InputError
from ..features.store import Features
from ..features.target import rows_named
from ..io.align import Scale, scale_of
from ..io.expression import Expression
from ..io.shared_features import other_names
from .embedding_counts import stored_counts

_FILE, _WHAT = "reference.npz", "reference of an embedding"


@dataclass(frozen=True, eq=False)
class Reference:
    """The features and values of the run that fitted an embedding.

    Attributes
    ----------
    features
        Names of all p features of the run, of which the embedding may read some.
    ids
        Further names of the features (gene ids, or else symbols), or None.
    scale
        How values were normalised.
    mean
        (p,) float32 mean of the values over the development part: of normalised ones, of "scvi" of the counts.
    """

    features: tuple[str, ...]
    ids: tuple[str, ...] | None
    scale: Scale
    mean: np.ndarray


def reference_of(kind: str, features: Features, expression: Expression) -> Reference:
    """Describe what a run fits an embedding on.

    Parameters
    ----------
    kind
        Kind of the embedding, see `embedding_fits.FIT`.
    features
        Features of the run.
    expression
        The matrix from which they were prepared.
    """
    rows = features.development
    X = stored_counts(features, expression, rows).X if kind == "scvi" else features.X
    total = np.zeros(features.n_features)
    for _, block in blocks(X, None if kind == "scvi" else rows):
        total += np.asarray(block.sum(0, dtype=np.float64)).ravel()
    ids = other_names(expression.var)
    return Reference(
        features=tuple(features.names),
        ids=None if ids is None else tuple(ids),
        scale=scale_of(expression, features.metadata["normalization"], rows_named(expression, features)),
        mean=(total / len(rows)).astype(np.float32),
    )


def write_reference(reference: Reference, folder: Path) -> None:
    """Write it into the folder of the embedding."""
    about = {
        "normalization": reference.scale.record(),
        "features": list(reference.features),
        "ids": None if reference.ids is None else list(reference.ids),
    }
    write_record(folder / _FILE, about, {"share": reference.scale.share, "mean": reference.mean})


def read_reference(folder: str | Path, var_names: Sequence[str]) -> Reference:
    """Read it from the folder of an embedding that reads the features `var_names`.

    Raises
    ------
    InputError
        If it is missing, damaged, or of another embedding.
    """
    path = Path(folder) / _FILE
    try:
        about, arrays = read_record(path, _WHAT)
    except FileNotFoundError as error:
        raise InputError(
            f"{folder} does not say how the values that the embedding reads are normalised, since {_FILE} is missing: "
            "expected a folder that the rule fit_embedding wrote, such as results/embeddings/pca. Copy the folder "
            "again, or run the rule fit_embedding."
        ) from error
    with refuse_damage(path, _WHAT):
        features, ids = tuple(about["features"]), about["ids"]
        if {array.shape for array in arrays.values()} != {(len(features),)} or not {*var_names} <= {*features}:
            raise ValueError("it is that of another embedding")
        return Reference(
            features=features,
            ids=None if ids is None else tuple(ids),
            scale=Scale.from_record(about["normalization"], arrays["share"]),
            mean=arrays["mean"],
        )

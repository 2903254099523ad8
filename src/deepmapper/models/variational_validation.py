"""Metrics of latent variables in validation: types told apart, batches mixed, and distances as in an ontology."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.draws import Draw, stream
from ..core.words import some
from ..errors import InputError

if TYPE_CHECKING:
    import pandas as pd

# Cells of the silhouette, whose cost is quadratic in them. Chosen by hand.
_MOST_FOR_SILHOUETTE = 2000


@dataclass(eq=False)
class Validation:
    """Cells of a validation epoch, of which a random part is kept, and their metrics.

    Attributes
    ----------
    categories
        Names of the types, in the order of their codes; None for none.
    distances
        Distances of the terms of an ontology, with these names among rows and columns; None for none.
    most
        Number of cells to keep for the classifier to learn from, and as many to judge it.
    """

    categories: list[str] | None
    distances: pd.DataFrame | None
    most: int
    kept: list[list[tuple]] = field(default_factory=lambda: [[], []])
    seen: list[int] = field(default_factory=lambda: [0, 0])

    def __post_init__(self) -> None:
        """Refuse distances without names, or that lack one.

        Raises
        ------
        InputError
            In these cases.
        """
        if self.distances is None:
            return
        if self.categories is None:
            raise InputError("ontology_distance_matrix needs cell_type_categories: pass the names of the types.")
        if missing := [name for name in self.categories if name not in self.distances.index]:
            raise InputError(f"ontology_distance_matrix lacks {some(missing)} of cell_type_categories.")
        self.distances = self.distances.loc[self.categories, self.categories]

    def add(self, batch_idx: int, latent: Any, batches: Any, types: Any) -> None:
        """Add a batch of cells: even ones are learnt from, odd ones judge. A reservoir keeps at most `most` of each.

        Parameters
        ----------
        batch_idx
            Number of the batch.
        latent, batches, types
            (n, k) latent variables, and codes of batches and types, or None.
        """
        side = batch_idx % 2
        columns: list[Any] = [None if part is None else np.asarray(part.cpu()) for part in (latent, batches, types)]
        rng = stream(batch_idx, Draw.VALIDATED_CELLS)
        for row in range(len(columns[0])):
            cell = tuple(None if column is None else column[row] for column in columns)
            self.seen[side] += 1
            if len(self.kept[side]) < self.most:
                self.kept[side].append(cell)
            elif (place := int(rng.integers(self.seen[side]))) < self.most:
                self.kept[side][place] = cell

    def metrics(self) -> dict[str, float]:
        """Return the metrics that can be computed, and forget the cells.

        Returns
        -------
        dict
            ``val_batch_silhouette``: of the batches, about 0 if they are mixed; ``val_cell_type_accuracy``: of logistic
            regression on cells that it has not seen; ``val_ontology_spearman``: correlation of the distances between
            types with those in the ontology, weighted by how often both types occur.
        """
        (learnt, judged), self.kept, self.seen = self.kept, [[], []], [0, 0]
        cells, found = learnt + judged, {}
        if not cells:
            return {}
        latent = np.array([cell[0] for cell in cells], dtype=np.float64)
        if cells[0][1] is not None and len({int(cell[1]) for cell in cells}) > 1:
            found["val_batch_silhouette"] = _silhouette(latent, np.array([int(cell[1]) for cell in cells]))
        if cells[0][2] is None or self.categories is None:
            return found
        types = np.array([int(cell[2]) for cell in cells])
        if judged and len(set(types[: len(learnt)])) > 1:
            from sklearn.linear_model import LogisticRegression

            split = len(learnt)
            model = LogisticRegression(max_iter=1000).fit(latent[:split], types[:split])
            found["val_cell_type_accuracy"] = float(model.score(latent[split:], types[split:]))
        if self.distances is not None and len(set(types)) > 2:
            found["val_ontology_spearman"] = _weighted_spearman(latent, types, self.distances.to_numpy(dtype=float))
        return found


def _silhouette(latent: np.ndarray, codes: np.ndarray) -> float:
    from sklearn.metrics import silhouette_score

    rows = np.arange(len(codes))
    if len(rows) > _MOST_FOR_SILHOUETTE:
        rows = stream(0, Draw.VALIDATED_CELLS, 1).choice(len(rows), _MOST_FOR_SILHOUETTE, replace=False)
    n_found = len(set(codes[rows]))
    return float(silhouette_score(latent[rows], codes[rows])) if 1 < n_found < len(rows) else 0.0


def _weighted_spearman(latent: np.ndarray, types: np.ndarray, distances: np.ndarray) -> float:
    """Correlation of the ranks of distances between centroids with those in the ontology, weighted by frequency."""
    from scipy.stats import rankdata

    present, sizes = np.unique(types, return_counts=True)
    centres = np.array([latent[types == code].mean(0) for code in present])
    first, second = np.triu_indices(len(present), 1)
    ranks = [
        rankdata(values)
        for values in (
            np.linalg.norm(centres[first] - centres[second], axis=1),
            distances[present[first], present[second]],
        )
    ]
    weights = (sizes[first] * sizes[second]).astype(float)
    covariance = np.cov(np.stack(ranks), aweights=weights / weights.sum(), ddof=0)
    scale = np.sqrt(covariance[0, 0] * covariance[1, 1])
    return float(covariance[0, 1] / scale) if scale > 0 else 0.0

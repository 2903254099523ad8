"""What a network makes of features that tell nothing, while it learns from those that do: passes with shadow features.

Every feature gets a shadow, its own values dealt to other samples. Shadows keep what does not depend on the label
(distribution, their correlation with one another and with confounders) and take part in the same training, so they show
what a feature without a word to say gets in this network, on these labels. Permuted labels do not: a network that finds
nothing distributes its weights in another way.

Sources: shadow features, Kursa & Rudnicki 2010 (doi 10.18637/jss.v036.i11); permutation of whole rows, so that shadows
stay correlated, Westfall & Young 1993.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from . import backbones
from .checkpoint import Checkpoint
from .config import DeepMapperConfig
from .controls import count_labelings, distinct_rows
from .draws import Draw, stream
from .passes import PassResult, train_pass
from .settings import SHADOWS_SHARED

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Shadowed:
    """A matrix whose features stand beside their shadows, put together a batch of rows at a time.

    Attributes
    ----------
    X
        (n, p + chords) dense or CSR.
    source
        (n,) the row that each row's shadows are taken from.
    n_features
        p; further columns (of chords) have no shadows and stay the last.
    """

    X: np.ndarray | sp.csr_matrix
    source: np.ndarray
    n_features: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, and columns with the shadows."""
        return self.X.shape[0], self.X.shape[1] + self.n_features

    def __getitem__(self, rows: np.ndarray) -> np.ndarray | sp.csr_matrix:
        """Features, shadows, chords of some rows: (rows, p + p + chords)."""
        own, shadows = self.X[rows], self.X[self.source[rows]][:, : self.n_features]
        parts = [own[:, : self.n_features], shadows, own[:, self.n_features :]]
        return sp.hstack(parts, format="csr") if sp.issparse(own) else np.hstack(parts)


def draw_source(
    y: np.ndarray,
    groups: np.ndarray | None,
    strata: np.ndarray | None,
    draw: int,
) -> np.ndarray:
    """Draw the row that every row takes its shadows from, as `passes.shuffle_labels` deals labels.

    Freely; within strata, or within groups that hold several classes; where each group holds one, the rows of a group
    take those of another (some twice, where that is smaller). A draw that gives every row one of its own class is
    drawn again, where there are others.

    Parameters
    ----------
    y, groups, strata
        (n,) codes.
    draw
        Number of the draw; its seed.
    """
    rng = stream(draw, Draw.SHADOWS)
    others = count_labelings(y, groups, strata) > 1
    while True:
        source = _permuted_rows(y, groups, strata, rng)
        if not others or len(distinct_rows(np.stack([y, y[source]]))) > 1:
            return source


def train_shadow_pass(
    X,
    y: np.ndarray,
    classes: tuple[str, ...],
    config: DeepMapperConfig,
    seed: int,
    *,
    rows: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    strata: np.ndarray | None = None,
    n_chords: int = 0,
    checkpoint: Checkpoint | None = None,
    tell: Callable[[str], None] = lambda line: None,
    device: torch.device | str | None = None,
) -> PassResult:
    """Train pass `seed` on the true labels, with the shadows of draw ``seed // SHADOWS_SHARED`` beside the features.

    Parameters
    ----------
    X, y, classes, config, seed, rows, groups, strata, n_chords, checkpoint, tell, device
        As in `passes.train_pass`; shadows are dealt within `strata`. An image size that is too small for features and
        shadows is derived anew.

    Returns
    -------
    PassResult
        With `shadow_class_slope` and `shadow_draw`, without weights; the other attributions are those of the features.
    """
    rows = np.arange(X.shape[0]) if rows is None else rows
    n_features = X.shape[1] - n_chords
    draw = seed // SHADOWS_SHARED
    within, strata_within = (None if codes is None else codes[rows] for codes in (groups, strata))
    source = np.arange(X.shape[0])
    source[rows] = rows[draw_source(y[rows], within, strata_within, draw)]
    beside = Shadowed(X, source, n_features)
    if config.backbone.img_size:
        needed = backbones.resolve_side(replace(config.backbone, img_size=0), beside.shape[1], config.buffer)
        config = replace(config, backbone=replace(config.backbone, img_size=max(needed, config.backbone.img_size)))
    result = train_pass(
        beside,
        y,
        classes,
        config,
        seed,
        rows=rows,
        groups=groups,
        strata=strata,
        n_chords=n_chords,
        checkpoint=checkpoint,
        tell=tell,
        device=device,
    )
    return replace(
        result,
        importance=result.importance[:n_features],
        class_importance=result.class_importance[:, :n_features],
        class_slope=result.class_slope[:, :n_features],
        shadow_class_slope=result.class_slope[:, n_features:],
        shadow_draw=draw,
        weights={},
    )


def _permuted_rows(y, groups, strata, rng: np.random.Generator) -> np.ndarray:
    within = groups if strata is None else strata
    if within is None:
        return rng.permutation(len(y))
    members = [np.flatnonzero(within == code) for code in np.unique(within)]
    partners = members
    if strata is None and all(len(np.unique(y[rows])) == 1 for rows in members):
        partners = [members[i] for i in rng.permutation(len(members))]
    source = np.empty(len(y), dtype=np.int64)
    for rows, partner in zip(members, partners, strict=True):
        source[rows] = np.resize(rng.permutation(partner), len(rows))
    return source

"""Shadow-feature passes: the null distribution of feature importance.

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

from ..backbones import registry
from ..config import DeepMapperConfig
from ..features.label_permutations import draw_source
from ..features.samples import Samples
from ..training.checkpoint import Checkpoint
from .result import PassResult, ShadowPart
from .train import train_pass

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


def train_shadow_pass(
    samples: Samples,
    config: DeepMapperConfig,
    seed: int,
    *,
    checkpoint: Checkpoint | None = None,
    progress: Callable[[str], None] = lambda line: None,
    device: torch.device | str | None = None,
) -> PassResult:
    """Train pass `seed` on the true labels, with the shadows of draw ``seed // SHADOWS_SHARED`` beside the features.

    Parameters
    ----------
    samples, config, seed, checkpoint, progress, device
        As in `passes.train_pass`; shadows are dealt within the strata of the samples. An image size that is too small
        for features and shadows is derived anew.

    Returns
    -------
    PassResult
        With `shadows`, without weights; the other attributions are those of the features.
    """
    X, rows, n_features = samples.X, samples.rows, samples.n_features
    draw = seed // SHADOWS_SHARED
    source = np.arange(X.shape[0])
    source[rows] = rows[draw_source(samples.labels, samples.group_codes, samples.strata_codes, draw)]
    beside = Shadowed(X, source, n_features)
    if config.backbone.img_size:
        needed = registry.resolve_side(replace(config.backbone, img_size=0), beside.shape[1], config.buffer)
        config = replace(config, backbone=replace(config.backbone, img_size=max(needed, config.backbone.img_size)))
    result = train_pass(
        replace(samples, X=beside), config, seed, checkpoint=checkpoint, progress=progress, device=device
    )
    return replace(
        result,
        importance=result.importance[:n_features],
        class_importance=result.class_importance[:, :n_features],
        class_gradient=result.class_gradient[:, :n_features],
        shadows=ShadowPart(result.class_gradient[:, n_features:], draw),
        weights={},
    )


SHADOWS_SHARED = 3  # passes with shadow features that read the same shadows: seeds 3k, 3k + 1, 3k + 2

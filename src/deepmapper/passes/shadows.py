"""Shadow-feature passes: the null distribution of feature importance.

Every feature gets a shadow: its own values, permuted over the samples. Shadows keep what does not depend on the labels
(their distribution, their correlation with one another and with confounders) and take part in the same training. So
they show what importance an uninformative feature gets in this network with these labels. Permuted labels cannot show
that: a network without any signal distributes its weights differently.

Sources: shadow features, Kursa & Rudnicki 2010 (doi 10.18637/jss.v036.i11); permutation of whole rows, so that shadows
stay correlated, Westfall & Young 1993.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..config import SHADOWS_SHARED, DeepMapperConfig
from ..core.draws import Draw, stream
from ..features.label_permutations import draw_shadow_rows, permute_within
from ..features.samples import Samples
from ..training.checkpoint import Checkpoint
from ..transform import square_dim
from .result import PassResult, ShadowPart
from .train import train_pass

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Shadowed:
    """A matrix with a shadow column for every feature, assembled a batch of rows at a time.

    Attributes
    ----------
    X
        (n, p + chords) dense or CSR.
    source
        (n,) row from which each row takes its shadows.
    n_features
        Number of features p; further columns (chords) have no shadows and stay last.
    """

    X: np.ndarray | sp.csr_matrix
    source: np.ndarray
    n_features: int

    @property
    def parts(self) -> tuple[Any]:
        """The matrix that is read."""
        return (self.X,)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, and columns including the shadows."""
        return self.X.shape[0], self.X.shape[1] + self.n_features

    def __getitem__(self, rows: np.ndarray) -> np.ndarray | sp.csr_matrix:
        """Return features, shadows and chords of some rows: (rows, p + p + chords)."""
        own, shadows = self.X[rows], self.X[self.source[rows]][:, : self.n_features]
        parts = [own[:, : self.n_features], shadows, own[:, self.n_features :]]
        return sp.hstack(parts, format="csr") if sp.issparse(own) else np.hstack(parts)


def with_shadows(samples: Samples, draw: int) -> Shadowed:
    """Return the matrix of the samples with the shadows of a draw, permuted within their strata."""
    rows, source = samples.rows, np.arange(samples.X.shape[0])
    source[rows] = rows[draw_shadow_rows(samples.labels, samples.group_codes, samples.strata_codes, draw)]
    if samples.unlabelled is not None:
        new = samples.unlabelled
        # within domains: a shadow tells the domain as well as its feature does, and the adversary treats both alike
        domains = np.zeros(len(new)) if samples.domains is None else samples.domains[new]
        source[new] = permute_within(new, domains, stream(draw, Draw.SHADOWS, 1))
    return Shadowed(samples.X, source, samples.n_features)


def train_shadow_pass(
    samples: Samples,
    config: DeepMapperConfig,
    seed: int,
    *,
    keep_weights: bool = False,
    checkpoint: Checkpoint | None = None,
    progress: Callable[[str], None] = lambda line: None,
    device: torch.device | str | None = None,
) -> PassResult:
    """Train pass `seed` on the true labels, on the features and their shadows of draw ``seed // SHADOWS_SHARED``.

    Parameters
    ----------
    samples, config, seed, checkpoint, progress, device
        See `train.train_pass`; shadows are permuted within the strata of the samples. An image size that is too
        small for features and shadows is replaced by the smallest that holds them.
    keep_weights
        Whether to keep the weights, with which shadows can be perturbed.

    Returns
    -------
    PassResult
        With `shadows`, and without weights unless `keep_weights`; all other attributions are of the features only.
    """
    n_features, draw = samples.n_features, seed // SHADOWS_SHARED
    shadowed = with_shadows(samples, draw)
    if config.backbone.img_size:
        side = max(square_dim(shadowed.shape[1], config.buffer), config.backbone.img_size)
        config = replace(config, backbone=replace(config.backbone, img_size=side))
    result = train_pass(
        replace(samples, X=shadowed), config, seed, checkpoint=checkpoint, progress=progress, device=device
    )
    return replace(
        result,
        importance=result.importance[:n_features],
        class_importance=result.class_importance[:, :n_features],
        class_gradient=result.class_gradient[:, :n_features],
        shadows=ShadowPart(result.class_gradient[:, n_features:], draw),
        weights=result.weights if keep_weights else {},
    )

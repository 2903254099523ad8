"""Encoders of samples, trained without labels: for the embeddings of a run, and for networks that read an embedding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from ..backbones.encoder import OnEncoder
from ..backbones.images import Images
from ..errors import InputError
from ..io.shards import Shard
from ..models.base import CellariumModel
from ..models.contrastive import ContrastiveMLP
from ..models.count_halves import SplitCounts, WithCounts, are_counts
from ..models.run import fit
from ..models.transforms import Dropout, Duplicate, Filter
from ..models.variational_layers import layers_of_scvi
from ..models.variational_values import ValueEncodedVariational
from .components import prime_inner

# Cells in a batch of contrastive learning, where each is compared with all others of its batch, and of scVI's. Chosen
# by hand.
_BATCHES = {"contrastive": 256, "scvi": 128}

_AT_ONCE = 1024  # rows read at once


def fit_contrastive(
    chosen: Shard,
    names: np.ndarray,
    n_components: int,
    seed: int,
    *,
    hidden_units: int,
    n_epochs: int,
    views: str,
    dropout: float,
    temperature: float,
    part_g: np.ndarray | None = None,
    accelerator: str = "auto",
) -> ContrastiveMLP:
    """Train a contrastive network on samples.

    Parameters
    ----------
    chosen
        The samples.
    names
        Names of the features that the network reads, in the order of the samples'.
    n_components, seed
        Size of the embedding, and seed of everything random.
    hidden_units, n_epochs, views, dropout, temperature
        As in the configuration, section `embeddings.contrastive`; `views` is "counts" or "dropout".
    part_g
        For `SplitCounts`.
    accelerator
        What to train on, as Lightning names it.
    """
    selected: list[Any] = [Filter(names)] if len(names) < len(chosen.var_names) else []
    # counts are divided first, since the smallest of all is taken for one
    two = [SplitCounts(part_g), *selected] if views == "counts" else [*selected, Duplicate(), Dropout(dropout)]
    network = ContrastiveMLP(len(names), [hidden_units], n_components, temperature)
    train_encoder("contrastive", network, chosen, n_epochs, seed, transforms=two, trainer={"accelerator": accelerator})
    return network


def train_encoder(kind: str, network: CellariumModel, chosen: Shard, n_epochs: int, seed: int, **more: Any) -> None:
    """Train an encoder on samples, in batches of at most half of them; `more` are arguments of `models.run.fit`."""
    size = min(_BATCHES[kind], max(2, chosen.n // 2))
    fit(network, chosen, epochs=n_epochs, batch_size=size, seed=seed, **more)


def views_of(asked: str, X: Any, rows: np.ndarray | None = None, part_g: np.ndarray | None = None) -> str:
    """How two copies of a sample are made, as `asked` in the configuration: of "auto", by its counts if it has them.

    Raises
    ------
    InputError
        If the values are not those of counts, and "counts" is asked for.
    """
    if asked == "dropout":
        return "dropout"
    if are_counts(X, rows, part_g):
        return "counts"
    if asked == "counts":
        raise InputError(
            "embeddings.contrastive.views is counts, and the values are not log1p of scaled counts. Give counts with a "
            "`features.normalization` (log1p_median, log1p_cp10k or log1p_cpm), or set it to dropout."
        )
    return "dropout"


def said_of(views: str) -> str:
    """Return a line for the log: how two copies of a sample are made."""
    halves = "two halves of its counts" if views == "counts" else "two copies, each without some of its values"
    return f"The encoder learns to match, of every sample, {halves}"


@dataclass(frozen=True)
class _Rows:
    """Some samples as a source of `core.blocks.blocks`, whose columns are the pixels."""

    images: Images
    rows: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.rows), self.images.side**2

    def blocks(self) -> Iterator[tuple[slice, sp.csr_matrix]]:
        yield from self.blocks_between(0, len(self.rows))

    def blocks_between(self, start: int, stop: int) -> Iterator[tuple[slice, sp.csr_matrix]]:
        for low in range(start, stop, _AT_ONCE):
            place = slice(low, min(low + _AT_ONCE, stop))
            yield place, self.images.sparse(self.rows[place])


def fit_encoder(network: OnEncoder, images: Images, y: np.ndarray, train: np.ndarray) -> None:
    """Train the encoder of a network on the training samples of a pass, and scale the embedding to unit variance there.

    Neither labels nor validation or out-of-bag samples shape it. A network that is set up from statistics of its pixels
    (`base.Network.prime`) is, from those of the embedding.

    Parameters
    ----------
    network
        Network of a pass, on the device of the images; changed in place.
    images
        Samples of the pass.
    y
        (n,) class codes, for `prime` alone.
    train
        Training rows.

    Raises
    ------
    InputError
        If the encoder cannot be trained on these values.
    """
    spread = images.statistics(y, train)[0].flatten().cpu().numpy()
    read = np.sort(np.argsort(-spread, kind="stable")[: len(network.pixels)])
    options = dict(network.how)
    seed = int(torch.randint(2**31, ()))  # from the generator of the pass
    with torch.random.fork_rng():
        layers: Any = ENCODERS[options.pop("kind")](images, train, read, network.n_components, seed, **options)
    hidden, output = _without_normalisation(layers[0], layers[1]), layers[-1]
    with torch.no_grad():
        network.pixels.copy_(torch.from_numpy(read))
        network.hidden.copy_(hidden[0].T)
        network.hidden_bias.copy_(hidden[1])
        network.output.copy_(output.weight.T)
        network.output_bias.copy_(output.bias)
    scores = _encoded(network, images, np.arange(len(y)))
    mean, deviation = scores[train].mean(0), scores[train].std(0)
    scale = np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    shift, factor = (torch.from_numpy(part).to(network.output_bias) for part in (mean, scale))
    network.output_bias.sub_(shift).mul_(factor)
    network.output.mul_(factor)
    prime_inner(network, (scores - mean) * scale, images.device, y, train)


def _encoded(network: OnEncoder, images: Images, rows: np.ndarray) -> np.ndarray:
    """Embedding of some rows, (n, k) float32."""
    read, device = network.pixels.cpu().numpy(), network.hidden.device
    parts = []
    with torch.no_grad():
        for start in range(0, len(rows), _AT_ONCE):
            values = images.sparse(rows[start : start + _AT_ONCE])[:, read].toarray()
            parts.append(network.encode(torch.from_numpy(values).to(device)).cpu().numpy())
    return np.concatenate(parts)


@torch.no_grad()
def _without_normalisation(linear: nn.Linear, norm: Any) -> tuple[Tensor, Tensor]:
    """Weight and bias of a linear layer that does what it does with the batch normalisation behind it."""
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return linear.weight * scale[:, None], (linear.bias - norm.running_mean) * scale + norm.bias


def _contrastive(
    images: Images, train: np.ndarray, read: np.ndarray, n_components: int, seed: int, *, views: str, **options: Any
) -> nn.Sequential:
    """Layers of a contrastive network that is trained on some rows."""
    chosen, part = _shard(images, train), _parts(images)
    views = views_of(views, chosen.X, part_g=part)
    print(said_of(views))
    names = chosen.var_names[read]
    options |= {"views": views, "part_g": part, "accelerator": images.device.type}
    return fit_contrastive(chosen, names, n_components, seed, **options).layers


def _scvi(
    images: Images,
    train: np.ndarray,
    read: np.ndarray,
    n_components: int,
    seed: int,
    *,
    hidden_units: int,
    n_epochs: int,
    batch: str,
) -> nn.Sequential:
    """Layers of the encoder of an autoencoder that is trained on some rows, up to the means of the latent variables."""
    chosen, part = _shard(images, train), _parts(images)
    if batch or not are_counts(chosen.X, part_g=part):
        raise InputError(
            "input: scvi needs log1p of scaled counts, and no embeddings.scvi.batch. Give counts with a "
            "`features.normalization` (log1p_median, log1p_cp10k or log1p_cpm), or set `input: pca`."
        )
    names = chosen.var_names[read]
    sizes: Any = {**layers_of_scvi(hidden_units), "n_latent": n_components}
    network = ValueEncodedVariational(list(names), **sizes)
    trainer = {"accelerator": images.device.type}
    train_encoder("scvi", network, chosen, n_epochs, seed, transforms=[WithCounts(read, part)], trainer=trainer)
    encoder: Any = network.encoder
    return nn.Sequential(encoder.hidden.linears[0].linear, encoder.hidden.dressings[0][0], encoder.mean.linear)


def _shard(images: Images, train: np.ndarray) -> Shard:
    """Training samples, whose features are named by the numbers of their pixels."""
    rows = _Rows(images, train)
    names = np.arange(rows.shape[1]).astype(str).astype(object)
    return Shard("the training samples", rows, pd.DataFrame(index=range(len(train))), names)


def _parts(images: Images) -> np.ndarray | None:
    """Part of a sample that each pixel belongs to, where features have shadows: these are from another sample."""
    n_features = getattr(images.X, "n_features", None)
    if n_features is None:
        return None
    part = np.zeros(images.side**2, dtype=np.int64)
    part[images.pixel[n_features : 2 * n_features]] = 1
    return part


# Kind of encoder -> function of the images, the training rows, the pixels that are read, the number of components, a
# seed and its options, which returns layers: linear, batch normalisation, ..., linear.
ENCODERS: dict[str, Callable[..., nn.Sequential]] = {"contrastive": _contrastive, "scvi": _scvi}

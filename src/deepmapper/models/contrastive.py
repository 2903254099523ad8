"""Embedding of cells by contrastive learning."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..core.words import count
from ..errors import InputError
from . import distributed
from .arguments import check_positive, check_whole
from .base import CellariumModel, PredictMixin, evaluated


class ContrastiveMLP(CellariumModel, PredictMixin):
    """Multilayer perceptron whose embedding brings two augmented copies of a cell together and others apart.

    Every hidden layer is linear, batch normalisation, ReLU; the embedding has unit length. The loss is NT-Xent (Chen et
    al. 2020, arXiv 2002.05709), over the cells of all processes.

    Parameters
    ----------
    n_obs
        Number of features of a cell, as the input of the network.
    hidden_size
        Sizes of the hidden layers.
    embed_dim
        Size of the embedding.
    temperature
        What similarities are divided by.

    Raises
    ------
    InputError
        If a size or the temperature is not positive.
    """

    n_epochs = 10
    n_copies = 2

    def __init__(self, n_obs: int, hidden_size: Sequence[int], embed_dim: int, temperature: float = 1.0) -> None:
        super().__init__()
        if not isinstance(hidden_size, Iterable):
            raise InputError(f"hidden_size={hidden_size!r}: expected a list of sizes, such as [{hidden_size!r}].")
        sizes = [n_obs, *hidden_size, embed_dim]
        for name, size in zip(("n_obs", *["hidden_size"] * (len(sizes) - 2), "embed_dim"), sizes, strict=True):
            check_whole(**{name: size})
        check_positive(temperature=temperature)
        self.n_obs, self.temperature, self.embed_dim = n_obs, temperature, embed_dim
        layers: list[nn.Module] = []
        for width, following in zip(sizes[:-2], sizes[1:-1], strict=True):
            layers += [nn.Linear(width, following), nn.BatchNorm1d(following), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-2], embed_dim))

    def reset_parameters(self) -> None:
        """Draw the weights anew, from torch's generator."""
        for layer in self.layers:
            if isinstance(layer, nn.Linear | nn.BatchNorm1d):
                layer.reset_parameters()

    def forward(self, x_ng: Tensor) -> dict[str, Tensor]:
        """Return the loss of cells in two copies.

        Parameters
        ----------
        x_ng
            (2 n, g) n augmented cells, then another augmented copy of each in the same order (`transforms.Duplicate`).

        Returns
        -------
        dict
            ``loss``: NT-Xent, mean over all copies.

        Raises
        ------
        InputError
            If the number of rows is odd.
        """
        if len(x_ng) % 2:
            raise InputError(f"There are {count(len(x_ng), 'row')}: expected two copies of every cell (Duplicate).")
        first, second = self._embed(x_ng).chunk(2)
        return {"loss": nt_xent(first, second, self.temperature)}

    def predict(self, x_ng: Tensor) -> dict[str, Tensor | np.ndarray]:
        """Return the embedding.

        Parameters
        ----------
        x_ng
            (n, g) cells.

        Returns
        -------
        dict
            ``x_ng``: (n, embed_dim) embedding of unit length; ``var_names_g``: names of its dimensions.
        """
        with evaluated(self):
            embedding = self._embed(x_ng)
        return {"x_ng": embedding, "var_names_g": np.array([f"E{i + 1}" for i in range(self.embed_dim)])}

    def _embed(self, x_ng: Tensor) -> Tensor:
        if x_ng.shape[1] != self.n_obs:
            raise InputError(
                f"The cells have {count(x_ng.shape[1], 'feature')}, expected the {self.n_obs} (n_obs) of the model. "
                "Select those first."
            )
        return functional.normalize(self.layers(x_ng), dim=1)


def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Normalised temperature-scaled cross-entropy of this process's cells, against the cells of all processes.

    Parameters
    ----------
    first, second
        (n, d) embeddings of unit length of the two copies; every process has as many.
    temperature
        What similarities are divided by.

    Returns
    -------
    torch.Tensor
        Mean over both copies; the mean over the processes is the loss of all cells at once.
    """
    rank, size = distributed.rank_and_size()
    n = len(first)
    own = torch.cat([first, second])
    if size == 1:
        others = own
    else:
        # as a sum of what each process has in its place, through which gradients flow
        gathered = own.new_zeros((2, size, n, own.shape[1]))
        gathered[0, rank], gathered[1, rank] = first, second
        others = distributed.SumOfProcesses.apply(gathered).flatten(0, 2)
    places = rank * n + torch.arange(n, device=own.device)
    itself = torch.cat([places, places + size * n])
    partner = torch.cat([places + size * n, places])
    similarity = own @ others.T / temperature
    similarity = similarity.scatter(1, itself[:, None], -torch.inf)
    return functional.cross_entropy(similarity, partner)

"""The networks: a classifier of cell types, and a head that tries to tell domains apart. Imports torch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..backbones.semi_supervised import GradReverse
from ..errors import InputError
from .dataprep import ExpMinusOne, LibrarySizeNormalize

__all__ = ["DANN", "CellTypeCLF", "CellTypeCLFConditional", "GradReverse", "ResBlock"]

# Of the hidden units of the classifier.
DROPOUT = 0.5


class ResBlock(nn.Module):
    """Residual block: two linear layers with batch normalisation, whose result is added to the input.

    Parameters
    ----------
    n_inputs, n_hidden
        Sizes of input and output, which have to be equal, since the two are added (He et al. 2015, arXiv:1512.03385).
    """

    def __init__(self, n_inputs: int, n_hidden: int) -> None:
        super().__init__()
        if n_inputs != n_hidden:
            raise InputError(f"n_inputs={n_inputs}, n_hidden={n_hidden}: expected equal sizes, since the two are added")
        self.n_inputs, self.n_hidden = n_inputs, n_hidden
        self.dense1, self.bn1 = nn.Linear(n_inputs, n_hidden), nn.BatchNorm1d(n_hidden)
        self.dense2, self.bn2 = nn.Linear(n_hidden, n_hidden), nn.BatchNorm1d(n_hidden)
        self.relu1, self.relu2 = nn.ReLU(), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, n_inputs) to (batch, n_hidden)."""
        inner = self.bn2(self.dense2(self.relu1(self.bn1(self.dense1(x)))))
        return self.relu2(inner + x)


class CellTypeCLF(nn.Module):
    """Classifier of cell types from expression.

    Parameters
    ----------
    n_genes, n_cell_types
        Sizes of input and output.
    n_hidden, n_layers
        Units per hidden layer, and hidden layers behind the first.
    init_dropout
        Share of the molecules' genes that is dropped from the input during training, after which the cell is
        normalised again to counts per million; for inputs ln(1 + counts per million). 0 for none.
    residual
        Make the hidden layers after the second residual blocks.
    batch_norm, track_running_stats
        Whether there is batch normalisation, and whether it keeps running means for predictions.
    n_hidden_init
        Units of the first hidden layer.
    """

    def __init__(
        self,
        n_genes: int,
        n_cell_types: int,
        n_hidden: int = 256,
        n_layers: int = 2,
        init_dropout: float = 0.0,
        residual: bool = False,
        batch_norm: bool = True,
        track_running_stats: bool = True,
        n_hidden_init: int = 256,
    ) -> None:
        super().__init__()
        if n_layers < 1:
            raise InputError(f"n_layers={n_layers}: expected 1 or more")
        self.n_genes, self.n_cell_types = n_genes, n_cell_types
        self.n_hidden, self.n_layers, self.n_hidden_init = n_hidden, n_layers, n_hidden_init
        self.init_dropout, self.residual = init_dropout, residual
        self.batch_norm, self.track_running_stats = batch_norm, track_running_stats
        layers = [*self._dense(self._n_inputs(), n_hidden_init), *self._dense(n_hidden_init, n_hidden)]
        for _ in range(n_layers - 1):
            # every layer has weights of its own
            layers += [ResBlock(n_hidden, n_hidden)] if residual else self._dense(n_hidden, n_hidden)
        self.embed = nn.Sequential(*layers)
        self.classif = nn.Linear(n_hidden, n_cell_types)

    def _n_inputs(self) -> int:
        return self.n_genes

    def _dense(self, n_inputs: int, n_outputs: int) -> list[nn.Module]:
        norm = [nn.BatchNorm1d(n_outputs, track_running_stats=self.track_running_stats)] if self.batch_norm else []
        return [nn.Linear(n_inputs, n_outputs), *norm, nn.Dropout(DROPOUT), nn.ReLU()]

    def embedding(self, x: Tensor) -> Tensor:
        """Map (batch, inputs) to (batch, n_hidden), the input of the last layer."""
        return self.embed(self._dropped(x))

    def forward(self, x: Tensor, return_embed: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """Map (batch, inputs) to (batch, n_cell_types) scores before softmax; or these and the embedding."""
        embedding = self.embedding(x)
        scores = self.classif(embedding)
        return (scores, embedding) if return_embed else scores

    def _dropped(self, x: Tensor) -> Tensor:
        if not (self.init_dropout and self.training):
            return x
        counts = nn.functional.dropout(ExpMinusOne()({"input": x})["input"], self.init_dropout)
        return LibrarySizeNormalize()({"input": counts})["input"]


class CellTypeCLFConditional(CellTypeCLF):
    """Classifier that also reads the tissue of a cell.

    Parameters
    ----------
    n_genes
        Genes, the first columns of the input.
    n_tissues
        Columns behind them with a one for the tissue; `init_dropout` leaves them alone.
    kwargs
        Further arguments of `CellTypeCLF`, of which `n_cell_types` is required.
    """

    def __init__(self, n_genes: int, n_tissues: int, **kwargs: Any) -> None:
        self.n_tissues = n_tissues
        super().__init__(n_genes, **kwargs)

    def _n_inputs(self) -> int:
        return self.n_genes + self.n_tissues

    def _dropped(self, x: Tensor) -> Tensor:
        return torch.cat([super()._dropped(x[:, : self.n_genes]), x[:, self.n_genes :]], dim=1)


class DANN(nn.Module):
    """Adversary: tells the domains of cells apart by the classifier's embedding, which learns to prevent that.

    Parameters
    ----------
    model
        The classifier, whose embedding is shared.
    n_domains
        Number of domains.
    weight
        Weight of the reversed gradient.
    n_layers
        Hidden layers of the adversary.
    """

    def __init__(self, model: CellTypeCLF, n_domains: int = 2, weight: float = 1.0, n_layers: int = 1) -> None:
        super().__init__()
        self.model, self.n_domains, self.weight = model, n_domains, weight
        layers: list[nn.Module] = []
        for _ in range(n_layers):
            layers += [nn.Linear(model.n_hidden, model.n_hidden), nn.ReLU()]
        self.domain_clf = nn.Sequential(*layers, nn.Linear(model.n_hidden, n_domains))

    def set_rev_grad_weight(self, weight: float) -> None:
        """Set the weight of the reversed gradient."""
        self.weight = weight

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (batch, inputs) to (batch, n_domains) scores and the (batch, n_hidden) embedding."""
        embedding = self.model.embedding(x)
        return self.domain_clf(GradReverse.apply(embedding, self.weight)), embedding

"""Fitted embeddings of cells, and the folder in which one is kept: JSON and arrays, without pickles."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..core.records import read_record, refuse_damage, write_record
from ..errors import InputError
from .base import CellariumModel
from .cells import open_cells
from .contrastive import ContrastiveMLP
from .geneformer import CellEmbedding, Geneformer
from .pca import IncrementalPCA
from .probabilistic_pca import ProbabilisticPCA
from .run import predict
from .transforms import DivideByScale, Filter
from .variational import SingleCellVariationalInference
from .variational_layers import layers_of_scvi

# Version of the folder's layout; a folder of another version is refused.
FORMAT = 1

_DESCRIPTION, _ARRAYS = "embedding.json", "arrays.npz"

# Array of a folder that is no part of the network.
_SCALE = "scale_g"


@dataclass(frozen=True)
class _Kind:
    """What is particular to a kind of embedding.

    Attributes
    ----------
    build
        Function of the names of the features and the sizes that returns an untrained network.
    n_components
        Name of the number of components among the sizes.
    result
        Name of the embedding in what the network predicts.
    kept
        Arrays of the network's state that predictions depend on; empty for all.
    """

    build: Callable[..., CellariumModel]
    n_components: str
    result: str = "x_ng"
    kept: tuple[str, ...] = ()


def _probabilistic(names: np.ndarray, **sizes: Any) -> CellariumModel:
    return ProbabilisticPCA(var_names_g=names, ppca_flavor="marginalized", **sizes)


def _contrastive(names: np.ndarray, **sizes: Any) -> CellariumModel:
    return ContrastiveMLP(len(names), **sizes)


def _variational(names: np.ndarray, *, hidden_units: int, **sizes: Any) -> CellariumModel:
    layers: Any = layers_of_scvi(hidden_units)
    return SingleCellVariationalInference(list(names), **layers, **sizes)


_OF_PCA = tuple(f"spectrum.{name}" for name in ("n", "sum_g", "eigenvalue_k", "vector_gk"))

_KINDS = {
    "pca": _Kind(IncrementalPCA, "n_components", kept=_OF_PCA),
    "ppca": _Kind(_probabilistic, "n_components", "z_nk", ("W_kg", "sigma", "mean_g")),
    "contrastive": _Kind(_contrastive, "embed_dim"),
    "geneformer": _Kind(Geneformer, "hidden_size"),
    "scvi": _Kind(_variational, "n_latent"),
}


@dataclass(frozen=True, eq=False)
class FittedEmbedding:
    """An embedding with all that embedding further cells needs.

    Attributes
    ----------
    kind
        "pca", "ppca", "contrastive", "geneformer" or "scvi".
    var_names_g
        (g,) names of the features that it reads.
    sizes
        Arguments of the network (`build_network`), which JSON can hold.
    network
        The trained network.
    scale_g
        (g,) what values are divided by before they are ranked ("geneformer"); else None.
    """

    kind: str
    var_names_g: np.ndarray
    sizes: dict[str, Any]
    network: Any
    scale_g: np.ndarray | None = None

    def embed(self, data: Any, layer: str = "X") -> np.ndarray:
        """Embed cells that need not fit into memory; the result must.

        Parameters
        ----------
        data, layer
            As in `run.fit`: values as those that it was fitted on, counts for "scvi". Other features may be among
            those that it reads. In a run of several processes each reads its share, and all get all results.

        Returns
        -------
        numpy.ndarray
            (n, k) float32, in the order of the cells.

        Raises
        ------
        InputError
            If features are missing or in another order.
        """
        cells = open_cells(data, layer=layer)
        transforms: list[Any] = []
        if not np.array_equal(cells.var_names_g, self.var_names_g):
            self._check_order(cells.var_names_g)
            transforms.append(Filter(self.var_names_g))
        network = self.network
        if self.scale_g is not None:
            transforms.append(DivideByScale(torch.from_numpy(self.scale_g), self.var_names_g))
        if self.kind == "geneformer":
            network = CellEmbedding(network)
        if not cells.n:
            return np.empty((0, self.n_components), dtype=np.float32)
        found = predict(network, cells.shards, transforms=transforms)[_KINDS[self.kind].result]
        return found.astype(np.float32, copy=False)

    @property
    def n_components(self) -> int:
        """Number of components k."""
        return int(self.sizes[_KINDS[self.kind].n_components])

    def _check_order(self, names: np.ndarray) -> None:
        """Refuse cells that lack features or have them in another order; the first is named."""
        found = names[np.isin(names.astype(str), self.var_names_g.astype(str))]
        if np.array_equal(found, self.var_names_g):
            return
        missing = sorted(set(map(str, self.var_names_g)) - set(map(str, found)))
        what = f"{len(missing)} are missing, such as '{missing[0]}'" if missing else "they are in another order"
        raise InputError(
            f"The cells must have the {len(self.var_names_g)} features that the embedding reads, in their order: "
            f"{what}. Select and order the features by `var_names_g` of the embedding."
        )


def build_network(kind: str, var_names_g: np.ndarray, sizes: dict[str, Any]) -> Any:
    """Return an untrained network, whose weights are drawn from torch's generator.

    Parameters
    ----------
    kind, var_names_g, sizes
        As in `FittedEmbedding`.
    """
    return _KINDS[kind].build(var_names_g, **sizes)


def write_embedding_model(embedding: FittedEmbedding, folder: Path) -> None:
    """Write an embedding into an existing folder."""
    kept = _KINDS[embedding.kind].kept
    state = {name: values.cpu().numpy() for name, values in embedding.network.state_dict().items()}
    arrays = {name: state[name] for name in kept or state}
    if embedding.scale_g is not None:
        arrays[_SCALE] = embedding.scale_g
    write_record(folder / _ARRAYS, {}, arrays)
    batches = getattr(embedding.network, "batch_categories", None)
    content = {
        "format": FORMAT,
        "kind": embedding.kind,
        "sizes": embedding.sizes,
        "batches": None if batches is None else [str(name) for name in batches],
        "features": [str(name) for name in embedding.var_names_g],
    }
    (folder / _DESCRIPTION).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def open_embedding(folder: str | Path) -> FittedEmbedding:
    """Read an embedding that a run has fitted: a folder such as ``results/embeddings/pca``.

    Raises
    ------
    InputError
        If the folder is not a complete embedding of this version.
    """
    folder = Path(folder)
    try:
        content = json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder} is not an embedding, since its file {_DESCRIPTION} is missing or damaged: expected a folder "
            "such as results/embeddings/pca. Run the rule fit_embedding."
        ) from error
    version = content.get("format") if isinstance(content, dict) else None
    if version != FORMAT:
        raise InputError(f"{folder} has format {version}, expected {FORMAT}: run the rule fit_embedding again.")
    try:
        _, arrays = read_record(folder / _ARRAYS, "embedding")
    except FileNotFoundError as error:
        raise InputError(
            f"{folder} is not a complete embedding: {_ARRAYS} is missing. Copy the folder again."
        ) from error
    with refuse_damage(folder / _DESCRIPTION, "embedding"):
        names = np.array(content["features"], dtype=object)
        with torch.random.fork_rng(devices=[]):  # the weights are replaced
            network = build_network(content["kind"], names, content["sizes"])
        scale = arrays.pop(_SCALE, None)
        state = network.state_dict()
        expected = {name: tuple(state[name].shape) for name in _KINDS[content["kind"]].kept or state}
        if {name: values.shape for name, values in arrays.items()} != expected:
            raise ValueError(f"{_ARRAYS} has other arrays")
        for name, values in arrays.items():
            state[name].copy_(torch.from_numpy(values))
        if content["batches"] is not None:
            network.batch_categories = np.array(content["batches"])
        return FittedEmbedding(content["kind"], names, content["sizes"], network, scale)

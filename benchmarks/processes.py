"""Statistics and training in several processes, beside one: 701 simulated cells in shards of 100, 1 and 600.

    python benchmarks/processes.py DIR                  one process
    srun --ntasks=2 python benchmarks/processes.py DIR  several, by Slurm (or torchrun --nproc-per-node=2 ...)
    python benchmarks/processes.py DIR --compare        prints the largest differences

Every model is fitted to the same cells; the contrastive network is trained for 50 steps on batches of 100 cells, with
batch normalisation. Differences are relative to the largest value of each result.
"""

import argparse
import sys
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch

from deepmapper import models
from deepmapper.models import distributed
from deepmapper.models.transforms import Duplicate, Log1p


def shards():
    """The cells, in memory."""
    rng = np.random.default_rng(0)
    rate = rng.gamma(0.5, 1.0, 300) * rng.gamma(2.0, 0.5, (701, 1)) * rng.gamma(1.0, 1.0, (701, 300))
    obs = pd.DataFrame({"type": rng.choice(["a", "b"], 701), "donor": rng.choice(["x", "y", "z"], 701)})
    obs.index = [f"cell{i}" for i in range(701)]
    var = pd.DataFrame(index=[f"g{i}" for i in range(300)])
    whole = anndata.AnnData(sp.csr_matrix(rng.poisson(rate).astype(np.float32)), obs=obs, var=var)
    return [whole[a:b].copy() for a, b in ((0, 100), (100, 101), (101, 701))]


def results(data):
    """Name of a result -> its values."""
    names, donor = np.asarray(data[0].var_names), {"batch_index_n": "donor"}
    moments = models.fit(models.OnePassMeanVarStd(names, n_batch=3, output_path=None), data, obs=donor)
    found = {"cells": torch.tensor([moments.n]), "mean": moments.mean_g, "variance": moments.var_g}
    found["variance by batch"] = moments.batch_var_bg
    hvg = models.fit(models.HVGSeuratV3(names, 50, 3, use_batch_key=True, output_path=None), data, obs=donor).hvg_df
    found["highly variable"] = torch.tensor(hvg["highly_variable"].to_numpy()).double()
    found["HVG variance"] = torch.tensor(hvg["variances_norm"].to_numpy())
    pca = models.fit(models.IncrementalPCA(names, 10), data, transforms=[Log1p()])
    found["PCA variance"], found["PCA axes"] = pca.explained_variance_k, pca.components_kg
    ppca = models.ProbabilisticPCA(701, names, 10, "marginalized")
    found["PPCA variance"] = models.fit(ppca, data, transforms=[Log1p()]).L_k
    torch.manual_seed(0)
    network = models.ContrastiveMLP(300, [32], 8)
    options = {"max_steps": 50, "accelerator": "cpu", "precision": "64-true"}
    models.fit(network, data, transforms=[Log1p(), Duplicate()], epochs=8, batch_size=100, trainer=options)
    assert int(network.state_dict()["layers.1.num_batches_tracked"]) == 50
    weights = {f"weights {name}": value for name, value in network.state_dict().items()}
    return {name: torch.as_tensor(value).detach().double() for name, value in (found | weights).items()}


def compare(folder):
    """Print the differences between one and several processes."""
    one = torch.load(folder / "1.pt", weights_only=True)
    for path in sorted(folder.glob("[0-9]*.pt")):
        if path.stem == "1":
            continue
        other = torch.load(path, weights_only=True)
        print(f"{path.stem} processes, {int(other['cells'])} cells")
        for name, values in one.items():
            difference = (other[name] - values).nan_to_num().abs().max() / values.nan_to_num().abs().max().clamp(1e-300)
            print(f"  {name}: {float(difference):.1e}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--compare", action="store_true")
    chosen = parser.parse_args()
    if chosen.compare:
        sys.exit(compare(chosen.folder))
    chosen.folder.mkdir(parents=True, exist_ok=True)
    distributed.join()
    values = results(shards())
    rank, size = distributed.rank_and_size()
    if rank == 0:
        torch.save(values, chosen.folder / f"{size}.pt")

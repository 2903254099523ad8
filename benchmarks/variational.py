"""The variational autoencoder of counts beside scvi-tools: held-out evidence lower bound and seconds of training.

    python benchmarks/variational.py --matrix pbmc3k.h5ad --label cell_type --exclude unlabelled

Needs an environment with scvi-tools 1.4.2 (its tests `tests/unit/models/test_variational.py` compare loss and gradients
there, too). Both learn from the same 80 % of the cells, counts of the 2000 most variable genes, with one hidden layer
of 128 units, 10 latent variables, batches of 128 cells, a learning rate of 0.001, and divergences whose weight rises
over the first half of the epochs. The bound is that of the other cells, with full weight, mean over 20 draws.
"""

import argparse
import time
import warnings

import anndata
import numpy as np
import scipy.sparse as sp
import torch

from deepmapper import models
from deepmapper.models.variational_layers import layers_of_scvi


def data_of(options):
    """Counts of the most variable genes, as dense AnnData of learnt and held-out cells."""
    adata = anndata.read_h5ad(options.matrix)
    adata = adata[~adata.obs[options.label].isin(options.exclude)].copy()
    adata.X = sp.csr_matrix(adata.X).astype(np.float32)
    found = models.fit(models.HVGSeuratV3(adata.var_names, options.features, output_path=None), adata).hvg_df
    adata = adata[:, found["highly_variable"].to_numpy()].copy()
    learnt = np.random.default_rng(0).random(adata.n_obs) < 0.8
    return adata[learnt].copy(), adata[~learnt].copy()


def ours(options, learnt, held_out, seed):
    """Seconds of training and the bound, here."""
    torch.manual_seed(seed)
    model = models.SingleCellVariationalInference(learnt.var_names, **layers_of_scvi())
    started = time.process_time()
    models.fit(model, learnt, epochs=options.epochs, batch_size=128, seed=seed)
    seconds = time.process_time() - started
    model.eval()
    x = torch.from_numpy(held_out.X.toarray())
    with torch.no_grad():
        bounds = [float(model(x, model.var_names_g)["loss"]) for _ in range(20)]
    return seconds, -np.mean(bounds)


def theirs(options, learnt, held_out, seed):
    """Seconds of training and the bound, with scvi-tools."""
    import scvi

    scvi.settings.seed = seed
    learnt = learnt.copy()
    scvi.model.SCVI.setup_anndata(learnt)
    model = scvi.model.SCVI(learnt, gene_likelihood="nb")
    started = time.process_time()
    model.train(
        max_epochs=options.epochs,
        train_size=1.0,
        batch_size=128,
        accelerator="cpu",
        plan_kwargs={"n_epochs_kl_warmup": options.epochs // 2},
        enable_progress_bar=False,
    )
    seconds = time.process_time() - started
    model.module.eval()
    x = torch.from_numpy(held_out.X.toarray())
    zeros = torch.zeros((len(x), 1), dtype=torch.int64)
    with torch.no_grad():
        bounds = [float(model.module({"X": x, "batch": zeros, "labels": zeros})[2].loss) for _ in range(20)]
    return seconds, -np.mean(bounds)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--matrix", required=True)
    parser.add_argument("--label", required=True)
    parser.add_argument("--exclude", nargs="*", default=[])
    parser.add_argument("--features", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    learnt, held_out = data_of(options)
    print(f"{learnt.n_obs} cells to learn from, {held_out.n_obs} held out, {options.epochs} epochs")
    print("| seed | here | scvi-tools | difference | CPU s here | CPU s scvi-tools |\n|---|---|---|---|---|---|")
    for seed in range(options.seeds):
        (seconds, bound), (other, reference) = (train(options, learnt, held_out, seed) for train in (ours, theirs))
        change = bound / reference - 1
        print(f"| {seed} | {bound:.2f} | {reference:.2f} | {change:+.2%} | {seconds:.0f} | {other:.0f} |", flush=True)


if __name__ == "__main__":
    main()

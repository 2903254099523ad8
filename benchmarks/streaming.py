"""Statistics and components from cells that are streamed: how exact, how fast and with how much memory.

    python benchmarks/streaming.py accuracy --matrix pbmc3k.h5ad --label cell_type --exclude unlabelled
    python benchmarks/streaming.py regression  # options: --matrix, --label, --exclude, --normalization
    python benchmarks/streaming.py shards --folder DIR --cells 100000 --features 30000 --shards 10
    python benchmarks/streaming.py speed --folder DIR [--published PYTHON]

`accuracy` and `regression` compare with exact values, scanpy and scikit-learn. `shards` simulates counts of single
cells. `speed` runs every step on these shards in a process of its own, one thread, and prints seconds, cells per second
and peak memory; seconds are those of the CPU (user and system) and of the clock, both without imports. scanpy reads all
shards into memory first. `--steps` chooses steps by number, from 1. `--published` is a Python with cellarium-ml, whose
own streaming is measured in the same way.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

DEMO = Path(__file__).parents[1] / "resources/demo/matrix/pbmc68k_reduced.h5ad"

STEPS = ("mean and variance", "HVG, 2000 of all", "PCA, 50 of 2000", "PCA, 50 of all")
PUBLISHED = STEPS[:3]


def simulate(folder, cells, features, shards):
    """Write shards of counts: ten types of cells, about 1,400 fragments each, as h5ad."""
    import anndata
    import pandas as pd
    import scipy.sparse as sp

    rng = np.random.default_rng(0)
    base = rng.gamma(0.3, 1.0, features)
    shares = base * np.exp(rng.normal(0, 1, (10, features)) * (rng.random((10, features)) < 0.1))
    ends = np.cumsum(shares / shares.sum(1, keepdims=True), axis=1)
    folder.mkdir(parents=True, exist_ok=True)
    bounds = np.linspace(0, cells, shards + 1).astype(int)
    for number, (start, stop) in enumerate(zip(bounds[:-1], bounds[1:], strict=True)):
        n = stop - start
        types, depth = rng.integers(0, 10, n), rng.poisson(rng.lognormal(7.2, 0.4, n))
        rows = np.repeat(np.arange(n), depth)
        columns = np.empty(len(rows), dtype=np.int64)
        for kind in range(10):
            of_kind = types[rows] == kind
            columns[of_kind] = np.searchsorted(ends[kind], rng.random(int(of_kind.sum())))
        columns = np.minimum(columns, features - 1)
        counts = sp.csr_matrix((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=(n, features))
        obs = pd.DataFrame({"type": types.astype(str), "donor": rng.integers(0, 4, n).astype(str)})
        obs.index = [f"cell{start + i}" for i in range(n)]
        var = pd.DataFrame(index=[f"gene{i}" for i in range(features)])
        anndata.AnnData(counts, obs=obs, var=var).write_h5ad(folder / f"shard{number:02d}.h5ad")
    print(f"{cells} cells x {features} features in {shards} shards, {folder}")


def accuracy(options):
    """Print the accuracy of every statistic on one matrix."""
    import anndata
    import scanpy
    import scipy.sparse as sp
    from sklearn.decomposition import IncrementalPCA as SklearnPCA

    from deepmapper import models
    from deepmapper.models.transforms import Filter, Log1p, NormalizeTotal

    adata = anndata.read_h5ad(options.matrix)
    adata = adata[~adata.obs[options.label].isin(options.exclude)].copy()
    adata.X, names = sp.csr_matrix(adata.X), adata.var_names
    print(f"{adata.n_obs} cells x {adata.n_vars} features")

    def exact(X):
        parts = [
            X[:, i : i + 500].toarray() if sp.issparse(X) else X[:, i : i + 500] for i in range(0, X.shape[1], 500)
        ]
        parts = [part.astype(np.longdouble) for part in parts]
        return (
            np.concatenate([f(part) for part in parts]).astype(float) for f in (lambda a: a.mean(0), lambda a: a.var(0))
        )

    shifted = np.random.default_rng(0).normal(1000, 1, (adata.n_obs, 300))
    for name, X in (("counts", adata.X), ("normal, mean 1000, sd 1", shifted)):
        labels = names if X is adata.X else np.arange(300).astype(str)
        data = anndata.AnnData(X)
        data.var_names = labels
        model = models.fit(models.OnePassMeanVarStd(labels, output_path=None), data, batch_size=256)
        for what, found, expected in zip(("mean", "variance"), (model.mean_g, model.var_g), exact(X), strict=True):
            used = expected != 0
            print(f"{what} of {name}: relative error {np.abs(found.numpy()[used] / expected[used] - 1).max():.1e}")
    adata.obs["batch"] = np.random.default_rng(1).integers(0, 3, adata.n_obs).astype(str)
    for flavor in ("seurat_v3", "seurat_v3_paper"):
        for batch in (None, "batch"):
            chosen = scanpy.pp.highly_variable_genes(
                adata, flavor=flavor, n_top_genes=2000, batch_key=batch, inplace=False
            )["highly_variable"]
            model = models.HVGSeuratV3(names, 2000, 3 if batch else 1, flavor, bool(batch), output_path=None)
            models.fit(model, adata, obs={"batch_index_n": batch} if batch else None, batch_size=256)
            same = (model.hvg_df["highly_variable"].to_numpy() & chosen.to_numpy()).sum()
            print(f"HVG {flavor}{', 3 batches' if batch else ''}: {same} of 2000 as scanpy")
    variable = list(names[chosen])
    scale = [NormalizeTotal(10_000), Log1p()]
    logs = adata.copy()
    scanpy.pp.normalize_total(logs, target_sum=1e4)
    scanpy.pp.log1p(logs)
    for what, X, transforms in (
        ("2000 HVG", logs[:, variable].X, [*scale, Filter(variable)]),
        ("all features", logs.X, scale),
    ):
        wide = X.astype(np.float64)
        mean = np.asarray(wide.mean(0)).ravel()
        cross = np.asarray(wide @ mean).ravel()
        gram = (wide @ wide.T).toarray() - cross[:, None] - cross + mean @ mean
        expected = np.linalg.eigvalsh(gram)[::-1][:50] / len(gram)
        features = names if X.shape[1] == len(names) else names[names.isin(variable)]
        model = models.fit(models.IncrementalPCA(features, 50), adata, transforms=transforms)
        other = SklearnPCA(50, batch_size=256).fit(X.toarray() if X.shape[1] < 5000 else X).explained_variance_
        for who, found in (("here", model.explained_variance_k.numpy()), ("IncrementalPCA of scikit-learn", other)):
            error = np.abs(found / expected - 1)
            print(f"PCA of {what}, {who}: relative error PC1-10 {error[:10].max():.1e}, PC11-50 {error[10:].max():.1e}")
    digest = models.fit(models.TDigest(names), adata, transforms=scale).median_g.numpy()
    columns = logs.X.tocsc()
    medians = [
        np.median(columns.data[a:b]) if b > a else np.nan
        for a, b in zip(columns.indptr, columns.indptr[1:], strict=False)
    ]
    print(f"medians of non-zero values by t-digest: relative error {np.nanmax(np.abs(digest / medians - 1)):.1e}")


def regression(options):
    """Print how L1 logistic regression on the 500 most variable values compares with saga, on 70 % of the cells."""
    import anndata
    import common
    import pandas as pd
    import scipy.sparse as sp
    import torch
    from sklearn.linear_model import LogisticRegression as Saga

    from deepmapper import models

    X, codes, classes, names = common.read(options)
    X = X.toarray() if sp.issparse(X) else np.asarray(X)
    kept = np.sort(np.argsort(-X.var(axis=0))[:500])
    X, names, train = X[:, kept], np.asarray(names)[kept], np.random.default_rng(2).random(len(X)) < 0.7
    obs = pd.DataFrame({"y": np.asarray(classes)[codes[train]]}, index=np.flatnonzero(train).astype(str))
    data = anndata.AnnData(X[train], obs=obs, var=pd.DataFrame(index=names))
    for penalty in options.scales:
        model = models.LogisticRegression(len(obs), names, np.asarray(classes), W_prior_scale=penalty)
        started = time.process_time()
        models.fit(model, data, obs={"y_n": "y"})
        middle = time.process_time()
        saga = Saga(l1_ratio=1.0, C=penalty, solver="saga", tol=1e-7, max_iter=options.iterations).fit(
            X[train].astype(np.float64), codes[train]
        )
        ended = time.process_time()

        def objective(weights, intercepts):
            scores = torch.from_numpy(X[train].astype(np.float64) @ weights + intercepts)
            loss = torch.nn.functional.cross_entropy(scores, torch.from_numpy(codes[train]), reduction="sum")
            return float(loss) + np.abs(weights).sum() / penalty  # noqa: B023

        ours = [part.detach().double().numpy() for part in (model.W_gc, model.b_c)]
        theirs = [saga.coef_.T, saga.intercept_]
        steps = "" if saga.n_iter_.max() < options.iterations else ", which has not converged"
        print(f"scale {penalty}: objective {objective(*ours) / objective(*theirs) - 1:+.1e} of saga's{steps}")
        for name, (weights, intercepts), seconds in (
            ("here", ours, middle - started),
            ("saga", theirs, ended - middle),
        ):
            hits = ((X[~train] @ weights + intercepts).argmax(1) == codes[~train]).mean()
            print(f"  {name}: accuracy {hits:.4f}, weights of 0 {(weights == 0).mean():.3f}, {seconds:.1f} CPU s")


def here(files, step, variable):
    """One step with this package."""
    from deepmapper import models
    from deepmapper.io.shards import open_shard
    from deepmapper.models.transforms import Filter, Log1p, NormalizeTotal

    names = open_shard(files[0]).var_names
    scale = [NormalizeTotal(10_000), Log1p()]
    if step == STEPS[0]:
        models.fit(models.OnePassMeanVarStd(names, output_path=None), files)
    elif step == STEPS[1]:
        found = models.fit(models.HVGSeuratV3(names, 2000, output_path=None), files).hvg_df
        variable.write_text(json.dumps(list(found.index[found["highly_variable"]])))
    elif step == STEPS[2]:
        chosen = json.loads(variable.read_text())
        models.fit(models.IncrementalPCA(np.array(chosen), 50), files, transforms=[*scale, Filter(chosen)])
    else:
        models.fit(models.IncrementalPCA(names, 50), files, transforms=scale)


def scanpy_in_memory(files, step, variable):
    """The same step with scanpy; reading the shards belongs to it."""
    import anndata
    import scanpy
    from sklearn.utils.sparsefuncs import mean_variance_axis

    adata = anndata.concat([anndata.read_h5ad(path) for path in files])
    if step == STEPS[0]:
        mean_variance_axis(adata.X, axis=0)
    elif step == STEPS[1]:
        scanpy.pp.highly_variable_genes(adata, flavor="seurat_v3", n_top_genes=2000)
    else:
        scanpy.pp.normalize_total(adata, target_sum=1e4)
        scanpy.pp.log1p(adata)
        if step == STEPS[2]:
            adata = adata[:, json.loads(variable.read_text())].copy()
        scanpy.pp.pca(adata, n_comps=50)


def published(files, step, variable):
    """The same step with cellarium-ml, by its own loader and trainer."""
    import anndata
    import lightning.pytorch as pl
    from cellarium.ml import CellariumModule
    from cellarium.ml import models as cellarium
    from cellarium.ml.core import CellariumAnnDataDataModule
    from cellarium.ml.data import DistributedAnnDataCollection
    from cellarium.ml.transforms import Filter, Log1p, NormalizeTotal
    from cellarium.ml.utilities.data import AnnDataField, densify

    sizes = [anndata.read_h5ad(path, backed="r").n_obs for path in files]
    data = CellariumAnnDataDataModule(
        DistributedAnnDataCollection([str(path) for path in files], limits=list(np.cumsum(sizes)), max_cache_size=1),
        batch_keys={"x_ng": AnnDataField(attr="X", convert_fn=densify), "var_names_g": AnnDataField(attr="var_names")},
        batch_size=1000,
        iteration_strategy="cache_efficient",
        shuffle=False,
    )
    names = np.asarray(anndata.read_h5ad(files[0], backed="r").var_names)
    transforms, epochs = [], 1
    if step == STEPS[0]:
        model = cellarium.OnePassMeanVarStd(names, output_path=None)
    elif step == STEPS[1]:
        model, epochs = cellarium.HVGSeuratV3(names, 2000, output_path=None), 2
    else:
        chosen = json.loads(variable.read_text())
        model = cellarium.IncrementalPCA(np.array(chosen), 50)
        transforms = [NormalizeTotal(10_000), Log1p(), Filter(chosen)]
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
    )
    trainer.fit(CellariumModule(transforms=transforms, model=model), data)


def speed(options):
    """Measure every step of each in a process of its own."""
    files = sorted(options.folder.glob("shard*.h5ad"))
    cells = sum(_size(path) for path in files)
    print(f"{cells} cells in {len(files)} shards\n")
    print("| step | by | CPU s | s | cells per CPU s | peak memory, MB |\n|---|---|---|---|---|---|")
    who = {"here": sys.executable, "scanpy in memory": sys.executable}
    if options.published:
        who["cellarium-ml 0.0.15"] = str(options.published)
    with tempfile.TemporaryDirectory() as folder:
        variable = options.variable or Path(folder) / "variable.json"
        for step in [STEPS[number - 1] for number in options.steps]:
            for name, python in who.items():
                if name in options.skip or (name.startswith("cellarium") and step not in PUBLISHED):
                    continue
                command = [python, __file__, "one", "--folder", options.folder, "--by", name, "--step", step]
                environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
                done = subprocess.run(
                    [*command, "--variable", variable], env=environment, capture_output=True, text=True, check=False
                )
                if done.returncode:
                    print(f"| {step} | {name} | failed: {done.stderr.strip().splitlines()[-1]} | | | |")
                    continue
                used, seconds, peak = json.loads(done.stdout.strip().splitlines()[-1])
                found = f"{used:.1f} | {seconds:.1f} | {cells / used:,.0f} | {peak:,.0f}"
                print(f"| {step} | {name} | {found} |", flush=True)


def one(options):
    """One step, in this process; prints its seconds (CPU, clock) without imports, and its peak memory."""
    import resource
    import warnings

    warnings.simplefilter("ignore")
    run = {"here": here, "scanpy in memory": scanpy_in_memory}.get(options.by, published)
    if run is published:
        import cellarium.ml  # noqa: F401
        import lightning.pytorch  # noqa: F401
    elif run is here:
        import torch

        from deepmapper.models import fit  # noqa: F401

        torch.set_num_threads(1)
    else:
        import scanpy  # noqa: F401
    started = time.process_time(), time.perf_counter()
    run(sorted(options.folder.glob("shard*.h5ad")), options.step, options.variable)
    used = time.process_time() - started[0], time.perf_counter() - started[1]
    print(json.dumps([*used, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))


def _size(path):
    import h5py

    with h5py.File(path) as file:
        return int(file["X"].attrs["shape"][0])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["accuracy", "regression", "shards", "speed", "one"])
    parser.add_argument("--matrix", type=Path, default=DEMO)
    parser.add_argument("--label", default="bulk_labels")
    parser.add_argument("--exclude", nargs="*", default=[])
    parser.add_argument("--normalization", default="log1p_median")
    parser.add_argument("--scales", nargs="+", type=float, default=[0.1, 1.0], help="of the prior, for regression")
    parser.add_argument("--iterations", type=int, default=5000, help="of saga at most, for regression")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--features", type=int, default=30_000)
    parser.add_argument("--shards", type=int, default=10)
    parser.add_argument("--published", type=Path)
    parser.add_argument("--skip", nargs="*", default=[])
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--by")
    parser.add_argument("--step")
    parser.add_argument("--variable", type=Path)
    chosen = parser.parse_args()
    if chosen.what == "shards":
        simulate(chosen.folder, chosen.cells, chosen.features, chosen.shards)
    else:
        {"accuracy": accuracy, "regression": regression, "speed": speed, "one": one}[chosen.what](chosen)

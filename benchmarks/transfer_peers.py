"""Naming new cells beside CellTypist, scANVI, scNym and logistic regression, paired on the same splits.

    python benchmarks/transfer_peers.py write FOLDER --cases plain shift thinned both --splits 20
    python benchmarks/transfer_peers.py run FOLDER --method deepmapper        # also logistic, logistic_scaled
    ENVIRONMENT/bin/python benchmarks/transfer_peers.py run FOLDER --method scnym032_no_new
    python benchmarks/transfer_peers.py table FOLDER

`write` makes one file for every case and split, `run` one file of probabilities for each of these, and leaves out what
is there, so it can be stopped at any time; `table` compares. The cases: pbmc68k_reduced with 30 % of the labels hidden,
as it is, with every gene of the target times a lognormal factor (sd 1), with half of the classes thinned to a tenth in
the target, and both; zheng_pbmc3k and pbmc3k_zheng, on the classes that both have, from four fifths of the reference,
and the same on the genes of pbmc68k_reduced alone (_few); pbmc3k, all genes, 30 % of the labels hidden.
Environments: `pip install celltypist==1.7.1 "scikit-learn<1.8"`; `pip install scvi-tools==1.4.2`;
`pip install --no-deps scnym==0.3.2` beside torch, scanpy and tensorboard.
"""

import argparse
import tempfile
import time
import warnings
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp
from memory import Watch

UNLABELLED = "Unlabeled"
SMALL = ("plain", "shift", "thinned", "both")
CASES = (*SMALL, "zheng_pbmc3k", "pbmc3k_zheng", "zheng_pbmc3k_few", "pbmc3k_zheng_few", "pbmc3k")
LEVEL = 0.1  # of the sets of labels
SMALLEST = 30  # cells of a class whose coverage is judged


def write(options):
    """Write the cells of every case and split: logarithms in `X`, counts in a layer, `obs` label, truth, part."""
    for case in options.cases:
        for split in range(options.splits):
            path = options.folder / f"{case}.{split}.h5ad"
            if not path.exists():
                (hidden(case, split) if case in SMALL else between(case, split, options)).write_h5ad(path)


def hidden(case, split):
    """pbmc68k_reduced; the counts of its cells are their values over the smallest."""
    from adaptation import divided, pbmc68k

    X, labels = pbmc68k()
    reference, y, target, truth = divided(X, labels, case, split)
    values = np.concatenate([reference, target])
    counts = np.expm1(values)
    return cells(values, np.round(counts / _one_count(counts, len(y))[:, None]), [*y, *truth], len(y))


def _one_count(counts, n_reference):
    """What one count is in every cell: its smallest value, in a shifted target on average that of the reference."""
    found = np.nanmin(np.where(counts > 0, counts, np.nan), axis=1)
    found[n_reference:] = np.maximum(found[n_reference:], np.median(found[:n_reference]))
    return found


def between(case, split, options):
    """Four fifths of one study and all of the other, on genes of both; or one study with hidden labels."""
    from transfer import COMMON, held_out, read

    pbmc = read(options.pbmc3k, "cell_type")
    if case == "pbmc3k":
        target = held_out(pbmc.obs["label"].to_numpy(), 0.3, split)
        reference, target = pbmc[~target], pbmc[target]
    else:
        zheng = read(options.zheng, "cell_type_common")
        pbmc.obs["label"] = pbmc.obs["label"].map(COMMON)
        pbmc, zheng = pbmc[pbmc.obs["label"].notna()], zheng[zheng.obs["label"].isin(list(COMMON.values()))]
        genes = zheng.var_names[zheng.var_names.isin(pbmc.var_names)]
        reference, target = (zheng, pbmc) if case.startswith("zheng") else (pbmc, zheng)
        reference = reference[~held_out(reference.obs["label"].to_numpy(), 0.2, split), genes]
        target = target[:, genes]
    counts = sp.vstack([reference.X, target.X]).tocsr()
    values = counts.multiply(1e4 / counts.sum(1)).tocsr()
    values.data = np.log1p(values.data)
    labels = [*reference.obs["label"], *target.obs["label"]]
    found = cells(values, counts, labels, reference.n_obs, reference.var_names)
    return found[:, few_genes(reference)].copy() if case.endswith("_few") else found


def few_genes(data):
    """Mask of the genes that pbmc68k_reduced has."""
    import scanpy as sc

    symbols = data.var["gene_symbol"].astype(str)
    return (symbols.isin(sc.datasets.pbmc68k_reduced().raw.var_names) & ~symbols.duplicated()).to_numpy()


def cells(values, counts, labels, n_reference, genes=None):
    part = np.where(np.arange(len(labels)) < n_reference, "reference", "target")
    label = np.where(part == "reference", labels, UNLABELLED)
    names = [f"cell{i}" for i in range(len(labels))]
    obs = pd.DataFrame({"label": label, "truth": labels, "part": part}, index=names)
    var = pd.DataFrame(index=[f"gene{i}" for i in range(values.shape[1])] if genes is None else list(genes))
    layers = {"counts": sp.csr_matrix(counts, dtype=np.float32)}
    return anndata.AnnData(sp.csr_matrix(values, dtype=np.float32), obs, var, layers=layers)


def run(options):
    """Run one method on every file that it has not named yet, until the minutes are over."""
    warnings.simplefilter("ignore")
    start = time.time()
    for path in ordered(options.folder, options.cases, options.splits):
        out = options.folder / f"{path.stem}.{options.method}.npz"
        if out.exists():
            continue
        if time.time() - start > 60 * options.minutes:
            break
        adata = anndata.read_h5ad(path)
        split = int(path.stem.rpartition(".")[2])
        np.random.seed(split)
        if options.method != "celltypist":
            import torch

            torch.set_num_threads(1)
            torch.manual_seed(split)
        began = time.process_time()
        with Watch() as used:
            found = METHODS[options.method](adata, split, options)
        seconds = time.process_time() - began
        probability, classes, sets = found if len(found) == 3 else (*found, None)
        sets = sets_of(probability) if sets is None else sets
        partial = out.with_suffix(".part.npz")
        np.savez(
            partial,
            probability=probability,
            classes=np.array(classes, dtype=str),
            sets=sets,
            seconds=seconds,
            peak=used.whole,
            anonymous=used.anonymous,
            truth=adata.obs["truth"].to_numpy()[(adata.obs["part"] == "target").to_numpy()].astype(str),
        )
        partial.rename(out)
        truth = np.load(out)["truth"]
        accuracy = (np.array(classes)[probability.argmax(1)] == truth).mean()
        print(f"{path.stem} {options.method}: {accuracy:.3f}, {seconds:.1f} CPU seconds; {used}", flush=True)


def ordered(folder, cases, splits):
    return [folder / f"{case}.{split}.h5ad" for case in cases for split in range(splits)]


def sets_of(probability):
    """The most probable labels whose probabilities add up to 90 %."""
    share = probability / probability.sum(1, keepdims=True)
    order = np.argsort(-share, axis=1)
    before = np.cumsum(np.take_along_axis(share, order, 1), 1) - np.take_along_axis(share, order, 1)
    found = np.zeros(share.shape, dtype=bool)
    np.put_along_axis(found, order, before < 1 - LEVEL, 1)
    return found


def parts(adata):
    reference = (adata.obs["part"] == "reference").to_numpy()
    return adata[reference].copy(), adata[~reference].copy()


def logistic(adata, split, options, scaled=False):
    """L2, C = 1; values as they are, or each gene standardised by the reference."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    reference, target = parts(adata)
    X, new = reference.X, target.X
    if scaled:
        scaler = StandardScaler(with_mean=False).fit(X)
        X, new = scaler.transform(X), scaler.transform(new)
    fit = LogisticRegression(max_iter=1000).fit(X, reference.obs["label"].astype(str))
    return fit.predict_proba(new), fit.classes_


def logistic_scaled(adata, split, options):
    return logistic(adata, split, options, scaled=True)


def deepmapper(adata, split, options):
    """Passes of cnn_small, with all steps of the workflow."""
    return named(adata, options, "cnn_small")


def deepmapper_as_came(adata, split, options):
    """The same without alignment."""
    return named(adata, options, "cnn_small", aligned=False)


def named(adata, options, kind, learn_from=False, aligned=True, **changes):
    """Fit the passes of a kind, calibrate, name; the sets are conformal."""
    from dataclasses import replace

    import transfer
    from common import configuration

    from deepmapper.features.prepare import prepare_features
    from deepmapper.features.samples import with_target
    from deepmapper.io.align import scale_of
    from deepmapper.passes.adaptation import choose_arm, resolve_arm, with_arm
    from deepmapper.passes.train import train_pass
    from deepmapper.transfer.model import fit_model

    reference, target = parts(adata)
    features = prepare_features(reference, label_column="label", normalization="none", split_scheme="repeated")
    config = replace(configuration(kind, **changes), attribution="saliency", attribution_samples=1)
    samples = features.development_samples
    if learn_from:
        place = {name: i for i, name in enumerate(target.var_names)}
        samples = with_target(samples, target.X[:, [place[name] for name in features.names]])
        if learn_from == "auto":
            config = resolve_arm(config, choose_arm(samples, config, range(5)))
        else:
            config = with_arm(config, learn_from)
    passes = [train_pass(samples, config, seed, folds=True) for seed in range(options.passes)]
    model = fit_model(features, passes, scale_of(reference, "none", np.arange(reference.n_obs)))
    transfer.LEVEL = LEVEL
    found, _ = transfer.asked(model, target, aligned)
    return np.nan_to_num(found.named.probability), model.classes, found.named.inside


def of_kind_scnym(arm):
    def method(adata, split, options):
        """Passes of the kind scnym."""
        return named(adata, options, "scnym", learn_from=arm)

    return method


def celltypist(adata, split, options):
    """Its defaults; its confidence is that of every class against the rest."""
    import celltypist as ct

    reference, target = parts(adata)
    model = ct.train(reference, labels="label", n_jobs=1, check_expression=False)
    found = ct.annotate(target, model=model).probability_matrix
    return found.to_numpy(), list(found.columns)


def scanvi(adata, split, options):
    """Train scVI (2 layers, 30 dimensions), then scANVI for 20 epochs, as its tutorial does; parts are batches."""
    import scvi

    scvi.settings.seed = split
    scvi.model.SCVI.setup_anndata(adata, layer="counts", batch_key="part", labels_key="label")
    quiet = {"enable_progress_bar": False, "accelerator": "cpu"}
    base = scvi.model.SCVI(adata, n_layers=2, n_latent=30, gene_likelihood="nb")
    base.train(**quiet)
    model = scvi.model.SCANVI.from_scvi_model(base, unlabeled_category=UNLABELLED)
    model.train(max_epochs=20, n_samples_per_label=100, **quiet)
    found = model.predict(soft=True)[(adata.obs["part"] == "target").to_numpy()]
    return found.to_numpy(), list(found.columns)


def scnym(config):
    def method(adata, split, options):
        """Its configuration; smaller batches where the target has fewer cells than one, with which it never ends."""
        np.int = int  # removed from numpy, still used by the release
        from scnym.api import CONFIGS, scnym_api

        values = adata.copy()
        X = values.X.expm1()
        values.X = X.multiply(1e6 / X.sum(1)).tocsr().log1p().astype(np.float32)
        values.X = values.X.toarray() if values.shape[1] < 5000 else values.X
        n_target = (values.obs["part"] == "target").sum()
        changed = {**CONFIGS[config], "batch_size": next(size for size in (256, 64, 32) if size <= n_target)}
        if options.epochs:
            changed["n_epochs"] = options.epochs
        with tempfile.TemporaryDirectory() as folder:
            scnym_api(values, groupby="label", out_path=folder, config=changed)
            scnym_api(values, task="predict", trained_model=folder, config=changed)
        found = values.uns["scNym_probabilities"].loc[values.obs_names[values.obs["part"] == "target"]]
        return found.to_numpy(), [str(name) for name in found.columns]

    return method


METHODS = {
    "deepmapper": deepmapper, "deepmapper_as_came": deepmapper_as_came,
    "scnym_none": of_kind_scnym("none"), "scnym_mixmatch": of_kind_scnym("mixmatch"),
    "scnym_both": of_kind_scnym("both"), "scnym_auto": of_kind_scnym("auto"), "logistic": logistic,
    "logistic_scaled": logistic_scaled, "celltypist": celltypist, "scanvi": scanvi,
    "scnym032_no_new": scnym("no_new_identity"), "scnym032_discovery": scnym("new_identity_discovery"),
}  # fmt: skip


def table(options):
    """A line for every case and method: accuracy, paired difference, calibration, coverage, cost."""
    print("case\tmethod\tsplits\taccuracy\tagainst_it\tece\tworst_class_covered\tset_size\tcpu_seconds\tpeak_mb")
    for case in options.cases:
        of_method = {}
        for method in METHODS:
            paths = {split: options.folder / f"{case}.{split}.{method}.npz" for split in range(options.splits)}
            found = {split: dict(np.load(path)) for split, path in paths.items() if path.exists()}
            if found:
                of_method[method] = found
        own = {split: accuracy(one) for split, one in of_method.get(options.beside, {}).items()}
        for method, found in of_method.items():
            values = np.array([accuracy(one) for one in found.values()])
            gain = np.array([own[split] - accuracy(one) for split, one in found.items() if split in own])
            error = 1.96 * gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else np.nan
            beside = f"{gain.mean():+.4f} ± {error:.4f}" if len(gain) else ""
            seconds, peak = (np.mean([one[name] for one in found.values()]) for name in ("seconds", "peak"))
            row = [f"{values.mean():.4f}", beside, *calibrated(found.values()), f"{seconds:.1f}", f"{peak:.0f}"]
            print("\t".join([case, method, str(len(found)), *row]), flush=True)


def accuracy(one):
    return (one["classes"][one["probability"].argmax(1)] == one["truth"]).mean()


def calibrated(found):
    """Error of the confidence over all splits together, coverage of the worst class of 30 cells, size of the sets."""
    confidence, hit, inside, sizes = [], [], {}, []
    for one in found:
        confidence.append(one["probability"].max(1))
        hit.append(one["classes"][one["probability"].argmax(1)] == one["truth"])
        sizes.append(one["sets"].sum(1).mean())
        for code, name in enumerate(one["classes"]):
            members = one["truth"] == name
            if members.sum() >= SMALLEST:
                inside.setdefault(name, []).append(one["sets"][members, code].mean())
    confidence, hit = np.concatenate(confidence), np.concatenate(hit)
    place = np.minimum((confidence * 10).astype(int), 9)
    gaps = [
        np.mean(place == i) * abs(confidence[place == i].mean() - hit[place == i].mean())
        for i in range(10)
        if (place == i).any()
    ]
    worst = min(np.mean(values) for values in inside.values()) if inside else np.nan
    return f"{sum(gaps):.4f}", f"{worst:.3f}", f"{np.mean(sizes):.2f}"


def main():
    """Do one part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("write", "run", "table"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=SMALL)
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--method", choices=METHODS)
    parser.add_argument("--passes", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=0, help="of scNym; 0 for its own")
    parser.add_argument("--minutes", type=float, default=9, help="after which no further file is begun")
    parser.add_argument("--beside", choices=METHODS, default="deepmapper", help="method that others are compared with")
    parser.add_argument("--pbmc3k", type=Path, help="raw counts, obs['cell_type']")
    parser.add_argument("--zheng", type=Path, help="raw counts of sorted cells, obs['cell_type_common']")
    options = parser.parse_args()
    {"write": write, "run": run, "table": table}[options.part](options)


if __name__ == "__main__":
    main()

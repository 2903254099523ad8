"""Targets that differ from the reference in ways of their own: what is right, what is called new, what is promised.

    python benchmarks/changed_targets.py --pbmc3k FILE                            # --only, --splits, --model, --passes
    python benchmarks/changed_targets.py --pbmc3k FILE --logarithms               # --as-they-are
    python benchmarks/changed_targets.py --zheng FILE --only donor species        # another study

The reference is one half of the cells of a study, the target is the other half after one change each. Accuracy is that
of the nearest class among cells of known classes, beside logistic regression on the same genes; "false" is the share of
these cells that are called new. With --logarithms, the reference holds natural logarithms of counts per 10,000, and the
targets were normalised in other ways; --as-they-are leaves out that these are recognised.
"""

import argparse
import time
import warnings
from dataclasses import replace
from pathlib import Path

import anndata
import numpy as np
import scipy.sparse as sp
import torch
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from transfer import asked, fitted, held_out, read, regression

from deepmapper.errors import InputError

WITHHELD = "B cells"
LETTERS = ("MT-", "RPL", "RPS")


def same(target, rng):
    """No change."""
    return target


def shallow(target, rng):
    """A fifth of the counts."""
    return counted(target, rng.binomial(target.X.data.astype(np.int64), 0.2))


def platform(target, rng):
    """Genes captured with factors of their own (sd of logarithms .7), and a tenth of ambient RNA."""
    factors = rng.lognormal(0, 0.7, target.n_vars)
    depth = np.asarray(target.X.sum(1)).ravel()
    mean = np.asarray(target.X.mean(0)).ravel() * factors
    own = sp.diags(0.9 * depth / np.asarray(target.X @ factors).ravel()) @ target.X @ sp.diags(factors)
    ambient = 0.1 * depth[:, None] * (mean / mean.sum())[None, :]
    return matrix(target, rng.poisson(own.toarray() + ambient))


def ambient(target, rng):
    """A fifth of the counts of every cell are those of the mean cell."""
    depth, mean = np.asarray(target.X.sum(1)), np.asarray(target.X.mean(0))
    return matrix(target, rng.poisson(0.8 * target.X.toarray() + 0.2 * depth * mean / mean.sum()))


def stimulated(target, rng):
    """150 genes rise 3- to 10-fold in all classes, in each of its own strength, and 30 in one class alone."""
    labels = target.obs["label"].to_numpy()
    rates, size = rates_of(target, rng)
    genes = rng.permutation(target.n_vars)[:180]
    classes = np.unique(labels)
    fold = rng.uniform(np.log(3), np.log(10), 180) * rng.lognormal(0, 0.4, (len(classes), 180))
    fold[:, 150:] *= classes[:, None] == rng.choice(classes)
    start = np.asarray(target.X.mean(0)).ravel()[genes].clip(0.05)  # genes that are off at rest rise, too
    own = np.exp(fold)[np.searchsorted(classes, labels)] - 1
    rates[:, genes] += own * start * size[:, None] * rng.gamma(2, 1 / 2, own.shape)
    return matrix(target, rng.poisson(rates))


def full_length(target, rng):
    """Five times the counts, genes captured by factors of their own (sd of logarithms 1.2), counts of reads."""
    rates, _ = rates_of(target, rng)
    factors = rng.lognormal(0, 1.2, target.n_vars)
    rates *= factors * 5 * rates.sum() / (rates @ factors).sum()
    return matrix(target, np.round(rng.poisson(rates) * rng.lognormal(0, 0.5, rates.shape)))


def shallow_platform(target, rng):
    """A fifth of the counts, genes captured by factors of their own (sd of logarithms 1)."""
    rates, _ = rates_of(target, rng)
    factors = rng.lognormal(0, 1, target.n_vars)
    return matrix(target, rng.poisson(rates * factors * 0.2 * rates.sum() / (rates @ factors).sum()))


def species(target, rng):
    """Two fifths of the genes, times factors (sd of logarithms 1); a quarter of the markers mark other classes."""
    target = target[:, partners(target)].copy()
    labels = target.obs["label"].to_numpy()
    rates, size = rates_of(target, rng)
    rates /= size[:, None]
    classes = np.unique(labels)
    means = np.array([rates[labels == name].mean(0) for name in classes])
    markers = np.argsort(-(means.max(0) + 0.02) / (np.median(means, axis=0) + 0.02), kind="stable")[:200]
    for gene in rng.permutation(markers)[:50]:
        before = rates[:, gene].copy()
        for name, other in zip(classes, rng.permutation(classes), strict=True):
            rates[labels == name, gene] = rng.choice(before[labels == other], (labels == name).sum())
    return matrix(target, rng.poisson(rates * size[:, None] * rng.lognormal(0, 1, target.n_vars)))


def partners(data):
    """Positions of two fifths of the genes, the same for reference and target."""
    return np.sort(np.random.default_rng(19).permutation(data.n_vars)[: 2 * data.n_vars // 5])


def donor(target, rng):
    """Another donor: genes times factors (sd of logarithms .4)."""
    rates, _ = rates_of(target, rng)
    return matrix(target, rng.poisson(rates * rng.lognormal(0, 0.4, target.n_vars)))


def rates_of(data, rng):
    """Expected counts, drawn given those that there are (gamma around the mean of similar cells), and sizes of cells.

    What is counted anew with these is as noisy as other cells, at any depth. Labels take no part.
    """
    counts = data.X.toarray()
    size = counts.sum(1) / counts.sum(1).mean()
    places = PCA(20, random_state=0).fit_transform(np.log1p(counts / size[:, None]))
    near = NearestNeighbors(n_neighbors=10).fit(places).kneighbors(places, return_distance=False)
    mean = counts[near].sum(1) / size[near].sum(1)[:, None]
    per_cell = 1 / mean.clip(1e-6)  # of genes without counts: nearly none
    return rng.gamma(counts + 1.0, 1 / (size[:, None] + per_cell)) * size[:, None], size


def doublets(target, rng):
    """A tenth of the cells have the counts of two, of different classes."""
    labels = target.obs["label"].to_numpy().astype(object)
    X = target.X.tolil()
    for i in rng.permutation(target.n_obs)[: target.n_obs // 10]:
        other = rng.choice(np.flatnonzero(target.obs["label"].to_numpy() != target.obs["label"].iloc[i]))
        X[i] = target.X[i] + target.X[other]
        labels[i] = "doublet"
    return matrix(target, X.tocsr(), labels)


def without_genes(target, rng):
    """No mitochondrial and ribosomal genes."""
    symbols = target.var["gene_symbol"].astype(str) if "gene_symbol" in target.var else target.var_names
    return target[:, ~np.array([symbol.startswith(LETTERS) for symbol in symbols])].copy()


def one_class(target, rng):
    """Cells of the largest class alone."""
    labels = target.obs["label"]
    return target[labels == labels.value_counts().index[0]].copy()


def strangers(target, rng):
    """Cells of the largest class and of a class that has no labels."""
    labels = target.obs["label"]
    return target[labels.isin([labels.value_counts().index[0], WITHHELD])].copy()


def strangers_alone(target, rng):
    """Cells of a class that has no labels alone."""
    return target[target.obs["label"] == WITHHELD].copy()


def without_class(reference, rng):
    """A reference without cells of a class."""
    return reference[reference.obs["label"] != WITHHELD].copy()


def three_donors(reference, rng):
    """A reference of three donors."""
    of = rng.integers(0, 3, reference.n_obs)
    return anndata.concat([donor(reference[of == k].copy(), rng) for k in range(3)], merge="same")


def of_partners(reference, rng):
    """A reference of the genes that the other species has, too."""
    return reference[:, partners(reference)].copy()


# Changes of the target and of the reference.
CHANGES = {
    "none": (same, same), "a fifth of the counts": (shallow, same), "platform and ambient RNA": (platform, same),
    "doublets": (doublets, same), "no MT-, RPL, RPS": (without_genes, same), "one class": (one_class, same),
    "one class and strangers": (strangers, without_class), "strangers alone": (strangers_alone, without_class),
    "ambient RNA": (ambient, same), "stimulated": (stimulated, same), "full length": (full_length, same),
    "shallow platform": (shallow_platform, same), "species": (species, of_partners), "donor": (donor, three_donors),
}  # fmt: skip


def normalised(total, log=np.log1p):
    """A change: counts scaled to a total (None for the median), and logged."""

    def change(target, rng):
        own = np.asarray(target.X.sum(1)).ravel()
        return logged(target, sp.diags((np.median(own) if total is None else total) / own) @ target.X, log)

    return change


def logged(target, X, log):
    X = sp.csr_matrix(X)
    X.data = log(X.data)
    return matrix(target, X)


def unscaled(target, rng):
    """Natural logarithms of counts."""
    return logged(target, target.X, np.log1p)


def half_the_genes(target, rng):
    """Half of the genes, after normalisation over all of them."""
    found = LOG10K(target, rng)
    return found[:, np.sort(rng.permutation(found.n_vars)[: found.n_vars // 2])].copy()


def rounded(target, rng):
    """Logarithms to the base 2 of counts per million, rounded to two decimals."""
    found = normalised(1e6, lambda x: np.log2(1 + x))(target, rng)
    found.X.data = found.X.data.round(2)
    return found


def scores(target, rng):
    """Logarithms scaled to a mean of 0 and a deviation of 1 in every gene."""
    X = LOG10K(target, rng).X.toarray()
    found = target.copy()
    found.X = ((X - X.mean(0)) / np.maximum(X.std(0), 1e-6)).clip(max=10).astype(np.float32)
    return found


LOG10K = normalised(1e4)
NORMALISATIONS = {
    "none": LOG10K, "per million": normalised(1e6), "per thousand": normalised(1e3), "median total": normalised(None),
    "base 2": normalised(1e4, lambda x: np.log2(1 + x)), "base 10": normalised(1e4, lambda x: np.log10(1 + x)),
    "base 2 per million": normalised(1e6, lambda x: np.log2(1 + x)), "the same, rounded": rounded,
    "no logarithm": normalised(1e4, lambda x: x), "unscaled": unscaled, "half the genes": half_the_genes,
    "z-scores": scores,
}  # fmt: skip


def other_normalisations(data, seed, options):
    """Every way of normalising the target, for one division."""
    labels = data.obs["label"].to_numpy()
    held, rng = held_out(labels, 0.5, seed), np.random.default_rng([seed, 19])
    model, _ = fitted(LOG10K(data[~held].copy(), rng), options, normalization="none")
    if options.as_they_are:
        model = replace(model, scale=replace(model.scale, units=None, negative=None))
    for name, change in NORMALISATIONS.items():
        target, start = change(data[held].copy(), rng), time.process_time()
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                found, _ = asked(model, target)
        except InputError as error:
            print(f"{seed}\t{name}\trefused: {error}")
            continue
        right = (found.table["nearest"].to_numpy() == target.obs["label"].to_numpy()).mean()
        print(
            f"{seed}\t{name}\t{len(target)}\t{right:.3f}\t{(found.table['p'] <= 0.05).mean():.3f}\t"
            f"{(found.table['verdict'] == 'new').mean():.3f}\t{found.summary['rate_holds']}\t"
            f"{time.process_time() - start:.0f}\t{' '.join(str(text.message) for text in caught)}",
            flush=True,
        )


def counted(target, data):
    """The target with other counts."""
    X = target.X.copy()
    X.data = data.astype(np.float32)
    X.eliminate_zeros()
    return matrix(target, X)


def matrix(target, X, labels=None):
    """The target with another matrix, and other labels; cells without counts are left out."""
    found = anndata.AnnData(sp.csr_matrix(X, dtype=np.float32), obs=target.obs.copy(), var=target.var)
    if labels is not None:
        found.obs["label"] = labels
    return found[np.asarray(found.X.sum(1)).ravel() > 0].copy()


def halves(data, seed, options):
    """Every change of one division."""
    labels = data.obs["label"].to_numpy()
    held, models = held_out(labels, 0.5, seed), {}
    for name in options.only:
        start, (change, before) = time.process_time(), CHANGES[name]
        if before not in models:
            models[before] = fitted(before(data[~held].copy(), np.random.default_rng([seed, 20])), options)
        model, features = models[before]
        target = change(data[held].copy(), np.random.default_rng([seed, 19]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found, X = asked(model, target)
        table, truth = found.table, target.obs["label"].to_numpy()
        known = np.isin(truth, model.classes)
        new = (table["verdict"] == "new").to_numpy()
        shared = np.isin(np.array(model.features), target.var_names)
        right = (table["nearest"].to_numpy() == truth)[known]
        scaled, plain = regression(features, X[known], truth[known], shared) if known.any() else (np.nan, np.nan)
        print(
            f"{seed}\t{name}\t{known.sum()}+{(~known).sum()}\t{share(right):.3f}\t{plain:.3f}\t{scaled:.3f}\t"
            f"{share((table['p'].to_numpy() <= 0.05)[known]):.3f}\t{share(new[known]):.3f}\t{share(new[~known]):.3f}\t"
            f"{found.summary['rate_holds']}\t{found.summary['comparison']['auc']:.2f}\t"
            f"{time.process_time() - start:.0f}",
            flush=True,
        )
        print("\n".join(["  " + found.summary["statement"], *("  ! " + text for text in found.summary["cautions"])]))


def share(values):
    return values.mean() if len(values) else np.nan


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    study = parser.add_mutually_exclusive_group(required=True)
    study.add_argument("--pbmc3k", type=Path, help="raw counts, obs['cell_type']")
    study.add_argument("--zheng", type=Path, help="raw counts, obs['cell_type_common']")
    parser.add_argument("--only", nargs="+", choices=CHANGES, default=list(CHANGES))
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--genes", type=int, default=3000, help="those detected in the most cells (default: 3000)")
    parser.add_argument("--model", default="linear")
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=0, help="at most; 0 for the default")
    parser.add_argument("--logarithms", action="store_true", help="targets that were normalised in another way")
    parser.add_argument("--as-they-are", action="store_true", help="without recognising how they were normalised")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", module="sklearn")
    data = read(options.pbmc3k, "cell_type") if options.pbmc3k else read(options.zheng, "cell_type_common")
    detected = np.asarray((data.X > 0).sum(0)).ravel()
    data = data[:, np.sort(np.argsort(-detected, kind="stable")[: options.genes])].copy()
    if options.logarithms:
        print("split\ttarget\tcells\tright\tp<=.05\tnew\trate holds\tCPU seconds\tsaid")
        for seed in range(options.first, options.splits):
            other_normalisations(data, seed, options)
        return
    print("split\tchange\tcells\tright\tlogistic\tscaled\tp<=.05\tfalse\tfound\trate holds\tAUC\tCPU seconds")
    for seed in range(options.first, options.splits):
        halves(data, seed, options)


if __name__ == "__main__":
    main()

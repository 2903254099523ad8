"""New cells: accuracy between studies, new identities, error rates and calibration, beside logistic regression.

    python benchmarks/transfer.py studies|withheld|identity|nothing|hidden|ontology|genes --pbmc3k FILE --zheng FILE

Every experiment prints one line per repetition and a mean. Passes attribute nothing here, which changes no prediction.
"""

import argparse
import time
import warnings
from dataclasses import replace
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from common import DEMO, configuration
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from deepmapper.core.ontology import Ontology, Term
from deepmapper.features.prepare import prepare_features
from deepmapper.findings.intervals import calibration_table
from deepmapper.io.align import align, feature_table, scale_of
from deepmapper.models.socam import SOCAM
from deepmapper.passes.train import train_pass
from deepmapper.transfer.answer import answer
from deepmapper.transfer.model import fit_model
from deepmapper.transfer.terms import ClassTerms

# Names that both studies share.
COMMON = {
    "CD4 T cells": "CD4 T", "CD8 T cells": "CD8 T", "B cells": "B", "NK cells": "NK", "CD14+ Monocytes": "CD14 Mono",
}  # fmt: skip
# The same classes, and others, in pbmc68k_reduced.
SMALL = {
    "CD14+ Monocyte": "CD14 Mono", "CD19+ B": "B", "CD34+": "CD34+", "CD4+/CD25 T Reg": "CD4 T", "CD56+ NK": "NK",
    "CD4+/CD45RA+/CD25- Naive T": "CD4 T", "CD4+/CD45RO+ Memory": "CD4 T", "CD8+ Cytotoxic T": "CD8 T",
    "CD8+/CD45RA+ Naive Cytotoxic": "CD8 T", "Dendritic": "DC",
}  # fmt: skip
LEVEL = 0.05


def read(path, column, exclude=()):
    """Cells with a label, without those of some."""
    adata = anndata.read_h5ad(path)
    adata.obs["label"] = adata.obs[column].astype(str)
    adata.X = sp.csr_matrix(adata.X, dtype=np.float32)
    return adata[~adata.obs["label"].isin(["unlabelled", *exclude])].copy()


def fitted(reference, options, normalization="log1p_median", blood=None):
    """A model of all labelled cells, none of which is set aside."""
    features = prepare_features(reference, label_column="label", normalization=normalization, split_scheme="repeated")
    config = configuration(options.model)
    if options.epochs:
        config = replace(config, epochs=options.epochs, min_epochs=min(config.min_epochs, options.epochs))
    config = replace(config, attribution="saliency", attribution_samples=1)
    terms = ClassTerms(blood, blood.find_classes(features.classes, {})) if blood else None
    samples = replace(features.development_samples, kinds=terms.kinds if terms else None)
    passes = [train_pass(samples, config, seed, folds=True) for seed in range(options.passes)]
    scale = scale_of(reference, normalization, np.arange(reference.n_obs))
    return fit_model(features, passes, scale, terms=terms), features


def asked(model, target, align_to_reference=True):
    """The answer for target cells."""
    aligned = align(target, feature_table(model.features), model.scale, "the target")
    given = target.obs["label"].astype(str).to_numpy() if "label" in target.obs else None
    cells = pd.DataFrame(
        {"cell": aligned.names, "source": "target", "domain": "target", "given": given, "depth": aligned.depth,
         "detected": aligned.detected}
    )  # fmt: skip
    missing = [model.features[i] for i in aligned.missing]
    source = {"source": "target", "n_cells": len(cells), "missing": missing, "n_other": aligned.n_other}
    X = aligned.values.to_memory()
    options = {"level": LEVEL, "new_identities": False, "align": align_to_reference}
    return answer(model, X, cells, [source], **options), X


def regression(features, X, labels, shared):
    """Accuracies of logistic regression on the shared features: each scaled to unit deviation, and as they are."""
    used, found = np.flatnonzero(shared), []
    scaler = StandardScaler(with_mean=False).fit(features.X[:, used])
    for strength, scale in ((1e-3, scaler.transform), (1.0, lambda values: values)):
        fit = LogisticRegression(C=strength, max_iter=500).fit(scale(features.X[:, used]), features.y)
        predicted = np.array(features.classes)[fit.predict(scale(X[:, used]))]
        found.append((predicted == labels).mean())
    return found


def studies(options):
    """From one study to another, both ways: accuracy on the classes that both have."""
    pbmc, zheng = read(options.pbmc3k, "cell_type"), read(options.zheng, "cell_type_common")
    pbmc.obs["label"] = pbmc.obs["label"].map(COMMON | {"Dendritic cells": "DC"})
    pbmc = pbmc[pbmc.obs["label"].notna()].copy()
    transfer("zheng to pbmc3k", zheng, pbmc, options)
    transfer("pbmc3k to zheng", pbmc, zheng, options)
    small = read(DEMO, "bulk_labels")
    small.obs["label"] = small.obs["label"].map(SMALL)
    pbmc, zheng = (logarithms(data, small.var_names) for data in (pbmc, zheng))
    for name, reference, target in (
        ("zheng to pbmc3k, few genes", zheng, pbmc), ("pbmc3k to zheng, few genes", pbmc, zheng),
        ("pbmc3k to pbmc68k_reduced", pbmc, small), ("pbmc68k_reduced to pbmc3k", small, pbmc),
        ("zheng to pbmc68k_reduced", zheng, small), ("pbmc68k_reduced to zheng", small, zheng),
    ):  # fmt: skip
        transfer(name, reference, target, options, normalization="none")


def logarithms(data, symbols):
    """Logarithms of counts per 10,000, of the genes with some symbols."""
    total = np.asarray(data.X.sum(1)).ravel()
    found = anndata.AnnData((sp.diags(1e4 / total) @ data.X).log1p().tocsr().astype(np.float32), obs=data.obs)
    found.var_names = data.var["gene_symbol"].astype(str).to_numpy()
    return found[:, found.var_names.isin(symbols) & ~found.var_names.duplicated()].copy()


def transfer(name, reference, target, options, normalization="log1p_median"):
    """Accuracy of one transfer, beside logistic regression."""
    start = time.process_time()
    both = set(reference.obs["label"]) & set(target.obs["label"])
    reference, target = (data[data.obs["label"].isin(list(both))].copy() for data in (reference, target))
    model, features = fitted(reference, options, normalization)
    found, X = asked(model, target)
    truth = target.obs["label"].to_numpy()
    shared = np.isin(np.array(model.features), target.var_names)
    scaled, plain = regression(features, X, truth, shared)
    print(
        f"{name}: {len(both)} classes, accuracy {(found.table['nearest'].to_numpy() == truth).mean():.3f} (logistic "
        f"regression {plain:.3f}, scaled {scaled:.3f}), domain AUC {found.summary['comparison']['auc']:.2f}, genes "
        f"shared {shared.sum()}, {model.neighbours}, {time.process_time() - start:.0f} CPU seconds",
        flush=True,
    )


def held_out(labels, share, seed):
    """Mask of cells that are held out, stratified."""
    rng, mask = np.random.default_rng(seed), np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        mask[members[: int(round(share * len(members)))]] = True
    return mask


def withheld(options):
    """One class is new at a time: a fifth of all others, and all of it, are the target."""
    for name, data in studies_of(options):
        rows = []
        labels = data.obs["label"].to_numpy()
        for label in np.unique(labels):
            known = labels != label
            target = ~known
            target[np.flatnonzero(known)[held_out(labels[known], 0.2, 0)]] = True
            model, _ = fitted(data[~target].copy(), options)
            table = asked(model, data[target].copy())[0].table
            new = table["given"].to_numpy() == label
            p, q = table["p"].to_numpy(), table["q"].to_numpy()
            rows.append(
                (roc_auc_score(new, -p), (p[new] <= LEVEL).mean(), (p[~new] <= LEVEL).mean(), (~new).sum(),
                 (q[new] <= LEVEL).mean(), (q[~new] <= LEVEL).mean())
            )  # fmt: skip
            print(f"{name} without {label}: " + values(rows[-1]), flush=True)
        print(f"{name}, mean: " + values(np.mean(rows, axis=0)), flush=True)


def values(row):
    """One line of figures."""
    return (
        f"AUROC {row[0]:.3f}, p ≤ .05: power {row[1]:.3f}, false new {row[2]:.3f} of {row[3]:.0f}; q ≤ .05: found "
        f"{row[4]:.3f}, false {row[5]:.4f}"
    )


def studies_of(options):
    """The two studies with all their classes."""
    return [
        (name, read(*of))
        for name, of in (("pbmc3k", (options.pbmc3k, "cell_type")), ("zheng", (options.zheng, "facs_population")))
        if name in options.only
    ]


def identity(options):
    """Identities of another study that the reference lacks: zheng, five broad labels, to pbmc3k."""
    reference = read(options.zheng, "subpop_5class")
    target = read(options.pbmc3k, "cell_type")
    broad = {"CD4 T cells": "T cell", "CD8 T cells": "T cell", "B cells": "B cell", "NK cells": "NK cell",
             "CD14+ Monocytes": "CD14+"}  # fmt: skip
    target.obs["label"] = [broad.get(label, label) for label in target.obs["label"]]
    model, _ = fitted(reference, options)
    found, _ = asked(model, target)
    table, summary = found.table, found.summary
    new = ~table["given"].isin(model.classes).to_numpy()
    p = table["p"].to_numpy()
    known_right = (table["nearest"] == table["given"])[~new].mean()
    at_ten = np.quantile(p[~new], 0.10)
    print(
        f"AUROC {roc_auc_score(new, -p):.3f}, found at 10 % false {(p[new] <= at_ten).mean():.3f}, known cells right "
        f"{known_right:.3f}, false new at level .05: {(p[~new] <= LEVEL).mean():.3f}"
    )
    print(summary["rate"])
    for label in sorted(set(table["given"])):
        print(f"  {label}: p ≤ .05 in {(p[(table['given'] == label).to_numpy()] <= LEVEL).mean():.2f}")


def nothing(options):
    """Nothing new in the target: share of cells with p ≤ .05 and with the verdict new; coverage and calibration."""
    for name, data in studies_of(options):
        labels = data.obs["label"].to_numpy()
        for seed in range(options.splits):
            target = held_out(labels, 0.25, seed)
            model, _ = fitted(data[~target].copy(), options)
            print(f"{name}, split {seed}: {judged(model, asked(model, data[target].copy())[0])}", flush=True)


def judged(model, found):
    """Error rates, coverage and calibration where everything is known."""
    table = found.table
    truth = pd.Categorical(table["given"], categories=model.classes).codes
    inside = found.named.inside[np.arange(len(truth)), truth]
    sizes = np.bincount(truth, minlength=len(model.classes))
    coverage = [inside[truth == code].mean() for code in range(len(sizes)) if sizes[code] >= 30]
    ece = calibration_table(truth, found.named.probability, 10)[1]
    p, q = table["p"].to_numpy(), table["q"].to_numpy()
    return (
        f"accuracy {(table['nearest'] == table['given']).mean():.3f}, p ≤ .05 {(p <= LEVEL).mean():.3f} of {len(p)}, "
        f"new {(q <= LEVEL).sum()}, ECE {ece:.3f} (temperature {model.temperature:.2f}), coverage {inside.mean():.3f}, "
        f"in the worst class of 30 cells {min(coverage):.3f}, mean size of sets {found.named.inside.sum(1).mean():.2f}"
    )


def hidden(options):
    """pbmc68k_reduced with 30 % of the labels hidden."""
    data = anndata.read_h5ad(DEMO)
    data.obs["label"] = data.obs["bulk_labels"].astype(str)
    labels, rows = data.obs["label"].to_numpy(), []
    for seed in range(options.splits):
        target = held_out(labels, 0.3, seed)
        reference = data[~target].copy()
        model, features = fitted(reference, options, "none")
        found, X = asked(model, data[target].copy())
        dense = [np.asarray(part.todense()) if sp.issparse(part) else np.asarray(part) for part in (features.X, X)]
        scaler = StandardScaler().fit(dense[0])
        fit = LogisticRegression(max_iter=1000).fit(scaler.transform(dense[0]), features.y)
        predicted = np.array(features.classes)[fit.predict(scaler.transform(dense[1]))]
        truth = labels[target]
        rows.append(((found.table["nearest"] == truth).mean(), (predicted == truth).mean()))
        print(
            f"split {seed}: {rows[-1][0]:.3f}, logistic regression {rows[-1][1]:.3f}; {judged(model, found)}",
            flush=True,
        )
    rows = np.array(rows)
    difference = rows[:, 0] - rows[:, 1]
    error = difference.std(ddof=1) / np.sqrt(len(rows))
    print(
        f"mean {rows[:, 0].mean():.4f}, logistic regression, standardised {rows[:, 1].mean():.4f}; difference "
        f"{difference.mean():+.4f} ± {1.96 * error:.4f} over {len(rows)} splits"
    )


# Terms of the populations of zheng: id, name, term above; the ids are those of the Cell Ontology.
TERMS = (
    ("CL:0000000", "cell", ""), ("CL:0000738", "leukocyte", "CL:0000000"), ("CL:0000542", "lymphocyte", "CL:0000738"),
    ("CL:0000084", "T cell", "CL:0000542"), ("CL:0000624", "CD4-positive, alpha-beta T cell", "CL:0000084"),
    ("CL:0000625", "CD8-positive, alpha-beta T cell", "CL:0000084"), ("CL:0000546", "T-helper 2 cell", "CL:0000624"),
    ("CL:0000792", "regulatory T cell", "CL:0000624"), ("CL:0000895", "naive CD4 T cell", "CL:0000624"),
    ("CL:0000897", "memory CD4 T cell", "CL:0000624"), ("CL:0000900", "naive CD8 T cell", "CL:0000625"),
    ("CL:0000794", "cytotoxic CD8 T cell", "CL:0000625"), ("CL:0000236", "B cell", "CL:0000542"),
    ("CL:0000623", "natural killer cell", "CL:0000542"), ("CL:0000576", "monocyte", "CL:0000738"),
    ("CL:0000037", "hematopoietic stem cell", "CL:0000000"),
)  # fmt: skip
POPULATIONS = {
    "CD19+ B": "B cell", "CD34+": "hematopoietic stem cell", "CD56+ NK": "natural killer cell",
    "CD8+ Cytotoxic T": "cytotoxic CD8 T cell", "CD4+ T Helper2": "T-helper 2 cell",
    "CD4+/CD45RO+ Memory": "memory CD4 T cell", "CD8+/CD45RA+ Naive Cytotoxic": "naive CD8 T cell",
    "CD4+/CD25 T Reg": "regulatory T cell", "CD4+/CD45RA+/CD25- Naive T": "naive CD4 T cell",
    "CD14+ Monocyte": "monocyte",
}  # fmt: skip


def ontology(options):
    """Zheng with a third of the labels one or two terms higher: leaves, terms, and others on the same cells."""
    data, blood = read(options.zheng, "facs_population"), terms_of_blood()
    data.obs["label"] = data.obs["label"].map(POPULATIONS)
    full, rows = data.obs["label"].to_numpy(), []
    id_of = {term.name: term.id for term in blood.terms.values()}
    for seed in range(options.first, options.splits):
        target, rng = held_out(full, 0.25, seed), np.random.default_rng(seed)
        reference = data[~target].copy()
        reference.obs["label"] = coarsened(reference.obs["label"].to_numpy(), blood, rng)
        model, features = fitted(reference, options, blood=blood)
        found, X = asked(model, data[target].copy())
        truth, table = full[target], found.table
        plain = LogisticRegression(max_iter=300).fit(features.X, full[~target])
        names = {
            "LR, full labels": plain.predict(X),
            "passes": table["nearest"].to_numpy(),
            "SOCAM": socam_leaves(reference, data[target], blood),
        }
        judged = {name: ((own == truth).mean(), *hierarchical(blood, id_of, truth, own)) for name, own in names.items()}
        terms = table["term"].fillna("CL:0000000")
        holds = [blood.is_a(id_of[name], term) for name, term in zip(truth, terms, strict=True)]
        depth = np.mean([len(blood.above(term)) for term in table["term"].dropna()])
        rows.append([*(value for own in judged.values() for value in own), np.mean(holds), depth])
        print(f"split {seed}: " + " ".join(f"{value:.4f}" for value in rows[-1]), flush=True)
    what = [f"{name}, {part}" for name in names for part in ("accuracy", "F1", "distance")]
    summary = np.array(rows)
    for name, column in zip([*what, "term holds", "depth"], summary.T, strict=True):
        passes = summary[:, 3 + what.index(name) % 3] if name in what else column
        print(f"{name} {mean_of(column)}; passes minus it {mean_of(passes - column)}")


def mean_of(values):
    """Mean and half of its 95 % interval."""
    return f"{values.mean():.4f} ± {1.96 * values.std(ddof=1) / np.sqrt(len(values)):.4f}"


def terms_of_blood():
    """`TERMS` as an ontology."""
    return Ontology({i: Term(i, name, (above,) if above else ()) for i, name, above in TERMS}, "blood")


def coarsened(labels, blood, rng):
    """A third of the labels, of the term above or the one above that; never above lymphocytes."""
    id_of = {term.name: term.id for term in blood.terms.values()}
    found = labels.copy()
    for i in np.flatnonzero(rng.random(len(labels)) < 1 / 3):
        term = blood.terms[id_of[labels[i]]]
        for _ in range(rng.integers(1, 3)):
            above = blood.terms[term.parents[0]]
            term = above if above.id not in ("CL:0000000", "CL:0000738") else term
        found[i] = term.name
    return found


def hierarchical(blood, id_of, truth, predicted):
    """F1 of the terms above truth and prediction, and the mean number of steps between them."""
    f1, steps = [], []
    for one, other in zip(truth, predicted, strict=True):
        above = blood.above(id_of[one]), blood.above(id_of[other])
        shared = len(above[0] & above[1])
        f1.append(2 * shared / (len(above[0]) + len(above[1])))
        steps.append(len(above[0]) + len(above[1]) - 2 * shared)
    return np.mean(f1), np.mean(steps)


def socam_leaves(reference, target, blood):
    """Most probable leaf of each target cell by SOCAM, with logarithms of counts per 10,000."""
    names, ids = [term.name for term in blood.terms.values()], list(blood.terms)
    genes = np.asarray((reference.X > 0).mean(0)).ravel().argsort()[::-1][:2000]
    X, new = (np.log1p(1e4 * part.X[:, genes].toarray() / part.X.sum(1)) for part in (reference, target))
    model = SOCAM(
        len(X), np.array([str(i) for i in genes]), torch.from_numpy(blood.descendants(ids)), names, W_prior_scale=1.0
    )
    batch = {
        "x_ng": torch.from_numpy(np.asarray(X, dtype=np.float32)), "var_names_g": model.var_names_g,
        "cl_names_n": reference.obs["label"].to_numpy().astype(str),
    }  # fmt: skip
    model.solve(lambda: [batch], 300)
    found = model.predict(torch.from_numpy(np.asarray(new, dtype=np.float32)), model.var_names_g)
    leaves = [name in POPULATIONS.values() for name in found["category_labels_c"]]
    probability = np.where(leaves, found["y_probs_nc"].numpy(), -1)
    return found["category_labels_c"][probability.argmax(1)]


def genes(options):
    """A target that lacks 30 % of the genes, at random."""
    for name, data in studies_of(options):
        target = held_out(data.obs["label"].to_numpy(), 0.25, 0)
        model, _ = fitted(data[~target].copy(), options)
        new = data[target].copy()
        kept = np.random.default_rng(0).permutation(new.n_vars)[: int(0.7 * new.n_vars)]
        for what, part in (("all genes", new), ("30 % missing, reordered", new[:, kept].copy())):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found, _ = asked(model, part)
            lost = found.summary["sources"][0]["importance_lost"]
            print(f"{name}, {what}: {judged(model, found)}, importance lost {lost:.2f}", flush=True)


def main():
    """Run one experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    experiments = {f.__name__: f for f in (studies, withheld, identity, nothing, hidden, ontology, genes)}
    parser.add_argument("experiment", choices=experiments)
    parser.add_argument("--pbmc3k", type=Path, help="raw counts, obs['cell_type']")
    parser.add_argument("--zheng", type=Path, help="raw counts of sorted cells, obs['facs_population'] and others")
    parser.add_argument("--only", nargs="*", default=["pbmc3k", "zheng"])
    parser.add_argument("--model", default="cnn_small")
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="of ontology: the split to begin with")
    parser.add_argument("--epochs", type=int, default=0, help="at most; 0 for the default")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", module="sklearn")
    experiments[options.experiment](options)


if __name__ == "__main__":
    main()

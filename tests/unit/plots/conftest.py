"""Tables as a run writes them, and every figure drawn from them, typical and at the edges."""

import xml.etree.ElementTree as ET
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from deepmapper import plots
from deepmapper.accumulate import wilson_interval
from deepmapper.findings.audit import CHOICES
from deepmapper.plots.member_values import first_members

BLOOD = [
    "CD14+ Monocyte", "CD19+ B", "CD34+", "CD4+/CD25 T Reg", "CD4+/CD45RA+/CD25- Naive T", "CD4+/CD45RO+ Memory",
    "CD56+ NK", "CD8+ Cytotoxic T", "CD8+/CD45RA+ Naive Cytotoxic", "Dendritic",
]  # fmt: skip
TWO = ["ctrl", "stim"]
LONG = [f"tissue-resident memory CD8+ T cell, donor {i}, lamina propria, stim." for i in range(12)]


# The tables of a run, in the formats of results/findings/.


def many_classes(n):
    return [f"cluster {i}" for i in range(n)]


def feature_table(n=765, classes=BLOOD, names=None, n_passes=30, seed=0):
    rng = np.random.default_rng(seed)
    strength = np.sort(rng.gamma(0.3, 1.0, n))[::-1]
    frequency = np.round(np.clip(strength / strength[0] * 1.5, 0, 1) * n_passes) / n_passes
    low, high = np.array([wilson_interval(f, n_passes) for f in frequency]).T
    table = pd.DataFrame({
        "rank": np.arange(1, n + 1), "model_rank": np.arange(1, n + 1),
        "feature": names or [f"GENE{i}" for i in range(n)],
        "selection_frequency": frequency,
        "selection_frequency_low": low, "selection_frequency_high": high, "median_importance": 0.02 * strength,
        "importance_q25": 0.015 * strength, "importance_q75": 0.028 * strength, "mean_rank": np.arange(n) + 1.0,
    })  # fmt: skip
    table["evidence_rank"] = np.random.default_rng(1).permutation(n) + 1.0
    columns = {}
    for c in classes:
        columns[f"importance[{c}]"] = 0.02 * strength * rng.gamma(0.5, 1.0, n)
        columns[f"direction[{c}]"] = rng.choice(["up", "down", "unclear"], n)
    return pd.concat([table, pd.DataFrame(columns)], axis=1)


def history_table(n_passes=12, n_controls=3, seed=0):
    rng, rows = np.random.default_rng(seed), []
    for number in range(n_passes + n_controls):
        control, length = number >= n_passes, int(rng.integers(40, 90))
        epoch = np.arange(1, length + 1)
        fall = np.exp(-epoch / rng.uniform(12, 18))
        noise = rng.normal(0, 0.02, length)
        rows.append(pd.DataFrame({
            "seed": number % n_passes, "control": control, "epoch": epoch, "train_loss": 0.1 + 2.2 * fall,
            "val_loss": (2.3 + 0.01 * epoch if control else 0.8 + 1.5 * fall) + noise,
            "val_accuracy": (0.2 if control else 0.75 - 0.6 * fall) + noise,
        }))  # fmt: skip
    return pd.concat(rows, ignore_index=True)


def enrichment_table(classes=BLOOD, n_sets=12, models=("cnn_small",), lists=True, level=0.1, seed=0):
    rng, rows = np.random.default_rng(seed), []
    listed = [("recommended", name, "") for name in ("", *classes)]
    ranked = [("differential", c, "rest") for c in classes] if len(classes) > 2 else [("differential", *classes)]
    ranked += [(m, "", "") for m in models]
    for test, answers in (("list", listed if lists else []), ("ranking", ranked)):
        for of, name, versus in answers:
            q = 10 ** -rng.gamma(0.5, 3.0, n_sets)
            rows += [
                {"test": test, "of": of, "within": None,
                 "class": name, "versus": versus, "set": f"SET_{i}_OF_GENES", "q": q[i], "similar_to": None,
                 "z": rng.normal(0, 3) if test == "ranking" else np.nan, "n_found": 3.0, "n_set": 9, "members": "A,B"}
                for i in range(n_sets)
            ]  # fmt: skip
    table = pd.DataFrame(rows)
    summary = {"statement": f"3 of {n_sets} gene sets are enriched in a list or a ranking at q ≤ {level:g}.",
               "level": level, "n_enriched": n_sets}  # fmt: skip
    return table, summary


def draw_enrichment(path, **of):
    table, summary = enrichment_table(**of)
    return plots.enriched_sets(table, path, summary=summary)


def passes_table(n_passes=30, n_controls=5, rejected=(3, 17), seed=0):
    rng, n = np.random.default_rng(seed), n_passes + n_controls
    control = np.arange(n) >= n_passes
    accepted = ~control & ~np.isin(np.arange(n), rejected)
    accuracy = np.where(control, rng.normal(0.22, 0.03, n), np.where(accepted, rng.normal(0.72, 0.03, n), 0.31))
    return pd.DataFrame({
        "seed": np.arange(n) % max(n_passes, 1), "control": control, "accepted": accepted,
        "reason": np.where(accepted, "", "accuracy below min_accuracy"), "accuracy": accuracy,
        "majority_accuracy": 0.34, "permuted_accuracy": rng.normal(0.2, 0.02, n), "n_oob": 131,
    })  # fmt: skip


def agreement_table(n_passes=30, seed=0):
    rng = np.random.default_rng(seed)
    a, b = np.triu_indices(n_passes, 1)
    return pd.DataFrame({"seed_a": a, "seed_b": b, "top_k_overlap": rng.integers(7, 18, len(a)) / 20,
                         "spearman": rng.normal(0.6, 0.08, len(a))})  # fmt: skip


def confusion_counts(classes=BLOOD, seed=0):
    rng, n = np.random.default_rng(seed), len(classes)
    return rng.poisson(4 / n, (n, n)) + np.diag(rng.integers(4, 40, n))


def confusion_table(classes=BLOOD, seed=0):
    return pd.DataFrame(confusion_counts(classes, seed), columns=list(classes)).assign(true_class=list(classes))[
        ["true_class", *classes]
    ]


def per_class_table(classes=BLOOD, seed=0):
    rng, n = np.random.default_rng(seed), len(classes)
    table = pd.DataFrame({"class": list(classes)})
    for measure in ("precision", "recall", "f1"):
        table[measure] = rng.uniform(0.3, 0.97, n)
        table[measure + "_low"] = np.clip(table[measure] - rng.uniform(0.02, 0.3, n), 0, 1)
        table[measure + "_high"] = np.clip(table[measure] + rng.uniform(0.02, 0.2, n), 0, 1)
    return table.assign(support=rng.integers(3, 60, n))


def calibration_table(n=10, total=175, seed=0):
    edges = np.linspace(0, 1, n + 1)
    counts = np.random.default_rng(seed).multinomial(total, np.arange(n) ** 2 / np.sum(np.arange(n) ** 2))
    middle = (edges[1:] + edges[:-1]) / 2
    empty = counts == 0
    return pd.DataFrame({
        "bin": np.arange(n), "confidence_low": edges[:-1], "confidence_high": edges[1:], "n": counts,
        "mean_confidence": np.where(empty, np.nan, middle), "accuracy": np.where(empty, np.nan, middle**1.3),
    })  # fmt: skip


def models_table():
    return pd.DataFrame({
        "model": ["cnn_small", "mlp", "wide", "linear_baseline"],
        "kind": ["cnn_small", "mlp", "mlp", "logistic regression"],
        "n_passes": [28, 30, 30, 1], "per_pass_accuracy_mean": [0.41, 0.79, 0.8, np.nan],
        "accuracy": [0.46, 0.834, 0.851, 0.863], "accuracy_low": [0.39, 0.77, 0.79, 0.8],
        "accuracy_high": [0.53, 0.88, 0.9, 0.91], "balanced_accuracy": 0.7, "macro_f1": 0.7, "ece": 0.05,
        "majority_accuracy": 0.343, "control_accuracy_mean": [0.3, 0.21, 0.2, np.nan],
        "signal": [False, True, True, np.nan], "top_k_overlap": [0.2, 0.7, 0.9, 1.0],
    })  # fmt: skip


def fragments_table(n=8):
    rng = np.random.default_rng(0)
    shares = rng.dirichlet([60, 8, 10, 12], n).round(4)
    places = ["known_rate", "novel_rate", "aligned_not_counted_rate", "captured_not_counted_rate"]
    table = pd.DataFrame(shares, columns=places)
    table.insert(0, "sample", [f"patient {i}, biopsy" for i in range(n)])
    return table.assign(fragments=rng.integers(10**6, 10**8, n))


def map_of_cells(n=700, classes=BLOOD, seed=0):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, len(classes), n)
    centre = rng.normal(0, 5, (len(classes), 2))
    guess = np.where(rng.random(n) < 0.85, label, rng.integers(0, len(classes), n))
    names = np.array(classes, dtype=object)
    return centre[label] + rng.normal(0, 1, (n, 2)), names[label], rng.random(n) < 0.25, names[guess]


def features_with_q(n=765, significant=40, classes=BLOOD[:3], names=None, seed=0):
    """The table once null passes were held against the passes."""
    rng, table = np.random.default_rng(seed), feature_table(n, classes, names, seed=seed)
    z = np.sort(rng.normal(0, 1, n) + np.where(np.arange(n) < significant, 6 + 20 * rng.random(n), 0))[::-1]
    q = np.where(np.arange(n) < significant, rng.choice([0.004, 0.011, 0.03, 0.07], n), rng.uniform(0.2, 1, n))
    q = np.sort(q)
    return table.assign(z=z, q=q, significant=np.arange(n) < significant, importance_low=table["importance_q25"] * 1.1,
                        importance_high=table["importance_q75"] * 0.95, rank_low=np.maximum(1, table["rank"] * 0.6),
                        rank_high=table["rank"] * 1.8 + 2)  # fmt: skip


def null_of(n=300, seed=0):
    share, rng = (np.arange(n) + 0.5) / n, np.random.default_rng(seed)
    return pd.DataFrame({"share": share, "z_shadow": np.sort(rng.chisquare(2, n)),
                         "z_feature": np.sort(rng.chisquare(2, n) * (1 + 4 * (share > 0.95)))})  # fmt: skip


def chord_table(sides=((6, 5), (2, 3), (1, 1)), names="GENE", proved=True):
    """Chords as findings/chords.tsv lists them, with the significant products between their sides."""
    rows, pairs, triplets = [], [], []
    for number, sizes in enumerate(sides, start=1):
        members = [[f"{names}{number}{'ABC'[s]}{i}" for i in range(size)] for s, size in enumerate(sizes)]
        row = {"chord": f"chord_{number}", "order": len(sizes), "class": BLOOD[number % 10], "z": 30.0 / number,
               "n_members": sum(sizes), "n_products": 4} | {f"side_{s + 1}": "" for s in range(3)}  # fmt: skip
        row |= {f"side_{s + 1}": ",".join(side) for s, side in enumerate(members)}
        row["joined"] = members[0][-1] if len(members[0]) > 2 else ""
        if proved:
            row |= {"n_test": 200, "auc_chord": 0.87, "auc_chord_low": 0.8, "auc_chord_high": 0.93,
                    "best_member": members[0][0], "auc_best_member": 0.55, "auc_additive": 0.56, "synergy": 0.31,
                    "synergy_low": 0.22, "synergy_high": 0.39}  # fmt: skip
        rows.append(row)
        if len(sizes) == 2:
            pairs += [{"feature_a": a, "feature_b": b, "z": 30 / (1 + i + j), "significant": i + j < 5}
                      for i, a in enumerate(members[0]) for j, b in enumerate(members[1])]  # fmt: skip
        else:
            triplets += [dict(zip(("feature_a", "feature_b", "feature_c"), trio, strict=True)) | {"z": 9.0} |
                         {"significant": True} for trio in zip(*members, strict=True)]  # fmt: skip
    columns = ["feature_a", "feature_b", "feature_c", "z", "significant"]
    return (pd.DataFrame(rows), pd.DataFrame(pairs, columns=[columns[i] for i in (0, 1, 3, 4)]),
            pd.DataFrame(triplets, columns=columns))  # fmt: skip


def score_table(chords, classes=BLOOD, n=200, split="test", seed=0):
    rng, parts = np.random.default_rng(seed), []
    for name in chords["chord"]:
        label = rng.choice(classes, n)
        score = rng.normal(0, 1, n) + 2.0 * (label == chords.set_index("chord").loc[name, "class"])
        parts.append(
            pd.DataFrame({"cell": np.arange(n), "split": split, "label": label, "chord": name, "score": score})
        )
    return pd.concat(parts, ignore_index=True)


def audit_table(n=40, members=14, failed=True):
    kinds = {"significant features": n, "chord members": members}
    rows = []
    for i, choice in enumerate(CHOICES.values()):
        for kind, total in kinds.items():
            lost = [f"GENE{k}" for k in range(min(total, 7 * i))]
            bad = failed and i == 2
            rows.append({"choice": choice, "of": kind, "n": total, "n_lost": np.nan if bad else len(lost),
                         "share_lost": np.nan if bad or not total else len(lost) / total,
                         "lost": "" if bad else ",".join(lost),
                         "note": "the method failed on these data: ValueError" if bad else "kept"})  # fmt: skip
    return pd.DataFrame(rows)


def convergence_of(n=20, known=True):
    m = np.array([1, 2, 4, 7, 10, 20, 40, 80]) if known else np.array([1, 2])
    mean = 1 - 1 / (1 + 0.12 * m) ** 0.8
    curve = pd.DataFrame({"m": m, "mean": mean, "low": mean - 0.05, "high": mean + 0.05,
                          "kind": np.where(m <= n // 2, "observed", "expected")})  # fmt: skip
    if not known:
        curve[["low", "high"]] = np.nan
    statement = "The top 20 is stable at 0.8 from about 40 passes (31 to 62); you ran 20."
    about = {"statement": statement, "level": 0.8, "top_k": 20, "n_accepted": n}
    return curve, about | dict(zip(("estimate", "low", "high"), (40, 31, 62) if known else (None,) * 3, strict=True))


def report_of(classes=BLOOD):
    return {c: {"precision": 0.5, "recall": 0.6, "f1-score": 0.55, "support": 12.0} for c in classes}


def perturbation_table(classes=BLOOD, names=("CD3E", "NKG7", "chord_1"), how=("deletion", "activation"), tested=True):
    rng, rows = np.random.default_rng(0), []
    for way in how:
        for name in names:
            change = rng.normal(0, 0.1, len(classes))
            rows.append(pd.DataFrame({
                "item": name, "n_features": 1, "how": way, "class": classes, "change": change,
                "change_low": change - 0.02, "change_high": change + 0.02,
                "p": 0.01, "q": rng.random(len(classes)) if tested else np.nan, "flipped": 0.1, "shift": 0.2,
            }))  # fmt: skip
    return pd.concat(rows, ignore_index=True)


def draw_perturbation(path, rows=None, **of):
    said = {"statement": "3 perturbed items in 30 passes; 2 change the probability of a class more than shadows do."}
    return plots.perturbed_features(perturbation_table(**of).head(rows), path, summary=said)


# Every figure, typical and at the edges: name -> what draws it into a file.


def target_tables(classes=BLOOD, n=200, n_new=2, n_reference=200, seed=0):
    """The tables target_map.tsv, target.tsv and target_genes.tsv."""
    rng = np.random.default_rng(seed)
    new = [f"new_{i + 1}" for i in range(n_new)]
    label = rng.choice([*classes, *new], n) if n > 1 else np.array(classes[:1])
    verdict = np.where(np.isin(label, new), "new", rng.choice(["assigned", "ambiguous"], n))
    target = pd.DataFrame({"cell": [f"c{i}" for i in range(n)], "label": label, "verdict": verdict}, dtype=object)
    if n > 10:
        target.loc[3, ["label", "verdict"]] = [None, "empty"]
    known = pd.DataFrame({"label": rng.choice(classes, n_reference), "part": "reference", "verdict": None})
    mapped = pd.concat([known, target[["label", "verdict"]].assign(part="target")], ignore_index=True)
    mapped = mapped.assign(x=rng.normal(size=len(mapped)), y=rng.normal(size=len(mapped)), basis="UMAP")
    names = [*classes, *new]
    genes = pd.DataFrame(
        [{"label": c, "rank": r, "gene": f"GENE{i}-{r}"} for i, c in enumerate(names) for r in (1, 2, 3, 4)]
    )
    for c in names:
        genes[f"reference[{c}]"] = np.nan if c in new else rng.gamma(1, 1, len(genes))
        genes[f"target[{c}]"] = rng.gamma(1, 1, len(genes)) if (label == c).any() else np.nan
    return mapped, target, genes


def target_drawings():
    found = {}
    for tag, options in {
        "typical": {}, "two-nothing-new": {"classes": TWO, "n_new": 0}, "long": {"classes": LONG},
        "one-cell": {"classes": TWO, "n": 1, "n_new": 0}, "forty": {"classes": many_classes(40), "n": 900},
        "one": {"classes": ["B"], "n_new": 0},
    }.items():  # fmt: skip
        mapped, target, genes = target_tables(**options)
        found |= {
            f"target_map-{tag}": lambda p, t=mapped: plots.target_map(t, p),
            f"target_verdicts-{tag}": lambda p, t=target: plots.target_verdicts(t, p),
            f"target_genes-{tag}": lambda p, t=genes: plots.target_genes(t, p),
        }
    mapped, target, genes = target_tables()
    symbols = ["", *(f"SYM{i}" for i in range(1, len(genes)))]
    return found | {
        "target_map-none": lambda p: plots.target_map(mapped.head(0), p),
        "target_verdicts-none": lambda p: plots.target_verdicts(target.head(0), p),
        "target_verdicts-no-signal": lambda p: plots.target_verdicts(target.assign(label=None, verdict="none"), p),
        "target_genes-none": lambda p: plots.target_genes(genes.head(0), p),
        "target_genes-symbols": lambda p: plots.target_genes(genes.assign(gene_alias=symbols), p),
    }


def statistics_table(classes=BLOOD, n=24, seed=0):
    rng = np.random.default_rng(seed)
    table = {"feature": [f"GENE{i}" for i in range(n)]}
    for name in classes:
        table |= {f"mean[{name}]": rng.gamma(0.5, 2.0, n), f"detected[{name}]": rng.uniform(0, 1, n)}
    return pd.DataFrame(table)


def values_of(n_samples, n_features, classes=TWO):
    """Values, names of features and samples, and classes."""
    labels = [classes[i % len(classes)] for i in range(n_samples)]
    names = [[f"{what}{i}" for i in range(n)] for what, n in (("GENE", n_features), ("sample_", n_samples))]
    return np.random.default_rng(0).normal(size=(n_samples, n_features)), *names, labels


def differential_table(classes=BLOOD, n=300, seed=0):
    rng, tables = np.random.default_rng(seed), []
    for name in classes:
        p = 10 ** -rng.gamma(0.4, 4.0, n)
        tables.append(pd.DataFrame({
            "feature": [f"GENE{i}" for i in range(n)], "within": None, "class": name, "versus": "rest",
            "log2_fold_change": rng.normal(0, 2, n), "p": p, "q": np.minimum(1, 3 * p), "detected_class": 0.5,
            "detected_versus": np.r_[0.0, np.full(n - 1, 0.4)],
        }))  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def distances_of(n):
    points = np.random.default_rng(0).normal(size=(n, 3))
    return np.linalg.norm(points[:, None] - points[None], axis=2)


def pictures_of(side=12, classes=BLOOD[:3]):
    rng = np.random.default_rng(0)
    marked = [(min(i, side - 1), 0, f"GENE{i}") for i in range(min(6, side * side))]
    keys = ("sample", "mean", "attribution")
    return [{"class": c, "marked": marked, **{k: rng.gamma(0.3, 1.0, (side, side)) for k in keys}} for c in classes]


def map_of(n=200, n_features=8):
    rng = np.random.default_rng(0)
    names = [f"GENE{i}" for i in range(n_features - 1)] + [LONG[0]]
    return rng.normal(size=(n, 2)), rng.gamma(0.4, 1.0, (n, n_features)), names


def draw_members(chords, path):
    rng = np.random.default_rng(0)
    chords = chords.assign(core_1=chords["side_1"], core_2=chords["side_2"])
    values = {name: rng.normal(size=80) for pair in first_members(chords) for name in pair}
    return plots.chord_members(chords, values, rng.choice(BLOOD, 80), path, why="No screen.")


def drawings():
    none = {"n_accepted": 0, "n_passes_run": 30}
    no_signal = {"n_accepted": 28, "top_k": 20, "signal": False, "statement": "No signal: not above what needs none."}
    found = {}
    for tag, classes in (("typical", BLOOD), ("two", ["ctrl", "stim"]), ("forty", many_classes(40)), ("long", LONG)):
        names = [f"DENOVO_TRINITY_DN{i}_c115_g5_i1_len={200 + i}" for i in range(30)] if tag == "long" else None
        features, where = feature_table(30, classes=classes, names=names), map_of_cells(300, classes=classes)
        found |= {
            f"importance_heatmap-{tag}": lambda p, f=features: plots.importance_heatmap(f, p, top=12),
            f"confusion-{tag}": lambda p, c=classes: plots.confusion(confusion_table(c), p),
            f"per_class-{tag}": lambda p, c=classes: plots.per_class(per_class_table(c), p),
            f"embedding-{tag}": lambda p, w=where: plots.embedding(w[0], w[1], p, test=w[2], predicted=w[3]),
        }
    return found | target_drawings() | {
        "ranking-typical": lambda p: plots.ranking(feature_table(), p, summary={"n_accepted": 28, "top_k": 20}),
        "ranking-long": lambda p: plots.ranking(feature_table(12, names=LONG), p),
        "ranking-one-feature-one-pass": lambda p: plots.ranking(feature_table(1, n_passes=1), p),
        "ranking-no-signal": lambda p: plots.ranking(feature_table(), p, summary=no_signal),
        "ranking-none": lambda p: plots.ranking(feature_table().head(0), p, summary=none),
        "importance_heatmap-one-feature": lambda p: plots.importance_heatmap(feature_table(1), p),
        "importance_heatmap-none": lambda p: plots.importance_heatmap(feature_table().head(0), p, summary=none),
        "confusion-none": lambda p: plots.confusion(confusion_table().head(0), p),
        "per_class-none": lambda p: plots.per_class(per_class_table().head(0), p),
        "learning_curves-typical": lambda p: plots.learning_curves(history_table(), p),
        "learning_curves-one-pass": lambda p: plots.learning_curves(history_table(1, 0), p),
        "learning_curves-one-epoch": lambda p: plots.learning_curves(history_table().query("epoch == 1"), p),
        "learning_curves-none": lambda p: plots.learning_curves(history_table().head(0), p),
        "accuracy_references-typical": lambda p: plots.accuracy_references(passes_table(), p),
        "accuracy_references-one-pass": lambda p: plots.accuracy_references(passes_table(1, 0, ()), p),
        "accuracy_references-all-rejected": lambda p: plots.accuracy_references(passes_table(3, 1, range(3)), p),
        "accuracy_references-many": lambda p: plots.accuracy_references(passes_table(70), p),
        "agreement-typical": lambda p: plots.agreement(agreement_table(25), p),
        "agreement-two": lambda p: plots.agreement(agreement_table(2), p),
        "agreement-many": lambda p: plots.agreement(agreement_table(61), p),
        "agreement-none": lambda p: plots.agreement(agreement_table(1), p),
        "calibration-typical": lambda p: plots.calibration(calibration_table(), p),
        "calibration-many": lambda p: plots.calibration(calibration_table(20, 90000), p),
        "calibration-none": lambda p: plots.calibration(calibration_table().head(0), p),
        "embedding-many": lambda p: plots.embedding(*map_of_cells(6000)[:2], p),
        "model_comparison-typical": lambda p: plots.model_comparison(models_table(), p),
        "model_comparison-one": lambda p: plots.model_comparison(models_table().head(1), p),
        **{
            f"fragment_fates-{n}": lambda p, n=n: plots.fragment_fates(fragments_table(n), p)
            for n in (0, 1, 8, 60, 300, 3000)
        },
        "ranking-tested": lambda p: plots.ranking(features_with_q(significant=11), p, summary={"n_accepted": 30}),
        "ranking-tested-one-feature": lambda p: plots.ranking(features_with_q(1, 0), p),
        "importance_null-typical": lambda p: plots.importance_null(null_of(), p),
        "importance_null-none": lambda p: plots.importance_null(null_of().assign(z_shadow=np.nan), p),
        "expression_dots-typical": lambda p: plots.expression_dots(
            statistics_table(), statistics_table()["feature"], p),
        "expression_dots-markers": lambda p: plots.expression_dots(
            statistics_table(LONG), [f"GENE{i}" for i in range(24)], p, headings=[LONG[i // 2] for i in range(24)]),
        "expression_dots-forty-classes": lambda p: plots.expression_dots(
            statistics_table(many_classes(40)), ["GENE0", "GENE1"], p, title="Expression", note="two of them"),
        "expression_dots-none": lambda p: plots.expression_dots(statistics_table(), [], p),
        "expression_heatmap-typical": lambda p: plots.expression_heatmap(*values_of(8, 12), p),
        "expression_heatmap-three": lambda p: plots.expression_heatmap(*values_of(3, 1, LONG), p),
        "expression_heatmap-many": lambda p: plots.expression_heatmap(*values_of(90, 4, many_classes(40)), p),
        "expression_heatmap-none": lambda p: plots.expression_heatmap(np.zeros((3, 0)), [], "abc", "aab", p),
        "volcano-typical": lambda p: plots.volcano(differential_table(), p),
        "volcano-two": lambda p: plots.volcano(differential_table(TWO, 4), p, note="PyDESeq2"),
        "volcano-forty-long": lambda p: plots.volcano(differential_table(LONG * 4, 30), p),
        "volcano-none": lambda p: plots.volcano(differential_table().assign(p=np.nan), p),
        "sample_distances-typical": lambda p: plots.sample_distances(
            distances_of(9), [f"sample {i}" for i in range(9)], list("aaabbbccc"), p),
        "sample_distances-classes": lambda p: plots.sample_distances(distances_of(12), LONG, LONG, p),
        "sample_distances-equal": lambda p: plots.sample_distances(np.zeros((3, 3)), "abc", "xyx", p),
        "sample_distances-two": lambda p: plots.sample_distances(np.zeros((2, 2)), "ab", "ab", p),
        "overlap-typical": lambda p: plots.overlap({"test": "abcd", "cnn_small": "cdef", "mlp": ""}, p),
        "overlap-many": lambda p: plots.overlap(
            {LONG[i]: [f"g{n}" for n in range(4096) if n >> i & 1] for i in range(12)}, p),
        "overlap-one": lambda p: plots.overlap({"test": ["g"], "mlp": []}, p),
        "overlap-none": lambda p: plots.overlap({"test": [], "mlp": []}, p),
        "pseudo_image-typical": lambda p: plots.pseudo_image(pictures_of(), p, note="pass 3"),
        "pseudo_image-one-pixel": lambda p: plots.pseudo_image(pictures_of(1, LONG[:1]), p),
        "pseudo_image-none": lambda p: plots.pseudo_image([], p),
        "feature_maps-typical": lambda p: plots.feature_maps(*map_of(), p),
        "feature_maps-one-of-three": lambda p: plots.feature_maps(*map_of(3, 1), p, basis="PCA"),
        "feature_maps-none": lambda p: plots.feature_maps(np.full((3, 2), np.nan), np.zeros((3, 1)), ["a"], p),
        "chord_members-typical": lambda p: draw_members(chord_table()[0], p),
        "chord_members-one": lambda p: draw_members(chord_table(((1, 1),))[0], p),
        "chord_members-none": lambda p: draw_members(chord_table()[0].head(0), p),
        "chord_networks-typical": lambda p: plots.chord_networks(*chord_table()[:2], p),
        "chord_networks-one": lambda p: plots.chord_networks(*chord_table(((1, 1),), proved=False)[:2], p),
        "chord_networks-long": lambda p: plots.chord_networks(
            *chord_table(((24, 9), (4, 4)), names="DENOVO_TRINITY_DN1_c115_g5_i1_len=2")[:2], p),
        "chord_networks-three-sides": lambda p: (
            lambda c: plots.chord_networks(c[0], c[1], p, c[2]))(chord_table(((4, 4, 4), (3, 2)))),
        "chord_networks-none": lambda p: plots.chord_networks(
            *(t.head(0) for t in chord_table()[:2]), p, why="No product of 765 features reaches the threshold."),
        "chord_scores-typical": lambda p: plots.chord_scores(score_table(chord_table()[0]), chord_table()[0], p),
        "chord_scores-two-few": lambda p: plots.chord_scores(
            score_table(chord_table()[0], ["ctrl", "stim"], 12, "development"), chord_table()[0].head(2), p),
        "chord_scores-forty": lambda p: plots.chord_scores(
            score_table(chord_table()[0], many_classes(40), 900), chord_table()[0], p),
        "chord_scores-long": lambda p: plots.chord_scores(score_table(chord_table()[0], LONG), chord_table()[0], p),
        "chord_scores-none": lambda p: plots.chord_scores(
            score_table(chord_table()[0]).head(0), chord_table()[0].head(0), p),
        "convergence-typical": lambda p: (lambda c: plots.convergence(c[0], p, c[1]))(convergence_of()),
        "convergence-few": lambda p: (lambda c: plots.convergence(c[0], p, c[1]))(convergence_of(5, known=False)),
        "convergence-none": lambda p: plots.convergence(convergence_of()[0].head(0), p, convergence_of()[1]),
        "evidence-typical": lambda p: plots.evidence(feature_table(), p),
        "evidence-significant": lambda p: plots.evidence(
            feature_table(names=[f"ENSG{i:011d}" for i in range(765)]).assign(significant=np.arange(765) < 40), p
        ),
        "evidence-two": lambda p: plots.evidence(feature_table(2), p),
        "evidence-none": lambda p: plots.evidence(feature_table().assign(evidence_rank=np.nan), p),
        "audit-typical": lambda p: plots.audit(audit_table(), p),
        "audit-features-only": lambda p: plots.audit(audit_table(members=0, failed=False), p),
        "audit-none": lambda p: plots.audit(audit_table(0, 0), p),
        "perturbed_features-typical": lambda p: draw_perturbation(p),
        "perturbed_features-long": lambda p: draw_perturbation(p, classes=LONG, names=[f"a long {n}" for n in LONG]),
        "perturbed_features-many": lambda p: draw_perturbation(
            p, names=[f"gene{i}" for i in range(40)], how=("deletion", "activation", "mask"), tested=False),
        "perturbed_features-none": lambda p: draw_perturbation(p, rows=0),
        "enriched_sets-typical": lambda p: draw_enrichment(p),
        "enriched_sets-two-classes": lambda p: draw_enrichment(p, classes=TWO, models=("mlp", "cnn_small")),
        "enriched_sets-many": lambda p: draw_enrichment(p, classes=LONG, n_sets=80),
        "enriched_sets-rankings-only": lambda p: draw_enrichment(p, classes=TWO, models=(), lists=False, n_sets=2),
        "enriched_sets-none": lambda p: draw_enrichment(p, level=1e-300),
        "confusion_matrix": lambda p: plots.confusion_matrix([0, 1, 1], [0, 1, 0], ["a", "b"], p.with_suffix("")),
        "per_class_metrics": lambda p: plots.per_class_metrics(report_of(), BLOOD[:3], p.with_suffix("")),
        "method_comparison": lambda p: plots.method_comparison(
            [{"method": "DeepMapper cnn_small", "accuracy": 0.83, "accuracy_low": 0.8, "accuracy_high": 1.0},
             {"method": "scanpy: HVG, PCA, logistic regression", "accuracy": float("nan")}], p.with_suffix("")),
        "top_genes": lambda p: plots.top_genes(BLOOD[:4], [4, 3, 2, 1], p.with_suffix(""), highlight={"CD34+"}),
    }  # fmt: skip


DRAWINGS = drawings()


def pytest_generate_tests(metafunc):
    """Run a test that takes `drawing` once for every figure."""
    if "drawing" in metafunc.fixturenames:
        metafunc.parametrize("drawing", DRAWINGS)


@pytest.fixture(name="drawings")
def all_drawings():
    """All figures: name -> function that draws it into a file."""
    return DRAWINGS


@pytest.fixture
def examples():
    """Functions that make the tables of a run, and names of classes."""
    return SimpleNamespace(**globals())


@pytest.fixture
def files():
    """Give a function that lists the files of a folder."""
    return lambda folder: sorted(path.name for path in folder.iterdir())


@pytest.fixture
def words():
    """Give a function that lists the texts of an SVG, as a search would find them."""
    return lambda path: [element.text for element in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")]

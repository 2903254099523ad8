"""The figures: what a reader must find in them, and what they must survive."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deepmapper import plots
from deepmapper.accumulate import wilson_interval
from deepmapper.core.table_schemas import (
    AGREEMENT,
    CALIBRATION,
    CONFUSION,
    FEATURES,
    HISTORY,
    MODELS,
    PASSES,
    PER_CLASS,
)
from deepmapper.core.tables import read_table, write_table
from deepmapper.errors import InputError
from deepmapper.findings.audit import CHOICES
from deepmapper.plots import chords as plots_chords
from deepmapper.plots import evaluation, filtering, passes, style, values
from deepmapper.plots import features as plots_features

ROOT = Path(__file__).parents[3]
BLOOD = [
    "CD14+ Monocyte", "CD19+ B", "CD34+", "CD4+/CD25 T Reg", "CD4+/CD45RA+/CD25- Naive T", "CD4+/CD45RO+ Memory",
    "CD56+ NK", "CD8+ Cytotoxic T", "CD8+/CD45RA+ Naive Cytotoxic", "Dendritic",
]  # fmt: skip
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
        "rank": np.arange(1, n + 1), "feature": names or [f"GENE{i}" for i in range(n)],
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


# Every figure, typical and at the edges: name -> what draws it into a file.


def drawings():
    none = {"n_accepted": 0, "n_passes_run": 30}
    no_signal = {"n_accepted": 28, "top_k": 20, "signal": False, "statement": "No signal: not above what needs none."}
    found = {}
    for tag, classes in (("typical", BLOOD), ("two", ["ctrl", "stim"]), ("forty", many_classes(40)), ("long", LONG)):
        names = [f"DENOVO_TRINITY_DN{i}_c115_g5_i1_len={200 + i}" for i in range(30)] if tag == "long" else None
        features, where = feature_table(30, classes=classes, names=names), map_of_cells(300, classes=classes)
        found |= {
            f"importance_heatmap-{tag}": lambda p, f=features: plots_features.importance_heatmap(f, p, top=12),
            f"confusion-{tag}": lambda p, c=classes: evaluation.confusion(confusion_table(c), p),
            f"per_class-{tag}": lambda p, c=classes: evaluation.per_class(per_class_table(c), p),
            f"embedding-{tag}": lambda p, w=where: evaluation.embedding(w[0], w[1], p, test=w[2], predicted=w[3]),
        }
    return found | {
        "ranking-typical": lambda p: plots_features.ranking(feature_table(), p, summary={"n_accepted": 28, "top_k": 20}),
        "ranking-long": lambda p: plots_features.ranking(feature_table(12, names=LONG), p),
        "ranking-one-feature-one-pass": lambda p: plots_features.ranking(feature_table(1, n_passes=1), p),
        "ranking-no-signal": lambda p: plots_features.ranking(feature_table(), p, summary=no_signal),
        "ranking-none": lambda p: plots_features.ranking(feature_table().head(0), p, summary=none),
        "importance_heatmap-one-feature": lambda p: plots_features.importance_heatmap(feature_table(1), p),
        "importance_heatmap-none": lambda p: plots_features.importance_heatmap(feature_table().head(0), p, summary=none),
        "confusion-none": lambda p: evaluation.confusion(confusion_table().head(0), p),
        "per_class-none": lambda p: evaluation.per_class(per_class_table().head(0), p),
        "learning_curves-typical": lambda p: passes.learning_curves(history_table(), p),
        "learning_curves-one-pass": lambda p: passes.learning_curves(history_table(1, 0), p),
        "learning_curves-one-epoch": lambda p: passes.learning_curves(history_table().query("epoch == 1"), p),
        "learning_curves-none": lambda p: passes.learning_curves(history_table().head(0), p),
        "accuracy_references-typical": lambda p: passes.accuracy_references(passes_table(), p),
        "accuracy_references-one-pass": lambda p: passes.accuracy_references(passes_table(1, 0, ()), p),
        "accuracy_references-all-rejected": lambda p: passes.accuracy_references(passes_table(3, 1, range(3)), p),
        "accuracy_references-many": lambda p: passes.accuracy_references(passes_table(70), p),
        "agreement-typical": lambda p: passes.agreement(agreement_table(25), p),
        "agreement-two": lambda p: passes.agreement(agreement_table(2), p),
        "agreement-many": lambda p: passes.agreement(agreement_table(61), p),
        "agreement-none": lambda p: passes.agreement(agreement_table(1), p),
        "calibration-typical": lambda p: evaluation.calibration(calibration_table(), p),
        "calibration-many": lambda p: evaluation.calibration(calibration_table(20, 90000), p),
        "calibration-none": lambda p: evaluation.calibration(calibration_table().head(0), p),
        "embedding-many": lambda p: evaluation.embedding(*map_of_cells(6000)[:2], p),
        "model_comparison-typical": lambda p: evaluation.model_comparison(models_table(), p),
        "model_comparison-one": lambda p: evaluation.model_comparison(models_table().head(1), p),
        "ranking-tested": lambda p: plots_features.ranking(features_with_q(significant=11), p, summary={"n_accepted": 30}),
        "ranking-tested-one-feature": lambda p: plots_features.ranking(features_with_q(1, 0), p),
        "importance_significance-typical": lambda p: plots_features.importance_significance(features_with_q(), p, level=0.1),
        "importance_significance-none": lambda p: plots_features.importance_significance(
            features_with_q(significant=0), p, level=0.1, summary=no_signal),
        "importance_significance-untested": lambda p: plots_features.importance_significance(feature_table(), p),
        "importance_null-typical": lambda p: plots_features.importance_null(null_of(), p),
        "importance_null-none": lambda p: plots_features.importance_null(null_of().assign(z_shadow=np.nan), p),
        "importance_significance-long": lambda p: plots_features.importance_significance(
            features_with_q(12, 12, names=LONG), p, level=0.1),
        "importance_significance-one-feature": lambda p: plots_features.importance_significance(features_with_q(1, 1), p),
        "chord_networks-typical": lambda p: plots_chords.chord_networks(*chord_table()[:2], p),
        "chord_networks-one": lambda p: plots_chords.chord_networks(*chord_table(((1, 1),), proved=False)[:2], p),
        "chord_networks-long": lambda p: plots_chords.chord_networks(
            *chord_table(((24, 9), (4, 4)), names="DENOVO_TRINITY_DN1_c115_g5_i1_len=2")[:2], p),
        "chord_networks-three-sides": lambda p: (
            lambda c: plots_chords.chord_networks(c[0], c[1], p, c[2]))(chord_table(((4, 4, 4), (3, 2)))),
        "chord_networks-none": lambda p: plots_chords.chord_networks(
            *(t.head(0) for t in chord_table()[:2]), p, why="No product of 765 features reaches the threshold."),
        "chord_scores-typical": lambda p: plots_chords.chord_scores(score_table(chord_table()[0]), chord_table()[0], p),
        "chord_scores-two-few": lambda p: plots_chords.chord_scores(
            score_table(chord_table()[0], ["ctrl", "stim"], 12, "development"), chord_table()[0].head(2), p),
        "chord_scores-forty": lambda p: plots_chords.chord_scores(
            score_table(chord_table()[0], many_classes(40), 900), chord_table()[0], p),
        "chord_scores-long": lambda p: plots_chords.chord_scores(score_table(chord_table()[0], LONG), chord_table()[0], p),
        "chord_scores-none": lambda p: plots_chords.chord_scores(
            score_table(chord_table()[0]).head(0), chord_table()[0].head(0), p),
        "convergence-typical": lambda p: (lambda c: passes.convergence(c[0], p, c[1]))(convergence_of()),
        "convergence-few": lambda p: (lambda c: passes.convergence(c[0], p, c[1]))(convergence_of(5, known=False)),
        "convergence-none": lambda p: passes.convergence(convergence_of()[0].head(0), p, convergence_of()[1]),
        "evidence-typical": lambda p: plots_features.evidence(feature_table(), p),
        "evidence-significant": lambda p: plots_features.evidence(
            feature_table(names=[f"ENSG{i:011d}" for i in range(765)]).assign(significant=np.arange(765) < 40), p
        ),
        "evidence-two": lambda p: plots_features.evidence(feature_table(2), p),
        "evidence-none": lambda p: plots_features.evidence(feature_table().assign(evidence_rank=np.nan), p),
        "audit-typical": lambda p: filtering.audit(audit_table(), p),
        "audit-features-only": lambda p: filtering.audit(audit_table(members=0, failed=False), p),
        "audit-none": lambda p: filtering.audit(audit_table(0, 0), p),
        "confusion_matrix": lambda p: values.confusion_matrix([0, 1, 1], [0, 1, 0], ["a", "b"], p.with_suffix("")),
        "per_class_metrics": lambda p: values.per_class_metrics(report_of(), BLOOD[:3], p.with_suffix("")),
        "method_comparison": lambda p: values.method_comparison(
            [{"method": "DeepMapper cnn_small", "accuracy": 0.83, "accuracy_low": 0.8, "accuracy_high": 1.0},
             {"method": "scanpy: HVG, PCA, logistic regression", "accuracy": float("nan")}], p.with_suffix("")),
        "top_genes": lambda p: values.top_genes(BLOOD[:4], [4, 3, 2, 1], p.with_suffix(""), highlight={"CD34+"}),
    }  # fmt: skip


DRAWINGS = drawings()
DOCUMENTED = ("confusion_matrix", "per_class_metrics", "method_comparison", "top_genes")


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def words(path):
    """The texts of an SVG, as a reader's search would find them."""
    return [element.text for element in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")]


# What holds for every figure.


@pytest.fixture
def seen(monkeypatch):
    """The texts of the figure saved last: (text, points, corners) of each that is visible."""
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    texts, draw_text, save = {}, Text.draw, Figure.savefig

    def note_text(text, renderer, *args, **kwargs):
        draw_text(text, renderer, *args, **kwargs)
        if text.get_visible() and text.get_text().strip():
            texts[text] = (text.get_text(), text.get_fontsize(), corners(text, renderer))

    def note_figure(figure, *args, **kwargs):
        texts.clear()
        save(figure, *args, **kwargs)

    monkeypatch.setattr(Text, "draw", note_text)
    monkeypatch.setattr(Figure, "savefig", note_figure)
    return texts


def corners(text, renderer):
    """The four corners of a text in pixels, turned as it is."""
    turn = text.get_rotation()
    if turn in (0, 90):
        return text.get_window_extent(renderer).corners()[[0, 1, 3, 2]]
    assert text.get_rotation_mode() == "anchor"
    text.set_rotation(0)
    straight = text.get_window_extent(renderer).corners()[[0, 1, 3, 2]]
    text.set_rotation(turn)
    anchor = text.get_transform().transform(text.get_position())
    cos, sin = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
    return (straight - anchor) @ np.array([[cos, sin], [-sin, cos]]) + anchor


def overlap(one, other, slack=0.7):
    """Whether two rectangles share more than `slack` pixels: no line separates them (separating axis theorem)."""
    for box in (one, other):
        for side in (box[1] - box[0], box[3] - box[0]):
            axis = side / np.linalg.norm(side)
            a, b = one @ axis, other @ axis
            if min(a.max(), b.max()) - max(a.min(), b.min()) <= slack:
                return False
    return True


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_figure_is_whole_and_legible(name, seen, tmp_path):
    written = DRAWINGS[name](tmp_path / "figure.svg")
    if name in DOCUMENTED:
        assert written == [str(tmp_path / "figure.png"), str(tmp_path / "figure.pdf")]
        assert files(tmp_path) == ["figure.pdf", "figure.png"]
    else:
        assert written == tmp_path / "figure.svg"
        assert files(tmp_path) == ["figure.svg"]
        assert ET.parse(tmp_path / "figure.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"
    texts, points, boxes = zip(*seen.values(), strict=True)
    assert min(points) >= 8
    low, high = np.array([b.min(0) for b in boxes]), np.array([b.max(0) for b in boxes])
    near = np.triu(((low[:, None] < high[None]) & (low[None] < high[:, None])).all(axis=2), 1)
    assert [(texts[i], texts[j]) for i, j in np.argwhere(near) if overlap(boxes[i], boxes[j])] == []


def test_documented_figures_are_a_png_of_200_dpi_and_a_pdf(tmp_path):
    from PIL import Image

    png, pdf = DRAWINGS["method_comparison"](tmp_path / "figure.png")
    image = Image.open(png)
    assert image.info["dpi"] == pytest.approx((200, 200), abs=0.1)
    frame = np.array(image.convert("L"))
    assert frame.min() < 100  # something is drawn, and nothing touches the edge: no text is cut
    assert min(frame[:4].min(), frame[-4:].min(), frame[:, :4].min(), frame[:, -4:].min()) == 255
    assert Path(pdf).read_bytes().startswith(b"%PDF")


def test_same_values_give_the_same_bytes_in_every_process_and_the_users_matplotlib_is_left_alone(tmp_path):
    code = """
import sys
from deepmapper import _plot_evaluation, _plot_parts, plots
assert "matplotlib" not in sys.modules, "importing plots must not import matplotlib"
import matplotlib, numpy as np, pandas as pd
matplotlib.rcParams["font.size"] = 31
before = dict(matplotlib.rcParams)
where = np.random.default_rng(0).normal(size=(5001, 2))
plots.embedding(where, where[:, 0] > 0, sys.argv[1] + "/map.svg", predicted=where[:, 1] > 0)
plots.confusion(pd.DataFrame({"true_class": ["a", "b"], "a": [3, 0], "b": [1, 5]}), sys.argv[1] + "/confusion.svg")
plots.top_genes(["a", "b"], [2.0, 1.0], sys.argv[1] + "/genes", highlight={"b"})
assert dict(matplotlib.rcParams) == before
assert "matplotlib.pyplot" not in sys.modules
"""
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "MPLBACKEND": "svg"}
    jobs = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / seed)], env={**env, "PYTHONHASHSEED": seed})
        for seed in ("1", "2")
    ]
    assert [job.wait() for job in jobs] == [0, 0]
    first, second = ({f.name: f.read_bytes() for f in (tmp_path / seed).iterdir()} for seed in ("1", "2"))
    assert sorted(first) == ["confusion.svg", "genes.pdf", "genes.png", "map.svg"]
    assert first == second


def test_style_of_the_user_does_not_change_the_figures(tmp_path):
    import matplotlib

    DRAWINGS["top_genes"](tmp_path / "a")
    with matplotlib.rc_context({"font.size": 31, "axes.facecolor": "black", "svg.fonttype": "path"}):
        DRAWINGS["top_genes"](tmp_path / "b")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_figure_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    def fail(self, file, **kwargs):
        Path(file).write_text("half a fig")
        raise OSError("disk full")

    path = tmp_path / "figure.svg"
    path.write_text("old")
    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        evaluation.per_class(per_class_table(), path)
    assert files(tmp_path) == ["figure.svg"]
    assert path.read_text() == "old"


# What a reader must find.


@pytest.mark.parametrize("classes", [BLOOD, ["ctrl", "stim"]], ids=len)
@pytest.mark.parametrize("figure", ["importance_heatmap", "confusion", "per_class", "embedding"])
def test_every_class_is_named(figure, classes, tmp_path):
    path, where = tmp_path / "figure.svg", map_of_cells(classes=classes)
    {
        "importance_heatmap": lambda: plots_features.importance_heatmap(feature_table(9, classes=classes), path),
        "confusion": lambda: evaluation.confusion(confusion_table(classes), path),
        "per_class": lambda: evaluation.per_class(per_class_table(classes), path),
        "embedding": lambda: evaluation.embedding(where[0], where[1], path),
    }[figure]()
    text = "\n".join(words(path))
    assert [c for c in classes if c not in text] == []


@pytest.mark.parametrize("draw", [plots_features.ranking, plots_features.importance_heatmap])
def test_the_top_features_are_named_in_the_order_of_their_ranks(draw, tmp_path):
    table = feature_table(50, BLOOD[:3]).sample(
        frac=1, random_state=0
    )  # the order of the rows does not matter, the rank does
    draw(table, tmp_path / "figure.svg", top=12)
    assert [w for w in words(tmp_path / "figure.svg") if w.startswith("GENE")] == [f"GENE{i}" for i in range(12)]


def test_names_are_taken_literally(tmp_path):
    names = ["$x^2$", "a<b>&c", "_hidden", "tab\there", "Ångström", "NA", "-0", r"\alpha"]
    plots_features.ranking(feature_table(8, names=names), tmp_path / "a.svg")
    assert {*names} - {"tab\there"} | {"tab here"} <= {*words(tmp_path / "a.svg")}
    cells = (np.random.default_rng(0).normal(size=(80, 2)), np.repeat(names, 10))
    evaluation.embedding(*cells, tmp_path / "b.svg")
    text = "\n".join(words(tmp_path / "b.svg"))
    assert all(name in text for name in names if name != "tab\there")


def test_long_names_are_shortened_in_the_middle_but_never_made_alike():
    long = "x" * 50 + "-middle-" + "y" * 50
    (short,) = style.names([long])
    assert len(short) == 64 and short.startswith("x" * 36) and short.endswith("y" * 27)
    twins = ["x" * 50 + middle + "y" * 50 for middle in ("-a-", "-b-")]
    assert style.names(twins) == twins


def test_ranking_says_how_many_passes_and_when_there_is_no_signal(tmp_path):
    DRAWINGS["ranking-no-signal"](tmp_path / "a.svg")
    text = " ".join(words(tmp_path / "a.svg"))
    assert "28 accepted passes" in text
    assert "chance (20 of 765)" in text
    assert "No signal: not above what needs none." in text


@pytest.mark.parametrize("name", ["ranking-none", "importance_heatmap-none"])
def test_without_an_accepted_pass_the_figure_says_so(name, tmp_path):
    DRAWINGS[name](tmp_path / "a.svg")
    text = " ".join(words(tmp_path / "a.svg"))
    assert "No pass was accepted: nothing to rank" in text
    assert "30 passes were trained" in text


def test_two_rankings_name_the_first_by_evidence_and_say_so_where_there_is_one_alone(tmp_path):
    table = feature_table(40)
    DRAWINGS["evidence-none"](tmp_path / "none.svg")
    assert "There is no second ranking" in " ".join(words(tmp_path / "none.svg"))
    plots_features.evidence(table, tmp_path / "a.svg", top=3)
    text = " ".join(words(tmp_path / "a.svg"))
    first = table.sort_values("evidence_rank")["feature"].to_list()
    assert all(name in text for name in first[:3]) and first[3] not in text.split()
    assert "40 of 40 features compared" in text and "that are not significant" not in text
    plots_features.evidence(table.assign(significant=table["feature"].isin(first[:2])), tmp_path / "b.svg", top=3)
    text = " ".join(words(tmp_path / "b.svg"))
    assert "that are not significant in the networks" in text
    assert all(name in text.split() for name in first[2:5]) and not {*first[:2], first[5]} & set(text.split())


@pytest.mark.parametrize("name", ["confusion-none", "per_class-none", "calibration-none"])
def test_without_a_prediction_the_figure_says_so(name, tmp_path):
    DRAWINGS[name](tmp_path / "a.svg")
    assert "No pass was accepted: no prediction to judge" in words(tmp_path / "a.svg")


def test_heatmap_takes_the_classes_in_the_order_given_or_puts_similar_ones_side_by_side(tmp_path):
    table = feature_table(20, classes=list("abcd"))
    for c, twin in (("a", "c"), ("b", "d")):
        table[f"importance[{twin}]"] = table[f"importance[{c}]"] * 3
    plots_features.importance_heatmap(table, tmp_path / "given.svg", classes=list("dcba"))
    assert "".join(w for w in words(tmp_path / "given.svg") if w in list("abcd")) == "dcba"
    plots_features.importance_heatmap(table, tmp_path / "alike.svg")
    order = "".join(w for w in words(tmp_path / "alike.svg") if w in list("abcd"))
    assert {order[:2], order[2:]} <= {"ac", "ca", "bd", "db"}
    with pytest.raises(InputError, match="'e' has no column in features.tsv, which has a, b, c, d"):
        plots_features.importance_heatmap(table, tmp_path / "x.svg", classes=["e"])


def test_heatmap_marks_the_direction(monkeypatch, tmp_path):
    table, figures = feature_table(3, classes=["a", "b"]), []
    table["direction[a]"], table["direction[b]"] = ["up", "down", "unclear"], "unclear"
    monkeypatch.setattr(style, "write", lambda figure, path: figures.append(figure))
    plots_features.importance_heatmap(table, tmp_path / "a.svg")
    marks = [tuple(xy) for c in figures[0].axes[0].collections[1:] for xy in c.get_offsets().tolist()]
    assert marks == [(0.0, 0.0), (0.0, 1.0)]  # up in row 0, down in row 1, both in column "a"


def test_ranking_marks_what_is_significant_and_shows_intervals_of_rank_and_importance(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(style, "write", lambda figure, path: figures.append(figure))
    plots_features.ranking(features_with_q(50, 4), tmp_path / "a.svg", top=6)
    axes = figures[0].axes
    assert len(axes) == 3
    filled, hollow = axes[0].lines[:2]
    assert filled.get_ydata().tolist() == [0, 1, 2, 3] and hollow.get_ydata().tolist() == [4, 5]
    assert hollow.get_markerfacecolor() == "white"
    assert "rank" in axes[2].get_xlabel() and "95 % bootstrap interval of the median" in axes[1].get_xlabel()
    assert "4 significant (filled)" in " ".join(text.get_text() for text in figures[0].texts)
    plots_features.ranking(feature_table(50), tmp_path / "a.svg", top=6)  # nothing tested: nothing marked, no rank
    assert len(figures[1].axes) == 2
    assert len(figures[1].axes[0].lines[0].get_ydata()) == 6


def test_significance_names_the_significant_and_counts_them(tmp_path):
    plots_features.importance_significance(features_with_q(300, 4), tmp_path / "a.svg", level=0.1)
    found = [word.strip() for word in words(tmp_path / "a.svg")]
    assert [w for w in found if w.startswith("GENE")] == ["GENE0", "GENE1", "GENE2", "GENE3"]
    assert "4 of 300 features are significant at q \u2264 0.1" in found
    assert "q = 0.1" in found
    plots_features.importance_significance(features_with_q(300, 0), tmp_path / "b.svg", level=0.1)
    assert "none of 300 features are significant at q \u2264 0.1" in words(tmp_path / "b.svg")


def test_without_a_null_the_figure_says_that_nothing_was_tested(tmp_path):
    DRAWINGS["importance_significance-untested"](tmp_path / "a.svg")
    assert "Importance was not tested" in words(tmp_path / "a.svg")


def test_many_features_are_one_picture(tmp_path):
    plots_features.importance_significance(features_with_q(20000, 10), tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text().count("<image") == 1
    assert (tmp_path / "a.svg").stat().st_size < 500_000


def test_chords_show_members_links_and_their_proof(tmp_path, monkeypatch):
    chords, pairs, _ = chord_table(((3, 2),))
    plots_chords.chord_networks(chords, pairs, tmp_path / "a.svg")
    found = words(tmp_path / "a.svg")
    members = [*chords.loc[0, "side_1"].split(","), *chords.loc[0, "side_2"].split(",")]
    assert [name for name in members if name not in found] == []
    assert "chord_1 tells CD19+ B (z = 30.0)" in found
    assert "test split: AUC 0.87 (0.80 to 0.93), synergy 0.31 (0.22 to 0.39)" in found
    assert "joined without a significant product of its own" in found
    figures = []
    monkeypatch.setattr(style, "write", lambda figure, path: figures.append(figure))
    plots_chords.chord_networks(chords, pairs.assign(significant=[True, *[False] * 5]), tmp_path / "b.svg")
    lines = [line for line in figures[0].axes[0].lines if len(line.get_xdata()) == 2]
    assert len(lines) == 1  # only significant products are drawn


def test_long_sides_are_cut_with_a_count(tmp_path):
    plots_chords.chord_networks(*chord_table(((40, 1),))[:2], tmp_path / "a.svg")
    found = words(tmp_path / "a.svg")
    assert "and 26 more" in found
    assert len([w for w in found if w.startswith("GENE1A")]) == 14


def test_tables_read_back_from_disk_give_the_same_chords(tmp_path):
    """Empty cells come back as missing values."""
    chords, pairs, triplets = chord_table(((1, 1), (2, 2, 2)))
    for name, table in (("chords", chords), ("pairs", pairs), ("triplets", triplets)):
        write_table(table, tmp_path / f"{name}.tsv")
    read = [read_table(tmp_path / f"{name}.tsv") for name in ("chords", "pairs", "triplets")]
    plots_chords.chord_networks(chords, pairs, tmp_path / "a.svg", triplets)
    plots_chords.chord_networks(read[0], read[1], tmp_path / "b.svg", read[2])
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_chord_scores_are_those_of_the_test_split_and_the_figure_says_which(tmp_path):
    chords = chord_table(((1, 1),))[0]
    both = pd.concat([score_table(chords, n=40), score_table(chords, n=90, split="development")])
    plots_chords.chord_scores(both, chords, tmp_path / "a.svg")
    assert "40 samples of the test split, which the screen never saw" in " ".join(words(tmp_path / "a.svg"))
    plots_chords.chord_scores(both[both["split"] != "test"], chords, tmp_path / "b.svg")
    found = " ".join(words(tmp_path / "b.svg"))
    assert "90 samples of the development part" in found
    assert "Not a proof: no test split was set aside." in found


@pytest.mark.parametrize("name", ["chord_networks-none", "chord_scores-none"])
def test_without_a_chord_the_figure_says_so(name, tmp_path):
    DRAWINGS[name](tmp_path / "a.svg")
    assert "No chord was found" in words(tmp_path / "a.svg")


def test_the_audit_counts_names_and_says_what_could_not_be_made(tmp_path):
    filtering.audit(audit_table(), tmp_path / "a.svg")
    found = words(tmp_path / "a.svg")
    assert "7 of 40  GENE0, GENE1, GENE2, GENE3, \u2026 3 more" in found
    assert "0 of 14" in found
    assert found.count("cannot be said: the method failed on these data") == 2
    DRAWINGS["audit-none"](tmp_path / "b.svg")
    assert "Nothing was found that could be lost" in words(tmp_path / "b.svg")


def test_convergence_shows_the_level_the_passes_and_the_statement(tmp_path):
    DRAWINGS["convergence-typical"](tmp_path / "a.svg")
    found = words(tmp_path / "a.svg")
    assert {"accepted passes (20)", "stable (dotted): 0.8", "passes it takes (line: 95 % interval)"} <= {*found}
    assert "stable at 0.8 from about 40 passes" in " ".join(found)


def test_confusion_writes_counts_accuracy_and_class_sizes(tmp_path):
    table = pd.DataFrame({"true_class": ["a", "b"], "a": [31, 2], "b": [0, 17]})
    evaluation.confusion(table, tmp_path / "a.svg")
    found = words(tmp_path / "a.svg")
    assert {"31", "2", "17", "a (31)", "b (19)", "accuracy 0.960 (48 of 50 samples)"} <= {*found}
    assert "0" not in found
    evaluation.confusion(table.set_index("true_class"), tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_confusion_survives_a_class_without_samples(tmp_path):
    evaluation.confusion(pd.DataFrame({"true_class": ["a", "b"], "a": [3, 0], "b": [1, 0]}), tmp_path / "a.svg")
    assert "b (0)" in words(tmp_path / "a.svg")


def test_confusion_matrix_takes_indices_or_names(tmp_path):
    classes = ["b", "a", "c"]
    indices, names = [0, 1, 1, 2], ["b", "a", "a", "c"]
    values.confusion_matrix(np.array(indices), [0, 1, 2, 2], classes, tmp_path / "i")
    values.confusion_matrix(names, np.array(["b", "a", "c", "c"]), classes, tmp_path / "n")
    assert (tmp_path / "i.png").read_bytes() == (tmp_path / "n.png").read_bytes()
    values.confusion_matrix(indices, indices, classes, tmp_path / "counts", normalize=False)
    assert (tmp_path / "counts.png").read_bytes() != (tmp_path / "i.png").read_bytes()


def test_calibration_writes_the_error_and_the_counts(tmp_path):
    edges = np.array([0.0, 0.5, 1.0])
    table = pd.DataFrame({"bin": [0, 1], "confidence_low": edges[:-1], "confidence_high": edges[1:], "n": [30, 70],
                          "mean_confidence": [0.4, 0.9], "accuracy": [0.5, 0.8]})  # fmt: skip
    evaluation.calibration(table, tmp_path / "a.svg")
    found = words(tmp_path / "a.svg")
    assert {"30", "70"} <= {*found}
    assert "expected calibration error (ECE) 0.100, 100 samples" in " ".join(found)


def test_accuracies_tell_accepted_rejected_and_control_passes_apart(tmp_path):
    passes.accuracy_references(passes_table(), tmp_path / "a.svg")
    found = words(tmp_path / "a.svg")
    assert {"accepted pass", "rejected pass", "control pass (trained on permuted labels)"} <= {*found}
    assert "28 of 30 passes accepted, 5 control passes" in found


def test_models_show_value_interval_and_missing_signal(tmp_path):
    evaluation.model_comparison(models_table(), tmp_path / "a.svg")
    found = words(tmp_path / "a.svg")
    assert "linear_baseline (logistic regression)" in found
    assert "0.460  (0.390 to 0.530)   no signal" in found
    assert [w for w in found if w.endswith("no signal")] == ["0.460  (0.390 to 0.530)   no signal"]


def test_models_whose_signal_cannot_be_told_say_so(tmp_path):
    table = models_table()
    table["signal"] = [None, True, True, None]  # the last is the baseline, of which nothing is asked
    evaluation.model_comparison(table, tmp_path / "a.svg")
    found = words(tmp_path / "a.svg")
    assert [w for w in found if w.endswith("signal cannot be told")] == [
        "0.460  (0.390 to 0.530)   signal cannot be told"
    ]
    summary = {"n_accepted": 28, "signal": None, "statement": "It cannot be told."}
    plots_features.ranking(feature_table(), tmp_path / "b.svg", summary=summary)
    assert "It cannot be told." in " ".join(words(tmp_path / "b.svg"))


def test_map_counts_what_it_shows(tmp_path):
    where = np.array([[0.0, 0.0], [1, 1], [2, 2], [np.nan, 0]])
    evaluation.embedding(
        where, ["a", "b", None, "a"], tmp_path / "a.svg", test=[1, 0, 0, 0], predicted=["b", "b", "a", None]
    )
    found = " ".join(words(tmp_path / "a.svg"))
    assert "3 samples; 1 in the test split; 1 of 2 predictions wrong; 1 without coordinates left out" in found
    assert "no label (1)" in found


def test_map_of_many_samples_holds_one_picture_in_place_of_many_shapes(tmp_path):
    DRAWINGS["embedding-many"](tmp_path / "many.svg")
    assert (tmp_path / "many.svg").read_text().count("<image") == 1
    assert (tmp_path / "many.svg").stat().st_size < 1_000_000
    DRAWINGS["embedding-typical"](tmp_path / "few.svg")
    assert "<image" not in (tmp_path / "few.svg").read_text()


def test_marks_on_the_map_part_ways():
    placed = evaluation._apart(np.zeros((40, 2)), 0.24)
    distance = np.linalg.norm(placed[:, None] - placed[None], axis=2) + np.eye(40)
    assert distance.min() >= 0.239


# What they must survive.


@pytest.mark.parametrize(
    ("draw", "table", "columns"),
    [
        (plots_features.ranking, feature_table(6), ["selection_frequency_low", "importance_q25"]),
        (plots_features.importance_heatmap, feature_table(6), ["importance[CD34+]"]),
        (plots_features.importance_significance, features_with_q(6, 2), ["median_importance", "q"]),
        (filtering.audit, audit_table(), ["n_lost"]),
        (plots_features.evidence, feature_table(6), ["evidence_rank", "median_importance"]),
        (evaluation.per_class, per_class_table(), ["f1", "precision", "recall_low", "support"]),
        (passes.learning_curves, history_table(3, 1), ["val_loss", "val_accuracy"]),
        (passes.accuracy_references, passes_table(), ["accuracy", "permuted_accuracy", "n_oob"]),
        (passes.agreement, agreement_table(5), ["spearman"]),
        (evaluation.model_comparison, models_table(), ["accuracy", "accuracy_low", "control_accuracy_mean", "signal"]),
    ],
)
@pytest.mark.parametrize("missing", ["one", "all"])
@pytest.mark.filterwarnings("error")
def test_missing_values(draw, table, columns, missing, tmp_path):
    table = table.copy()
    for column in columns:
        table[column] = table[column].astype(object if column == "signal" else float)
        table.loc[table.index[: 1 if missing == "one" else None], column] = np.nan
    draw(table, tmp_path / "a.svg")
    ET.parse(tmp_path / "a.svg")


def test_tables_read_back_from_their_files(tmp_path):
    tables = {
        "ranking": feature_table(9), "importance_heatmap": feature_table(9), "learning_curves": history_table(2, 1),
        "evidence": feature_table(9),
        "accuracy_references": passes_table(4), "agreement": agreement_table(4), "calibration": calibration_table(),
        "confusion": confusion_table(), "per_class": per_class_table(), "model_comparison": models_table(),
    }  # fmt: skip
    schemas = {
        "ranking": FEATURES, "importance_heatmap": FEATURES, "learning_curves": HISTORY, "evidence": FEATURES,
        "accuracy_references": PASSES, "agreement": AGREEMENT, "calibration": CALIBRATION, "confusion": CONFUSION,
        "per_class": PER_CLASS, "model_comparison": MODELS,
    }  # fmt: skip
    for name, table in tables.items():
        file = tmp_path / schemas[name].file
        for rows in (table, table.head(0)):
            write_table(rows, file)
            getattr(plots, name)(read_table(file), tmp_path / f"{name}.svg")
            ET.parse(tmp_path / f"{name}.svg")


def test_labels_that_are_numbers(tmp_path):
    evaluation.confusion(pd.DataFrame({"true_class": [1, 2], "1": [3, 0], "2": [1, 5]}), tmp_path / "a.svg")
    evaluation.embedding(np.eye(2), [10, 9], tmp_path / "b.svg", predicted=[10.0, 9])
    assert [w for w in words(tmp_path / "b.svg") if "(1)" in w] == ["1  9 (1)", "2  10 (1)"]


# What they refuse.


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda p: plots_features.ranking(feature_table(9).drop(columns="rank"), p), "features.tsv: no column rank; it has f"),
        (lambda p: plots_features.importance_heatmap(feature_table(classes=[]), p), r"no column importance\[CLASS\]"),
        (lambda p: evaluation.per_class(pd.DataFrame({"class": []}), p), "no column precision, recall, f1, support"),
        (lambda p: evaluation.confusion(confusion_table().iloc[:, ::-1], p), "expected 'true_class'"),
        (lambda p: evaluation.confusion(confusion_table().iloc[::-1], p), "expected the same in the same order"),
        (lambda p: evaluation.confusion(confusion_table(), p.with_suffix(".jpg")), "suffix '.jpg'; expected one of .svg"),
        (lambda p: evaluation.embedding(np.zeros((3, 3)), "abc", p), r"shape \(3, 3\); expected \(samples, 2\)"),
        (lambda p: evaluation.embedding(np.zeros((3, 2)), "ab", p), "labels: 2 values for 3 samples"),
        (lambda p: values.confusion_matrix([0, 3], [0, 1], ["a", "b"], p), r"y_true\[1\] is 3: expected 0 .. 1"),
        (lambda p: values.confusion_matrix(["a"], ["c"], ["a", "b"], p), r"y_pred\[0\] is 'c'"),
        (lambda p: values.confusion_matrix([0], [0, 1], ["a", "b"], p), "y_true has 1 labels and y_pred 2"),
        (lambda p: values.confusion_matrix([], [], [], p), "classes: empty"),
        (lambda p: values.per_class_metrics({"a": {}}, ["b"], p), "no entry for class 'b'; it has a"),
        (lambda p: values.method_comparison([], p), "rows: empty"),
        (lambda p: values.method_comparison([{"method": "x", "f1": 1}], p), r"rows\[0\]: no 'accuracy'; it has method"),
        (lambda p: values.top_genes(["a"], [1, 2], p), "1 genes and 2 scores"),
    ],
)  # fmt: skip
def test_refusals_say_what_was_found_and_expected(draw, message, tmp_path):
    with pytest.raises(InputError, match=message):
        draw(tmp_path / "figure.svg")
    assert files(tmp_path) == []


# The words beside the figures.


@pytest.mark.parametrize("caption", sorted((ROOT / "workflow" / "report").glob("*.rst")), ids=lambda path: path.stem)
def test_captions_are_valid(caption):
    from types import SimpleNamespace

    jinja2, core = pytest.importorskip("jinja2"), pytest.importorskip("docutils.core")
    yaml = pytest.importorskip("yaml")
    shipped = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    template = jinja2.Environment(trim_blocks=True, lstrip_blocks=True).from_string(caption.read_text())
    for config in (shipped, {"matrix": {"populations": [{"path": "a"}, {"path": "b"}]}}):
        text = template.render(snakemake=SimpleNamespace(config=config, wildcards=SimpleNamespace(model="odd_name_")))
        strict = {"report_level": 1, "halt_level": 1}
        assert core.publish_doctree(text, settings_overrides=strict).astext()
        assert "{" not in text

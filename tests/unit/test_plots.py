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
from deepmapper.errors import InputError
from deepmapper.findings import read_table, write_table

ROOT = Path(__file__).parents[2]
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
            f"importance_heatmap-{tag}": lambda p, f=features: plots.importance_heatmap(f, p, top=12),
            f"confusion-{tag}": lambda p, c=classes: plots.confusion(confusion_table(c), p),
            f"per_class-{tag}": lambda p, c=classes: plots.per_class(per_class_table(c), p),
            f"embedding-{tag}": lambda p, w=where: plots.embedding(w[0], w[1], p, test=w[2], predicted=w[3]),
        }
    return found | {
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
        "confusion_matrix": lambda p: plots.confusion_matrix([0, 1, 1], [0, 1, 0], ["a", "b"], p.with_suffix("")),
        "per_class_metrics": lambda p: plots.per_class_metrics(report_of(), BLOOD[:3], p.with_suffix("")),
        "method_comparison": lambda p: plots.method_comparison(
            [{"method": "DeepMapper cnn_small", "accuracy": 0.83, "accuracy_low": 0.8, "accuracy_high": 1.0},
             {"method": "scanpy: HVG, PCA, logistic regression", "accuracy": float("nan")}], p.with_suffix("")),
        "top_genes": lambda p: plots.top_genes(BLOOD[:4], [4, 3, 2, 1], p.with_suffix(""), highlight={"CD34+"}),
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
from deepmapper import plots
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
        plots.per_class(per_class_table(), path)
    assert files(tmp_path) == ["figure.svg"]
    assert path.read_text() == "old"


# What a reader must find.


@pytest.mark.parametrize("classes", [BLOOD, ["ctrl", "stim"]], ids=len)
@pytest.mark.parametrize("figure", ["importance_heatmap", "confusion", "per_class", "embedding"])
def test_every_class_is_named(figure, classes, tmp_path):
    path, where = tmp_path / "figure.svg", map_of_cells(classes=classes)
    {
        "importance_heatmap": lambda: plots.importance_heatmap(feature_table(9, classes=classes), path),
        "confusion": lambda: plots.confusion(confusion_table(classes), path),
        "per_class": lambda: plots.per_class(per_class_table(classes), path),
        "embedding": lambda: plots.embedding(where[0], where[1], path),
    }[figure]()
    text = "\n".join(words(path))
    assert [c for c in classes if c not in text] == []


@pytest.mark.parametrize("draw", [plots.ranking, plots.importance_heatmap])
def test_the_top_features_are_named_in_the_order_of_their_ranks(draw, tmp_path):
    table = feature_table(50, BLOOD[:3]).sample(
        frac=1, random_state=0
    )  # the order of the rows does not matter, the rank does
    draw(table, tmp_path / "figure.svg", top=12)
    assert [w for w in words(tmp_path / "figure.svg") if w.startswith("GENE")] == [f"GENE{i}" for i in range(12)]


def test_names_are_taken_literally(tmp_path):
    names = ["$x^2$", "a<b>&c", "_hidden", "tab\there", "Ångström", "NA", "-0", r"\alpha"]
    plots.ranking(feature_table(8, names=names), tmp_path / "a.svg")
    assert {*names} - {"tab\there"} | {"tab here"} <= {*words(tmp_path / "a.svg")}
    cells = (np.random.default_rng(0).normal(size=(80, 2)), np.repeat(names, 10))
    plots.embedding(*cells, tmp_path / "b.svg")
    text = "\n".join(words(tmp_path / "b.svg"))
    assert all(name in text for name in names if name != "tab\there")


def test_long_names_are_shortened_in_the_middle_but_never_made_alike():
    long = "x" * 50 + "-middle-" + "y" * 50
    (short,) = plots._names([long])
    assert len(short) == 64 and short.startswith("x" * 36) and short.endswith("y" * 27)
    twins = ["x" * 50 + middle + "y" * 50 for middle in ("-a-", "-b-")]
    assert plots._names(twins) == twins


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


@pytest.mark.parametrize("name", ["confusion-none", "per_class-none", "calibration-none"])
def test_without_a_prediction_the_figure_says_so(name, tmp_path):
    DRAWINGS[name](tmp_path / "a.svg")
    assert "No pass was accepted: no prediction to judge" in words(tmp_path / "a.svg")


def test_heatmap_takes_the_classes_in_the_order_given_or_puts_similar_ones_side_by_side(tmp_path):
    table = feature_table(20, classes=list("abcd"))
    for c, twin in (("a", "c"), ("b", "d")):
        table[f"importance[{twin}]"] = table[f"importance[{c}]"] * 3
    plots.importance_heatmap(table, tmp_path / "given.svg", classes=list("dcba"))
    assert "".join(w for w in words(tmp_path / "given.svg") if w in list("abcd")) == "dcba"
    plots.importance_heatmap(table, tmp_path / "alike.svg")
    order = "".join(w for w in words(tmp_path / "alike.svg") if w in list("abcd"))
    assert {order[:2], order[2:]} <= {"ac", "ca", "bd", "db"}
    with pytest.raises(InputError, match="'e' has no column in features.tsv, which has a, b, c, d"):
        plots.importance_heatmap(table, tmp_path / "x.svg", classes=["e"])


def test_heatmap_marks_the_direction(monkeypatch, tmp_path):
    table, figures = feature_table(3, classes=["a", "b"]), []
    table["direction[a]"], table["direction[b]"] = ["up", "down", "unclear"], "unclear"
    monkeypatch.setattr(plots, "_write", lambda figure, path: figures.append(figure))
    plots.importance_heatmap(table, tmp_path / "a.svg")
    marks = [tuple(xy) for c in figures[0].axes[0].collections[1:] for xy in c.get_offsets().tolist()]
    assert marks == [(0.0, 0.0), (0.0, 1.0)]  # up in row 0, down in row 1, both in column "a"


def test_confusion_writes_counts_accuracy_and_class_sizes(tmp_path):
    table = pd.DataFrame({"true_class": ["a", "b"], "a": [31, 2], "b": [0, 17]})
    plots.confusion(table, tmp_path / "a.svg")
    found = words(tmp_path / "a.svg")
    assert {"31", "2", "17", "a (31)", "b (19)", "accuracy 0.960 (48 of 50 samples)"} <= {*found}
    assert "0" not in found
    plots.confusion(table.set_index("true_class"), tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_confusion_survives_a_class_without_samples(tmp_path):
    plots.confusion(pd.DataFrame({"true_class": ["a", "b"], "a": [3, 0], "b": [1, 0]}), tmp_path / "a.svg")
    assert "b (0)" in words(tmp_path / "a.svg")


def test_confusion_matrix_takes_indices_or_names(tmp_path):
    classes = ["b", "a", "c"]
    indices, names = [0, 1, 1, 2], ["b", "a", "a", "c"]
    plots.confusion_matrix(np.array(indices), [0, 1, 2, 2], classes, tmp_path / "i")
    plots.confusion_matrix(names, np.array(["b", "a", "c", "c"]), classes, tmp_path / "n")
    assert (tmp_path / "i.png").read_bytes() == (tmp_path / "n.png").read_bytes()
    plots.confusion_matrix(indices, indices, classes, tmp_path / "counts", normalize=False)
    assert (tmp_path / "counts.png").read_bytes() != (tmp_path / "i.png").read_bytes()


def test_calibration_writes_the_error_and_the_counts(tmp_path):
    edges = np.array([0.0, 0.5, 1.0])
    table = pd.DataFrame({"bin": [0, 1], "confidence_low": edges[:-1], "confidence_high": edges[1:], "n": [30, 70],
                          "mean_confidence": [0.4, 0.9], "accuracy": [0.5, 0.8]})  # fmt: skip
    plots.calibration(table, tmp_path / "a.svg")
    found = words(tmp_path / "a.svg")
    assert {"30", "70"} <= {*found}
    assert "expected calibration error (ECE) 0.100, 100 samples" in " ".join(found)


def test_accuracies_tell_accepted_rejected_and_control_passes_apart(tmp_path):
    plots.accuracy_references(passes_table(), tmp_path / "a.svg")
    found = words(tmp_path / "a.svg")
    assert {"accepted pass", "rejected pass", "control pass (trained on permuted labels)"} <= {*found}
    assert "28 of 30 passes accepted, 5 control passes" in found


def test_models_show_value_interval_and_missing_signal(tmp_path):
    plots.model_comparison(models_table(), tmp_path / "a.svg")
    found = words(tmp_path / "a.svg")
    assert "linear_baseline (logistic regression)" in found
    assert "0.460  (0.390 to 0.530)   no signal" in found
    assert [w for w in found if w.endswith("no signal")] == ["0.460  (0.390 to 0.530)   no signal"]


def test_models_whose_signal_cannot_be_told_say_so(tmp_path):
    table = models_table()
    table["signal"] = [None, True, True, None]  # the last is the baseline, of which nothing is asked
    plots.model_comparison(table, tmp_path / "a.svg")
    found = words(tmp_path / "a.svg")
    assert [w for w in found if w.endswith("signal cannot be told")] == [
        "0.460  (0.390 to 0.530)   signal cannot be told"
    ]
    summary = {"n_accepted": 28, "signal": None, "statement": "It cannot be told."}
    plots.ranking(feature_table(), tmp_path / "b.svg", summary=summary)
    assert "It cannot be told." in " ".join(words(tmp_path / "b.svg"))


def test_map_counts_what_it_shows(tmp_path):
    where = np.array([[0.0, 0.0], [1, 1], [2, 2], [np.nan, 0]])
    plots.embedding(
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
    placed = plots._apart(np.zeros((40, 2)), 0.24)
    distance = np.linalg.norm(placed[:, None] - placed[None], axis=2) + np.eye(40)
    assert distance.min() >= 0.239


# What they must survive.


@pytest.mark.parametrize(
    ("draw", "table", "columns"),
    [
        (plots.ranking, feature_table(6), ["selection_frequency_low", "importance_q25"]),
        (plots.importance_heatmap, feature_table(6), ["importance[CD34+]"]),
        (plots.per_class, per_class_table(), ["f1", "precision", "recall_low", "support"]),
        (plots.learning_curves, history_table(3, 1), ["val_loss", "val_accuracy"]),
        (plots.accuracy_references, passes_table(), ["accuracy", "permuted_accuracy", "n_oob"]),
        (plots.agreement, agreement_table(5), ["spearman"]),
        (plots.model_comparison, models_table(), ["accuracy", "accuracy_low", "control_accuracy_mean", "signal"]),
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
        "accuracy_references": passes_table(4), "agreement": agreement_table(4), "calibration": calibration_table(),
        "confusion": confusion_table(), "per_class": per_class_table(), "model_comparison": models_table(),
    }  # fmt: skip
    for name, table in tables.items():
        for rows in (table, table.head(0)):
            write_table(rows, tmp_path / "table.tsv")
            getattr(plots, name)(read_table(tmp_path / "table.tsv"), tmp_path / f"{name}.svg")
            ET.parse(tmp_path / f"{name}.svg")


def test_labels_that_are_numbers(tmp_path):
    plots.confusion(pd.DataFrame({"true_class": [1, 2], "1": [3, 0], "2": [1, 5]}), tmp_path / "a.svg")
    plots.embedding(np.eye(2), [10, 9], tmp_path / "b.svg", predicted=[10.0, 9])
    assert [w for w in words(tmp_path / "b.svg") if "(1)" in w] == ["1  9 (1)", "2  10 (1)"]


# What they refuse.


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda p: plots.ranking(feature_table(9).drop(columns="rank"), p), "features.tsv: no column rank; it has f"),
        (lambda p: plots.importance_heatmap(feature_table(classes=[]), p), r"no column importance\[CLASS\]"),
        (lambda p: plots.per_class(pd.DataFrame({"class": []}), p), "no column precision, recall, f1, support"),
        (lambda p: plots.confusion(confusion_table().iloc[:, ::-1], p), "expected 'true_class'"),
        (lambda p: plots.confusion(confusion_table().iloc[::-1], p), "expected the same in the same order"),
        (lambda p: plots.confusion(confusion_table(), p.with_suffix(".jpg")), "suffix '.jpg'; expected one of .svg"),
        (lambda p: plots.embedding(np.zeros((3, 3)), "abc", p), r"shape \(3, 3\); expected \(samples, 2\)"),
        (lambda p: plots.embedding(np.zeros((3, 2)), "ab", p), "labels: 2 values for 3 samples"),
        (lambda p: plots.confusion_matrix([0, 3], [0, 1], ["a", "b"], p), r"y_true\[1\] is 3: expected 0 .. 1"),
        (lambda p: plots.confusion_matrix(["a"], ["c"], ["a", "b"], p), r"y_pred\[0\] is 'c'"),
        (lambda p: plots.confusion_matrix([0], [0, 1], ["a", "b"], p), "y_true has 1 labels and y_pred 2"),
        (lambda p: plots.confusion_matrix([], [], [], p), "classes: empty"),
        (lambda p: plots.per_class_metrics({"a": {}}, ["b"], p), "no entry for class 'b'; it has a"),
        (lambda p: plots.method_comparison([], p), "rows: empty"),
        (lambda p: plots.method_comparison([{"method": "x", "f1": 1}], p), r"rows\[0\]: no 'accuracy'; it has method"),
        (lambda p: plots.top_genes(["a"], [1, 2], p), "1 genes and 2 scores"),
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

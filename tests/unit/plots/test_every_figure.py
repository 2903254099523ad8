"""What holds for every figure: it is complete and legible, and survives missing values."""

import ast
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deepmapper import plots
from deepmapper.core.table_schemas import (
    AGREEMENT,
    CALIBRATION,
    CONFUSION,
    FEATURES,
    HISTORY,
    MODELS,
    PASSES,
    PER_CLASS,
    TABLES,
)
from deepmapper.core.tables import read_table, write_table
from deepmapper.errors import InputError

DOCUMENTED = ("confusion_matrix", "per_class_metrics", "method_comparison", "top_genes")


@pytest.fixture
def tables(examples):
    """One table for each figure that is drawn from a single one."""
    return {
        "ranking": examples.feature_table(9),
        "importance_heatmap": examples.feature_table(9),
        "volcano": examples.differential_table(),
        "evidence": examples.feature_table(9),
        "audit": examples.audit_table(),
        "learning_curves": examples.history_table(3, 1),
        "accuracy_references": examples.passes_table(),
        "agreement": examples.agreement_table(5),
        "calibration": examples.calibration_table(),
        "confusion": examples.confusion_table(),
        "per_class": examples.per_class_table(),
        "model_comparison": examples.models_table(),
        "fragment_fates": examples.fragments_table(),
    }


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


def test_every_figure_is_whole_and_legible(drawing, drawings, files, seen, tmp_path):
    written = drawings[drawing](tmp_path / "figure.svg")
    if drawing in DOCUMENTED:
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


@pytest.mark.parametrize(
    ("figure", "columns"),
    [
        ("ranking", ["selection_frequency_low", "importance_q25"]),
        ("importance_heatmap", ["importance[CD34+]"]),
        ("volcano", ["log2_fold_change", "p", "q"]),
        ("audit", ["n_lost"]),
        ("evidence", ["evidence_rank", "median_importance"]),
        ("per_class", ["f1", "precision", "recall_low", "support"]),
        ("learning_curves", ["val_loss", "val_accuracy"]),
        ("accuracy_references", ["accuracy", "permuted_accuracy", "n_oob"]),
        ("agreement", ["spearman"]),
        ("fragment_fates", ["novel_rate", "fragments"]),
        ("model_comparison", ["accuracy", "accuracy_low", "control_accuracy_mean", "signal"]),
    ],
)
@pytest.mark.parametrize("missing", ["one", "all"])
@pytest.mark.filterwarnings("error")
def test_missing_values(tables, figure, columns, missing, tmp_path):
    table = tables[figure]
    for column in columns:
        table[column] = table[column].astype(object if column == "signal" else float)
        table.loc[table.index[: 1 if missing == "one" else None], column] = np.nan
    getattr(plots, figure)(table, tmp_path / "a.svg")
    ET.parse(tmp_path / "a.svg")


def test_tables_read_back_from_their_files(tables, tmp_path):
    schemas = {
        "ranking": FEATURES, "importance_heatmap": FEATURES, "learning_curves": HISTORY, "evidence": FEATURES,
        "accuracy_references": PASSES, "agreement": AGREEMENT, "calibration": CALIBRATION, "confusion": CONFUSION,
        "per_class": PER_CLASS, "model_comparison": MODELS,
    }  # fmt: skip
    for name, schema in schemas.items():
        file, table = tmp_path / schema.file, tables[name]
        for rows in (table, table.head(0)):
            write_table(rows, file)
            getattr(plots, name)(read_table(file), tmp_path / f"{name}.svg")
            ET.parse(tmp_path / f"{name}.svg")


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda p, t: plots.ranking(t["ranking"].drop(columns="rank"), p), "features.tsv: no column rank; it has"),
        (lambda p, t: plots.importance_heatmap(t["ranking"].filter(regex=r"^[^\[]+$"), p), r"importance\[CLASS\]"),
        (lambda p, t: plots.per_class(pd.DataFrame({"class": []}), p), "no column precision, recall, f1, support"),
        (lambda p, t: plots.confusion(t["confusion"].iloc[:, ::-1], p), "expected 'true_class'"),
        (lambda p, t: plots.confusion(t["confusion"].iloc[::-1], p), "expected the same in the same order"),
        (lambda p, t: plots.confusion(t["confusion"], p.with_suffix(".jpg")), "suffix '.jpg'; expected one of .svg"),
        (lambda p, t: plots.embedding(np.zeros((3, 3)), "abc", p), r"shape \(3, 3\); expected \(samples, 2\)"),
        (lambda p, t: plots.embedding(np.zeros((3, 2)), "ab", p), "labels: 2 values for 3 samples"),
        (lambda p, t: plots.confusion_matrix([0, 3], [0, 1], ["a", "b"], p), r"y_true\[1\] is 3: expected 0 .. 1"),
        (lambda p, t: plots.confusion_matrix(["a"], ["c"], ["a", "b"], p), r"y_pred\[0\] is 'c'"),
        (lambda p, t: plots.confusion_matrix([0], [0, 1], ["a", "b"], p), "y_true has 1 labels and y_pred 2"),
        (lambda p, t: plots.confusion_matrix([], [], [], p), "classes: empty"),
        (lambda p, t: plots.per_class_metrics({"a": {}}, ["b"], p), "no entry for class 'b'; it has a"),
        (lambda p, t: plots.method_comparison([], p), "rows: empty"),
        (lambda p, t: plots.method_comparison([{"method": "x", "f1": 1}], p), r"rows\[0\]: no 'accuracy'; it has"),
        (lambda p, t: plots.top_genes(["a"], [1, 2], p), "1 genes and 2 scores"),
    ],
)  # fmt: skip
def test_refusals_say_what_was_found_and_expected(tables, files, draw, message, tmp_path):
    with pytest.raises(InputError, match=message):
        draw(tmp_path / "figure.svg", tables)
    assert files(tmp_path) == []


def test_figures_ask_for_columns_that_exist():
    known = {column.name for table in TABLES for column in table.columns}
    package = Path(plots.__file__).parent
    asked = set()
    for module in package.glob("*.py"):
        for call in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "require_columns":
                asked |= {n.value for n in ast.walk(call.args[1]) if isinstance(n, ast.Constant)}
    assert asked and asked <= known

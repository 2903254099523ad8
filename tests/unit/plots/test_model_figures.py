"""All figures of a model and of the chords are drawn from the tables of a run, each into its own file."""

import numpy as np
import pandas as pd
import pytest

from deepmapper.plots import chords, model_figures
from deepmapper.plots.chords import CHORD_TABLES, draw_chords
from deepmapper.plots.model_figures import MODEL_TABLES, draw_model

FIGURES = (
    *("ranking", "feature_maps", "pseudo_image", "importance_null", "importance_heatmap", "evidence", "audit"),
    *("accuracy_references", "learning_curves", "agreement", "convergence"),
    *("confusion", "per_class", "calibration", "embedding"),
)


@pytest.fixture
def drawn(monkeypatch):
    """Record what each figure is drawn of, in place of drawing it."""
    seen = {}
    for name in (*FIGURES, "chord_networks", "chord_scores"):
        module = chords if name.startswith("chord") else model_figures
        monkeypatch.setattr(module, name, lambda *args, _name=name, **named: seen.update({_name: (args, named)}))
    return seen


@pytest.mark.parametrize(("scheme", "evaluated"), [("fixed", "on the test split"), ("repeated", "out of bag")])
def test_every_figure_gets_its_table_its_file_and_a_title_with_the_model(drawn, scheme, evaluated):
    tables = {
        name: pd.DataFrame({"split": ["test"], "label": ["a"], "prediction": ["b"], "feature": ["g"]})
        for name in MODEL_TABLES
    }
    draw_model(
        "cnn",
        tables,
        {name: f"{name}.svg" for name in FIGURES},
        summary={"scheme": scheme, "classes": ["a", "b"]},
        convergence_summary={"level": 0.8},
        embedded={"map": np.zeros((1, 2)), "basis": np.array("UMAP")},
        pictures=[],
        picture_note="",
        values=np.zeros((1, 0)),
        rows=np.arange(1),
        top=20,
    )
    assert set(drawn) == set(FIGURES)
    for name, (args, named) in drawn.items():
        texts = [value for value in (*args, *named.values()) if isinstance(value, str)]
        assert f"{name}.svg" in texts
        assert any(text.startswith("cnn: ") for text in texts), name
    for name in ("confusion", "per_class", "calibration"):
        assert drawn[name][0][0] is tables[name]
        assert drawn[name][0][2].endswith(evaluated)
    assert drawn["learning_curves"][0][0] is tables["history"]
    assert drawn["accuracy_references"][0][0] is tables["passes"]
    assert drawn["importance_null"][0][0] is tables["null"]
    assert drawn["embedding"][1]["basis"] == "UMAP"


def test_chords_are_drawn_with_the_reason_why_there_are_none(drawn):
    tables = {name: pd.DataFrame() for name in CHORD_TABLES}
    draw_chords(tables, {"chord_networks": "n.svg", "chord_scores": "s.svg"}, aliases={}, why="No screen.")
    assert drawn["chord_networks"][1]["why"] == drawn["chord_scores"][1]["why"] == "No screen."
    assert drawn["chord_networks"][1]["triplets"] is tables["triplets"]
    assert (drawn["chord_networks"][0][2], drawn["chord_scores"][0][2]) == ("n.svg", "s.svg")

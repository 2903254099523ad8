"""The common style: same bytes for same values, atomic writes, names as they are."""

import base64
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deepmapper import plots
from deepmapper.plots import style

ROOT = Path(__file__).parents[3]


def test_figures_are_reproducible_and_leave_the_settings_of_matplotlib_alone(tmp_path):
    code = """
import sys
from deepmapper import plots
from deepmapper.plots import evaluation, style
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


def test_style_of_the_user_does_not_change_the_figures(drawings, tmp_path):
    import matplotlib

    drawings["top_genes"](tmp_path / "a")
    with matplotlib.rc_context({"font.size": 31, "axes.facecolor": "black", "svg.fonttype": "path"}):
        drawings["top_genes"](tmp_path / "b")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_figure_that_fails_leaves_the_old_file(examples, files, tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    def fail(self, file, **kwargs):
        Path(file).write_text("half a fig")
        raise OSError("disk full")

    path = tmp_path / "figure.svg"
    path.write_text("old")
    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        plots.per_class(examples.per_class_table(), path)
    assert files(tmp_path) == ["figure.svg"]
    assert path.read_text() == "old"


def test_names_are_taken_literally(examples, words, tmp_path):
    names = ["$x^2$", "a<b>&c", "_hidden", "tab\there", "Ångström", "NA", "-0", r"\alpha"]
    plots.ranking(examples.feature_table(8, names=names), tmp_path / "a.svg")
    assert {*names} - {"tab\there"} | {"tab here"} <= {*words(tmp_path / "a.svg")}
    cells = (np.random.default_rng(0).normal(size=(80, 2)), np.repeat(names, 10))
    plots.embedding(*cells, tmp_path / "b.svg")
    text = "\n".join(words(tmp_path / "b.svg"))
    assert all(name in text for name in names if name != "tab\there")


def test_long_names_are_shortened_in_the_middle_but_never_made_alike():
    long = "x" * 50 + "-middle-" + "y" * 50
    (short,) = style.display_names([long])
    assert len(short) == 64 and short.startswith("x" * 36) and short.endswith("y" * 27)
    twins = ["x" * 50 + middle + "y" * 50 for middle in ("-a-", "-b-")]
    assert style.display_names(twins) == twins


def test_bitmaps_of_few_colours_get_a_table_of_them_and_keep_every_pixel(tmp_path, monkeypatch):
    from PIL import Image

    def bitmaps():
        with style.saved_figure(tmp_path / "f.svg") as figure:
            ax = figure.add_axes((0, 0, 2, 2))
            ax.imshow(np.random.default_rng(0).random((60, 60)), cmap="magma_r", interpolation="nearest")
            # transparent, and of many colours
            ax.scatter(*np.random.default_rng(1).random((2, 300)) * 60, c=np.arange(300), alpha=0.5, rasterized=True)
        found = re.findall(r"data:image/png;base64,\s*([A-Za-z0-9+/=\s]+)", (tmp_path / "f.svg").read_text())
        return [Image.open(io.BytesIO(base64.b64decode(text))) for text in found]

    small = bitmaps()
    monkeypatch.setattr(style, "_with_colour_table", lambda found: found[0])
    large = bitmaps()
    assert [image.mode for image in small] == ["P", "RGBA"]
    assert [image.mode for image in large] == ["RGBA", "RGBA"]
    for one, other in zip(small, large, strict=True):
        assert one.convert("RGBA").tobytes() == other.convert("RGBA").tobytes()

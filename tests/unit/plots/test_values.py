"""The documented figures."""

from pathlib import Path

import numpy as np
import pytest

from deepmapper import plots


def test_documented_figures_are_a_png_of_200_dpi_and_a_pdf(drawings, tmp_path):
    from PIL import Image

    png, pdf = drawings["method_comparison"](tmp_path / "figure.png")
    image = Image.open(png)
    assert image.info["dpi"] == pytest.approx((200, 200), abs=0.1)
    frame = np.array(image.convert("L"))
    assert frame.min() < 100  # something is drawn, and nothing touches the edge: no text is cut
    assert min(frame[:4].min(), frame[-4:].min(), frame[:, :4].min(), frame[:, -4:].min()) == 255
    assert Path(pdf).read_bytes().startswith(b"%PDF")


def test_confusion_matrix_takes_indices_or_names(tmp_path):
    classes = ["b", "a", "c"]
    indices, names = [0, 1, 1, 2], ["b", "a", "a", "c"]
    plots.confusion_matrix(np.array(indices), [0, 1, 2, 2], classes, tmp_path / "i")
    plots.confusion_matrix(names, np.array(["b", "a", "c", "c"]), classes, tmp_path / "n")
    assert (tmp_path / "i.png").read_bytes() == (tmp_path / "n.png").read_bytes()
    plots.confusion_matrix(indices, indices, classes, tmp_path / "counts", normalize=False)
    assert (tmp_path / "counts.png").read_bytes() != (tmp_path / "i.png").read_bytes()

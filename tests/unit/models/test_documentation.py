"""The code in docs/models.md runs as it is printed, and the page names what is not built."""

import re
from pathlib import Path

import pytest

import deepmapper
from deepmapper import models

PAGE = Path(deepmapper.__file__).parents[2] / "docs" / "models.md"
DOCUMENTED = (
    *("CellariumGPT", "ContrastiveMLP", "Geneformer", "HVGSeuratV3", "IncrementalPCA", "LogisticRegression"),
    *("OnePassMeanVarStd", "ProbabilisticPCA", "SOCAM", "SingleCellVariationalInference", "TDigest"),
)


def test_the_examples_run_in_their_order(tmp_path, monkeypatch):
    pytest.importorskip("lightning")
    pytest.importorskip("crick")
    monkeypatch.chdir(tmp_path)
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL))
    space: dict = {}
    exec(compile(code, str(PAGE), "exec"), space)
    assert space["scores"]["x_ng"].shape == (300, 10)
    assert (space["logits"].argmax(1) == space["types"]).mean() < 1  # codes are in the order of the names
    names = space["classes"][space["logits"].argmax(1)]
    assert (names == space["adata"].obs["type"]).mean() > 0.9
    assert {path.name for path in tmp_path.iterdir()} == {"first.h5ad", "second.h5ad"}


def test_every_documented_model_is_there_or_named_as_missing():
    missing = PAGE.read_text().split("## Not there")[1]
    for name in DOCUMENTED:
        assert (name in models.__all__) != (f"`{name}`" in missing), name

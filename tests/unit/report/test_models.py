"""The results of each model are read from its files."""

import pandas as pd
import pytest

from deepmapper.core.tables import write_json, write_table
from deepmapper.report.models import SUMMARIES, TABLES, read_models


def test_models_are_read_from_their_files_in_one_order(tmp_path):
    files = {name: [] for name in (*TABLES, *SUMMARIES)}
    for model in ("cnn", "mlp"):
        (tmp_path / model).mkdir()
        for name, column in zip(TABLES, ("feature", "choice"), strict=True):
            files[name].append(tmp_path / model / f"{name}.tsv")
            write_table(pd.DataFrame({column: [f"NA of {model}"]}), files[name][-1])
        for name in SUMMARIES:
            files[name].append(str(tmp_path / model / f"{name}.json"))
            write_json({"model": model, "what": name}, files[name][-1])
    first, second = read_models(reading_chords=["mlp"], **files)
    assert (first.name, first.reads_chords, second.reads_chords) == ("cnn", False, True)
    assert second.panel == {"model": "mlp", "what": "panel"}
    assert second.features["feature"].tolist() == ["NA of mlp"]
    assert second.audit["choice"].tolist() == ["NA of mlp"]
    with pytest.raises(ValueError, match="shorter"):
        read_models(**files | {"panel": files["panel"][:1]})

"""The format of a folder: where looking for a matrix would take long, it is refused."""

import pytest

from deepmapper.errors import InputError
from deepmapper.io.recognise import recognise


def test_a_folder_with_very_many_files_is_refused_before_they_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr("deepmapper.io.recognise._MOST_FILES", 3)
    for i in range(4):
        (tmp_path / f"s{i}.txt").write_text("g1\t1\n")
    with pytest.raises(InputError, match="holds more than 3 files and folders, so it is hardly the folder of a matrix"):
        recognise(tmp_path)

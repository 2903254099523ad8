"""A configuration file that cannot be read is refused with the line and the reason, at once."""

import os
import re

import pytest

from deepmapper.workflow.config_file import fault_in


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"labels:\n\tcolumn: state", r"line 2: this is not YAML \(found character '\\t'"),
        (b"labels: [state", r"this is not YAML \(expected ',' or ']'"),
        (b"labels: *nowhere", r"line 1: this is not YAML \(found undefined alias"),
        (b"\xff\xfel\x00", "is not UTF-8 text"),
        (b"a: \x00", "this is not YAML"),
        (b"labels: {column: state}\n", "$"),
        (b"\xef\xbb\xbflabels: {column: state}\n", "$"),
        (b"", "$"),
    ],
)
def test_text_that_is_not_yaml(tmp_path, content, message):
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    assert re.search(message, fault_in(path))
    assert (fault_in(path) == "") == (message == "$")


def test_no_file_a_folder_and_a_pipe(tmp_path):
    assert fault_in(tmp_path / "none.yaml") == ""
    assert "is a folder" in fault_in(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "is neither a file nor a link to one" in fault_in(tmp_path / "pipe")

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
        (b"a: &x {b: 1}\nc: {<<: *x}\nd: [*x, *x]\n", "$"),
        (b"", r"config\.yaml is empty, expected keys such as `matrix` and `labels`\."),
        (b"# nothing yet\n", "is empty"),
        (b"\nhello\n", "line 2: expected a key"),
        (b"[1, 2]", "line 1: expected a key"),
        (b"labels: {column: a}\nlabels: {column: b}\n", "line 2: the key `labels` is given twice"),
        (b"labels:\n  column: a\n  column: b\n", "line 3: the key `column` is given twice"),
        (b"a: !!python/object/apply:os.getcwd []", "line 1: this is not YAML .could not determine a constructor"),
        (b"a: 2020-13-45", "a value cannot be read"),
        (b"a: &a [*a]", "line 1: what is here refers to itself"),
        (b"labels: " + b"[" * 5000 + b"]" * 5000, "nested too deep"),
        (
            b"a0: &a0 [x]\n"
            + b"".join(b"a%d: &a%d [%s]\n" % (i, i, b",".join([b"*a%d" % (i - 1)] * 9)) for i in range(1, 40)),
            "line 6: the aliases stand for more than",
        ),
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

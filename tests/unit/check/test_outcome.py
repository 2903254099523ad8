"""Faults and cautions are collected, each once, as messages."""

import errno
import warnings

from deepmapper.check.outcome import Outcome
from deepmapper.errors import DeepMapperWarning, InputError


def fail(error):
    raise error


def test_a_call_that_succeeds_returns_its_result_and_its_warnings_are_cautions():
    outcome = Outcome()

    def action(value):
        warnings.warn("take care", DeepMapperWarning, stacklevel=1)
        warnings.warn("of a library", FutureWarning, stacklevel=1)
        return value

    assert outcome.attempt(action, 3) == 3
    outcome.attempt(action, 3)
    assert outcome.cautions == ["take care"]
    assert outcome.faults == []


def test_errors_become_messages_each_once():
    outcome = Outcome()
    for error in (
        InputError("wrong"),
        InputError("wrong"),
        MemoryError(),
        PermissionError(errno.EACCES, "denied", "x"),
        KeyError("oops"),
    ):
        assert outcome.attempt(fail, error) is None
    wrong, memory, permission, unexpected = outcome.faults
    assert wrong == "wrong"
    assert memory.startswith("there was not enough memory")
    assert permission.startswith("x: permission denied.")
    assert unexpected.startswith("unexpected KeyError: 'oops' (")


def test_a_message_with_a_list_becomes_several():
    outcome = Outcome()
    outcome.attempt(fail, InputError("the samples cannot be used, 2 faults:\n  row 1: a\n  row 2: b"))
    outcome.attempt(fail, InputError("the configuration names:\n  - x is a folder\n  - y is a pipe\nGive files."))
    assert outcome.faults == ["row 1: a", "row 2: b", "x is a folder", "y is a pipe"]

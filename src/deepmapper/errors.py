"""Exceptions and warnings of the package.

Every message says where the problem is (file, row or key), what was found, what was expected and what to do.
"""


class InputError(ValueError):
    """Data or a setting cannot be used; the message says why and what to do."""


class CannotScreen(InputError):
    """The samples do not allow a screen for gene chords; a run continues without one and reports that."""


class DeepMapperWarning(UserWarning):
    """A setting has no effect, or a result needs a caveat; the run continues."""


class AttributionUnavailable(RuntimeError):
    """An attribution method is unknown, does not fit the network or needs torch; the message says what to do."""


class BackboneUnavailable(RuntimeError):
    """A network cannot be built as specified; the message says what is missing and how to get it."""


class BioToolUnavailable(RuntimeError):
    """A program that a step needs is not on PATH; the message says which and how to install it."""


class DiskFull(OSError):
    """Not enough disk space; the message says what was being written, how much is free and what to do."""


class ToolFailed(RuntimeError):
    """A program failed or exceeded its time limit; the message ends with its last lines of output.

    Attributes
    ----------
    status
        Exit status; negative for a signal, None after a timeout.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status

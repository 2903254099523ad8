"""Exceptions and warnings of the package.

Every message says where (file, row or key), what was found, what was expected and what to do.
"""


class InputError(ValueError):
    """Data or a setting cannot be used as it is; the message says why and names the way out."""


class CannotScreen(InputError):
    """The samples do not allow a screen for gene chords; a run goes on without one and says so."""


class DeepMapperWarning(UserWarning):
    """Something will not do what its name promises; shown once, loudly, and the run goes on."""


class BackboneUnavailable(RuntimeError):
    """A network cannot be had as asked; the message says what is missing and how to get it."""


class BioToolUnavailable(RuntimeError):
    """A program that a step needs is not on PATH; the message names it and how to get it."""


class DiskFull(OSError):
    """There is no room left to write; the message says what was being written, how much is free and what to do."""


class ToolFailed(RuntimeError):
    """A program failed, or took longer than allowed; the message holds its last lines.

    Attributes
    ----------
    status
        Its exit status, negative for a signal, None when its time was up.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status

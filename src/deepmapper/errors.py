"""The exceptions and warnings that a user of the package meets.

Every message says where (file, row or key), what was found, what was expected and what to do.
"""


class InputError(ValueError):
    """Data or a setting cannot be used as it is; the message says why and names the way out."""


class DeepMapperWarning(UserWarning):
    """Something will not do what its name promises; shown once, loudly, and the run goes on."""


class BackboneUnavailable(RuntimeError):
    """A network cannot be had as asked; the message says what is missing and how to get it."""

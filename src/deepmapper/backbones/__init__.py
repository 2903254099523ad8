"""Networks that read the pseudo-images, by name. Importing this package does not import torch.

May use: core.
"""

from ..core.lazy import load_name

_HOME = {
    "BackboneUnavailable": "deepmapper.errors",
    "KINDS": "registry",
    "Kind": "registry",
    "available": "registry",
    "build": "registry",
    "check": "registry",
    "register": "registry",
    "resolve_side": "registry",
}
__all__ = sorted(_HOME)


def __getattr__(name: str):
    return load_name(__name__, _HOME, name)


def __dir__():
    return __all__

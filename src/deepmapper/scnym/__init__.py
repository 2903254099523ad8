"""Labels carried from study to study by semi-supervised networks, with the documented interface of scNym.

May use: training, backbones, core.
"""

from importlib import import_module

_MODULES = ("api", "configs", "dataprep", "interpret", "losses", "model", "trainer")
__all__ = ["scnym_api", *_MODULES]


def __getattr__(name: str):
    if name == "scnym_api":
        return import_module(f"{__name__}.api").scnym_api
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted(__all__)

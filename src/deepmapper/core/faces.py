"""Lazy package faces: public names whose module is imported on first use. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any


def load_name(package: str, home: Mapping[str, str], name: str) -> Any:
    """Look a public name up in the module that defines it: the body of a package's ``__getattr__`` (PEP 562).

    Modules of this package import from where a name is defined, never from a face, so that what a result depends on can
    be read from the imports.

    Parameters
    ----------
    package
        The package's ``__name__``.
    home
        Public name -> module that defines it, below the package, or absolute ("deepmapper.core.blocks").
    name
        The name asked for.

    Raises
    ------
    AttributeError
        If the package has no such public name.
    """
    if name not in home:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    top = package.partition(".")[0]
    module = home[name] if home[name].startswith(f"{top}.") else f"{package}.{home[name]}"
    return getattr(import_module(module), name)

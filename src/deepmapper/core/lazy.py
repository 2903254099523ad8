"""Lazy loading: public names of a package are imported on first use. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any


def load_name(package: str, home: Mapping[str, str], name: str) -> Any:
    """Import a public name from the module that defines it: the body of a package's ``__getattr__`` (PEP 562).

    Modules of this package import a name from the module that defines it, so that the imports show which code a result
    depends on.

    Parameters
    ----------
    package
        The package's ``__name__``.
    home
        Maps each public name to the module that defines it, relative to the package or absolute
        ("deepmapper.core.blocks").
    name
        The name to import.

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

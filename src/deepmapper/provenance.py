"""What a result depends on in this package: a hash of the source behind a module. Standard library only.

Snakemake does not see imported files. Given this hash as a parameter, an edit re-runs the rules whose code it touches,
and no others; comments, docstrings and layout do not count.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent


def source_hash(*modules: str, package: Path = PACKAGE) -> str:
    """Hash the code of modules of this package and of all that they import from it, at any depth.

    Modules of the package import one another relatively (``from . import``, ``from .passes import``); that is what is
    followed.

    Parameters
    ----------
    modules
        Names within the package, for example "passes".
    package
        The package's folder.

    Raises
    ------
    ValueError
        If there is no such module.
    """
    waiting, seen = list(modules), set()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += _code_and_imports(package, name)[1]
    code = [f"{name}:{_code_and_imports(package, name)[0]}" for name in sorted(seen)]
    return hashlib.sha256("\n".join(code).encode()).hexdigest()[:16]


@cache
def _code_and_imports(package: Path, name: str) -> tuple[str, tuple[str, ...]]:
    """The module's syntax tree without docstrings, as text, and the modules of the package it imports anywhere."""
    path = package / f"{name}.py"
    if not path.is_file():
        raise ValueError(f"{path} does not exist: expected a module of the package")
    tree = ast.parse(path.read_text())
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            imported |= {node.module} if node.module else {alias.name for alias in node.names} - {"__version__"}
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            first = body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                del body[0]
    return ast.dump(tree), tuple(sorted(imported))

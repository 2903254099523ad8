"""One Python file as the provenance hash sees it: a digest of its code, and its imports. Standard library only.

The digest is that of the syntax tree without docstrings, so comments, docstrings and layout do not count.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# Functions that load code under a name that is known only when they run.
DYNAMIC = frozenset({"import_module", "__import__", "run_module", "run_path", "spec_from_file_location"})

# Functions with which a module looks up its public names on first use (PEP 562).
PUBLIC_NAME_HOOKS = frozenset({"__getattr__", "__dir__"})

_Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Import:
    """An import statement.

    Attributes
    ----------
    line
        Line number.
    level
        Number of leading dots; 0 for an absolute import.
    module
        Module named after `import`, or after `from`.
    names
        Names taken from the module; empty for ``import module``.
    """

    line: int
    level: int
    module: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class DynamicImport:
    """A call of one of `DYNAMIC`, with the name of the top-level function that holds it ("" outside functions)."""

    line: int
    call: str
    function: str


@dataclass(frozen=True)
class SourceFile:
    """What a Python file holds.

    Attributes
    ----------
    digest
        SHA-256 of its code.
    imports
        All import statements, those inside functions included, those under `if TYPE_CHECKING` excluded.
    dynamic
        All imports by a computed name.
    bound
        Names that its top-level statements define.
    does_more
        Line of the first top-level statement that does more than import, name a value or define `PUBLIC_NAME_HOOKS`;
        None if there is none.
    """

    digest: str
    imports: tuple[Import, ...]
    dynamic: tuple[DynamicImport, ...]
    bound: frozenset[str]
    does_more: int | None


@cache
def read_source(path: Path) -> SourceFile:
    """Parse a Python file, once per process.

    Raises
    ------
    SyntaxError
        If the file is not valid Python.
    """
    tree = ast.parse(path.read_bytes(), str(path))
    tree.body = [statement for node in tree.body for statement in _without_type_checking(node)]
    imports, dynamic = [], []
    _drop_docstring(tree)
    for statement in tree.body:
        for node in ast.walk(statement):
            if isinstance(node, _Documented):
                _drop_docstring(node)
            elif isinstance(node, ast.Import):
                imports += [Import(node.lineno, 0, alias.name, ()) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = tuple(alias.name for alias in node.names)
                imports.append(Import(node.lineno, node.level, node.module or "", names))
            elif isinstance(node, ast.Call) and _last_name(node.func) in DYNAMIC:
                dynamic.append(DynamicImport(node.lineno, _last_name(node.func), getattr(statement, "name", "")))
    digest = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    does_more = next((node.lineno for node in tree.body if not _only_names(node)), None)
    return SourceFile(digest, tuple(imports), tuple(dynamic), frozenset(_bound(tree)), does_more)


def _without_type_checking(node: ast.stmt) -> list[ast.stmt]:
    """The statement itself; of ``if TYPE_CHECKING`` only the ``else`` branch."""
    if isinstance(node, ast.If) and _last_name(node.test) == "TYPE_CHECKING":
        return node.orelse
    return [node]


def _drop_docstring(node: _Documented) -> None:
    if ast.get_docstring(node, clean=False) is not None:
        del node.body[0]


def _last_name(node: ast.expr) -> str:
    """``c`` of the expressions ``c`` and ``a.b.c``; "" for any other."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _bound(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, _Documented):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            yield from (target.id for target in _assigned(node) if isinstance(target, ast.Name))


def _only_names(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return all(isinstance(target, ast.Name) for target in _assigned(node))
    return isinstance(node, ast.Import | ast.ImportFrom) or getattr(node, "name", "") in PUBLIC_NAME_HOOKS


def _assigned(node: ast.Assign | ast.AnnAssign) -> list[ast.expr]:
    return node.targets if isinstance(node, ast.Assign) else [node.target]

"""What one file of Python holds: a digest of its code, and its imports. Standard library only.

The digest is that of the syntax tree without docstrings, so comments, docstrings and layout do not count.
"""

from __future__ import annotations

import ast
import gc
import hashlib
import json
import marshal
import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

# Functions that load code under a name that is known only when they run.
DYNAMIC = frozenset({"import_module", "__import__", "run_module", "run_path", "spec_from_file_location"})

# Functions that may call them: what these load is never a module of the package, or follows from a table (PEP 562).
MAY_LOAD = {
    "require": "imports the optional libraries of `io`",
    "__getattr__": "its names are looked up in the tables",
    "load_name": "looks up the names of such tables",
}

_TOP = __name__.partition(".")[0]

_MAX_KEPT = 1000  # files

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

Chain = tuple[str, ...]


@dataclass(frozen=True)
class Import:
    """One name that an import statement binds.

    Attributes
    ----------
    line
        Where it stands.
    level
        Dots of a relative import; 0 for an absolute one.
    module
        What stands after `import`, or after `from`.
    name
        What is taken from it; None where the module itself is bound.
    top
        Whether `import a.b` binds `a`, not the module it names.
    chains
        Attributes of what is bound that the file uses, as in ``bound.a.b``; an empty one where it is used as it is.
    """

    line: int
    level: int
    module: str
    name: str | None
    top: bool
    chains: tuple[Chain, ...]


@dataclass(frozen=True)
class SourceFile:
    """What a file of Python holds.

    Attributes
    ----------
    digest
        Of its code.
    imports
        All that may be from the package, wherever they stand, apart from those for type checkers alone.
    dynamic
        Line and function of every call that loads code by a name which cannot be read here.
    table
        Where the names of a module that loads them on first use (``__getattr__``, PEP 562) come from: module by name.
        None for a module without that.
    bound
        Names that a package's own statements bind, or those of a module with `table`.
    """

    digest: str
    imports: tuple[Import, ...]
    dynamic: tuple[tuple[int, str], ...]
    table: dict[str, str] | None
    bound: tuple[str, ...]


_read: dict[str, SourceFile] = {}  # by the digest of what they hold

_recalled: set[str] = set()


@cache
def read_source(path: Path) -> SourceFile:
    """Read a file of Python, once in a process.

    Raises
    ------
    SyntaxError
        If it is no Python.
    """
    held, is_package = path.read_bytes(), path.name == "__init__.py"
    key = hashlib.sha256(held).hexdigest() + ("/package" if is_package else "")
    if key not in _read:
        _read[key] = _parsed(held, path, is_package)
    return _read[key]


def recall(kept: str | Path) -> None:
    """Take up what an earlier process read and kept, as far as the files hold the same: parsing them is slow."""
    with suppress(OSError, ValueError):
        found = json.loads(Path(kept).read_text(encoding="utf-8"))
        if found["reader"] == _reader():
            _read.update({key: _restored(one) for key, one in found["files"].items()})
            _recalled.update(found["files"])


def keep(kept: str | Path) -> None:
    """Write down what was read, for `recall`; nothing where nothing is new, or where it cannot be written."""
    if _read.keys() <= _recalled:
        return
    kept = Path(kept)
    tmp = kept.with_name(f"{kept.name}.{os.getpid()}")
    # what many edits left behind goes
    files = _read if len(_read) < _MAX_KEPT else {key: one for key, one in _read.items() if key not in _recalled}
    with suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        tmp.write_text(json.dumps({"reader": _reader(), "files": {key: asdict(one) for key, one in files.items()}}))
        tmp.replace(kept)
    _recalled.update(files)


def _reader() -> str:
    """What reads the files: another version of it, or another Python, may see something else in them."""
    return hashlib.sha256(Path(__file__).read_bytes() + sys.version.encode()).hexdigest()


def _restored(one: dict) -> SourceFile:
    imports = [Import(**{**each, "chains": tuple(map(tuple, each["chains"]))}) for each in one["imports"]]
    dynamic = tuple((line, name) for line, name in one["dynamic"])
    return SourceFile(one["digest"], tuple(imports), dynamic, one["table"], tuple(one["bound"]))


def _parsed(text: bytes, path: Path, is_package: bool) -> SourceFile:
    collecting = gc.isenabled()
    gc.disable()  # looking for garbage among so many new objects would take as long as parsing
    try:
        tree = ast.parse(text, str(path))
        lazy = any(isinstance(node, _FUNCTIONS) and node.name == "__getattr__" for node in tree.body)
        table = {name: home for node in tree.body for name, home in _table(node).items()} if lazy else None
        bound = sorted(set(_bound(tree.body))) if lazy or is_package else []
        if lazy and is_package:
            tree.body = [node for node in tree.body if not _only_names(node)]
        reading = _Reading()
        reading.read(tree)
    finally:
        if collecting:
            gc.enable()
    digest = hashlib.sha256(marshal.dumps(reading.code, 0)).hexdigest()
    return SourceFile(digest, tuple(reading.imports()), tuple(reading.dynamic), table, tuple(bound))


@dataclass
class _Reading:
    """One way through a syntax tree, which takes from it the code and what the imports need."""

    code: list = field(default_factory=list)
    statements: list[ast.Import | ast.ImportFrom] = field(default_factory=list)
    chains: dict[str, set[Chain]] = field(default_factory=lambda: defaultdict(set))
    dynamic: list[tuple[int, str]] = field(default_factory=list)
    _allowed: set[int] = field(default_factory=set)

    def read(self, tree: ast.AST) -> None:
        """Write down the code as a list: of every node its type, then of every field whether and how much it holds."""
        code, waiting = self.code, [tree]
        while waiting:
            node = waiting.pop()
            if not isinstance(node, ast.AST):
                code.append(node)
                continue
            kind = node.__class__
            code.append(kind.__name__)
            if kind in _NOTED and self._note(node):
                code.append(chain := _chain(node))
                self.chains[chain[0]].add(chain[1:])
                continue
            held = node.__dict__
            for name in kind._fields:
                value = held.get(name)
                if value.__class__ is list:
                    code.append(len(value))
                    waiting += value
                else:
                    code.append(value is not None)
                    if value is not None:
                        waiting.append(value)

    def _note(self, node: ast.AST) -> bool:
        """Take what is needed from a node; whether it is a name, with attributes or without, and so read to its end."""
        if isinstance(node, ast.Attribute | ast.Name):
            return bool(_chain(node))
        if isinstance(node, ast.Import | ast.ImportFrom):
            self.statements.append(node)
        elif isinstance(node, ast.Call):
            name = (_chain(node.func) or ("",))[-1]
            if name in DYNAMIC and id(node) not in self._allowed and not _is_foreign(node):
                self.dynamic.append((node.lineno, name))
        elif isinstance(node, ast.If):
            if _for_type_checkers(node):
                node.body = []
        elif isinstance(node, _DOCUMENTED):
            if ast.get_docstring(node, clean=False) is not None:
                del node.body[0]
            if isinstance(node, _FUNCTIONS) and node.name in MAY_LOAD:
                self._allowed |= {id(below) for below in ast.walk(node)}
        return False

    def imports(self) -> Iterator[Import]:
        for node in self.statements:
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                chains = tuple(sorted(self.chains.get(bound, ())))
                if isinstance(node, ast.Import):
                    if alias.name.partition(".")[0] == _TOP:
                        yield Import(node.lineno, 0, alias.name, None, not alias.asname, chains)
                elif node.level or (node.module or "").partition(".")[0] == _TOP:
                    yield Import(node.lineno, node.level, node.module or "", alias.name, False, chains)


_NOTED = frozenset({ast.Attribute, ast.Name, ast.Import, ast.ImportFrom, ast.Call, ast.If, *_DOCUMENTED})


def _chain(node: ast.AST) -> Chain:
    """``a.b.c`` as ("a", "b", "c"); empty for attributes of anything but a name."""
    attributes = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    return (node.id, *reversed(attributes)) if isinstance(node, ast.Name) else ()


def _is_foreign(call: ast.Call) -> bool:
    """Whether a call names in plain text what it loads, and that is no module of this package."""
    name = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
    return isinstance(name, str) and name.partition(".")[0] not in ("", _TOP)


def _for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and _chain(node.test)[-1:] == ("TYPE_CHECKING",)


def _texts(node: ast.AST | None) -> list[str] | None:
    """The texts of a literal list, tuple or set of texts; None for anything else."""
    if not isinstance(node, ast.List | ast.Tuple | ast.Set):
        return None
    texts = [item.value for item in node.elts if isinstance(item, ast.Constant) and isinstance(item.value, str)]
    return texts if len(texts) == len(node.elts) else None


def _table(node: ast.AST) -> dict[str, str]:
    """Module by name, from a literal ``{"name": "module"}`` or ``{"module": ("name", ...)}``; else empty."""
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    if not isinstance(value, ast.Dict):
        return {}
    table: dict[str, str] = {}
    for key, item in zip(value.keys, value.values, strict=True):
        if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
            return {}
        if isinstance(item, ast.Constant) and isinstance(item.value, str):
            table[key.value] = item.value
        elif (names := _texts(item)) is not None:
            table |= dict.fromkeys(names, key.value)
        else:
            return {}
    return table


def _only_names(node: ast.stmt) -> bool:
    """Whether a statement of a package that loads its names on first use only says which there are."""
    if isinstance(node, _FUNCTIONS):
        return node.name in ("__getattr__", "__dir__")
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        named = {target.id for target in targets if isinstance(target, ast.Name)}
        return bool(named & {"__all__", "__version__"}) or bool(_table(node)) or _texts(node.value) is not None
    if isinstance(node, ast.ImportFrom):
        return node.level == 0 and node.module in ("__future__", "importlib", "typing")
    return _for_type_checkers(node)


def _bound(body: list[ast.stmt]) -> Iterator[str]:
    """Names that statements bind, those of blocks included."""
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                yield from (name.id for name in ast.walk(target) if isinstance(name, ast.Name))
        else:
            blocks = ("orelse",) if _for_type_checkers(node) else ("body", "orelse", "finalbody")
            for block in blocks:
                yield from _bound(getattr(node, block, []))
            for handler in getattr(node, "handlers", []):
                yield from _bound(handler.body)

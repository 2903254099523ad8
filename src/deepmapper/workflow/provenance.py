"""Hash of the source code behind a rule script. Standard library only.

Snakemake does not see imported files. With this hash as a parameter, an edit re-runs the rules whose code it touches,
and no others. Comments, docstrings and layout do not count.

Imports are read, not run, so every import must be one that can be read: ``from <defining module> import <name>``.
Anything else raises an error. Nothing is cached on disk: parsing the whole package takes about a second.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from .source_files import PUBLIC_NAME_HOOKS, Import, read_source

NAME = __name__.partition(".")[0]

PACKAGE = next(folder for folder in Path(__file__).parents if folder.name == NAME)

ROOT = PACKAGE.parents[1]

# Modules that cannot change a result. Their own code does not count; what they import does. The same holds for every
# `__init__.py`: it may only list public names (`SourceFile.does_more`), and no module takes them from there.
UNCOUNTED = {
    "core.lazy": "looks up the public names of a package",
    "workflow.rule_script": "runs a script and reports how it ended",
    "workflow.devices": "chooses the processor that a job computes on; resources are not part of a result",
}

# Functions that may import by a computed name, since it is never a module whose code a result depends on.
MAY_LOAD = {
    "core.lazy.load_name": "for callers outside the package",
    "io.open.require": "the optional libraries of some file formats",
}

# A folder of this name belongs to the modules beside it, so its files count with them.
TEMPLATES = "templates"


def source_of(script: str, *, unused: Mapping[str, Sequence[str]] | None = None, root: Path = ROOT) -> str:
    """Hash the code of a script and of all that it imports from the package, directly or indirectly.

    Parameters
    ----------
    script
        Name of a script below ``scripts/``, for example "train_pass", or its path from there.
    unused
        Imports that this use of the script never runs: importing module -> modules not followed from there. Names are
        those within the package ("passes.train").
    root
        Folder that holds ``scripts/`` and ``src/deepmapper/``.

    Returns
    -------
    str
        16 hexadecimal digits.

    Raises
    ------
    ValueError
        If there is no such script, or more than one; if an import cannot be followed; if `unused` names an import that
        does not exist.
    """
    modules = modules_of(script, unused=unused, root=root)
    return _hash([f"script:{read_source(_script(script, root)).digest}", *_digests(modules, root)])


def package_source(root: Path = ROOT) -> str:
    """Hash the code of every module of the package: 16 hexadecimal digits."""
    return _hash(_digests(_index(root / "src" / NAME), root))


def modules_of(script: str, *, unused: Mapping[str, Sequence[str]] | None = None, root: Path = ROOT) -> dict[str, Path]:
    """Modules whose code `source_of` hashes for a script.

    Parameters and errors are those of `source_of`.

    Returns
    -------
    dict
        Name within the package ("io.labels") -> file, sorted.
    """
    package = root / "src" / NAME
    index = _index(package)
    skipped = {(importer, module) for importer, modules in (unused or {}).items() for module in modules}
    not_met = set(skipped)
    waiting, seen = list(_imported(_script(script, root), None, package)), set()
    while waiting:
        importer = waiting.pop()
        if importer in seen:
            continue
        seen.add(importer)
        for module in _imported(index[importer], importer, package):
            if (importer, module) in skipped:
                not_met.discard((importer, module))
            else:
                waiting.append(module)
    if not_met:
        pairs = ", ".join(f"{importer} imports {module}" for importer, module in sorted(not_met))
        raise ValueError(f"unused of {script}: expected imports that exist, found: {pairs}")
    return {module: index[module] for module in sorted(seen - UNCOUNTED.keys()) if not _is_package(index[module])}


def _hash(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _digests(modules: Mapping[str, Path], root: Path) -> list[str]:
    """One line per module, and one per file of the templates beside them."""
    folders = {path.parent / TEMPLATES for path in modules.values()}
    templates = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [
        *(f"{module}:{read_source(modules[module]).digest}" for module in sorted(modules)),
        *(f"{file.relative_to(root)}:{hashlib.sha256(file.read_bytes()).hexdigest()}" for file in sorted(templates)),
    ]


@cache
def _scripts(root: Path) -> tuple[Path, ...]:
    return tuple(sorted((root / "scripts").rglob("*.py")))


def _script(script: str, root: Path) -> Path:
    """The one script with this name, or at this path below ``scripts/``."""
    folder = root / "scripts"
    matches = [path for path in _scripts(root) if script in (path.stem, path.relative_to(folder).as_posix())]
    if len(matches) != 1:
        paths = ", ".join(map(str, matches)) or "none"
        raise ValueError(f"{script!r} names {len(matches)} scripts below {folder} ({paths}): expected one")
    return matches[0]


@cache
def _index(package: Path) -> dict[str, Path]:
    """Name within the package -> file, for every module; the file of a package is its ``__init__.py``."""
    index = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package).with_suffix("").parts
        index[".".join(parts[:-1] if _is_package(path) else parts)] = path
    return index


def _is_package(path: Path) -> bool:
    return path.name == "__init__.py"


@cache
def _imported(path: Path, module: str | None, package: Path) -> tuple[str, ...]:
    """Modules of the package that a file imports, and the packages around them; `module` is None for a script."""
    source = read_source(path)
    if _is_package(path) and source.does_more is not None:
        package_name = _dotted(NAME, module or "")
        raise _Unreadable(path, source.does_more, package_name, "an __init__.py may only list public names")
    for dynamic in source.dynamic:
        in_hook = _is_package(path) and dynamic.function in PUBLIC_NAME_HOOKS
        if not in_hook and f"{module}.{dynamic.function}" not in MAY_LOAD:
            raise _Unreadable(path, dynamic.line, f"{dynamic.call}(...)", "expected an import statement")
    targets: set[str] = set()
    for statement in source.imports:
        for target in _targets(statement, path, module, package):
            parts = target.split(".")
            targets |= {".".join(parts[:n]) for n in range(len(parts) + 1)}
    return tuple(sorted(targets - {module}))


def _targets(statement: Import, path: Path, module: str | None, package: Path) -> Iterator[str]:
    """Modules of the package that an import statement loads."""
    base = _absolute(statement, path, module)
    if base is None:
        return
    index, full = _index(package), _dotted(NAME, base)
    if not statement.names:
        raise _Unreadable(path, statement.line, full, "write `from ... import ...`")
    if base not in index:
        raise _Unreadable(path, statement.line, full, f"there is no such module in {package}")
    if not _is_package(index[base]):
        yield base
        return
    for name in statement.names:
        below = _dotted(base, name)
        if below in index and not _is_package(index[below]):
            yield below
        elif below in index or name == "*":
            raise _Unreadable(path, statement.line, f"{full}.{name}", "it is a package: import from its modules")
        elif name in read_source(index[base]).bound:
            yield base
        else:
            raise _Unreadable(path, statement.line, f"{full}.{name}", "import it from the module that defines it")


def _absolute(statement: Import, path: Path, module: str | None) -> str | None:
    """Name within the package of the module that a statement imports from; None for other libraries."""
    if not statement.level:
        top, _, rest = statement.module.partition(".")
        return rest if top == NAME else None
    dotted = "." * statement.level + statement.module
    if module is None:
        raise _Unreadable(path, statement.line, dotted, "a script belongs to no package")
    here = module.split(".") if module else []
    if not _is_package(path):
        here = here[:-1]
    if statement.level > len(here) + 1:
        raise _Unreadable(path, statement.line, dotted, f"the dots lead out of {NAME}")
    return _dotted(*here[: len(here) + 1 - statement.level], statement.module)


def _dotted(*parts: str) -> str:
    return ".".join(filter(None, parts))


class _Unreadable(ValueError):
    """An import that cannot be followed by reading it."""

    def __init__(self, path: Path, line: int, imported: str, why: str) -> None:
        super().__init__(f"{path}, line {line}: the import of {imported} cannot be followed: {why}")

"""Hash of the source code behind a rule script. Standard library only.

Snakemake does not see imported files. Given this hash as a parameter, an edit re-runs the rules whose code it touches,
and no others; comments, docstrings and layout do not count.

Imports are read, not run. So every import must be one that can be read: what cannot be followed is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NoReturn

from .source_files import Chain, Import, read_source

NAME = __name__.partition(".")[0]

PACKAGE = next(folder for folder in Path(__file__).parents if folder.name == NAME)

ROOT = PACKAGE.parents[1]

# Modules that cannot change a result. Their own code does not count, what they import does.
UNCOUNTED = {
    "rule_script": "runs a script and reports how it ended",
    "devices": "chooses the processor that a job computes on; resources are no part of a result",
}


def source_of(script: str, *, unused: Mapping[str, Sequence[str]] | None = None, root: Path = ROOT) -> str:
    """Hash the code of a script and of all that it imports from the package, at any depth.

    Parameters
    ----------
    script
        Name of a script below ``scripts/``, for example "train_pass", or its path from there.
    unused
        Imports that this use of the script never runs: by importing module, the modules that are not followed from
        there. All names are of modules of the package; the last part is enough.
    root
        Folder that holds ``scripts/`` and ``src/deepmapper/``.

    Returns
    -------
    str
        16 hexadecimal digits.

    Raises
    ------
    ValueError
        If there is no such script, or more than one; if an import cannot be followed; if `unused` names what is not
        imported.
    """
    path = _script(script, root)
    modules = modules_of(script, unused=unused, root=root)
    code = [f"script:{read_source(path).digest}", *_lines(modules)]
    return hashlib.sha256("\n".join(code).encode()).hexdigest()[:16]


def modules_of(script: str, *, unused: Mapping[str, Sequence[str]] | None = None, root: Path = ROOT) -> dict[str, Path]:
    """Modules whose code `source_of` hashes for a script.

    Parameters and errors are those of `source_of`.

    Returns
    -------
    dict
        File of each module by its name within the package ("io.labels"; "" is the package itself), sorted.
    """
    package = root / "src" / NAME
    index = _index(package)
    cut = {(importer, module): False for importer, modules in (unused or {}).items() for module in modules}
    waiting, seen = list(_imports(_script(script, root), None, package)), set()
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        for target in _imports(index[module], module, package):
            pairs = [pair for pair in cut if _is(module, pair[0]) and _is(target, pair[1])]
            cut |= dict.fromkeys(pairs, True)
            if not pairs:
                waiting.append(target)
    if never := [f"{importer} imports {module}" for (importer, module), found in cut.items() if not found]:
        raise ValueError(f"unused of {script}: expected imports that exist, found: {', '.join(never)}")
    counted = [module for module in sorted(seen) if not any(_is(module, name) for name in UNCOUNTED)]
    return {module: index[module] for module in counted}


def package_source(root: Path = ROOT) -> str:
    """Hash the code of every module of the package: 16 hexadecimal digits."""
    modules = _index(root / "src" / NAME)
    return hashlib.sha256("\n".join(_lines(modules)).encode()).hexdigest()[:16]


def _lines(modules: Mapping[str, Path]) -> list[str]:
    return [f"{module}:{read_source(modules[module]).digest}" for module in sorted(modules)]


def _is(module: str, name: str) -> bool:
    """Whether a module goes by this name, whole or its last part."""
    return module == name or module.endswith(f".{name}")


@cache
def _scripts(root: Path) -> tuple[Path, ...]:
    return tuple(sorted((root / "scripts").rglob("*.py")))


def _script(script: str, root: Path) -> Path:
    """The one script of this name, or at this path below ``scripts/``."""
    found = [
        path
        for path in _scripts(root)
        if script in (path.stem, path.relative_to(root / "scripts").as_posix(), str(path))
    ]
    if len(found) != 1:
        there = ", ".join(map(str, found)) or "none"
        raise ValueError(f"{script!r} names {len(found)} scripts below {root / 'scripts'} ({there}): expected one")
    return found[0]


@cache
def _index(package: Path) -> dict[str, Path]:
    """File of every module of the package by its name within it; a package's is its ``__init__.py``."""
    found = {}
    for path in sorted(package.rglob("*.py"), reverse=True):  # `a/__init__.py` after `a.py`, as Python prefers it
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def _imports(path: Path, module: str | None, package: Path) -> tuple[str, ...]:
    """Modules of the package that a file imports, their parent packages included; `module` is None for a script."""
    targets: set[str] = set()
    follow = _Resolver(path, module, package)
    for target in follow.all():
        targets.add(target)
        targets |= {target[:i] for i, letter in enumerate(target) if letter == "."} | {""}  # packages around it
    return tuple(sorted(targets - {module}))


@dataclass(frozen=True)
class _Resolver:
    """What the imports of one file load."""

    path: Path
    module: str | None  # None: a script
    package: Path

    def all(self) -> Iterator[str]:
        """Yield the modules of the package that the file's imports load, some more than once."""
        source = read_source(self.path)
        for line, name in source.dynamic:
            self.refuse(line, f"{name}(...)", "expected an import statement, which can be read")
        for one in source.imports:
            target = self.absolute(one)
            if target is None:
                continue
            if target not in _index(self.package):
                self.refuse(one.line, _dotted(NAME, target), f"there is no such module in {self.package}")
            yield target
            if one.name is None:
                for chain in one.chains:
                    yield from self.steps(one.line, "" if one.top else target, chain)
            else:
                for chain in one.chains or [()]:
                    yield from self.steps(one.line, target, (one.name, *chain))

    def absolute(self, one: Import) -> str | None:
        """Name within the package of the module that is imported from; None for what belongs to others."""
        if not one.level:
            top, _, rest = one.module.partition(".")
            return rest if top == NAME else None
        dots = "." * one.level
        if self.module is None:
            return self.refuse(one.line, dots + one.module, "a script belongs to no package")
        here = self.module.split(".") if self.module else []
        if self.path.name != "__init__.py":
            here = here[:-1]
        if one.level > len(here) + 1:
            return self.refuse(one.line, dots + one.module, f"the dots lead out of {NAME}")
        return _dotted(*here[: len(here) + 1 - one.level], one.module)

    def steps(self, line: int, module: str, chain: Chain) -> Iterator[str]:
        """Yield a module, and those that attributes lead to from there: its own modules, and what its table names."""
        yield module
        path = _index(self.package)[module]
        source, shown, is_package = read_source(path), _dotted(NAME, module), path.name == "__init__.py"
        if source.table is None and (not is_package or not chain or chain[0] == "*"):
            return
        if not chain or chain[0] == "*":
            self.refuse(line, shown, "its names load on first use, so import them one by one, not all of it")
        name = chain[0]
        below = _dotted(module, name)
        given = (source.table or {}).get(name)
        home = None if given is None else self.home(line, module, given)
        if home is not None and home != below:
            if self.module is not None:
                self.refuse(line, f"{shown}.{name}", f"within the package import it from {NAME}.{home}")
            yield from self.steps(line, home, chain)
        if is_package and below in _index(self.package):
            yield from self.steps(line, below, chain[1:])
        elif home is None and name not in source.bound:
            self.refuse(line, f"{shown}.{name}", "it is neither a module nor bound there")

    def home(self, line: int, module: str, given: str) -> str:
        """Module that a table names, from where the table stands or from the package's top."""
        is_package = _index(self.package)[module].name == "__init__.py"
        parent = module if is_package else module.rpartition(".")[0]
        for home in (_dotted(parent, given.lstrip(".")), given.removeprefix(f"{NAME}.")):
            if home in _index(self.package):
                return home
        return self.refuse(line, _dotted(NAME, module), f"its table names {given!r}, and there is no such module")

    def refuse(self, line: int, what: str, why: str) -> NoReturn:
        raise ValueError(f"{self.path}, line {line}: the import of {what} cannot be followed: {why}")


def _dotted(*parts: str) -> str:
    return ".".join(filter(None, parts))

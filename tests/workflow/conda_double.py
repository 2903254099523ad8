"""A test double of conda: it answers what Snakemake asks, and makes environments of links, without any channel.

``python conda_double.py FOLDER install`` makes a base environment with a command `conda` and an `activate`. What
``conda env create`` makes is a folder that holds

- the programs that the yaml names, as wrappers of those of this machine (each with this machine's PATH, since a package
  brings its own needs),
- the Python packages that it names and all that these need, as links to what is installed here,
- a shell and the system's minimum; and PATH leads nowhere else.

So a rule whose script imports, or runs, what its yaml does not name fails. Versions are not looked at.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import yaml
from packaging.requirements import Requirement

VERSION = "conda 25.1.1"  # Snakemake wants 24.7.1 or newer
MINIMUM = (
    "awk basename bash cat chmod cp cut date dirname env expr find getconf grep gzip head ln ls mkdir mktemp mv nproc "
    "readlink rm sed seq sh sleep sort stat tail tee touch tr true uname uniq wc which xargs zcat"
)
# conda's names of what PyPI calls otherwise
OF_PYPI = {"pytorch": "torch", "matplotlib-base": "matplotlib"}
# programs in the packages that the yamls name
PROGRAMS = {
    "hisat2": ["hisat2", "hisat2-build", "hisat2-inspect"],
    "samtools": ["samtools"],
    "fastp": ["fastp"],
    "trinity": ["Trinity"],
    "spades": ["rnaspades.py"],
    "minimap2": ["minimap2"],
    "stringtie": ["stringtie"],
    "gffread": ["gffread"],
    "salmon": ["salmon"],
    "multiqc": ["multiqc"],
}


def install(folder: Path) -> None:
    """Make a base environment with this double of conda and with Snakemake, and nothing else."""
    make_environment(folder, ["snakemake"])
    binaries = folder / "bin"
    _script(binaries / "conda", f'PATH="{os.environ["PATH"]}" exec "{sys.executable}" "{__file__}" "{folder}" "$@"')
    _script(
        binaries / "activate",
        f'printf "%s\\n" "$1" >> "{folder}/activated"; export CONDA_PREFIX="$1" PATH="$1/bin"; unset PYTHONHOME',
    )


def make_environment(prefix: Path, packages: Iterable[str]) -> None:
    """Make an environment of packages by conda's names; those that are neither a program nor installed are refused."""
    binaries, modules = prefix / "bin", prefix / f"lib/python3.{sys.version_info[1]}/site-packages"
    binaries.mkdir(parents=True)
    modules.mkdir(parents=True)
    python = Path(sys._base_executable)  # of which a virtual environment is made
    (prefix / "pyvenv.cfg").write_text(f"home = {python.parent}\ninclude-system-site-packages = false\n")
    for name in ("python", "python3"):
        (binaries / name).symlink_to(python)
    for name in MINIMUM.split():
        if found := shutil.which(name):
            (binaries / name).symlink_to(found)
    for package in packages:
        for name in PROGRAMS.get(package, []):
            found = shutil.which(name)
            if found is None:
                raise SystemExit(f"{package}: {name} is not on this machine")
            _script(binaries / name, f'PATH="{os.environ["PATH"]}" exec "{found}" "$@"')
        if package not in PROGRAMS and package != "python":
            for distribution in with_needs(OF_PYPI.get(package, package)):
                _link(distribution, modules)


def with_needs(name: str) -> list[metadata.Distribution]:
    """List an installed package and all that it needs, as its metadata says."""
    waiting, found = [(name, frozenset())], {}
    while waiting:
        name, extras = waiting.pop()
        key = (re.sub(r"[-_.]+", "-", name).lower(), extras)
        if key in found:
            continue
        try:
            found[key] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            if len(found):
                continue  # of another platform, or optional
            raise SystemExit(f"PackagesNotFoundError: {name} is not installed on this machine") from None
        for text in found[key].requires or []:
            need = Requirement(text)
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in (extras or {""})):
                waiting.append((need.name, frozenset(need.extras)))
    return list({id(one): one for one in found.values()}.values())


def _link(distribution: metadata.Distribution, modules: Path) -> None:
    """Link what a package has in site-packages; folders that several packages share are merged."""
    own = distribution.files or []
    for top in {file.parts[0] for file in own if file.parts[0] != ".." and "__pycache__" not in file.parts}:
        source, target = Path(str(distribution.locate_file(top))), modules / top
        if target.is_symlink() or not source.exists():
            continue
        target.symlink_to(source)


def _script(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def main(base: Path, arguments: list[str]) -> None:
    """Answer one call."""
    match arguments:
        case ["install"]:
            install(base)
        case ["--version"]:
            print(VERSION)
        case ["info", "--json"]:
            print(json.dumps({"conda_prefix": str(base), "platform": "linux-64"}))
        case ["config", "--get", "channel_priority", "--json"]:
            print(json.dumps({"get": {"channel_priority": "strict"}}))
        case ["env", "create", *options]:
            file, prefix = (options[options.index(name) + 1] for name in ("--file", "--prefix"))
            wanted = yaml.safe_load(Path(file).read_text())["dependencies"]
            make_environment(Path(prefix), [str(one).split()[0] for one in wanted])
        case ["list", "--explicit", *_]:
            print("@EXPLICIT")  # links come from no channel
        case ["clean", *_]:
            pass
        case _:
            raise SystemExit(f"this double of conda does not know: {' '.join(arguments)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])

"""What a release needs beside the build: one version everywhere, its section of the changelog, addresses.

    python scripts/release.py check v0.1.0         # the tag is the version in every file that has one
    python scripts/release.py notes v0.1.0         # prints the section of CHANGELOG.md
    python scripts/release.py addresses URL        # adds the addresses of this repository to pyproject.toml

Standard library only; exits with a message where something does not fit.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def versions(root: Path) -> dict[str, str]:
    """The version as each file gives it."""
    package, citation = (root / name for name in ("src/deepmapper/__init__.py", "CITATION.cff"))
    return {
        "pyproject.toml": tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"],
        "src/deepmapper/__init__.py": _first(r'^__version__ = "(.+)"$', package),
        "CITATION.cff": _first(r"^version: (.+)$", citation),
    }


def notes(root: Path, version: str) -> str:
    """The section of CHANGELOG.md on a version; it must have a date and say something."""
    text = (root / "CHANGELOG.md").read_text()
    heading = rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d\n"
    found = re.search(rf"{heading}(.*?)(?=^## \[|\Z)", text, re.MULTILINE | re.DOTALL)
    if not found or not found[1].strip():
        raise SystemExit(f"CHANGELOG.md: no section `## [{version}] - YYYY-MM-DD` that says anything. Write it first.")
    return found[1].strip() + "\n"


def check(root: Path, tag: str) -> None:
    """Refuse a tag that is not the version of every file, or that the changelog lacks or does not cover."""
    for name, version in versions(root).items():
        if f"v{version}" != tag:
            raise SystemExit(f"{name}: version is {version}, expected {tag.removeprefix('v')} as the tag {tag} says.")
    notes(root, tag.removeprefix("v"))
    waiting = re.search(r"^## \[Unreleased\]\n(.*?)(?=^## \[|\Z)", (root / "CHANGELOG.md").read_text(), re.M | re.S)
    if waiting and waiting[1].strip():
        raise SystemExit(f"CHANGELOG.md: what is under [Unreleased] is part of {tag}: move it to the section of {tag}.")


def add_addresses(root: Path, address: str) -> None:
    """Add where the repository is to `[project.urls]`: a checkout does not know it."""
    path = root / "pyproject.toml"
    lines = {
        "Source": address,
        "Documentation": f"{address}/blob/main/docs/index.md",
        "Changelog": f"{address}/blob/main/CHANGELOG.md",
        "Issues": f"{address}/issues",
    }
    added = "".join(f'{name} = "{value}"\n' for name, value in lines.items())
    text = path.read_text()
    if text.count("[project.urls]\n") != 1:
        raise SystemExit("pyproject.toml: expected the table [project.urls] once.")
    path.write_text(text.replace("[project.urls]\n", f"[project.urls]\n{added}"))


def _first(pattern: str, path: Path) -> str:
    found = re.search(pattern, path.read_text(), re.MULTILINE)
    if not found:
        raise SystemExit(f"{path.name}: no version, expected a line that matches {pattern}.")
    return found[1].strip().strip('"')


def main() -> int:
    """Run what the command line asks for."""
    match sys.argv[1:]:
        case ["check", tag]:
            check(ROOT, tag)
        case ["notes", tag]:
            print(notes(ROOT, tag.removeprefix("v")), end="")
        case ["addresses", address]:
            add_addresses(ROOT, address)
        case _:
            raise SystemExit(__doc__)
    return 0


if __name__ == "__main__":
    sys.exit(main())

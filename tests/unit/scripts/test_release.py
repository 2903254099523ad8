"""A release: one version in every file, a section of the changelog, addresses that are added once."""

import importlib.util
import shutil
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FILES = ("pyproject.toml", "src/deepmapper/__init__.py", "CITATION.cff", "CHANGELOG.md")


@pytest.fixture(scope="module")
def release():
    spec = importlib.util.spec_from_file_location("release", ROOT / "scripts/release.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def copy(tmp_path):
    """A copy of the files that a release looks at, with a section for the version."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\n## [9.9.9] - 2030-01-02\n\n### Added\n\n- All.\n\n## [0.1.0] - x\n"
    )
    return tmp_path


def set_version(root, version):
    for name in FILES[:3]:
        path = root / name
        path.write_text(path.read_text().replace("0.1.0", version))


def test_this_repository_has_one_version(release):
    assert len(set(release.versions(ROOT).values())) == 1


def test_a_tag_that_fits_is_accepted_and_its_notes_are_the_section(release, copy):
    set_version(copy, "9.9.9")
    release.check(copy, "v9.9.9")
    assert release.notes(copy, "9.9.9") == "### Added\n\n- All.\n"


def test_another_tag_is_refused_with_the_file(release, copy):
    with pytest.raises(SystemExit, match=r"pyproject.toml: version is 0.1.0, expected 9.9.9"):
        release.check(copy, "v9.9.9")


def test_a_version_without_a_dated_section_is_refused(release, copy):
    with pytest.raises(SystemExit, match=r"CHANGELOG.md: no section `## \[0.1.0\]"):
        release.check(copy, "v0.1.0")


def test_changes_that_no_section_covers_are_refused(release, copy):
    set_version(copy, "9.9.9")
    log = copy / "CHANGELOG.md"
    log.write_text(log.read_text().replace("# Changelog\n", "# Changelog\n\n## [Unreleased]\n"))
    release.check(copy, "v9.9.9")
    log.write_text(log.read_text().replace("[Unreleased]\n", "[Unreleased]\n\n### Fixed\n\n- More.\n"))
    with pytest.raises(SystemExit, match=r"under \[Unreleased\] is part of v9.9.9"):
        release.check(copy, "v9.9.9")


def test_addresses_are_added_to_those_that_are_there(release, copy):
    before = tomllib.loads((copy / "pyproject.toml").read_text())["project"]["urls"]
    release.add_addresses(copy, "https://example.org/lab/deepmapper")
    urls = tomllib.loads((copy / "pyproject.toml").read_text())["project"]["urls"]
    assert before.items() < urls.items()
    assert urls["Changelog"] == "https://example.org/lab/deepmapper/blob/main/CHANGELOG.md"

"""A commit is laid out whole, once, wherever the workflow is taken from."""

import subprocess

import pytest

from deepmapper.workflow.repository import PARTS, check_out


@pytest.fixture
def git(tmp_path):
    """Make a repository with one commit, tagged v1."""
    folder = tmp_path / "git"
    for part in (*PARTS, "tests"):
        (folder / part).mkdir(parents=True)
        (folder / part / "file").write_text(part)
    for command in (
        ["init", "--quiet"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "all"],
        ["tag", "v1"],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


def test_a_commit_is_laid_out_whole_and_once(git, tmp_path):
    root = check_out(git, "v1", tmp_path / "out")
    commit = subprocess.check_output(["git", "-C", git, "rev-parse", "v1"], text=True).strip()
    assert root == tmp_path / "out" / commit
    assert {path.name: (path / "file").read_text() for path in root.iterdir()} == {part: part for part in PARTS}
    (root / "src/file").write_text("kept")
    assert check_out(git, commit, tmp_path / "out") == root
    assert (root / "src/file").read_text() == "kept"
    assert list((tmp_path / "out").iterdir()) == [root]


def test_an_unknown_commit_is_refused(git, tmp_path):
    with pytest.raises(subprocess.CalledProcessError):
        check_out(git, "v2", tmp_path / "out")

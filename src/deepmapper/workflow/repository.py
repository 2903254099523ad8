"""Checks out the workflow's repository. Standard library only: it runs before the package can be imported."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

PARTS = ("src", "workflow", "envs", "scripts")


def check_out(git: str | Path, commit: str, folder: str | Path) -> Path:
    """Check out a commit of a git repository into a folder, unless that was done before.

    When another workflow uses this one from github(...), gitlab(...) or git+file, Snakemake reads the rule files one by
    one from git, so the Python package would be missing. The folder must be visible to jobs on every machine.

    Parameters
    ----------
    git
        Path of the repository, bare or not.
    commit
        Hash of the commit, or a tag or branch.
    folder
        Parent of the folders of all commits.

    Returns
    -------
    Path
        Absolute path of the folder with `PARTS` of the repository.

    Raises
    ------
    subprocess.CalledProcessError
        If there is no such commit.
    """

    def git_output(*arguments: str) -> bytes:
        return subprocess.check_output(["git", "-C", str(git), *arguments])

    commit = git_output("rev-parse", "--verify", f"{commit}^{{commit}}").decode().strip()
    checkout = Path(folder, commit).absolute()
    if not checkout.exists():
        checkout.parent.mkdir(parents=True, exist_ok=True)
        packed = git_output("archive", "--format=tar", commit, *PARTS)
        with tempfile.TemporaryDirectory(dir=checkout.parent) as work:
            complete = Path(work, "complete")
            complete.mkdir()
            subprocess.run(["tar", "-x", "-C", complete], input=packed, check=True)
            with suppress(OSError):  # another job has created it meanwhile
                complete.rename(checkout)
    return checkout

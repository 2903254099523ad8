"""Where the workflow's repository lies. Standard library only: it runs before the package can be imported."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

PARTS = ("src", "workflow", "envs", "scripts")


def lay_out(git: str | Path, commit: str, folder: str | Path) -> Path:
    """Lay a commit of a git repository out in a folder, unless it is there.

    Snakemake reads a workflow that another one takes from github(...), gitlab(...) or git+file: file by file out of
    git, so the package would not be there. The folder must be one that the jobs of every machine find.

    Parameters
    ----------
    git
        A repository, bare or not.
    commit
        Its name, or a tag or a branch.
    folder
        Below it each commit has a folder.

    Returns
    -------
    Path
        Folder with `PARTS` of the repository, absolute.

    Raises
    ------
    subprocess.CalledProcessError
        If there is no such commit.
    """

    def ask(*arguments: str) -> bytes:
        return subprocess.check_output(["git", "-C", str(git), *arguments])

    commit = ask("rev-parse", "--verify", f"{commit}^{{commit}}").decode().strip()
    laid_out = Path(folder, commit).absolute()
    if not laid_out.exists():
        laid_out.parent.mkdir(parents=True, exist_ok=True)
        packed = ask("archive", "--format=tar", commit, *PARTS)
        with tempfile.TemporaryDirectory(dir=laid_out.parent) as work:
            whole = Path(work, "whole")
            whole.mkdir()
            subprocess.run(["tar", "-x", "-C", whole], input=packed, check=True)
            with suppress(OSError):  # another job was faster
                whole.rename(laid_out)
    return laid_out

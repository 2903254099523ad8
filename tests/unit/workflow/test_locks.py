"""Locks of killed runs, and folders in which nothing can be written."""

import os

import pytest

from deepmapper.workflow import locks
from deepmapper.workflow.locks import clear_stale_locks, stand_in


def test_locks_of_a_run_that_ended_are_removed(tmp_path):
    (tmp_path / ".snakemake/locks").mkdir(parents=True)
    (tmp_path / ".snakemake/locks/0.input.lock").touch()
    assert clear_stale_locks(tmp_path / ".snakemake")
    assert not (tmp_path / ".snakemake/locks").exists()


@pytest.fixture
def read_only(monkeypatch):
    """Nothing can be written, also for root."""
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    monkeypatch.setattr(
        "pathlib.Path.mkdir", lambda *_, **__: (_ for _ in ()).throw(OSError(30, "Read-only file system"))
    )


def test_a_folder_that_cannot_be_written_to_has_no_locks_to_remove(tmp_path, read_only):
    assert not clear_stale_locks(tmp_path / ".snakemake")


def test_snakemake_plans_in_a_copy_where_it_cannot_write(tmp_path, read_only):
    folder = tmp_path / ".snakemake"
    os.mkdir(folder)  # noqa: PTH102 (the method of Path is replaced)
    os.mkdir(folder / "metadata")  # noqa: PTH102
    (folder / "metadata/record").write_text("kept")
    temporary = stand_in(folder)
    assert (temporary / "metadata/record").read_text() == "kept"
    for name in locks.NEEDED:
        os.makedirs(folder / name, exist_ok=True)  # noqa: PTH103
    assert stand_in(folder) is None


def test_snakemake_plans_in_its_own_folder_where_it_can_write(tmp_path):
    assert stand_in(tmp_path / ".snakemake") is None

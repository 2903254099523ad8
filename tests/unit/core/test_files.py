"""Atomic writes of files and folders, and the message about a full disk."""

import errno
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from deepmapper.core import files
from deepmapper.core.files import atomic_folder, atomic_write, free_space, is_disk_full
from deepmapper.errors import DiskFull, InputError, ToolFailed

NO_SPACE = OSError(errno.ENOSPC, "No space left on device")
HDF5 = RuntimeError("Can't close dataset (file write failed: errno = 28, error message = 'No space left on device')")
INDEXER = ToolFailed("hisat2-build failed.\n  Its last lines:\n    Please check if the disk is full.")
PROGRAM = ToolFailed("samtools failed (exit status 1).\n  Its last lines:\n    write failed: No space left on device")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("x"), InputError("x")])
def test_a_failure_keeps_the_old_file_and_its_own_error(tmp_path, error):
    (tmp_path / "a").write_text("old")
    with pytest.raises(type(error)) as raised, atomic_write(tmp_path / "a") as path:
        path.write_text("half")
        raise error
    assert raised.value is error
    assert (tmp_path / "a").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("error", [NO_SPACE, HDF5, PROGRAM, INDEXER, OSError(errno.EDQUOT, "Disk quota exceeded")])
@pytest.mark.parametrize("kind", [atomic_write, atomic_folder])
def test_a_full_disk_gives_one_message(tmp_path, error, kind):
    with pytest.raises(DiskFull) as raised, kind(tmp_path / "features") as path:
        (path / "part" if kind is atomic_folder else path).write_bytes(b"x" * 12_000)
        raise error
    message = str(raised.value)
    assert f"no space left while writing {tmp_path}/features (12 kB written)" in message
    assert f"Free on {files.mount_of(tmp_path)}: " in message
    assert "run the same command again" in message
    assert raised.value.__cause__ is error
    assert list(tmp_path.iterdir()) == []


def test_deleted_and_linked_files_do_not_count_as_written(tmp_path):
    (tmp_path / "genome.fa").write_bytes(b"x" * 12_000)
    with (
        pytest.raises(DiskFull, match="no partial output is left"),
        atomic_folder(tmp_path / "i") as tmp,
    ):
        (tmp / "genome.fa").symlink_to(tmp_path / "genome.fa")
        raise INDEXER


@pytest.mark.parametrize("kind", [atomic_write, atomic_folder])
def test_leftovers_of_a_killed_writer_are_removed_by_the_next_one(tmp_path, kind):
    code = f"import os, signal; from deepmapper.core.files import {kind.__name__} as write\n"
    code += "with write('7.npz') as path: "
    code += "path.mkdir(exist_ok=True); " if kind is atomic_folder else "path.write_text('half'); "
    code += "os.kill(os.getpid(), signal.SIGKILL)"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False)
    assert len(list(tmp_path.iterdir())) == 1
    (tmp_path / f".7.{os.uname().nodename}-1.part.npz").touch()  # its process is alive
    (tmp_path / ".7.elsewhere-999999999.part.npz").touch()  # of another machine, which cannot be checked here
    with kind(tmp_path / "7.npz") as path:
        if kind is atomic_write:
            path.touch()
    left = {path.name for path in tmp_path.iterdir()} - {"7.npz"}
    assert left == {f".7.{os.uname().nodename}-1.part.npz", ".7.elsewhere-999999999.part.npz"}


def test_a_full_disk_when_a_folder_is_created(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise NO_SPACE

    monkeypatch.setattr(files.tempfile, "mkdtemp", refuse)
    with pytest.raises(DiskFull, match="writing .*features"), atomic_folder(tmp_path / "features"):
        pass


def test_a_file_in_an_atomic_folder_is_named_once(tmp_path):
    with (
        pytest.raises(DiskFull, match="while writing .*/outer/inner ") as raised,
        atomic_folder(tmp_path / "outer") as outer,
        atomic_write(outer / "inner"),
    ):
        raise NO_SPACE
    assert str(raised.value).count("disk is full") == 1


def test_a_device_without_space(tmp_path):
    with pytest.raises(DiskFull), atomic_write(tmp_path / "a"), Path("/dev/full").open("w") as full:
        full.write("x")


def test_an_error_of_unknown_cause_counts_if_no_space_is_left(tmp_path, monkeypatch):
    unclear = ToolFailed("hisat2-build failed (exit status 1).")  # programs do not always say why
    assert not is_disk_full(unclear, [tmp_path])
    monkeypatch.setattr(files, "free_space", lambda _: (0, 1))
    assert is_disk_full(unclear, [tmp_path])
    assert not is_disk_full(InputError("no such column"), [tmp_path])
    assert not is_disk_full(KeyboardInterrupt(), [tmp_path])


def test_the_cause_of_an_error_is_examined():
    try:
        try:
            raise NO_SPACE
        except OSError as error:
            raise ValueError("cannot write") from error
    except ValueError as error:
        assert is_disk_full(error, [])


def test_free_space_of_a_missing_path_is_that_of_its_folder(tmp_path):
    assert free_space(tmp_path / "a/b/c")[1] == free_space(tmp_path)[1]


def names_in(folder):
    return [path.name for path in folder.iterdir()]


def test_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "sub" / "table.tsv"
    with atomic_write(path) as tmp:
        tmp.write_text("whole")
        assert tmp.suffix == ".tsv"
        assert not path.exists()
    assert path.read_text() == "whole"
    with pytest.raises(RuntimeError), atomic_write(path) as tmp:
        tmp.write_text("half")
        raise RuntimeError
    assert path.read_text() == "whole"
    assert names_in(path.parent) == ["table.tsv"]


def test_folder_appears_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "out"
    with atomic_folder(folder) as tmp:
        (tmp / "a").touch()
        assert not folder.exists()
    with pytest.raises(RuntimeError), atomic_folder(folder) as tmp:
        (tmp / "b").touch()
        raise RuntimeError
    assert names_in(tmp_path) == ["out"]
    assert names_in(folder) == ["a"]
    with atomic_folder(folder) as tmp:
        (tmp / "c").touch()
    assert names_in(folder) == ["c"]


def test_kill_leaves_nothing_under_the_final_name(tmp_path):
    code = f"""
    import os
    from deepmapper.core.files import atomic_folder, atomic_write
    with atomic_folder("{tmp_path}/folder") as folder, atomic_write("{tmp_path}/file") as file:
        (folder / "half").touch()
        file.write_text("half")
        os.kill(os.getpid(), 9)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert done.returncode == -9
    assert all(name.startswith(".") for name in names_in(tmp_path))

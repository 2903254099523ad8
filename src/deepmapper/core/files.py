"""Atomic writing of files and folders, and clear messages for a full disk. Standard library only."""

from __future__ import annotations

import errno
import glob
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import DiskFull, InputError

MIN_FREE_BYTES = 64 * 1024  # bytes; who fails with less room than this failed for want of it

# the last is what hisat2-build says, which then deletes its files
_FULL_DISK_MESSAGES = (
    *("no space left on device", "disk quota exceeded", "errno = 28", "errno = 122"),
    "please check if the disk is full",
)


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; what is written there replaces it at the end, or vanishes on an error.

    Raises
    ------
    DiskFull
        In place of whatever a writer raises for want of room.
    """
    path = Path(path)
    # the ending stays last, since writers choose a format by it
    tmp = path.with_name(f".{path.stem}.{_writer()}.part{path.suffix}")
    try:
        with _report_full_disk(path, tmp):
            path.parent.mkdir(parents=True, exist_ok=True)
            _sweep(path.parent, f".{path.stem}.", f".part{path.suffix}")
            yield tmp
            tmp.replace(path)
    finally:
        tmp.unlink(missing_ok=True)


@contextmanager
def atomic_folder(folder: str | Path) -> Iterator[Path]:
    """Give a temporary folder beside `folder`; it replaces `folder` at the end, or vanishes on an error.

    Raises
    ------
    DiskFull
        In place of whatever a writer raises for want of room.
    """
    folder = Path(folder)
    with _report_full_disk(folder, folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder.parent, f".{folder.name}.", ".part")
        tmp = Path(tempfile.mkdtemp(prefix=f".{folder.name}.{_writer()}.", suffix=".part", dir=folder.parent))
    try:
        with _report_full_disk(folder, tmp):
            yield tmp
            tmp.chmod(0o755)
            if folder.exists():
                shutil.rmtree(folder)
            tmp.rename(folder)
    finally:
        shutil.rmtree(tmp, ignore_errors=True)


def digest(text: str, paths: Iterable[Path]) -> str:
    """Hash a text and files, their names and their content: 32 hexadecimal digits."""
    whole = hashlib.sha256(text.encode())
    for path in paths:
        with path.open("rb") as file:
            whole.update(f"\0{path.name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}".encode())
    return whole.hexdigest()[:32]


def _writer() -> str:
    """Name this process, as far as other machines on a shared file system see it."""
    return f"{os.uname().nodename}-{os.getpid()}"


def _sweep(folder: Path, begins: str, ends: str) -> None:
    """Remove what processes of this machine left that were killed while they wrote the same file or folder."""
    for left in folder.glob(f"{glob.escape(begins + os.uname().nodename)}-*{glob.escape(ends)}"):
        number = left.name.removeprefix(f"{begins}{os.uname().nodename}-").removesuffix(ends).partition(".")[0]
        if number.isdigit() and not Path(f"/proc/{number}").exists():
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


def is_disk_full(error: BaseException, places: Iterable[str | Path]) -> bool:
    """Whether an error comes from a full disk: it says so, or it is of unknown cause and one of `places` is full.

    Writers say it in many ways: HDF5 raises RuntimeError, numpy an OSError without a number, programs print it.
    """
    if isinstance(error, DiskFull):
        return True
    known: BaseException | None = error
    while known is not None:
        if isinstance(known, OSError) and known.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if any(said in str(known).lower() for said in _FULL_DISK_MESSAGES):
            return True
        known = known.__cause__ or known.__context__
    return (
        isinstance(error, Exception)
        and not isinstance(error, InputError)
        and any(free_space(place)[0] < MIN_FREE_BYTES for place in places)
    )


def free_space(place: str | Path) -> tuple[int, int]:
    """Bytes that are free for us on the file system of a path (or of its nearest folder that exists), and its size."""
    place = Path(place).absolute()
    while not place.exists():
        place = place.parent
    disk = os.statvfs(place)
    return disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize


def disk_full_message(doing: str, places: Iterable[str | Path]) -> str:
    """Say that a disk is full: while doing what, how much is free where, and what to do."""
    disks = {mount_of(place): free_space(place) for place in places}
    fullest, (free, size) = min(disks.items(), key=lambda disk: disk[1][0])
    return (
        f"the disk is full: no room left while {doing}. Free on {fullest}: {_amount(free)} of {_amount(size)} (a quota "
        f"may allow less). Make room there, or move the folder to a larger disk, and give the same command again: what "
        f"is finished is kept. `bash scripts/clean.sh --dry-run` lists intermediate files that can go."
    )


def mount_of(place: str | Path) -> Path:
    """Where the file system of a path is mounted."""
    place = Path(place).absolute()
    while not place.exists() or not place.is_mount():
        place = place.parent
    return place


@contextmanager
def _report_full_disk(path: Path, tmp: Path) -> Iterator[None]:
    """Turn a failure for want of room into one clear message, as long as what was written still takes that room."""
    try:
        yield
    except Exception as error:
        places = [path.parent, Path(tempfile.gettempdir())]
        if isinstance(error, DiskFull) and str(tmp) in str(error):
            raise DiskFull(str(error).replace(str(tmp), str(path))) from error
        if isinstance(error, DiskFull) or not is_disk_full(error, places):
            raise
        size = _bytes_of(tmp)
        written = f"{_amount(size)} were written" if size else "nothing of it is left"
        raise DiskFull(disk_full_message(f"writing {path} ({written})", places)) from error


def _bytes_of(path: Path) -> int:
    total = 0
    for file in [path, *path.rglob("*")]:
        with suppress(OSError):
            total += file.stat().st_size if file.is_file() and not file.is_symlink() else 0
    return total


def _amount(size: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit in ("bytes", "kB") else f"{size:.1f} {unit}"

"""Atomic writes of files and folders, and a clear message when the disk is full. Standard library only."""

from __future__ import annotations

import errno
import glob
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import DiskFull, InputError

# A writer that fails while less than this is free is taken to have failed because the disk is full; chosen by hand.
MIN_FREE_BYTES = 64 * 1024

# The last one is printed by hisat2-build, which then deletes its files.
_FULL_DISK_MESSAGES = (
    *("no space left on device", "disk quota exceeded", "errno = 28", "errno = 122"),
    "please check if the disk is full",
)

# Errors of the operating system that a person can mend, and how.
_PERMISSION = "Check the owner and the permissions of the file and its folder (ls -ld), or choose another folder."
_REMEDIES = {
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
    errno.EROFS: "Run the workflow in a folder that can be written to, or set `results` to one.",
    errno.EMFILE: "Allow more open files in this shell (ulimit -n 4096), then run the same command again.",
    errno.ENFILE: "The whole machine has too many open files: end other programs, then run the same command again.",
    errno.ENAMETOOLONG: "Use shorter names, or a folder with a shorter path.",
    errno.ESTALE: "The file was changed on the server while it was read: run the same command again.",
    errno.EIO: "The disk or its server failed: check it, then run the same command again.",
}


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path next to `path`; it replaces `path` at the end, and is deleted on an error.

    Raises
    ------
    DiskFull
        If the disk is full, whatever the writer itself raises.
    """
    path = Path(path)
    # the suffix stays at the end, since writers choose a format by it
    tmp = path.with_name(f".{path.stem}.{_process_name()}.part{path.suffix}")
    try:
        with _report_full_disk(path, tmp):
            path.parent.mkdir(parents=True, exist_ok=True)
            _remove_leftovers(path.parent, f".{path.stem}.", f".part{path.suffix}")
            yield tmp
            tmp.replace(path)
    finally:
        tmp.unlink(missing_ok=True)


@contextmanager
def atomic_folder(folder: str | Path) -> Iterator[Path]:
    """Yield a temporary folder next to `folder`; it replaces `folder` at the end, and is deleted on an error.

    Raises
    ------
    DiskFull
        If the disk is full, whatever the writer itself raises.
    """
    folder = Path(folder)
    with _report_full_disk(folder, folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(folder.parent, f".{folder.name}.", ".part")
        tmp = Path(tempfile.mkdtemp(prefix=f".{folder.name}.{_process_name()}.", suffix=".part", dir=folder.parent))
    try:
        with _report_full_disk(folder, tmp):
            yield tmp
            tmp.chmod(0o755)
            if folder.exists():
                shutil.rmtree(folder)
            tmp.rename(folder)
    finally:
        shutil.rmtree(tmp, ignore_errors=True)


@contextmanager
def scratch_folder(parent: str | Path, name: str) -> Iterator[Path]:
    """Yield a hidden folder in `parent` for intermediate files; it is always removed.

    `name` becomes part of its name, by which what a killed process left behind is found and removed.

    Raises
    ------
    DiskFull
        If the disk is full, whatever the writer itself raises.
    """
    parent = Path(parent)
    parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(parent, f".{name}.", ".scratch")
    tmp = Path(tempfile.mkdtemp(prefix=f".{name}.{_process_name()}.", suffix=".scratch", dir=parent))
    try:
        with _report_full_disk(parent / name, tmp):
            yield tmp
    finally:
        shutil.rmtree(tmp, ignore_errors=True)


def digest(text: str, paths: Iterable[Path]) -> str:
    """Hash a text and the names and contents of files: 32 hexadecimal digits."""
    hasher = hashlib.sha256(text.encode())
    for path in paths:
        with path.open("rb") as file:
            hasher.update(f"\0{path.name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}".encode())
    return hasher.hexdigest()[:32]


def is_disk_full(error: BaseException, places: Iterable[str | Path]) -> bool:
    """Whether an error is due to a full disk: it is reported so, or its cause is unknown and one of `places` is full.

    Writers report a full disk in different ways: HDF5 raises RuntimeError, numpy an OSError without an errno, and
    programs print a message.
    """
    if isinstance(error, DiskFull):
        return True
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if any(message in str(cause).lower() for message in _FULL_DISK_MESSAGES):
            return True
        cause = cause.__cause__ or cause.__context__
    return (
        isinstance(error, Exception)
        and not isinstance(error, InputError)
        and any(free_space(place)[0] < MIN_FREE_BYTES for place in places)
    )


def free_space(place: str | Path) -> tuple[int, int]:
    """Bytes available to this user on the file system of a path, which need not exist yet, and its total size."""
    place = Path(place).absolute()
    while not place.exists():
        place = place.parent
    disk = os.statvfs(place)
    return disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize


def disk_full_message(doing: str, places: Iterable[str | Path]) -> str:
    """Describe a full disk: what was being written, how much space is free and where, and what to do."""
    disks = {mount_of(place): free_space(place) for place in places}
    fullest, (free, size) = min(disks.items(), key=lambda disk: disk[1][0])
    return (
        f"the disk is full: no space left while {doing}. Free on {fullest}: {format_size(free)} of "
        f"{format_size(size)} (a quota may allow less). Free some space there, or move the folder to a larger disk, "
        f"then run the same command again; finished results are kept. `bash scripts/clean.sh --dry-run` lists "
        f"intermediate files that can be deleted."
    )


def format_size(size: float) -> str:
    """Format a number of bytes, such as "1.5 GB"."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit in ("bytes", "kB") else f"{size:.1f} {unit}"


def special_kind(path: str | Path) -> str:
    """What a path is that is neither a file nor a folder, such as "a named pipe"; empty for anything else.

    Reading such a path can wait forever or never end.
    """
    try:
        mode = Path(path).stat().st_mode
    except OSError:
        return ""
    kinds = ((stat.S_ISFIFO, "a named pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISCHR, "a device"))
    return next((kind for check, kind in (*kinds, (stat.S_ISBLK, "a device")) if check(mode)), "")


def os_error_message(error: BaseException) -> str:
    """Describe an error of the operating system that a person can mend: what was refused, and what to do.

    Returns
    -------
    str
        Empty for any other error.
    """
    cause: BaseException | None = error
    while cause is not None and not (isinstance(cause, OSError) and cause.errno in _REMEDIES):
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        return ""
    assert isinstance(cause, OSError)
    place = f"{os.fsdecode(cause.filename)}: " if isinstance(cause.filename, str | bytes) else ""
    what = os.strerror(cause.errno or 0).lower()
    return f"{place}{what}. {_REMEDIES[cause.errno or 0]}"


def unwritable(folder: str | Path) -> str:
    """Say why nothing can be written to a folder that may not exist yet; empty if files can be written there."""
    place = Path(folder).absolute()
    while not place.exists():
        if place.is_symlink():
            return f"{place} is a link to {place.readlink()}, which does not exist"
        place = place.parent
    if not place.is_dir():
        return f"{place} is not a folder"
    if not os.access(place, os.W_OK | os.X_OK):
        is_read_only = os.statvfs(place).f_flag & os.ST_RDONLY
        return f"{place} is {'on a read-only file system' if is_read_only else 'not writable for this user'}"
    return ""


def mount_of(place: str | Path) -> Path:
    """Mount point of the file system of a path."""
    place = Path(place).absolute()
    while not place.exists() or not place.is_mount():
        place = place.parent
    return place


def _process_name() -> str:
    """Name of this process that is unique among the machines of a shared file system."""
    return f"{os.uname().nodename}-{os.getpid()}"


def _remove_leftovers(folder: Path, prefix: str, suffix: str) -> None:
    """Remove what killed processes of this machine left behind while writing the same file or folder."""
    prefix = f"{prefix}{os.uname().nodename}-"
    for leftover in folder.glob(f"{glob.escape(prefix)}*{glob.escape(suffix)}"):
        pid = leftover.name.removeprefix(prefix).removesuffix(suffix).partition(".")[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)


@contextmanager
def _report_full_disk(path: Path, tmp: Path) -> Iterator[None]:
    """Turn a failure due to a full disk into one clear message, while the partial output is still there to measure."""
    try:
        yield
    except Exception as error:
        places = [path.parent, Path(tempfile.gettempdir())]
        if isinstance(error, DiskFull) and str(tmp) in str(error):
            raise DiskFull(str(error).replace(str(tmp), str(path))) from error
        if isinstance(error, DiskFull) or not is_disk_full(error, places):
            raise
        size = _size_of(tmp)
        written = f"{format_size(size)} written" if size else "no partial output is left"
        raise DiskFull(disk_full_message(f"writing {path} ({written})", places)) from error


def _size_of(path: Path) -> int:
    total = 0
    for file in [path, *path.rglob("*")]:
        with suppress(OSError):
            total += file.stat().st_size if file.is_file() and not file.is_symlink() else 0
    return total

"""First and last lines of text files, compressed or not, to recognise what wrote them."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from ..core import compressed
from ..core.compressed import DAMAGE, open_unpacked
from ..core.files import special_kind
from ..errors import InputError

# How much is looked at, at either end; and how much of a compressed file is read to find its end.
_END, _MOST = 1 << 16, 1 << 28


def first_bytes(path: Path, n: int = 512) -> bytes:
    """Read the first bytes of a file as they are stored; refuse a pipe or device."""
    if kind := special_kind(path):
        raise InputError(f"{path} is {kind}, expected a file. Write what it gives to a file first.")
    with path.open("rb") as handle:
        return handle.read(n)


def is_compressed(path: Path) -> bool:
    """Whether a file starts like gzip, bzip2 or xz."""
    return compressed.is_compressed(first_bytes(path, 6))


def open_plain(path: Path) -> IO[bytes]:
    """Open a file for reading, unpacked if it is compressed; refuse a pipe or device."""
    first_bytes(path, 1)
    return open_unpacked(path)


def check_end(path: Path) -> None:
    """Refuse a text file that ends in zero bytes, as when its space was reserved and the copy was interrupted.

    Raises
    ------
    InputError
        If it does.
    """
    if is_compressed(path):
        return
    with path.open("rb") as handle:
        handle.seek(-min(path.stat().st_size, 1024), 2)
        if b"\0" in handle.read():
            raise InputError(f"{path} ends in zero bytes: it is damaged or incomplete. Copy it again.")


def text_ends(path: Path) -> tuple[list[str], list[str]]:
    """Read the first and the last lines of a text file, at most 64 kB each; none of a file that is not text.

    Raises
    ------
    InputError
        If a compressed file is damaged.
    """
    try:
        with open_plain(path) as handle:
            head = handle.read(_END)
            tail = head
            if len(head) == _END:
                if not is_compressed(path):
                    handle.seek(max(_END, path.stat().st_size - _END))
                    tail = handle.read()
                else:
                    n_read, block = len(head), head
                    while block and n_read < _MOST:
                        tail = (tail + block)[-_END:]
                        block = handle.read(1 << 20)
                        n_read += len(block)
    except DAMAGE as error:
        raise InputError(f"{path}: the file is damaged or incomplete ({error}). Copy it again.") from error
    if b"\0" in head:
        return [], []
    first, last = (end.decode("utf-8-sig", errors="replace").splitlines() for end in (head, tail))
    if len(head) == _END:
        first, last = first[:-1] or first, last[1:]  # lines that are cut
    return [line for line in first if line.strip()], [line for line in last if line.strip()]


def separator_of(line: str) -> str:
    """Return the separator of a line: tab, comma, semicolon, or a blank if there is none of these."""
    return next((separator for separator in "\t,;" if separator in line), " ")


def fields_of(line: str, separator: str) -> list[str]:
    """Split a line, without quotes and blanks around its fields."""
    return [field.strip().strip('"') for field in line.split(separator)]

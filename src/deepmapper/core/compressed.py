"""Files compressed with gzip, bzip2 or xz, recognised by their first bytes. Standard library only.

A few kilobytes can be made to unpack to any size, so that reading them never ends or fills the memory. Reading stops
where more comes out than tables and sequences can hold in so few bytes.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast

from ..errors import InputError
from .files import format_size

# Compressed files are known by their first bytes, whatever their name.
COMPRESSED: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}

# What reading damaged content raises.
DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile)

# Tables of which nearly all values are zero shrink to a hundredth. Both are chosen by hand.
_MOST_BYTES, _MOST_TIMES = 16 * 2**20, 400


def is_compressed(start: bytes) -> bool:
    """Whether the first bytes of a file are those of gzip, bzip2 or xz."""
    return start.startswith(tuple(COMPRESSED))


def compression(start: bytes) -> str:
    """Name of the program whose format the first bytes of a file are of: "gzip", "bzip2", "xz", or "" for none."""
    names = zip(COMPRESSED, ("gzip", "bzip2", "xz"), strict=True)
    return next((name for magic, name in names if start.startswith(magic)), "")


def open_unpacked(path: str | Path) -> IO[bytes]:
    """Open a file for reading, unpacked if it is compressed.

    Reading raises `InputError` where a compressed file unpacks to far more than it can hold.
    """
    path = Path(path)
    with path.open("rb") as file:
        start = file.read(6)
    opener = next((opener for magic, opener in COMPRESSED.items() if start.startswith(magic)), None)
    if opener is None:
        return path.open("rb")
    return cast(IO[bytes], io.BufferedReader(_Unpacked(path, opener), 1 << 17))


def check_unpacked_size(path: str | Path, packed: int, unpacked: int) -> None:
    """Refuse content that is far larger than its compressed form can be.

    Parameters
    ----------
    path
        The file, for the message.
    packed, unpacked
        Bytes before and after unpacking.

    Raises
    ------
    InputError
        If there are more than 16 MiB, and more than 400 times as many as before.
    """
    if unpacked > max(_MOST_BYTES, packed * _MOST_TIMES):
        raise InputError(
            f"{path}: {format_size(packed)} of it unpack to more than {format_size(unpacked)}, over {_MOST_TIMES} "
            "times as much, as in files that are made to fill the memory or the disk. If it is right, unpack it and "
            "give the path of what comes out."
        )


class _Unpacked(io.RawIOBase):
    """Content of a compressed file, as far as it has a plausible size."""

    def __init__(self, path: Path, opener: Callable[..., Any]) -> None:
        self._path, self._n_read = path, 0
        self._packed = path.open("rb")
        self._content = opener(self._packed, "rb")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        """Fill a buffer with the next bytes; those before a damaged place are read."""
        piece = self._content.read1(len(buffer))
        self._n_read += len(piece)
        check_unpacked_size(self._path, self._packed.tell(), self._n_read)
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            self._content.close()
            self._packed.close()
        super().close()

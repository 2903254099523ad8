"""One format for what a run keeps between its jobs: named numbers and texts, and named arrays, in an .npz.

The member ``about`` holds the numbers and texts as JSON; every other member is an array. There are no pickles and no
compression, so that `numpy.load` opens a record and `MappedRecord` maps its arrays into memory.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..errors import InputError
from .files import atomic_write

ABOUT = "about"

# the first byte of the values of an array, its shape, its order and its type
_Place = tuple[int, tuple[int, ...], Literal["C", "F"], np.dtype]


class DamagedRecord(InputError):
    """A file that is not the whole record that was expected.

    Attributes
    ----------
    reason
        What was found.
    """

    def __init__(self, path: str | Path, what: str, reason: object) -> None:
        super().__init__(f"{path} is not a whole {what} ({reason}): delete it and run its target again")
        self.reason = str(reason)


def write_record(path: str | Path, about: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write a record; the file appears whole or not at all.

    Parameters
    ----------
    path
        The file, ending in .npz.
    about
        Numbers, texts, and lists and dictionaries of them.
    arrays
        By name; none is called "about".

    Raises
    ------
    DiskFull
        If there is no space left.
    """
    # `about` is last, as `MappedRecord` expects
    members: dict[str, Any] = {**arrays, ABOUT: np.array(json.dumps(about))}
    with atomic_write(path) as tmp:
        np.savez(tmp, **members)


def read_record(
    path: str | Path, what: str, wanted: Callable[[str], bool] = lambda name: True
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read a record into memory; the checksum of every array that is read is verified.

    Parameters
    ----------
    path
        What `write_record` wrote.
    what
        What the record is, for messages: "pass".
    wanted
        Whether the array of this name is read.

    Returns
    -------
    tuple
        The numbers and texts, and the arrays by name.

    Raises
    ------
    DamagedRecord
        If the file is not a whole record.
    FileNotFoundError
        If there is none.
    """
    with refuse_damage(path, what), np.load(path, allow_pickle=False) as file:
        return json.loads(str(file[ABOUT])), {name: file[name] for name in file.files if name != ABOUT and wanted(name)}


def verify_record(path: str | Path, what: str) -> dict[str, Any]:
    """Verify the checksum of every part of a record, one part at a time, and return its numbers and texts.

    Raises
    ------
    DamagedRecord
        If the file is not a whole record.
    FileNotFoundError
        If there is none.
    """
    with refuse_damage(path, what), zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f"the checksum of {damaged} is wrong")
    return read_record(path, what, lambda name: False)[0]


@contextmanager
def refuse_damage(path: str | Path, what: str) -> Iterator[None]:
    """Turn whatever a reader of a damaged file raises into a `DamagedRecord`.

    Parameters
    ----------
    path
        The file that is read.
    what
        What it should be.
    """
    try:
        yield
    except (FileNotFoundError, DamagedRecord):
        raise
    # numpy and zipfile raise any of these for a file that was cut off or overwritten
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DamagedRecord(path, what, error) from error


class MappedRecord:
    """A record whose arrays stay in the file: part of an array costs what the part costs, and nothing is held.

    Parameters
    ----------
    path
        What `write_record` wrote.
    what
        What the record is, for messages.

    Attributes
    ----------
    about
        The numbers and texts.

    Raises
    ------
    DamagedRecord
        If the file is not a whole record; the checksums of its arrays are not verified.
    FileNotFoundError
        If there is none.
    """

    def __init__(self, path: str | Path, what: str) -> None:
        self.path = path
        with refuse_damage(path, what), zipfile.ZipFile(path) as archive:
            with archive.open(f"{ABOUT}.npy") as file:
                self.about: dict[str, Any] = json.loads(str(np.lib.format.read_array(file, allow_pickle=False)))
            members = sorted(archive.infolist(), key=lambda member: member.header_offset)
            # the record ends with `about`, so a member follows every array, and an array ends where the next begins
            self._arrays: dict[str, _Place] = {
                member.filename.removesuffix(".npy"): _locate(archive, member, following.header_offset)
                for member, following in zip(members, members[1:], strict=False)
            }

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the arrays."""
        return tuple(self._arrays)

    def __contains__(self, name: str) -> bool:
        """Whether there is an array of this name."""
        return name in self._arrays

    def array(self, name: str) -> np.ndarray:
        """Map an array, read-only; it is mapped anew by every call."""
        start, shape, order, dtype = self._arrays[name]
        if 0 in shape:
            return np.empty(shape, dtype)
        return np.memmap(self.path, dtype, "r", start, shape, order)


def _locate(archive: zipfile.ZipFile, member: zipfile.ZipInfo, end: int) -> _Place:
    """Find the values of an array that ends at byte `end`."""
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 0x08:  # sizes behind the values
        raise ValueError(f"{member.filename} is not stored as it was written")
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ValueError(f"{member.filename} has the version {version} of the .npy format, expected (1, 0)")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        size = member.file_size - file.tell()
    expected = int(np.prod(shape)) * dtype.itemsize
    if size != expected:
        raise ValueError(f"{member.filename} holds {size} bytes of values, its shape says {expected}")
    return end - size, shape, "F" if fortran else "C", dtype

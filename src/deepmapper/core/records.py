"""Records, the file format of the data that a run keeps between jobs: metadata and named arrays in an .npz.

The member ``about`` holds the metadata as JSON; every other member is an array. There are neither pickles nor
compression, so `numpy.load` can open a record and `MappedRecord` can memory-map its arrays.
"""

from __future__ import annotations

import json
import math
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..errors import InputError
from .files import atomic_write

_METADATA = "about"

# One byte of a compressed member holds at most 1032 bytes; the bound leaves some room.
_DEFLATE_RATIO = 1100

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}

# Offset of an array's first value in the file, and its shape, memory order and type.
_Location = tuple[int, tuple[int, ...], Literal["C", "F"], np.dtype]


class DamagedRecord(InputError):
    """A file is not a complete record of the expected kind.

    Attributes
    ----------
    reason
        What is wrong with it.
    """

    def __init__(self, path: str | Path, what: str, reason: object) -> None:
        super().__init__(f"{path} is not a complete {what} ({reason}): delete it and run its target again")
        self.reason = str(reason)


def write_record(path: str | Path, metadata: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write a record atomically.

    Parameters
    ----------
    path
        The file, ending in .npz.
    metadata
        Numbers and texts, and lists and dictionaries of them.
    arrays
        Arrays by name; none may be called "about".

    Raises
    ------
    DiskFull
        If the disk is full.
    """
    # the metadata come last, as `MappedRecord` expects
    members: dict[str, Any] = {**arrays, _METADATA: np.array(json.dumps(metadata))}
    with atomic_write(path) as tmp:
        np.savez(tmp, **members)


def read_record(
    path: str | Path, what: str, select: Callable[[str], bool] = lambda name: True
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read a record into memory, verifying the checksum of every array that is read.

    Parameters
    ----------
    path
        A file written by `write_record`.
    what
        Kind of record for messages, such as "pass".
    select
        Function of an array's name: whether to read it.

    Returns
    -------
    tuple
        The metadata, and the arrays by name.

    Raises
    ------
    DamagedRecord
        If the file is not a complete record.
    FileNotFoundError
        If there is no such file.
    """
    with refuse_damage(path, what):
        _check_sizes(path, lambda name: name == _METADATA or select(name))
    with refuse_damage(path, what), np.load(path, allow_pickle=False) as file:
        names = [name for name in file.files if name != _METADATA and select(name)]
        return json.loads(str(file[_METADATA])), {name: file[name] for name in names}


def verify_record(path: str | Path, what: str) -> dict[str, Any]:
    """Verify the checksum of every member of a record, one at a time, and return the metadata.

    Raises
    ------
    DamagedRecord
        If the file is not a complete record.
    FileNotFoundError
        If there is no such file.
    """
    with refuse_damage(path, what), zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f"{damaged} has a wrong checksum")
    return read_record(path, what, lambda name: False)[0]


@contextmanager
def refuse_damage(path: str | Path, what: str) -> Iterator[None]:
    """Turn any error that a damaged file causes in a reader into `DamagedRecord`.

    Parameters
    ----------
    path
        The file that is read.
    what
        Kind of record for messages, such as "pass".
    """
    try:
        yield
    except (FileNotFoundError, DamagedRecord):
        raise
    # numpy and zipfile raise any of these for a truncated or overwritten file
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DamagedRecord(path, what, error) from error


class MappedRecord:
    """A record whose arrays are memory-mapped, so that reading part of an array reads only that part of the file.

    Parameters
    ----------
    path
        A file written by `write_record`.
    what
        Kind of record for messages, such as "pass".

    Attributes
    ----------
    metadata
        Numbers and texts.

    Raises
    ------
    DamagedRecord
        If the file is not a complete record; the checksums of its arrays are not verified.
    FileNotFoundError
        If there is no such file.
    """

    def __init__(self, path: str | Path, what: str) -> None:
        self.path = path
        with refuse_damage(path, what), zipfile.ZipFile(path) as archive:
            with archive.open(f"{_METADATA}.npy") as file:
                self.metadata: dict[str, Any] = json.loads(str(np.lib.format.read_array(file, allow_pickle=False)))
            members = sorted(archive.infolist(), key=lambda member: member.header_offset)
            # the metadata come last, so every array is followed by a member, and ends where that member's header begins
            self._arrays: dict[str, _Location] = {
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
        """Memory-map an array, read-only; every call makes a new map."""
        start, shape, order, dtype = self._arrays[name]
        if 0 in shape:
            return np.empty(shape, dtype)
        return np.memmap(self.path, dtype, "r", start, shape, order)


def _check_sizes(path: str | Path, select: Callable[[str], bool]) -> None:
    """Refuse members whose declared size the file cannot hold, since numpy asks for the memory before it reads."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not select(member.filename.removesuffix(".npy")):
                continue
            largest = Path(path).stat().st_size * (1 if member.compress_type == zipfile.ZIP_STORED else _DEFLATE_RATIO)
            with archive.open(member) as file:
                version = np.lib.format.read_magic(file)
                shape, _, dtype = _HEADERS[version](file)
            declared = math.prod(shape) * dtype.itemsize
            if not member.file_size >= declared <= largest:
                raise ValueError(f"{member.filename} declares {declared} bytes of values, which the file does not hold")


def _locate(archive: zipfile.ZipFile, member: zipfile.ZipInfo, end: int) -> _Location:
    """Locate the values of the array whose member ends at byte `end`."""
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 0x08:  # bit 3: sizes follow the data
        raise ValueError(f"{member.filename} is compressed or was rewritten by another program")
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ValueError(f"{member.filename} has version {version} of the .npy format, expected (1, 0)")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        size = member.file_size - file.tell()
    expected = int(np.prod(shape)) * dtype.itemsize
    if size != expected:
        raise ValueError(f"{member.filename} holds {size} bytes of values, but its shape needs {expected}")
    return end - size, shape, "F" if fortran else "C", dtype

"""Files from a path, or from an address with a checksum."""

from __future__ import annotations

import hashlib
import os
import re
import urllib.error
import urllib.request
from pathlib import Path

from ..core.files import atomic_write
from ..errors import InputError

_ADDRESS = re.compile(r"(?:https?|file)://")

_SECONDS = 60


def fetch(place: str, folder: str | Path, what: str) -> Path:
    """Return the path of a file or folder that is given as a path, or by an address.

    Parameters
    ----------
    place
        A path, or ``https://...#sha256=...`` with the checksum of the file in hexadecimal digits.
    folder
        Where a file is saved; one that is there already, with this checksum, is not fetched again.
    what
        What it is, for messages.

    Raises
    ------
    InputError
        If there is no such file, the address has no checksum, cannot be reached, or holds another file.
    """
    if not isinstance(place, str | os.PathLike) or not str(place):
        raise InputError(f"{what}={place!r}: expected a path, or an address https://...#sha256=...")
    place = str(place)
    if not _ADDRESS.match(place):
        if not Path(place).exists():
            raise InputError(
                f"{what}: {place} does not exist. Give an existing path, or an address https://...#sha256=..."
            )
        return Path(place)
    address, _, wanted = place.partition("#sha256=")
    if not re.fullmatch(r"[0-9a-fA-F]{64}", wanted):
        raise InputError(
            f"{what}: {place} has no checksum: expected the address, then #sha256= and 64 hexadecimal digits"
        )
    path = Path(folder) / address.rpartition("/")[2]
    if path.is_file() and _sha256(path.read_bytes()) == wanted.lower():
        return path
    try:
        with urllib.request.urlopen(address, timeout=_SECONDS) as response:
            content = response.read()
    except (OSError, urllib.error.URLError) as error:
        raise InputError(
            f"{what}: {address} cannot be reached ({error}). Without a network, get the file on another machine and "
            "give its path."
        ) from error
    found = _sha256(content)
    if found != wanted.lower():
        raise InputError(f"{what}: {address} has the checksum {found}, expected {wanted.lower()}: it is another file")
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as tmp:
        tmp.write_bytes(content)
    return path


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

"""Fetching a file of a study: goes on where an earlier try ended, and keeps only what has the right checksum.

Standard library and `io.unpack`.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import zlib
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from ..core.compressed import DAMAGE
from ..core.files import atomic_folder
from ..errors import InputError
from ..io.unpack import untar
from .catalogue import StudyFile

_BLOCK = 1 << 20
_SECONDS = 60  # without a byte, after which a server counts as gone


def fetch_file(file: StudyFile, folder: Path, *, progress: Callable[[int, int], None] | None = None) -> Path:
    """Fetch a file unless it is there; check it either way.

    Parameters
    ----------
    file
        What to fetch.
    folder
        Where it goes. What has arrived of it is in a file that ends with ``.part``, with which the next call goes on.
    progress
        Called with the number of bytes that are there, and of all (0 if unknown).

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If the server cannot be reached or does not have the file, or the content is not what was published.
    """
    path = folder / file.name
    if path.exists():
        _check(path, file, f"Delete it to fetch it again, or correct {file.name} in study.yaml.")
        return path
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{file.name}.part"
    _download(file, part, path, progress)
    try:
        _check(part, file, "It was deleted: try again; if it differs again, the file was changed where it is kept.")
    except InputError:
        part.unlink()
        raise
    part.rename(path)
    return path


def _download(file: StudyFile, part: Path, path: Path, progress: Callable[[int, int], None] | None) -> None:
    """Append to what is there of a file until it is whole."""
    there = part.stat().st_size if part.exists() else 0
    if file.bytes and there == file.bytes:
        return
    request = Request(
        file.url,
        headers={"User-Agent": "deepmapper", "Range": f"bytes={there}-"} if there else {"User-Agent": "deepmapper"},
    )
    try:
        with urlopen(request, timeout=_SECONDS) as answer:
            there = there if answer.status == http.client.PARTIAL_CONTENT else 0
            total = there + int(answer.headers.get("Content-Length") or 0)
            with part.open("ab" if there else "wb") as out:
                while block := answer.read(_BLOCK):
                    out.write(block)
                    there += len(block)
                    if progress:
                        progress(there, total)
    except HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:  # all of it is there
            return
        raise InputError(
            f"{file.url}: the server answers {error.code} ({error.reason}), expected the file. {_by_hand(path)}"
        ) from error
    except (URLError, TimeoutError, ConnectionError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise InputError(
            f"{file.url}: cannot be reached, or broke off ({reason}). What has arrived is kept: call the command again "
            f"when there is a connection. {_by_hand(path)}"
        ) from error
    if total and there < total:
        raise InputError(
            f"{file.url}: broke off after {there} of {total} bytes. Call the command again: it goes on from there."
        )


def _by_hand(path: Path) -> str:
    return f"Or fetch it elsewhere, and put it at {path}."


def _check(path: Path, file: StudyFile, advice: str) -> None:
    """Compare a file with its size and checksum; without a checksum it must at least be whole."""
    size = path.stat().st_size
    if file.bytes and size != file.bytes:
        raise InputError(f"{path}: has {size} bytes, expected {file.bytes}. {advice}")
    if file.checksum:
        kind, _, expected = file.checksum.partition(":")
        with path.open("rb") as content:
            found = hashlib.file_digest(content, kind).hexdigest()
        if found != expected:
            raise InputError(f"{path}: its {kind} is {found}, expected {expected}. {advice}")
        return
    try:
        with path.open("rb") as content:
            if content.read(2) == b"\x1f\x8b":
                content.seek(0)
                with gzip.open(content) as inner:
                    while inner.read(_BLOCK):
                        pass
    except (EOFError, OSError, zlib.error) as error:
        raise InputError(f"{path}: is damaged or incomplete ({error}). {advice}") from error


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar archive into a folder that does not exist yet: all of it, or nothing."""
    try:
        with atomic_folder(folder) as part:
            untar(archive, part)
    except DAMAGE as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise InputError(f"{archive}: cannot be unpacked ({error}). Delete it, and fetch it again.") from error

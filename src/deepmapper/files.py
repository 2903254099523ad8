"""Files and folders that appear whole or not at all. Standard library only."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; what is written there replaces it at the end, or vanishes on an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # the ending stays last, since writers choose a format by it
    tmp = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield tmp
        tmp.replace(path)
    finally:
        tmp.unlink(missing_ok=True)


@contextmanager
def whole_folder(folder: str | Path) -> Iterator[Path]:
    """Give a temporary folder beside `folder`; it replaces `folder` at the end, or vanishes on an error."""
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    tmp = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    try:
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

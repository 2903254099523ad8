"""Compressed files and archives, unpacked into a temporary folder while they are read."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..core.compressed import DAMAGE, check_unpacked_size, is_compressed
from ..core.files import free_space, scratch_folder
from ..errors import DeepMapperWarning, DiskFull, InputError
from .text_ends import first_bytes, open_plain

_HDF5 = b"\x89HDF\r\n\x1a\n"
# What unpacking must leave free.
KEEP_FREE = 64 * 2**20


@contextmanager
def unpacked(path: Path, folder: Path | None = None) -> Iterator[Path]:
    """Yield where the content of a compressed file or archive can be read; any other path is yielded as it is.

    Unpacked are HDF5 files compressed with gzip, bzip2 or xz (``.h5ad.gz``), and zip and tar archives
    (``.zarr.zip``, ``filtered_feature_bc_matrix.tar.gz``). Compressed text is read as it is. Errors and warnings of the
    body name `path`.

    Parameters
    ----------
    path
        The file.
    folder
        Where the temporary folder is made, which is always removed; by default the temporary folder of the system.

    Raises
    ------
    InputError
        If the file is damaged.
    DiskFull
        If there is not enough space for its content.
    """
    unpack = _unpacker(path) if path.is_file() else None
    if unpack is None:
        yield path
        return
    with scratch_folder(folder or tempfile.gettempdir(), "unpacked") as scratch:
        try:
            content = unpack(path, scratch)
        except DiskFull:
            raise
        except (*DAMAGE, RuntimeError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise InputError(f"{path}: the file is damaged or incomplete ({error}). Copy it again.") from error
        try:
            with warnings.catch_warnings(record=True) as caught:
                yield content
        except InputError as error:
            raise InputError(str(error).replace(str(content), str(path))) from error
        finally:
            for warning in caught:
                text = str(warning.message).replace(str(content), str(path))
                if issubclass(warning.category, DeepMapperWarning):
                    warnings.warn(text, DeepMapperWarning, stacklevel=4)


def is_archive(path: Path) -> bool:
    """Whether `unpacked` writes the content of a file to a temporary folder."""
    return path.is_file() and _unpacker(path) is not None


def _unpacker(path: Path) -> Callable[[Path, Path], Path] | None:
    """Return the function that unpacks a file into a folder; None if it is read as it is."""
    start = first_bytes(path, 265)
    if start.startswith(b"PK\x03\x04") and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        is_office = "[Content_Types].xml" in names or "mimetype" in names
        return None if is_office or all(name.endswith(".npy") for name in names) else _unzip
    if start[257:262] == b"ustar":
        return _untar
    if not is_compressed(start):
        return None
    try:
        with open_plain(path) as handle:
            inner = handle.read(265)
    except DAMAGE:
        return None  # whoever reads it reports the damage
    if inner.startswith(_HDF5):
        return _decompress
    return _untar if inner[257:262] == b"ustar" else None


def _decompress(path: Path, folder: Path) -> Path:
    """Write the content of a compressed file into a folder."""
    _check_space(path, _size_of_gzip(path), folder)
    name = path.name.removesuffix(path.suffix) if path.suffix in (".gz", ".bz2", ".xz") else path.name
    target = folder / name
    with open_plain(path) as source, target.open("wb") as out:
        while block := source.read(1 << 24):
            _check_space(path, len(block), folder)
            out.write(block)
    return target


def _size_of_gzip(path: Path) -> int:
    """Size of the content of a gzip file, modulo 4 GB, as it says itself; at least that of the file."""
    size = path.stat().st_size
    if first_bytes(path, 2) != b"\x1f\x8b" or size < 18:
        return size
    with path.open("rb") as handle:
        handle.seek(-4, 2)
        return max(size, int.from_bytes(handle.read(4), "little"))


def _unzip(path: Path, folder: Path) -> Path:
    with zipfile.ZipFile(path) as archive:
        packed, unpacked = (
            sum(getattr(member, size) for member in archive.infolist()) for size in ("compress_size", "file_size")
        )
        check_unpacked_size(path, packed, unpacked)
        _check_space(path, unpacked, folder)
        archive.extractall(folder)
    return _only_content(folder)


def _untar(path: Path, folder: Path) -> Path:
    untar(path, folder)
    return _only_content(folder)


def untar(path: Path, folder: Path) -> None:
    """Write the files of a tar archive, which may be compressed, into a folder that exists.

    Raises
    ------
    InputError
        If one of them would be written elsewhere.
    DiskFull
        If there is not enough space.
    OSError, EOFError, tarfile.TarError and what else is in `core.compressed.DAMAGE`
        If the archive is damaged.
    """
    inside = folder.resolve()
    with open_plain(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:  # one at a time, since a stream cannot be read twice
            # Only files are written, each by its name alone: no link, device, owner or mode comes out of an archive.
            content = archive.extractfile(member) if member.isreg() else None
            if content is None:
                continue
            target = (inside / member.name).resolve()
            if not target.is_relative_to(inside):
                raise InputError(
                    f"{path}: the archive holds '{member.name}', which would be written outside the folder it is "
                    "unpacked into. Unpack it yourself and give the path of the folder."
                )
            _check_space(path, member.size, folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as out:
                shutil.copyfileobj(content, out, 1 << 24)


def _only_content(folder: Path) -> Path:
    """The folder, or the one file or folder in it; without what macOS adds."""
    shutil.rmtree(folder / "__MACOSX", ignore_errors=True)
    content = [path for path in folder.iterdir() if not path.name.startswith("._")]
    markers = (".zgroup", "zarr.json", "matrix.mtx")
    if len(content) == 1 and not content[0].name.startswith(markers):
        return content[0]
    return folder


def _check_space(path: Path, n_bytes: int, folder: Path) -> None:
    """Refuse to write more than there is space for."""
    free = free_space(folder)[0]
    if n_bytes > free - KEEP_FREE:
        raise DiskFull(
            f"{path} cannot be unpacked: its content needs at least {n_bytes / 2**20:,.0f} MB in {folder.parent}, "
            f"where {free / 2**20:,.0f} MB are free. Free some space there, or unpack it elsewhere and give the "
            "path of what it holds."
        )

"""Checks of a file before it is read: it may not read other files, run code, or ask for more memory than there is.

HDF5 and zarr can hold links to any file of the machine, whose content would then appear in the results; zarr can also
hold pickles, which run code when they are read. All can declare arrays far larger than the file.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..core.files import format_size
from ..core.memory import physical_memory
from ..core.words import some
from ..errors import InputError

# Filters that come with HDF5 and h5py, by number: deflate, shuffle, fletcher32, szip, nbit, scaleoffset, lzf.
_OWN_FILTERS = (1, 2, 3, 4, 5, 6, 32000)

# What one byte of a file can hold when unpacked: at most 1032 bytes with deflate (gzip), about 33,000 with zstandard.
# The bounds leave some room, and are chosen by hand.
_DEFLATE_RATIO = 1100
_HDF5_RATIO = 2000
_ZARR_RATIO = 100_000

# Arrays up to this size are never too large; those of zeros may take no space in a file. Chosen by hand.
_ALWAYS_ALLOWED = 64 * 2**20

# Groups within groups; chosen by hand.
_MOST_LEVELS = 200

_COPY_AGAIN = "The file is damaged or was made to do harm: copy it again, or ask whoever sent it."


def check_h5(file: Any, path: Path) -> None:
    """Refuse an open HDF5 file that leads to other files, needs a plugin, or declares more data than it can hold.

    Only the structure of the file is read.

    Raises
    ------
    InputError
        For the first such object, with its place in the file.
    """
    import h5py

    pending, seen = [(file, 0)], {h5py.h5o.get_info(file.id).addr}
    while pending:
        group, depth = pending.pop()
        if depth > _MOST_LEVELS:
            raise InputError(f"{path}: {group.name[:60]}... is nested deeper than {_MOST_LEVELS} groups. {_COPY_AGAIN}")
        for name in group:
            where = f"{path}: {group.name.rstrip('/')}/{name}"
            kind = group.id.links.get_info(name.encode("utf-8", "surrogateescape")).type
            if kind == h5py.h5l.TYPE_SOFT:  # leads to an object of this file, which has a hard link, too
                continue
            if kind != h5py.h5l.TYPE_HARD:
                target = group.get(name, getlink=True) if kind == h5py.h5l.TYPE_EXTERNAL else None
                to = f"another file ({target.filename})" if target else "something outside the file"
                raise InputError(
                    f"{where} is a link to {to}, and only what a file holds itself is read. {_write_again(path)}"
                )
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                continue
            seen.add(address)
            if isinstance(item, h5py.Group):
                pending.append((item, depth + 1))
            elif isinstance(item, h5py.Dataset):
                _check_dataset(item, where, path)


def _check_dataset(dataset: Any, where: str, path: Path) -> None:
    import h5py

    if dataset.external or dataset.is_virtual:
        others = [part[0] for part in dataset.external or ()]
        others += [part.file_name for part in dataset.virtual_sources()] if dataset.is_virtual else []
        raise InputError(
            f"{where} keeps its values in other files ({some(sorted({os.fsdecode(name) for name in others}))}), and "
            f"only what a file holds itself is read. {_write_again(path)}"
        )
    stored_type = dataset.id.get_type()
    if stored_type.detect_class(h5py.h5t.REFERENCE):
        raise InputError(f"{where} holds references to objects, expected values. {_write_again(path)}")
    layout = dataset.id.get_create_plist()
    for i in range(layout.get_nfilters()):
        number, _, _, name = layout.get_filter(i)
        if number not in _OWN_FILTERS:
            raise InputError(
                f"{where} is compressed with the filter {number} ({name.decode(errors='replace')[:60] or 'no name'}), "
                "which needs a plugin of HDF5. Write the file again with gzip, for example with adata.write_h5ad(path, "
                "compression='gzip')."
            )
    declared = math.prod(dataset.shape or ()) * stored_type.get_size()
    stored = dataset.id.get_storage_size()
    packed = layout.get_nfilters() > 0
    if declared > _ALWAYS_ALLOWED and declared > stored * (_HDF5_RATIO if packed else 1):
        raise InputError(
            f"{where} should have {_shape(dataset.shape)} values ({format_size(declared)}), but the file has only "
            f"{format_size(stored)} of them, fewer than they can take. {_COPY_AGAIN}"
        )


def check_memory(elements: Mapping[str, Any], path: Path) -> None:
    """Refuse elements of an HDF5 file or zarr that are read as a whole and do not fit into the memory of this machine.

    Parameters
    ----------
    elements
        Groups and arrays by name.
    path
        The file, for the message.

    Raises
    ------
    InputError
        If they do not fit; says how much they need and how much there is.
    """
    sizes = {name: sum(map(_size, _arrays(element))) for name, element in elements.items()}
    needed, there = sum(sizes.values()), physical_memory()
    if needed > there:
        largest = max(sizes, key=lambda name: sizes[name])
        raise InputError(
            f"{path}: reading it needs more than {format_size(needed)} of memory, the most of it for {largest}, and "
            f"this machine has {format_size(there)}. Use a machine with more memory, or a matrix with fewer samples or "
            "features."
        )


def _arrays(element: Any) -> Iterator[Any]:
    """Yield the arrays of a group or array of HDF5 or zarr; links back into a group are not followed."""
    pending, seen = [element], set()
    while pending:
        item = pending.pop()
        if not hasattr(item, "keys"):
            yield item
        elif (place := _place_of(item)) not in seen:
            seen.add(place)
            pending += [item[name] for name in item]


def _place_of(group: Any) -> Any:
    """What tells a group from all others of its file, by whichever link it is reached."""
    import h5py

    return h5py.h5o.get_info(group.id).addr if isinstance(group, h5py.Group) else getattr(group, "name", id(group))


def _size(array: Any) -> int:
    return math.prod(getattr(array, "shape", None) or ()) * getattr(getattr(array, "dtype", None), "itemsize", 8)


def check_zarr(folder: Path) -> None:
    """Refuse a zarr folder that leads to other files, holds pickles, or declares more data than its chunks can hold.

    Raises
    ------
    InputError
        For the first such file, with its path.
    """
    root = folder.resolve()
    for here, folders, files in os.walk(folder):
        for name in (*folders, *files):
            item = Path(here, name)
            if item.is_symlink() and not item.resolve().is_relative_to(root):
                raise InputError(
                    f"{item} is a link to {item.resolve()}, outside of the zarr folder, and only what the folder holds "
                    "itself is read. Copy the folder with the files instead of links (cp -rL)."
                )
            if not item.is_dir() and not item.is_file() and not item.is_symlink():
                raise InputError(f"{item} is neither a file nor a folder. Copy the zarr folder again.")
        for name in (".zarray", "zarr.json", ".zmetadata"):
            if name in files:
                _check_metadata(Path(here, name))


def _check_metadata(file: Path) -> None:
    """Check one metadata file of a zarr folder; zarr itself reports one that is not JSON."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} is not JSON ({error}). Copy the zarr folder again.") from error
    if any("pickle" in codec.lower() for codec in _codecs(content)):
        raise InputError(
            f"{file}: the values of this array are pickles, which can run any program when they are read. Write the "
            "file again with a current version of anndata, which stores text as text."
        )
    declared, of_chunk = _zarr_sizes(content)
    if not declared:
        return
    sizes = [Path(here, name).stat().st_size for here, _, names in os.walk(file.parent) for name in names]
    possible = max(sizes) * _ZARR_RATIO
    is_list = len(content["shape"]) == 1  # the chunks of a large matrix that are zero may be left out
    if of_chunk > max(possible, _ALWAYS_ALLOWED) or (is_list and declared > len(sizes) * of_chunk + _ALWAYS_ALLOWED):
        raise InputError(
            f"{file}: the array should have {_shape(content['shape'])} values ({format_size(declared)}), but its "
            f"{len(sizes) - 1} chunks cannot hold so many. {_COPY_AGAIN}"
        )


def _codecs(content: Any) -> Iterator[str]:
    """Yield all identifiers and names in the metadata of zarr; filters are called by these."""
    pending = [content]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            yield from (str(item[key]) for key in ("id", "name") if key in item)
            pending += [value for key, value in item.items() if key != "attributes"]
        elif isinstance(item, list):
            pending += item


def _zarr_sizes(content: Any) -> tuple[int, int]:
    """Bytes of an array and of one of its chunks, as its metadata declare them; 0 if these are not of an array."""
    try:
        shape = content["shape"]
        chunk = content["chunks"] if "chunks" in content else content["chunk_grid"]["configuration"]["chunk_shape"]
        kind = str(content.get("dtype", content.get("data_type", "")))
        digits = "".join(character for character in kind.rpartition("[")[0] or kind if character.isdigit())
        each = int(digits or 8) if "dtype" in content else max(1, int(digits or 64) // 8)
        return math.prod(shape) * each, math.prod(chunk) * each
    except (KeyError, TypeError, ValueError):
        return 0, 0


def check_mtx(path: Path, n_values: int, *, packed: bool) -> None:
    """Refuse a Matrix Market file that declares more values than it can hold.

    Parameters
    ----------
    path
        The file.
    n_values
        Number of values that it declares, each on a line of its own.
    packed
        Whether it is compressed.

    Raises
    ------
    InputError
        If there are too many.
    """
    size = path.stat().st_size
    if n_values * 4 > size * (_DEFLATE_RATIO if packed else 1):  # the shortest line: "1 1"
        raise InputError(
            f"{path}: the header declares {n_values} values, but the file has only {size} bytes. It is damaged or "
            "incomplete: copy it again."
        )


def _write_again(path: Path) -> str:
    return (
        "Write one file with everything in it, for example with anndata: "
        f"read_h5ad('{path.name}').write_h5ad('new.h5ad')."
    )


def _shape(shape: Iterable[int]) -> str:
    return " x ".join(map(str, shape))

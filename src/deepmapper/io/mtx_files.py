"""Matrices of single cells in a folder: Matrix Market files, and the lists of features and barcodes beside them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.prefixes import files_of_prefix
from ..core.words import natural_order, some
from ..errors import DeepMapperWarning, InputError

MTX = re.compile(r"\.mtx(\.gz|\.bz2|\.xz)?$", re.IGNORECASE)
_H5 = re.compile(r"^(?!.*(molecule_info|abundance|analysis)).*\.h5$", re.IGNORECASE)
_LIST = re.compile(r"\.(tsv|txt|csv)(\.gz|\.bz2|\.xz)?$", re.IGNORECASE)
# What a file holds, by the last of these words in its name; what is left of the name tells whose it is.
_WORDS = {
    "matrix": r"matrix|counts?|umi|expression|mat",
    "features": r"features?|genes|gene_?names|feature_?names|gene_?ids?|cols",
    "barcodes": r"barcodes?|cells|cell_?names|cell_?ids?|rows",
}

# Of matrices side by side, one is left out if the other is there. Each: what is left out, and what in its place gives
# the name of the other: cells rather than all droplets, and so on.
_INSTEAD = (
    (r"unfiltered|raw", "filtered"),
    (r"UniqueAndMult-\w+|[^/]*spliced|[^/]*spanning|(?<=/)ambiguous", "matrix"),
    (r"cellranger/matrix", "cells_x_genes"),  # kb-python, which may write the same counts twice
    (r"cells_x_genes\.(nascent|mature|ambiguous|cell)", "cells_x_genes.total"),
    (r"cells_x_genes\.(nascent|ambiguous)", "cells_x_genes.mature"),
    (r"cells_x_genes\.total", "cells_x_genes"),
)
# Ways of counting of STARsolo, the one to read first.
_SOLO = re.compile(r"(.*/)(GeneFull\w*|Gene|Velocyto|SJ)/")
_SOLO_ORDER = ("Gene", "GeneFull", "GeneFull_Ex50pAS", "GeneFull_ExonOverIntron")


@dataclass(frozen=True)
class MtxFiles:
    """Files of the matrix of one sample.

    Attributes
    ----------
    sample
        Name of the sample; "" if there is only one.
    matrix
        The ``.mtx``, or a 10x ``.h5``, which has no other files.
    features, barcodes
        The lists of names.
    """

    sample: str
    matrix: Path
    features: Path | None = None
    barcodes: Path | None = None


def has_mtx(folder: Path) -> bool:
    """Whether there is a Matrix Market file in a folder or its subfolders, or a 10x ``.h5``."""
    return any(MTX.search(path.name) or _H5.search(path.name) for path in folder.rglob("*") if not path.is_dir())


def find_mtx(path: Path) -> list[MtxFiles]:
    """Find the matrices of a folder and its subfolders, with the files that belong to each.

    Parameters
    ----------
    path
        A folder, a ``.mtx``, or the start of the names of the files of a sample, such as ``GSE1/GSM2_``.

    Returns
    -------
    list of MtxFiles
        One for each sample, in the order of their paths.

    Raises
    ------
    InputError
        If there is no matrix, or one without its features or barcodes.
    """
    root = path if path.is_dir() else path.parent
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if not file.is_dir())
    else:
        files = [path] if path.exists() else files_of_prefix(path)
    found = [file for file in files if MTX.search(file.name) and not _is_temporary(file.relative_to(root))]
    found = found or [file for file in files if _H5.search(file.name)]
    if not found:
        shown = some(file.relative_to(root) for file in files) or "no file"
        raise InputError(
            f"{path}: found no matrix.mtx or matrix.mtx.gz in this folder or its subfolders, and no output of a "
            f"counting program; found {shown}. Give the folder of a 10x matrix or of counts, or the path of one file."
        )
    matrices = _preferred(found, root, path)
    names = _sample_names([file.relative_to(root) for file in matrices]) if len(matrices) > 1 else [""]
    return [
        MtxFiles(name, file) if _H5.search(file.name) else _with_lists(name, file, root)
        for name, file in zip(names, matrices, strict=True)
    ]


def _is_temporary(path: Path) -> bool:
    return any(part.startswith((".", "_", "SC_")) for part in path.parts)


def _preferred(found: Sequence[Path], root: Path, path: Path) -> list[Path]:
    """Leave out matrices of which another version is there; say which."""
    names = {f"/{_plain(file.relative_to(root))}": file for file in reversed(found)}
    several_samples = any("/per_sample_outs/" in name for name in names)
    instead = {name for name in names if several_samples and "/multi/" in name}
    solo: dict[str, set[str]] = {}
    for match in filter(None, map(_SOLO.match, names)):
        solo.setdefault(match[1], set()).add(match[2])
    for folder, ways in solo.items():
        best = next((way for way in _SOLO_ORDER if way in ways), min(ways))
        instead |= {name for way in ways - {best} for name in names if name.startswith(f"{folder}{way}/")}
    for pattern, other in _INSTEAD:
        instead |= {name for name in names if re.sub(pattern, other, name) in names.keys() - {name}}
    kept = [names[name] for name in natural_order(names.keys() - instead)]
    if instead:
        left_out = [str(names[name].relative_to(root)) for name in natural_order(instead)]
        warnings.warn(
            f"{path}: reading {some(file.relative_to(root) for file in kept)}; left out: {some(left_out)}.",
            DeepMapperWarning,
            stacklevel=4,
        )
    return kept


def _plain(path: Path) -> str:
    """Path without the ending of compression."""
    return re.sub(r"\.(gz|bz2|xz)$", "", path.as_posix())


def _sample_names(paths: Sequence[Path]) -> list[str]:
    """Name samples after the folders and the part of the file names in which they differ."""
    folders = [list(path.parts[:-1]) for path in paths]
    while all(folders) and len({folder[0] for folder in folders}) == 1:
        folders = [folder[1:] for folder in folders]
    while all(folders) and len({folder[-1] for folder in folders}) == 1:
        folders = [folder[:-1] for folder in folders]
    starts = [re.sub("(raw|filtered)_(feature|gene)_bc$", "", _key(path, "matrix")).strip("._- ") for path in paths]
    if len(set(starts)) < len(starts):
        starts = [start if len(set(starts)) > 1 else "" for start in starts]
        names = ["_".join([*folder, start] if start else folder) for folder, start in zip(folders, starts, strict=True)]
        names = [re.sub(r"[._-]*Solo\.out$", "", name) for name in names]
    else:
        names = starts
    return names if all(names) and len(set(names)) == len(names) else [_plain(path) for path in paths]


def _key(path: Path, kind: str) -> str:
    """Whose file it is: its name without the word for what it holds."""
    name = _LIST.sub("", MTX.sub("", re.sub(r"\.h5$", "", path.name)))
    words = list(re.finditer(rf"(?<![a-zA-Z])({_WORDS[kind]})(?![a-zA-Z])", name, re.IGNORECASE))
    if words:
        name = name[: words[-1].start()].rstrip("._- ") + name[words[-1].end() :]
    return name.strip("._- ")


def _kind(path: Path) -> str:
    """What a list holds, by the last word in its name; "" for other files."""
    if not _LIST.search(path.name):
        return ""
    name = _LIST.sub("", path.name)
    last = {
        kind: match.start()
        for kind in ("features", "barcodes")
        for match in re.finditer(rf"(?<![a-zA-Z])({_WORDS[kind]})(?![a-zA-Z])", name, re.IGNORECASE)
    }
    return max(last, key=lambda kind: last[kind]) if last else ""


def _with_lists(sample: str, matrix: Path, root: Path) -> MtxFiles:
    """Find the features and the barcodes of a matrix: beside it, features also in a folder above."""
    features = _belonging(matrix, "features", [matrix.parent, *_above(matrix.parent, root)])
    return MtxFiles(sample, matrix, features, _belonging(matrix, "barcodes", [matrix.parent]))


def _above(folder: Path, root: Path) -> Iterable[Path]:
    while folder not in (root, folder.parent):
        folder = folder.parent
        yield folder


def _belonging(matrix: Path, kind: str, folders: Sequence[Path]) -> Path:
    """Find the list whose name says that it belongs to a matrix, or the only one that belongs to no other matrix."""
    own = _key(matrix, "matrix").lower()
    others = {_key(file, "matrix").lower() for file in matrix.parent.iterdir() if MTX.search(file.name)} - {own}
    for folder in folders:
        lists = [file for file in sorted(folder.iterdir()) if file.is_file() and _kind(file) == kind]
        # Of `x.genes.txt` and `x.genes.names.txt` (kb-python), or of a list compressed and not, one is enough.
        by_key: dict[str, Path] = {}
        for file in lists:
            by_key.setdefault(_key(file, kind).lower(), file)
        if own in by_key:
            return by_key[own]
        near = [key for key in by_key if key and own and _is_start(key, own)]
        if near:
            return by_key[max(near, key=len)]
        free = [file for key, file in by_key.items() if not any(_is_start(key, other) for other in others if key)]
        if len(free) == 1 and (kind == "features" or not others):
            return free[0]
    prefix = matrix.name.split("matrix.mtx")[0] if "matrix.mtx" in matrix.name else f"{own}_"
    stems = ("features.tsv", "genes.tsv") if kind == "features" else ("barcodes.tsv",)
    expected = ", ".join(repr(f"{prefix}{stem}{ending}") for stem in stems for ending in ("", ".gz"))
    raise InputError(
        f"{matrix.parent}: found {matrix.name}, but none of {expected}. A .mtx has no names of its own: copy the "
        "missing file there."
    )


def _is_start(one: str, other: str) -> bool:
    """Whether one name starts with the other, up to a separator."""
    short, long = sorted((one, other), key=len)
    return long.startswith(short) and not long[len(short) : len(short) + 1].isalnum()

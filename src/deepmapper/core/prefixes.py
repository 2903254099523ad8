"""Paths that stand for several files: the start of their names, and patterns. Standard library only."""

from __future__ import annotations

import glob
import os
from pathlib import Path


def files_of_prefix(path: str | Path) -> list[Path]:
    """Find the files whose names start like a path that does not exist itself, if one of them is a 10x matrix.

    ``GSE1/GSM2_`` stands for ``GSE1/GSM2_matrix.mtx.gz`` and what lies beside it, as in downloads from GEO.

    Returns
    -------
    list of Path
        Sorted; empty if the path exists, or no matrix (``.mtx`` or ``.h5``) is among the files.
    """
    path = Path(path)
    if path.exists() or not path.name or not path.parent.is_dir():
        return []
    files = sorted(found for found in path.parent.glob(f"{glob.escape(path.name)}*") if found.is_file())
    # GSM1 is not the start of GSM10_matrix.mtx if there is a GSM1_matrix.mtx.
    files = [file for file in files if not file.name[len(path.name)].isalnum()] or files
    return files if any(".mtx" in file.name or file.suffix == ".h5" for file in files) else []


def is_pattern(path: str) -> bool:
    """Whether a path is a pattern (``*``, ``?``, ``[...]``), and not the name of a file with such characters."""
    return glob.has_magic(path) and "\0" not in path and not os.path.exists(path)  # noqa: PTH110 (no errors)


def files_of_pattern(path: str) -> list[str]:
    """Find the files and folders of a pattern, sorted; the path itself if it is no pattern, or stands for none."""
    found = glob.glob(path, recursive=True) if is_pattern(path) else []  # noqa: PTH207 (pathlib takes no absolute pattern)
    return sorted(found) or [path]

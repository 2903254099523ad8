"""Matrices in Matrix Market files, and the lists of features and barcodes beside them."""

from __future__ import annotations

from pathlib import Path


def has_mtx(folder: Path) -> bool:
    """Whether there is a Matrix Market file in a folder or its subfolders."""
    return any(path.is_file() for ending in ("*.mtx", "*.mtx.gz") for path in folder.rglob(ending))

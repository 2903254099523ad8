"""Names of columns as an h5ad can hold them. Standard library only."""

from __future__ import annotations

from collections.abc import Sequence


def h5_keys(names: Sequence[str]) -> list[str]:
    """Write underscores for slashes, which stand for groups in an h5ad; each name stays one of its own."""
    taken = {name for name in names if "/" not in name}
    keys = []
    for name in names:
        key = name.replace("/", "_")
        if key != name:
            while key in taken:
                key += "_"
            taken.add(key)
        keys.append(key)
    return keys

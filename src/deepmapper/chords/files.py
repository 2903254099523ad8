"""Chords on disk: chords.json, written and read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ..core.files import atomic_write
from .types import Chord


def write_chords(chords: Sequence[Chord], path: str | Path) -> None:
    """Write chords with all their numbers as JSON, atomically."""
    with atomic_write(path) as tmp:
        tmp.write_text(json.dumps([asdict(chord) for chord in chords], indent=1) + "\n")


def read_chords(path: str | Path) -> tuple[Chord, ...]:
    """Read what `write_chords` wrote: the same chords, to the last digit."""
    records = json.loads(Path(path).read_text())
    return tuple(Chord(**{key: _tuples(value) for key, value in record.items()}) for record in records)


def _tuples(value):
    """Turn lists, nested ones as well, into tuples."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value

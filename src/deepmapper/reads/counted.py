"""How many of a sample's fragments count, and on what. Standard library only.

Salmon lists the names of fragments that match no transcript (``--writeUnmappedNames``), but not of those that match on
the wrong strand of a stranded library, which do not count either. So the captured fragments are counted once more
alone: whether a fragment counts does not depend on the others, so this gives exactly how many of them count, and
without any list of names. The rest is arithmetic.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.counts import DETECTED_FROM
from .denovo import is_denovo
from .samples import Unit


def captured_unit(folder: Path, paired: bool) -> tuple[Unit, int]:
    """Return a sample's captured fragments, as `alignment.align_reads` wrote them, and their number."""
    captured = int(json.loads((folder / "counts.json").read_text())["captured"])
    files = ("1.fastq.gz", "2.fastq.gz") if paired else ("single.fastq.gz",)
    return Unit("captured", *(str(folder / name) for name in files)), captured


def split_counts(quant: Path, mapped: int) -> dict[str, int]:
    """Divide the counted fragments of a sample between known and novel transcripts.

    Parameters
    ----------
    quant
        Salmon's ``quant.sf``.
    mapped
        Number of fragments that count.

    Returns
    -------
    dict
        ``known`` and ``novel``, whose sum is `mapped`; ``detected_known`` and ``detected_novel`` (see `Fragments`).
    """
    on_novel, detected = 0.0, {False: 0, True: 0}
    with quant.open() as file:
        header = file.readline().rstrip("\n").split("\t")
        name_at, count_at = header.index("Name"), header.index("NumReads")
        for line in file:
            cells = line.rstrip("\n").split("\t")
            n_reads, novel = float(cells[count_at]), is_denovo(cells[name_at])
            detected[novel] += n_reads >= DETECTED_FROM
            on_novel += n_reads if novel else 0.0
    n_novel = min(mapped, round(on_novel))
    return {
        "known": mapped - n_novel,
        "novel": n_novel,
        "detected_known": detected[False],
        "detected_novel": detected[True],
    }


def fragment_places(record: Mapping[str, Any]) -> dict[str, int] | None:
    """Divide a sample's fragments into four that add up to all.

    Parameters
    ----------
    record
        What `quantify_sample` returned.

    Returns
    -------
    dict or None
        ``known`` and ``novel`` (counted on such transcripts), ``aligned_not_counted`` and ``captured_not_counted``;
        None if it is not known how many of the captured fragments count.
    """
    if record.get("captured_counted") is None:
        return None
    captured = record["captured"] - record["captured_counted"]
    return {
        "known": record["known"],
        "novel": record["novel"],
        "aligned_not_counted": record["fragments"] - record["known"] - record["novel"] - captured,
        "captured_not_counted": captured,
    }

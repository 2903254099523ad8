"""The hybrid reference: reference and novel transcripts in one FASTA file. Standard library and Biopython."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import IO

from ..core.files import atomic_write
from ..errors import InputError
from .denovo import PREFIX, is_denovo
from .fasta import read_fasta, write_fasta
from .sequences import canonical


def build_hybrid_reference(
    transcripts: Path | None, denovo: Path, out: Path, *, decoys: Path | None = None, log: IO[str] | None = None
) -> int:
    """Join reference and novel transcripts, in this order, in one FASTA file.

    Decoys follow them. ``decoys.txt`` in the same folder lists their names; it is empty without decoys.

    Parameters
    ----------
    transcripts
        Reference transcripts, plain or gzipped; None if there are none.
    denovo
        Novel transcripts, with names that start with ``DENOVO_``; may be empty.
    out
        FASTA; written atomically.
    decoys
        FASTA of the genome: reads that match it better than any transcript are not counted.

    Returns
    -------
    int
        Number of transcripts, without decoys.

    Raises
    ------
    InputError
        If a name occurs twice, a reference name starts with ``DENOVO_`` or a novel one does not, or there are no
        transcripts.
    """
    seen: set[str] = set()
    sequences: Counter[bytes] = Counter()
    counts = {"reference": 0, "novel": 0, "decoy": 0}
    decoy_names: list[str] = []

    def records() -> Iterator[tuple[str, str]]:
        for kind, path in (("reference", transcripts), ("novel", denovo), ("decoy", decoys)):
            for record in read_fasta(path, f"{kind} FASTA file") if path else ():
                _check_name(record.name, kind, path, seen)
                seen.add(record.name)
                counts[kind] += 1
                if kind == "decoy":
                    decoy_names.append(record.name)
                else:
                    sequences[blake2b(canonical(record.sequence).encode(), digest_size=16).digest()] += 1
                yield record.name, record.sequence
            if kind == "novel" and not seen:
                raise InputError(_nothing_to_count(transcripts, denovo))

    out = Path(out)
    write_fasta(out, records())
    with atomic_write(out.with_name("decoys.txt")) as tmp:
        tmp.write_text("".join(f"{name}\n" for name in decoy_names))
    n_shared = sum(count for count in sequences.values() if count > 1)
    log = log or sys.stderr
    print(f"{counts['reference']} reference transcripts, {counts['novel']} novel, {counts['decoy']} decoys", file=log)
    if n_shared:
        print(f"{n_shared} transcripts share their sequence with another; their reads are divided evenly", file=log)
    return counts["reference"] + counts["novel"]


def _nothing_to_count(transcripts: Path | None, denovo: Path) -> str:
    if transcripts:
        return f"{transcripts} and {denovo} hold no transcripts, expected at least one."
    return (
        f"{denovo} is empty: the reads gave no contig that was kept, and without a reference there is nothing to "
        "count. contigs.tsv beside it says why each was dropped; if it is empty, too, there are too few reads: add "
        "samples, or lower assembly.min_contig_length or assembly.min_kmer_coverage."
    )


def _check_name(name: str, kind: str, path: Path | None, seen: set[str]) -> None:
    if name in seen:
        raise InputError(
            f"{path}: {name} occurs a second time, expected every name once among all transcripts and decoys. Rename "
            f"one."
        )
    if kind == "novel" and not is_denovo(name):
        raise InputError(f"{path}: {name} is a novel transcript, expected a name that starts with {PREFIX}. Rename it.")
    if kind == "reference" and is_denovo(name):
        raise InputError(
            f"{path}: {name} is a reference transcript, expected a name that does not start with {PREFIX}, which marks "
            f"novel ones. Rename it."
        )

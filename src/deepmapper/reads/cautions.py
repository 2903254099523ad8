"""What the summary page says about the reads: names that differ, fragments that do not count. Standard library only."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from .chromosomes import cautions, read_places
from .fragment_cautions import fragment_cautions

# What follows from the reference that reads were aligned to.
_ALIGNED_TO = {
    "genome": [],
    "transcripts": [
        "no genome was given, and the reads were aligned to the transcripts: novel transcripts (DENOVO_) may also be "
        "genes, introns and other sequences of the organism that the given transcripts lack, or of another organism"
    ],
    "nothing": [
        "no reference was given, and all reads were assembled: several transcripts (DENOVO_) may be of one gene, and "
        "some may be of another organism"
    ],
}


def reads_cautions(
    chromosomes: str | Path,
    quantifications: Iterable[str | Path],
    fragments: str | Path = "",
    alignment: str | Path = "",
    *,
    aligned_to: str = "genome",
) -> list[str]:
    """List what calls for caution in a run from reads.

    Parameters
    ----------
    chromosomes
        Table that `write_splice_sites` wrote; "" for none.
    quantifications
        For each sample the folder that `quantify_sample` wrote.
    fragments, alignment
        Tables that `tabulate_fragments` and `tabulate_alignment` wrote; "" if nothing was aligned.
    aligned_to
        What the reads were aligned to: ``genome``, ``transcripts`` or ``nothing``.

    Returns
    -------
    list of str
        One statement each, those about the reference first.
    """
    notes = [json.loads(Path(folder, "quantification.json").read_text())["note"] for folder in quantifications]
    names = cautions(read_places(chromosomes), "the annotation", "the genome") if chromosomes else []
    texts = [*_ALIGNED_TO[aligned_to], *names, *filter(None, notes)]
    texts += fragment_cautions(fragments, alignment) if fragments else []
    return [text[0].upper() + text[1:] for text in texts]

"""What the summary page says about the reads: names that differ, samples that do not map. Standard library only."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from .chromosomes import cautions, read_places


def reads_cautions(chromosomes: str | Path, quantifications: Iterable[str | Path]) -> list[str]:
    """List what calls for caution in a run from reads.

    Parameters
    ----------
    chromosomes
        Table that `write_splice_sites` wrote.
    quantifications
        For each sample the folder that `quantify_sample` wrote.

    Returns
    -------
    list of str
        One statement each, those about the annotation first.
    """
    notes = [json.loads(Path(folder, "quantification.json").read_text())["note"] for folder in quantifications]
    texts = [*cautions(read_places(chromosomes), "the annotation", "the genome"), *filter(None, notes)]
    return [text[0].upper() + text[1:] for text in texts]

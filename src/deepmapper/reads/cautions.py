"""What the summary page says about the reads: names that differ, fragments that do not count. Standard library only."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from .chromosomes import cautions, read_places
from .fragment_cautions import fragment_cautions


def reads_cautions(
    chromosomes: str | Path, quantifications: Iterable[str | Path], fragments: str | Path, alignment: str | Path
) -> list[str]:
    """List what calls for caution in a run from reads.

    Parameters
    ----------
    chromosomes
        Table that `write_splice_sites` wrote.
    quantifications
        For each sample the folder that `quantify_sample` wrote.
    fragments, alignment
        Tables that `tabulate_fragments` and `tabulate_alignment` wrote.

    Returns
    -------
    list of str
        One statement each, those about the annotation first.
    """
    notes = [json.loads(Path(folder, "quantification.json").read_text())["note"] for folder in quantifications]
    texts = [*cautions(read_places(chromosomes), "the annotation", "the genome"), *filter(None, notes)]
    texts += fragment_cautions(fragments, alignment)
    return [text[0].upper() + text[1:] for text in texts]

"""Names of samples from the paths of their files."""

from __future__ import annotations

import re
from collections.abc import Sequence

# What programs append to the name of a sample, and nobody else: endings of files and steps of a pipeline.
_WORDS = (
    "bam|sam|cram|txt|tsv|tab|csv|gz|bz2|xz|sf|h5|out|counts?|htseq|featurecounts?|readspergene|genes?|isoforms?|results|"
    "quant|abundance|rsem|salmon|kallisto|hisat2|bowtie2?|aligned|sortedbycoord|totranscriptome|sorted|sort|srt|dedup|"
    "markdup|rmdup|mkdup|markduplicates|filtered|unique|uniq|accepted_hits|raw|matrix"
)
_LAST_WORD = re.compile(rf"[._-]*(?<![^\W_])(?:{_WORDS})$", re.IGNORECASE)
# STAR appends its names to a prefix that need not end in a separator.
_STAR = re.compile(r"[._-]*(?:Aligned(?:\.sortedByCoord|\.toTranscriptome)?\.out\.[bs]am|ReadsPerGene\.out\.tab)$")


def sample_names(paths: Sequence[str]) -> list[str]:
    """Name samples after their files: without folders and endings that all of them have, as far as that is unique.

    Parameters
    ----------
    paths
        Paths of n files, such as ``star/s1Aligned.out.bam`` or ``s1/quant.sf``.

    Returns
    -------
    list of str
        n names: ``s1``. The paths themselves where nothing shorter is unique.
    """
    parts = [re.split(r"[/\\]", path) for path in paths]
    names = _shortened([part[-1] for part in parts])
    if _unique(names):
        return names
    names = ["_".join(part) for part in _different_parts([part[:-1] for part in parts])]
    names = _shortened(names) if _unique(names) else names
    return names if _unique(names) else list(paths)


def names_something(path: str) -> bool:
    """Whether a text is more than words that programs write, such as ``count``."""
    return "/" in path or bool(_shortened([path])[0])


def _shortened(names: list[str]) -> list[str]:
    """Take off the last word from all names, as long as all have one and stay unique."""
    cut = [_STAR.sub("", name) for name in names]
    while True:
        if cut != names:
            if not all(old != new for old, new in zip(names, cut, strict=True)) or (
                _unique(names) and not _unique(cut)
            ):
                # `quant.sf` consists of such words alone: then it is no name
                return ["" for _ in names] if len(names) == 1 and not cut[0] else names
            names = cut
        cut = [_LAST_WORD.sub("", name) for name in names]
        if cut == names:
            return names


def _different_parts(folders: list[list[str]]) -> list[list[str]]:
    """Leave out the folders that all paths have in common, at the start and at the end."""
    if len(folders) == 1:
        return [folders[0][-1:]]
    while all(folders) and len({folder[0] for folder in folders}) == 1:
        folders = [folder[1:] for folder in folders]
    while all(folders) and len({folder[-1] for folder in folders}) == 1:
        folders = [folder[:-1] for folder in folders]
    return folders


def _unique(names: Sequence[str]) -> bool:
    return all(names) and len(set(names)) == len(names)

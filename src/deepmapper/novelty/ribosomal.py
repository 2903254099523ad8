"""Ribosomal RNA in contigs of any species, by profiles of its families (HMMER 3). Standard library and pyhmmer.

Between species ribosomal RNA is too different for the search by likeness that finds other contaminants: the 18S of
*Arabidopsis* is 80 % identical to the consensus of eukaryotes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from ..core.compressed import open_unpacked
from ..errors import InputError
from .paf import covered

if TYPE_CHECKING:
    from pyhmmer.plan7 import HMM

INCLUDED_PROFILES = Path(__file__).parent / "profiles" / "rrna.hmm.gz"

_E_VALUE = 1e-6  # chosen by hand

_LONG_PROFILE = 900  # positions; 12S is the shortest subunit, and 5.8S the longest of what may lie in other transcripts


@dataclass(frozen=True)
class Ribosomal:
    """Ribosomal RNA in a contig.

    Attributes
    ----------
    profile
        Name of the profile with the smallest E-value.
    e_value
        That E-value, of the contig among all that were searched.
    coverage
        Share of the contig that profiles match.
    profile_share
        Largest share of a subunit's profile that the contig holds.
    """

    profile: str
    e_value: float
    coverage: float
    profile_share: float


def find_ribosomal(contigs: Iterable[tuple[str, str]], profiles: Path, *, threads: int = 1) -> dict[str, Ribosomal]:
    """Search contigs, on both strands, for ribosomal RNA.

    Parameters
    ----------
    contigs
        Names and bases.
    profiles
        Profiles of nucleotides, plain or compressed.
    threads
        Processors to use; the result does not depend on it.

    Returns
    -------
    dict
        What was found, by the name of the contig; E-values of at most 1e-6.

    Raises
    ------
    InputError
        If the profiles cannot be read.
    """
    from pyhmmer import easel, hmmer

    models = _read_profiles(profiles)
    alphabet = models[0].alphabet
    texts = (easel.TextSequence(name=name.encode(), sequence=bases) for name, bases in contigs)
    sequences = easel.DigitalSequenceBlock(alphabet, (text.digitize(alphabet) for text in texts))
    lengths = {_text(sequence.name): len(sequence) for sequence in sequences}
    best: dict[str, tuple[float, str]] = {}
    places: dict[str, list[tuple[int, int]]] = {}
    held: dict[str, float] = {}
    for model, hits in zip(models, hmmer.nhmmer(models, sequences, cpus=threads, E=_E_VALUE), strict=True):
        for hit in hits.included:
            name = _text(hit.name)
            best[name] = min(best.get(name, (1.0, "")), (hit.evalue, _text(model.name)))
            for domain in hit.domains:
                found = domain.alignment
                ends = sorted((found.target_from, found.target_to))
                places.setdefault(name, []).append((ends[0] - 1, ends[1]))
                if model.M >= _LONG_PROFILE:
                    held[name] = max(held.get(name, 0.0), (found.hmm_to - found.hmm_from + 1) / model.M)
    return {
        name: Ribosomal(profile, e_value, covered(places[name]) / lengths[name], held.get(name, 0.0))
        for name, (e_value, profile) in best.items()
    }


def _read_profiles(path: Path) -> list[HMM]:
    """Read profiles; all must be of nucleotides."""
    from pyhmmer import plan7

    expected = "profiles of ribosomal RNA (HMMER 3)"
    try:
        with open_unpacked(path) as file, plan7.HMMFile(cast(BinaryIO, file)) as profiles:
            models = list(profiles)
    except (ValueError, EOFError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}), expected {expected}. Correct novelty.rrna.") from error
    if not models:
        raise InputError(f"{path}: holds no profile, expected {expected}. Correct novelty.rrna.")
    if odd := [_text(model.name) for model in models if model.alphabet != models[0].alphabet or model.alphabet.K != 4]:
        raise InputError(f"{path}: {odd[0]} is no profile of RNA (or not all are), expected {expected}.")
    return models


def _text(name: str | bytes) -> str:
    """A name as text, which pyhmmer gives from version 0.12 on."""
    return name if isinstance(name, str) else name.decode()

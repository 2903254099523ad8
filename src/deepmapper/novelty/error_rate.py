"""How many of the novel transcripts are false, estimated in each run from controls whose answer is known.

Three kinds of novel transcripts have controls of their own:

- models of new genes: annotated genes are hidden from the assembly, and what comes back there is compared with them;
- models of new isoforms: single transcripts are hidden, and what comes back of their genes is compared with them;
- contigs of unaligned reads: reference transcripts are changed as much as the copies of them that the assembly holds (a
  strain that differs), and the share of these that the screen takes for novel is known.

With fewer than ten controls of a kind nothing is said of it. Not covered: DNA in the library, errors of splicing in the
cell, and other organisms; all of these are in the reads. numpy; scikit-learn on use.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..core.draws import Draw, stream
from ..core.files import atomic_write
from ..core.words import count
from .classes import Contig, NoveltyOptions, is_kept, total_support
from .controls import Judged, false_rates, q_values

MIN_CONTROLS = 10  # of a kind, from which on a share is told; chosen by hand

_N_DECOYS = 200  # changed copies of reference transcripts

_LARGEST_DIVERGENCE = 0.25  # more of it is no strain of the organism

KINDS = {
    "genes": ("model of a new gene", "models of new genes"),
    "isoforms": ("model of a new isoform", "models of new isoforms"),
    "contigs": ("contig of unaligned reads", "contigs of unaligned reads"),
}


@dataclass
class ErrorRate:
    """Estimates of one run.

    Attributes
    ----------
    rates
        Probability of each novel transcript to be false, by name; without those of which nothing can be said.
    novel, expected_false, controls, false_controls
        For each kind: how many are kept, how many of them are expected to be false (None if not told), how many
        controls there were, and how many of these came out false.
    hidden, recovered
        Expressed genes and single transcripts that were hidden, and how many of them came back.
    """

    rates: dict[str, float] = field(default_factory=dict)
    novel: dict[str, int] = field(default_factory=dict)
    expected_false: dict[str, float | None] = field(default_factory=dict)
    controls: dict[str, int] = field(default_factory=dict)
    false_controls: dict[str, int] = field(default_factory=dict)
    hidden: int = 0
    recovered: int = 0

    @property
    def q(self) -> dict[str, float]:
        """Expected share of false ones among those with the same or a smaller rate, by name."""
        return q_values(self.rates)

    @property
    def statement(self) -> str:
        """One sentence for people."""
        n = sum(self.novel.values())
        if not n:
            return "No novel transcripts were found."
        told = {kind: value for kind, value in self.expected_false.items() if value is not None and self.novel[kind]}
        silent = [
            f"{number} {KINDS[kind][number > 1]}"
            for kind in KINDS
            if (number := self.novel.get(kind, 0)) and kind not in told
        ]
        if not told:
            return f"Of {count(n, 'novel transcript')} it is not known how many are false: there are too few controls."
        n_false = math.ceil(sum(told.values()))
        n_told = count(sum(self.novel[kind] for kind in told), "novel transcript")
        text = f"At most about {n_false} of {n_told} {'is' if n_false == 1 else 'are'} false"
        text += f"; for {' and '.join(silent)} this is not known, for lack of controls" if silent else ""
        if self.hidden:
            found = "all" if self.recovered == self.hidden else f"{self.recovered} of"
            text += f"; {found} {self.hidden} known genes and isoforms that were hidden as a control were found again"
        return f"{text}."

    def write(self, path: Path) -> None:
        """Write the numbers and the sentence as JSON."""
        record = {**asdict(self), "statement": self.statement}
        del record["rates"]
        with atomic_write(path) as tmp:
            tmp.write_text(json.dumps(record, indent=2) + "\n")


def kind_of(contig: Contig) -> str:
    """Which controls a novel transcript has; "" for contigs that were given."""
    if contig.source == "aligned":
        return "isoforms" if contig.kind == "novel_isoform" else "genes"
    return "contigs" if contig.source == "unaligned" else ""


def estimate(
    novel: Sequence[Contig],
    *,
    judged: Sequence[Judged],
    decoys: Sequence[Contig],
    n_copies: int,
    options: NoveltyOptions,
) -> ErrorRate:
    """Estimate how many novel transcripts of each kind are false.

    Parameters
    ----------
    novel
        The kept contigs and models.
    judged
        Control models that were kept, see `controls.judge`.
    decoys
        Changed copies of reference transcripts after the screen.
    n_copies
        Contigs that the screen dropped as copies of the reference.
    """
    found = ErrorRate()
    by_kind: dict[str, list[Contig]] = {kind: [c for c in novel if kind_of(c) == kind] for kind in KINDS}
    found.novel = {kind: len(own) for kind, own in by_kind.items()}

    for kind, what in (("genes", "gene"), ("isoforms", "isoform")):
        own = [one for one in judged if one.what == what]
        found.controls[kind], found.false_controls[kind] = len(own), sum(not one.is_true for one in own)
        if len(own) >= MIN_CONTROLS:
            found.rates |= false_rates(own, {c.name: total_support(c)[0] for c in by_kind[kind]})

    taken = sum(is_kept(decoy, options) for decoy in decoys)
    found.controls["contigs"], found.false_controls["contigs"] = len(decoys), taken
    if len(decoys) >= MIN_CONTROLS and by_kind["contigs"]:
        share = (taken + 0.5) / (len(decoys) + 1)
        rate = min(1.0, n_copies * share / (1 - share) / len(by_kind["contigs"]))
        found.rates |= {c.name: rate for c in by_kind["contigs"]}

    for kind, kept in by_kind.items():
        rates = [found.rates[c.name] for c in kept if c.name in found.rates]
        found.expected_false[kind] = round(sum(rates), 3) if len(rates) == len(kept) else None
    return found


def strain_decoys(transcripts: Mapping[str, str], contigs: Sequence[Contig], seed: int = 0) -> list[Contig]:
    """Make pieces of reference transcripts that differ from it as the copies in the assembly do.

    Parameters
    ----------
    transcripts
        Reference transcripts: sequences by name.
    contigs
        Classified contigs of unaligned reads: lengths are drawn from all of them, the differences from an exponential
        distribution with the mean of the copies. Without copies there are no decoys, and none are needed.

    Returns
    -------
    list of Contig
        Undecided, 200 or fewer.
    """
    lengths = sorted(contig.length for contig in contigs if contig.source == "unaligned")
    divergences = [
        1 - c.transcript.identity
        for c in contigs
        if c.source == "unaligned" and c.kind == "reference_copy" and c.transcript
    ]
    usable = sorted(name for name, sequence in transcripts.items() if lengths and len(sequence) >= lengths[0])
    if not divergences or not usable:
        return []
    rng = stream(seed, Draw.CHANGED_COPIES)
    mean = max(sum(divergences) / len(divergences), 0.005)
    decoys = []
    for i in range(_N_DECOYS):
        sequence = transcripts[usable[rng.integers(len(usable))]]
        length = min(lengths[rng.integers(len(lengths))], len(sequence))
        start = int(rng.integers(len(sequence) - length + 1))
        changed = rng.random(length) < min(rng.exponential(mean), _LARGEST_DIVERGENCE)
        bases = "".join(
            "ACGT".replace(base, "")[rng.integers(3)] if is_changed else base
            for base, is_changed in zip(sequence[start : start + length], changed, strict=True)
        )
        decoys.append(Contig(f"decoy_{i}", bases, f"decoy_{i}", source="unaligned"))
    return decoys

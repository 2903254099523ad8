"""What the samples of a simulated study express: transcripts with their shares, and the fragments drawn from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .files import symbol
from .genome import Gene, NearCopy, gene_fold

CONDITIONS = ("ctrl", "stim")

NOVEL_SHARE, NEAR_COPY_SHARE = 0.15, 0.08  # of all fragments, before fold changes

UNLISTED_SHARE = 0.025  # of an unlisted gene; its fragments are drawn in addition

_CHORD_SHARE = 0.05  # of either transcript of the chord: enough for about ten fragments where it is low

_SET_SIZE = 6  # genes of a set

_DISPERSION = 0.04  # of a transcript's counts between samples: variance = mean + dispersion * mean²


@dataclass(frozen=True)
class Expressed:
    """An expressed transcript.

    Attributes
    ----------
    name, sequence
        Its name and sequence.
    share
        Its share of all fragments.
    fold
        Fold change, of samples that respond over the others; of a member of the chord, of high over low samples.
    member
        Its position in the chord, 0 or 1; None outside it.
    """

    name: str
    sequence: str
    share: float
    fold: float
    member: int | None = None


@dataclass(frozen=True)
class Sample:
    """A sample of the study.

    Attributes
    ----------
    name, condition, donor
        What the sheet says.
    layout
        "paired" or "single".
    responds
        Whether transcripts with a fold change are at its upper end: in the second condition, or in some of its samples.
    high
        Whether the first and the second member of the chord are high.
    """

    name: str
    condition: str
    donor: str
    layout: str
    responds: bool
    high: tuple[bool, bool]

    @property
    def files(self) -> list[str]:
        """Names of its FASTQ files."""
        return [f"{self.name}_R{mate}.fastq.gz" for mate in (1, 2)] if self.paired else [f"{self.name}.fastq.gz"]

    @property
    def paired(self) -> bool:
        """Whether it has read pairs."""
        return self.layout == "paired"


def make_samples(per_condition: int, responders: float) -> list[Sample]:
    """Make the samples: donors have one of each condition, and this share of those of the second condition respond.

    Both members of the chord are high or both low in the second condition, and one of them is high in the first; so
    each is high in half of the samples of either.
    """
    samples = []
    for condition in CONDITIONS:
        second = condition == CONDITIONS[1]
        for i in range(per_condition):
            layout = "paired" if i < (per_condition + 1) // 2 else "single"
            # evenly among the donors; the small addend keeps a third of three at one
            responds = second and int((i + 1) * responders + 1e-9) > int(i * responders + 1e-9)
            first = i // 2 % 2 == 0
            samples.append(
                Sample(f"{condition}_{i + 1}", condition, f"d{i + 1}", layout, responds, (first, first == second))
            )
    return samples


def gene_sets(n_genes: int) -> list[tuple[str, str, list[str]]]:
    """Sets of genes: those that differ, with one more for every two of them, and all others, six a set."""
    differing = [i for i in range(n_genes) if gene_fold(i)]
    others = [i for i in range(n_genes) if not gene_fold(i)]
    beside = others[: len(differing) // 2]
    others = others[len(beside) :]
    sets = [("Stimulus response", "genes that differ, and some that do not", [*differing, *beside])]
    sets += [
        (f"Pathway {k + 1}", "genes that do not differ", others[start : start + _SET_SIZE])
        for k, start in enumerate(range(0, len(others), _SET_SIZE))
    ]
    return [(name, text, [symbol(i) for i in genes]) for name, text, genes in sets if genes]


def express_reference(
    random: np.random.RandomState, genes: Sequence[Gene], reference: Mapping[str, str], fold: float
) -> list[Expressed]:
    """Share of all fragments and fold change of the reference transcripts; every twelfth gene differs by `fold`."""
    abundance = random.lognormal(0, 0.5, len(genes))
    shares, folds = {}, {}
    for i, gene in enumerate(genes):
        for name, part in zip(gene.isoforms, (0.55, 0.45) if len(gene.isoforms) == 2 else (1.0,), strict=True):
            shares[name] = abundance[i] * part * len(gene.isoforms) * len(reference[name])
            folds[name] = fold ** gene_fold(i)
    left, total = 1 - (NOVEL_SHARE + NEAR_COPY_SHARE), sum(shares.values())
    return [Expressed(name, reference[name], left * shares[name] / total, folds[name]) for name in reference]


def express_novel(
    random: np.random.RandomState, novel: Mapping[str, str], n_differing: int, fold: float
) -> list[Expressed]:
    """Of the novel transcripts, of which the first `n_differing` differ by `fold`, half of them downwards."""
    weights = random.uniform(0.8, 1.4, len(novel)) * [len(sequence) for sequence in novel.values()]
    folds = [1 / fold if i < n_differing // 2 else fold if i < n_differing else 1.0 for i in range(len(novel))]
    return [
        Expressed(name, sequence, NOVEL_SHARE * weight / weights.sum(), change)
        for (name, sequence), weight, change in zip(novel.items(), weights, folds, strict=True)
    ]


def express_near_copies(copies: Mapping[str, NearCopy]) -> list[Expressed]:
    """Of the near-copies, none of which differs."""
    return [Expressed(name, copy.sequence, NEAR_COPY_SHARE / len(copies), 1.0) for name, copy in copies.items()]


def with_chord(expressed: Sequence[Expressed], member: int, fold: float) -> list[Expressed]:
    """The same transcripts, of which the first that does not differ is a member of the chord."""
    first = next(i for i, item in enumerate(expressed) if item.fold == 1)
    joined = replace(expressed[first], share=_CHORD_SHARE, fold=fold, member=member)
    return [joined if i == first else item for i, item in enumerate(expressed)]


def draw_counts(
    random: np.random.RandomState, expressed: Sequence[Expressed], sample: Sample, fragments: int
) -> np.ndarray:
    """Draw the fragments of every transcript from negative binomial distributions."""
    if not expressed:
        return np.zeros(0, int)
    upper = [sample.responds if item.member is None else sample.high[item.member] for item in expressed]
    # upper and lower samples differ from the middle by the root of the fold change, scaled to keep their mean
    change = np.array(
        [
            item.fold ** (0.5 if up else -0.5) / ((item.fold**0.5 + item.fold**-0.5) / 2)
            for item, up in zip(expressed, upper, strict=True)
        ]
    )
    means = fragments * np.array([item.share for item in expressed]) * change
    return random.poisson(means * random.gamma(1 / _DISPERSION, _DISPERSION, len(expressed)))

"""Novelty class of a contig, decided on hits made by hand."""

import random

import pytest

from deepmapper.errors import InputError
from deepmapper.novelty.classes import Alignments, Contig, NoveltyOptions, classify
from deepmapper.novelty.loci import TranscriptIndex
from deepmapper.reads.annotation import Transcript

THREE = Transcript("T1.1", "T1", "", "chr", "+", ((1000, 1400), (1600, 1900), (2200, 2700)))
NEXT = Transcript("T2.1", "T2", "", "chr", "+", ((2900, 3600),))


@pytest.mark.parametrize(("other", "kind"), [("T1.2", "novel_isoform"), ("T2.1", "chimeric")])
def test_parts_of_one_gene_are_an_isoform_and_of_two_a_chimera(other, kind, hit):
    """Without a genome: halves of two transcripts, either of one gene or not."""
    index = TranscriptIndex([THREE, Transcript("T1.2", "T1", "", "chr", "+", ((1000, 1500),)), NEXT])
    contig = Contig("given", "".join(random.Random(1).choices("ACGT", k=100)), "DENOVO_0")
    hits = Alignments([hit(0, 52, "T1.1"), hit(50, 100, other)], (), ())
    decided = classify(contig, hits, index, NoveltyOptions(), stranded=False)
    assert decided.kind == kind
    assert "T1.1" in decided.reason
    assert other in decided.reason


@pytest.mark.parametrize(
    "wrong", [{"min_length": -1}, {"transcript_identity": 90}, {"part_share": 0}, {"drop": ["chimera"]}]
)
def test_options_out_of_bounds_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        NoveltyOptions(**wrong)

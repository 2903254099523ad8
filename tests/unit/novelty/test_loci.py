"""A place in the genome relative to the annotation: its class and genes."""

from dataclasses import replace

import pytest

from deepmapper.novelty.loci import TranscriptIndex, relate
from deepmapper.novelty.paf import combine
from deepmapper.reads.annotation import Transcript

THREE = Transcript("T1.1", "T1", "", "chr", "+", ((1000, 1400), (1600, 1900), (2200, 2700)))
NEXT = Transcript("T2.1", "T2", "", "chr", "+", ((2900, 3600),))
MINUS = Transcript("T3.1", "T3", "", "chr", "-", ((5000, 6000), (9000, 9500)))


@pytest.mark.parametrize(
    ("blocks", "spliced", "stranded", "kind", "gene"),
    [
        ([(1000, 1400), (1600, 1900), (2200, 2700)], "+", False, "reference_copy", "T1"),
        ([(1000, 1404), (1604, 1900), (2200, 2500)], "+", False, "reference_copy", "T1"),
        ([(1700, 1900), (2200, 2500)], "+", False, "reference_copy", "T1"),
        ([(1050, 1390)], "", False, "reference_copy", "T1"),
        ([(1000, 1400), (2200, 2700)], "+", False, "novel_isoform", "T1"),
        ([(1000, 1900), (2200, 2700)], "+", False, "novel_isoform", "T1"),
        ([(1000, 1300), (1600, 1900)], "+", False, "novel_isoform", "T1"),
        ([(1300, 1600)], "", False, "novel_isoform", "T1"),
        ([(2300, 3500)], "", False, "chimeric", "T2,T1"),
        ([(5200, 5700), (9100, 9400)], "+", False, "antisense", "T3"),
        ([(5200, 5700)], "", True, "antisense", "T3"),
        ([(5200, 5700)], "", False, "reference_copy", "T3"),
        ([(7000, 7800)], "", False, "intronic", "T3"),
        ([(12000, 12800)], "", False, "intergenic", ""),
        ([(5950, 7000)], "", False, "intronic", "T3"),
    ],
)
def test_a_place_is_classified_by_the_annotation(blocks, spliced, stranded, kind, gene, hit):
    size = sum(b - a for a, b in blocks)
    whole = hit(0, size, "chr", length=size, blocks=tuple(blocks), spliced=spliced)
    locus = combine([replace(whole, start=blocks[0][0], end=blocks[-1][1])])
    relation = relate(locus, TranscriptIndex([THREE, NEXT, MINUS]), stranded=stranded, min_copy=0.8, min_join=0.2)
    assert (relation.kind, ",".join(relation.genes)) == (kind, gene), relation.reason


def test_a_gene_is_found_by_transcript_id_with_or_without_version():
    index = TranscriptIndex([THREE, Transcript("ENST1", "ENSG1", "", "chr", "+", ((0, 10),))])
    assert [index.gene(name) for name in ("T1.1", "ENST1.7", "ENST1", "other")] == ["T1", "ENSG1", "ENSG1", "other"]
